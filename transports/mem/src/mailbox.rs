//! A mailbox: messages wait in a row until somebody has settled them.
//!
//! What is it: a bounded row under a lock, and a bell. Who calls it: the hub. What can go wrong:
//! it is full; whoever collected a message forgets it, and it goes back to the row's head.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use tokio::sync::Notify;

/// Messages that wait at most.
const MAX_WAITING: usize = 1024;

/// What a mailbox is made of.
#[derive(Default)]
pub(crate) struct Slot {
    waiting: Mutex<VecDeque<Vec<u8>>>,
    bell: Notify,
}

impl Slot {
    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Vec<u8>>) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The sending side.
pub(crate) struct Post(pub(crate) Arc<Slot>);

impl Mailbox for Post {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            self.0.with(|waiting| {
                if waiting.len() >= MAX_WAITING {
                    return Err(LinkError::Busy("the mailbox is full".to_owned()));
                }
                waiting.push_back(packed);
                Ok(())
            })?;
            self.0.bell.notify_one();
            Ok(())
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }
}

/// The collecting side.
pub(crate) struct Collector(pub(crate) Arc<Slot>);

impl Mailbox for Collector {
    fn deliver(&self, _: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            loop {
                if let Some(bytes) = self.0.with(VecDeque::pop_front) {
                    let settle = Box::new(Unsettled {
                        bytes: Some(bytes.clone()),
                        slot: Arc::clone(&self.0),
                    });
                    return Ok(Collected { bytes, settle });
                }
                // A ring between the look and the wait is kept for us.
                self.0.bell.notified().await;
            }
        })
    }
}

/// A message in somebody's hands. Let go of without settling, it waits again.
struct Unsettled {
    bytes: Option<Vec<u8>>,
    slot: Arc<Slot>,
}

impl Settle for Unsettled {
    fn settle(mut self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        self.bytes = None;
        Box::pin(async { Ok(()) })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.slot.with(|waiting| waiting.push_front(bytes));
            self.slot.bell.notify_one();
        }
    }
}
