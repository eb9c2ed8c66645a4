//! A node and its home: the durable store of one party's messages, peers and keys, the desk that
//! packs and opens them, and the running bus that carries them.
//!
//! Called by the CLI and by programs that embed a node. A [`Home`] is a folder (mode 0700, its
//! files 0600):
//!
//! | file | holds |
//! |---|---|
//! | `keys.sealed` | the private keys, sealed with the passphrase |
//! | `passphrase` | the passphrase itself, in a home that opens without anybody |
//! | `identity.json` | our DID and its document |
//! | `store.sqlite` | peers, outbox, inbox, what was ever seen, kept DID documents, the bus's records |
//! | `bodies/` | messages that are too large for the store |
//! | `node.lock`, `node.sock` | which process runs a node here, and how to speak to it ([`control`]) |
//!
//! A [`desk::Desk`] is a home with its keys unlocked. A [`Node`] is a desk with a bus on tokio:
//! it takes up what the outbox holds, opens what arrives, and serves the control socket.
//!
//! Whatever a method changed is on the disk when it returns (`SQLite` in WAL mode with
//! `synchronous=FULL`; one transaction a call). Messages are stored packed and are opened on
//! demand, so that without the passphrase the folder gives away who our peers are and nothing
//! that they said.
//!
//! What can go wrong: see [`HomeError`] for the disk, and one small error enum per verb.
//! A fault never changes anything half way.

mod bodies;
pub mod control;
pub mod desk;
mod driver;
mod error;
mod home;
mod inbox;
mod judge;
mod lock;
mod node;
mod outbox;
mod peers;
mod records;
mod schema;
pub mod units;
mod writer;

pub use error::HomeError;
pub use home::{CreateError, Home, UnlockError};
pub use inbox::{Accepted, Arrival, InRow, InState};
pub use judge::{Applied, ApplyError, Change};
pub use lock::JudgeLock;
pub use node::{
    DoneError, Events, Node, NodeConfig, Received, Seek, StartError, Submit, SubmitError, Undone,
};
pub use outbox::{OutRecord, OutRow, OutState, QueueError};
pub use peers::{PeerError, PeerRecord, REMOVED_PEERS};
