#![doc = include_str!("../README.md")]

mod greeting;
mod link;
mod listener;
mod mailbox;
mod socket;
mod way;

use std::time::Duration;

use packmule_bus::MAX_ENVELOPE;
use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Probe, Role, Transport, Way};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

pub use link::FACTS;

/// The subprotocol by which two of our own kind know each other.
pub const SUBPROTOCOL: &str = "packmule.v1";

/// How long the other side may take to say what it wants, or to answer that, after the
/// connection is there.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// Links and mailboxes over WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct Ws {
    max_message: usize,
}

impl Ws {
    /// Messages of strangers may have up to so many bytes, both ways.
    #[must_use]
    pub const fn with_limit(max_message: usize) -> Self {
        Self { max_message }
    }
}

impl Default for Ws {
    /// With the limit of envelopes, 64 MiB.
    fn default() -> Self {
        Self::with_limit(MAX_ENVELOPE)
    }
}

impl Transport for Ws {
    fn name(&self) -> &'static str {
        way::NAME
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let socket = TcpListener::bind(("127.0.0.1", 0)).await;
            let ready = "sockets can be opened here; without TLS: ws, not wss";
            Probe::tried(socket, ready, "no socket can be opened here")
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            let url = way::read(to)?;
            let no_answer = |why: String| OpenError::NoAnswer(format!("{to}: {why}"));
            let stream = TcpStream::connect((url.host, url.port))
                .await
                .map_err(|fault| no_answer(fault.to_string()))?;
            let greeting = greeting::ask(stream, &url, self.max_message);
            let greeted = timeout(HANDSHAKE, greeting)
                .await
                .map_err(|_| no_answer("no WebSocket handshake in time".to_owned()))?
                .map_err(no_answer)?;
            Ok(greeted.port(Role::Dialer, to.to_string()))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let url = way::read(at)?;
            let addresses: Vec<_> = lookup_host((url.host, url.port)).await?.collect();
            let socket = TcpListener::bind(addresses.as_slice()).await?;
            let listening = listener::Listening::new(socket, url.path, self.max_message)?;
            Ok(Box::new(listening) as Box<dyn Listener>)
        })
    }
}
