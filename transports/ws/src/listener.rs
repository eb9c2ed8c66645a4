//! Whoever waits for visitors, and greets many at once.
//!
//! What is it: accepts connections and runs their handshakes side by side, under bounds of time
//! and number. Who calls it: the node's driver. What can go wrong: visitors that say nothing or
//! nonsense, and a process without free descriptors: none ends the listening.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Role, Way};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{HANDSHAKE, greeting, url};

/// Handshakes that may be going on; further visitors wait in the system's queue.
const MAX_GREETINGS: usize = 256;

/// How long to wait for descriptors or memory to become free: the system queues meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Listening {
    socket: TcpListener,
    way: Way,
    path: Arc<str>,
    max_message: usize,
    /// Dropping it ends the handshakes.
    greetings: JoinSet<Option<Port>>,
}

impl Listening {
    pub(crate) fn new(
        socket: TcpListener,
        path: &str,
        max_message: usize,
    ) -> Result<Self, OpenError> {
        let address = socket.local_addr()?;
        let way = url::way_to("ws", address, path)
            .ok_or_else(|| OpenError::Io(io::Error::other("the socket has no address")))?;
        Ok(Self {
            socket,
            way,
            path: path.into(),
            max_message,
            greetings: JoinSet::new(),
        })
    }

    fn greet(&mut self, stream: TcpStream, from: String) {
        let (path, max_message) = (Arc::clone(&self.path), self.max_message);
        self.greetings.spawn(async move {
            // Fails only if the visitor has gone already, which the next call will tell.
            let _ = stream.set_nodelay(true);
            let greeting = greeting::answer(Box::new(stream), &path, max_message);
            let greeted = timeout(HANDSHAKE, greeting).await.ok()?.ok()?;
            Some(greeted.port(Role::Listener, from))
        });
    }
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            loop {
                tokio::select! {
                    Some(greeted) = self.greetings.join_next() => {
                        // One bad visitor is no error.
                        if let Ok(Some(port)) = greeted {
                            return Ok(port);
                        }
                    }
                    visitor = self.socket.accept(), if self.greetings.len() < MAX_GREETINGS => {
                        match visitor {
                            Ok((stream, from)) => self.greet(stream, from.to_string()),
                            Err(fault) if fault.kind() == io::ErrorKind::InvalidInput => {
                                return Err(fault.into());
                            }
                            // This visitor, or a want of descriptors: later is better.
                            Err(_) => sleep(PAUSE).await,
                        }
                    }
                }
            }
        })
    }
}
