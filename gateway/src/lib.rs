//! A gateway: a running node (Bluetooth, TCP, …), one web server, and a mediator over both.
//!
//! Called by `packmule gateway`, and by programs that embed one. People nearby reach it on any
//! link of its node, people far away over HTTP and WebSocket; it keeps what is for its accounts
//! until they collect it, and passes on what is for others where its policy allows. Its DID is
//! the node's DID and the mediator's routing DID.
//!
//! | module | does |
//! |---|---|
//! | `config` | one TOML file, environment over it, every fault with its line |
//! | `store` | accounts, the DIDs bound to them, and held messages, durable, behind one trait |
//! | `mediator` | what follows from an opened message: routing, mediation, pickup |
//! | `office` | takes packed messages from whichever door, opens them, asks the mediator, answers |
//! | `office/upstream` | what waited at other mediators, fetched by `packmule-uplink` |
//! | `page` | the pages for visitors and for operators, in three languages, their files in the binary |
//! | `token`, `contacts`, `log` | who may see the operators' side, and what is kept for it |
//! | `live` | which accounts have a live connection, and what is pushed there |
//! | `web` | hands WebSockets of our own kind to the node, as links |
//! | `founding`, `running`, `reload` | a gateway from its home's first day to its end, and what changes meanwhile |
//! | `admin` | how it stands, for who may read its home |
//!
//! What can go wrong: a fault of configuration is told before anything is opened. While it runs,
//! nothing that a stranger sends stops it: a message is answered, refused with a reason, or
//! counted and dropped where DIDComm forbids an answer. A full or failing disk refuses new mail
//! and still lets accounts collect theirs.

pub mod admin;
pub mod config;
mod contacts;
pub mod counters;
pub mod founding;
mod live;
pub mod log;
pub mod mediator;
mod office;
mod page;
pub mod rates;
mod reload;
mod running;
pub mod store;
pub mod token;
mod traces;
mod web;

pub use reload::Reins;
pub use running::{Gateway, Plan, StartError, limits, mailboxes};
