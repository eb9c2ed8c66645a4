//! Links that come in by the web server, for the node.
//!
//! What is it: a transport that only listens: what the server hands over, the node accepts. Two
//! nodes that meet at a WebSocket of a gateway so have a session like any other. Who calls it:
//! the gateway gives it to its node. What can go wrong: nothing of its own; it ends with the
//! server.

use std::sync::{Mutex, PoisonError};

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Probe, Transport, Way};
use tokio::sync::mpsc;

/// Its name as a transport.
const NAME: &str = "web";
/// Visitors that wait for the node.
const WAITING: usize = 64;

/// The transport.
pub(crate) struct Web(Mutex<Option<mpsc::Receiver<Port>>>);

/// It, the way to listen on, and where the server hands visitors over.
pub(crate) fn web() -> (Web, Option<Way>, mpsc::Sender<Port>) {
    let (ports, at) = mpsc::channel(WAITING);
    let way = Way::parse(&format!("{NAME}:server"));
    (Web(Mutex::new(Some(at))), way, ports)
}

impl Transport for Web {
    fn name(&self) -> &'static str {
        NAME
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async { Probe::tried(Ok(()), "the web server is here", "") })
    }

    fn open<'a>(&'a self, _: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async { Err(OpenError::Unsupported(NAME)) })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let ports = slot.take().ok_or(OpenError::Unsupported(NAME))?;
            let way = at.clone();
            Ok(Box::new(Listening { ports, way }) as Box<dyn Listener>)
        })
    }
}

struct Listening {
    ports: mpsc::Receiver<Port>,
    way: Way,
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            let port = self.ports.recv().await;
            port.ok_or_else(|| OpenError::NoAnswer("the server has ended".to_owned()))
        })
    }
}
