//! Two links back to back: what one sends the other receives.
//!
//! What is it: a bounded queue for each direction. Who calls it: the hub, and tests that need no
//! names. What can go wrong: the other half is dropped, which the queue tells at once.

use packmule_bus::link::{BoxFut, Link, LinkError, LinkFacts, LinkRx, LinkTx, Role};
use tokio::sync::mpsc;

/// A connected pair, the dialer's side first. Each direction holds `room` PDUs (at least one).
#[must_use]
pub fn pair(facts: LinkFacts, room: usize) -> (Link, Link) {
    let (near_tx, far_rx) = mpsc::channel(room.max(1));
    let (far_tx, near_rx) = mpsc::channel(room.max(1));
    let side = |role, tx, rx| Link {
        facts,
        role,
        with: "mem".to_owned(),
        tx: Box::new(Tx {
            mtu: facts.mtu,
            pdus: tx,
        }),
        rx: Box::new(Rx(rx)),
    };
    (
        side(Role::Dialer, near_tx, near_rx),
        side(Role::Listener, far_tx, far_rx),
    )
}

struct Tx {
    mtu: usize,
    pdus: mpsc::Sender<Vec<u8>>,
}

impl LinkTx for Tx {
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if pdu.len() > self.mtu {
                return Err(LinkError::TooLarge {
                    bytes: pdu.len(),
                    limit: self.mtu,
                });
            }
            // Waits while the queue is full: back-pressure.
            self.pdus.send(pdu).await.map_err(|_| LinkError::Closed)
        })
    }
}

struct Rx(mpsc::Receiver<Vec<u8>>);

impl LinkRx for Rx {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async move { self.0.recv().await.ok_or(LinkError::Closed) })
    }
}
