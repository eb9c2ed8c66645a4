//! The owner for a node without mailboxes: what comes is its own.
//!
//! Called by `packmule run`. What can go wrong: the disk; then the message stays at the mediator
//! and is offered again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packmule_bus::Envelope;
use packmule_bus::link::BoxFut;
use packmule_node::{Arrival, Node};
use tokio::sync::watch;

use crate::{Event, Later, Owner};

/// How long a disk is left alone that did not take a message.
const AGAIN: Duration = Duration::from_secs(10);

/// Whoever is told what happens.
type Tell = Box<dyn Fn(&Event) + Send + Sync>;

/// Puts what comes into the inbox of a node.
pub struct NodeOwner {
    node: Node,
    unchanging: watch::Sender<u64>,
    tell: Tell,
}

impl NodeOwner {
    /// For this node; `tell` hears what happens.
    pub fn new(node: Node, tell: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self {
            node,
            unchanging: watch::Sender::new(0),
            tell: Box::new(tell),
        }
    }
}

impl Owner for NodeOwner {
    fn take(&self, packed: Vec<u8>) -> BoxFut<'_, Result<(), Later>> {
        Box::pin(async move {
            // What is no message at all is not worth a second look.
            let Ok(envelope) = Envelope::from_packed(&packed) else {
                return Ok(());
            };
            let node = self.node.clone();
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            let arrival = Arrival {
                channel: "mediator".to_owned(),
                received: since.map_or(0, |since| since.as_secs()),
            };
            let kept = tokio::task::spawn_blocking(move || {
                node.desk().home().accept_all([&envelope], &arrival)
            });
            if !matches!(kept.await, Ok(Ok(_))) {
                return Err(Later(AGAIN));
            }
            self.node.poke().await;
            Ok(())
        })
    }

    fn served(&self) -> BoxFut<'_, Result<Vec<String>, Later>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.unchanging.subscribe()
    }

    fn tell(&self, event: &Event) {
        (self.tell)(event);
    }
}
