//! The transports `ws` and `wss`.
//!
//! What is it: dialling and listening, from a way to a port. Who calls it: the node's driver. What
//! can go wrong: a way that is none, nobody there, or nobody who speaks WebSocket.

use std::sync::Arc;

use packmule_bus::MAX_ENVELOPE;
use packmule_bus::link::{BoxFut, Listener, Mailbox, OpenError, Port, Probe, Role, Transport, Way};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::greeting::Greeted;
use crate::tls::Trust;
use crate::url::Url;
use crate::{Duplex, HANDSHAKE, SUBPROTOCOL, greeting, listener};

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

/// The same under TLS, for those who dial.
#[derive(Clone, Debug)]
pub struct Wss {
    max_message: usize,
    trust: Arc<Trust>,
}

impl Wss {
    /// Messages of strangers may have up to so many bytes; servers are those whom `trust` knows.
    #[must_use]
    pub const fn new(max_message: usize, trust: Arc<Trust>) -> Self {
        Self { max_message, trust }
    }
}

impl Default for Wss {
    /// With the limit of envelopes, and the authorities of the system.
    fn default() -> Self {
        Self::new(MAX_ENVELOPE, Arc::default())
    }
}

async fn open(
    transport: &'static str,
    to: &Way,
    trust: Option<&Trust>,
    max_message: usize,
) -> Result<Port, OpenError> {
    let url = Url::of_way(transport, to)?;
    let kin = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
    let greeted = greet(&url, trust, &kin, max_message).await;
    let greeted = greeted.map_err(|why| OpenError::NoAnswer(format!("{to}: {why}")))?;
    Ok(greeted.port(Role::Dialer, to.to_string()))
}

/// Connects and asks for a WebSocket. Fails with a text for people that names nobody.
async fn greet(
    url: &Url<'_>,
    trust: Option<&Trust>,
    more: &[(&str, &str)],
    max_message: usize,
) -> Result<Greeted, String> {
    let stream = TcpStream::connect((url.host, url.port))
        .await
        .map_err(|fault| fault.to_string())?;
    // Fails only if the other side has gone already, which the next call will tell.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Duplex> = match trust {
        None => Box::new(stream),
        Some(trust) => timeout(HANDSHAKE, trust.secure(stream, url.host))
            .await
            .map_err(|_| "no TLS handshake in time".to_owned())?
            .map_err(|fault| fault.to_string())?,
    };
    let asked = greeting::ask(stream, url, more, max_message);
    let greeted = timeout(HANDSHAKE, asked).await;
    greeted.map_err(|_| "no WebSocket handshake in time".to_owned())?
}

/// Opens a conversation by DIDComm's rules, also with one of our own kind: for clients of a
/// mediator, who want messages and no session. `more` are headers of the caller's own, such as a
/// token; `max_message` bounds messages both ways.
///
/// # Errors
/// A text for people that names nobody.
pub async fn converse(
    url: &str,
    trust: &Trust,
    more: &[(&str, &str)],
    max_message: usize,
) -> Result<Box<dyn Mailbox>, String> {
    let url = Url::parse(url).filter(|url| url.scheme.starts_with("ws"));
    let url = url.ok_or_else(|| "this is no URL of a WebSocket".to_owned())?;
    let trust = url.secure.then_some(trust);
    let greeted = greet(&url, trust, more, max_message).await?;
    greeted.mailbox()
}

impl Transport for Ws {
    fn name(&self) -> &'static str {
        "ws"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let socket = TcpListener::bind(("127.0.0.1", 0)).await;
            let ready = "sockets can be opened here";
            Probe::tried(socket, ready, "no socket can be opened here")
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(open(self.name(), to, None, self.max_message))
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let url = Url::of_way(self.name(), at)?;
            let addresses: Vec<_> = lookup_host((url.host, url.port)).await?.collect();
            let socket = TcpListener::bind(addresses.as_slice()).await?;
            let listening = listener::Listening::new(socket, url.path, self.max_message)?;
            Ok(Box::new(listening) as Box<dyn Listener>)
        })
    }
}

impl Transport for Wss {
    fn name(&self) -> &'static str {
        "wss"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let found = self.trust.authorities();
            let ready = "TLS can be dialled: the system knows authorities";
            Probe::tried(
                found,
                ready,
                "no authority is known (Debian: ca-certificates)",
            )
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(open(self.name(), to, Some(&self.trust), self.max_message))
    }

    fn listen<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async {
            let why = "WebSockets under TLS come to whoever listens on https";
            Err(OpenError::Unavailable(why.to_owned()))
        })
    }
}
