//! A real-time proxy that makes a local TCP connection behave like a channel.
//!
//! What is it: [`Proxy`], for test suites in any language: point a client at it, and the bytes
//! between client and server take the channel's time. Who calls it: `packmule sim link`. What
//! can go wrong: the machine is too busy to be as fast as the channel; what the proxy measured
//! is in [`Metrics`].
//!
//! Bytes of a TCP stream must not vanish, so what a lossy channel loses is *late* here: each PDU
//! that is lost or corrupted is sent again after a round trip, as a link layer would, and what
//! comes behind it waits. Duplicates do not show. A PDU that is held back holds back the rest.
//! A channel that goes one way cannot carry TCP; [`Proxy::bind`] refuses it.

mod line;
mod pipe;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::presets::Channel;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 256;

/// A proxy that listens.
#[derive(Debug)]
pub struct Proxy {
    listener: TcpListener,
    to: SocketAddr,
    channel: Channel,
    seed: u64,
}

/// What a proxy did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections accepted.
    pub connections: u64,
    /// Of them, those whose server did not answer.
    pub unanswered: u64,
    /// Of them, those that the channel ended: its life was over, or nothing went for too long.
    pub dropped: u64,
    /// Bytes from clients to the server.
    pub forth_bytes: u64,
    /// Bytes from the server to clients.
    pub back_bytes: u64,
    /// PDUs that they were cut into, both ways.
    pub pdus: u64,
    /// PDUs that were lost or corrupted, and sent again.
    pub resent: u64,
    /// PDUs that were held back.
    pub held_back: u64,
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// A TCP connection needs both ways.
    #[error("{0} goes one way; a TCP connection needs both")]
    OneWay(String),
    /// The socket.
    #[error("cannot listen at {at}: {error}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// The system's word.
        error: io::Error,
    },
}

/// Metrics that connections add to.
type Shared = Arc<Mutex<Metrics>>;

impl Proxy {
    /// Listens. The seed decides jitter, losses and lives.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub async fn bind(
        listen: SocketAddr,
        to: SocketAddr,
        channel: Channel,
        seed: u64,
    ) -> Result<Self, ProxyError> {
        if channel.one_way {
            return Err(ProxyError::OneWay(channel.name));
        }
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| ProxyError::Listen { at: listen, error })?;
        Ok(Self {
            listener,
            to,
            channel,
            seed,
        })
    }

    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Carries connections until `stop` is done, then ends them and tells what it did.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Metrics {
        let shared = Shared::default();
        let mut open = JoinSet::new();
        tokio::pin!(stop);
        let mut number = 0_u64;
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = open.join_next() => {}
                accepted = self.listener.accept(), if open.len() < CONNECTIONS => {
                    let Ok((client, _)) = accepted else {
                        // Out of descriptors, say: others will end.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    note(&shared, |metrics| metrics.connections += 1);
                    let line = line::Line::new(self.channel.clone(), self.seed, number);
                    number += 1;
                    open.spawn(connection(client, self.to, line, Arc::clone(&shared)));
                }
            }
        }
        open.shutdown().await;
        *shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connection(client: TcpStream, to: SocketAddr, line: line::Line, shared: Shared) {
    tokio::time::sleep(line.connect()).await;
    let Ok(server) = TcpStream::connect(to).await else {
        note(&shared, |metrics| metrics.unanswered += 1);
        return;
    };
    // The channel decides when bytes go, not Nagle.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (client, server) = (client.into_split(), server.into_split());
    pipe::carry(client, server, line, shared).await;
}

fn note(shared: &Shared, change: impl FnOnce(&mut Metrics)) {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
}
