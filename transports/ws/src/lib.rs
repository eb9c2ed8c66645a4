#![doc = include_str!("../README.md")]

mod greeting;
mod link;
mod listener;
mod mailbox;
mod socket;
pub mod tls;
mod transport;
pub mod url;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

pub use greeting::{Agreed, agree};
pub use link::FACTS;
pub use transport::{Ws, Wss, converse};

/// The subprotocol by which two of our own kind know each other.
pub const SUBPROTOCOL: &str = "packmule.v1";

/// How long the other side may take to say what it wants, or to answer that, after the
/// connection is there; and for TLS before that.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection of whatever kind: bare TCP, under TLS, or handed over by an HTTP server.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
