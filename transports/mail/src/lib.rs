#![doc = include_str!("../README.md")]

mod account;
mod address;
mod compose;
mod date;
mod dial;
mod encode;
mod face;
mod inbound;
mod name;
mod outbox;
mod read;
mod scan;
mod server;
mod settings;
mod smtp;
mod tls;
mod transport;
mod words;

pub use account::{Account, After};
pub use address::{Address, recipients};
pub use compose::{Letter, compose};
pub use inbound::{Inbound, InboundLimits, Taken};
pub use name::Name;
pub use outbox::Outbox;
pub use read::{Found, Limits, Mail, read};
pub use server::{Login, Protocol, Security, Server};
pub use settings::{Dialled, HandedOver, Mailer, Received, Settings};
pub use tls::Tls;
pub use transport::{Imap, Lmtp, Mailto, Smtp};
