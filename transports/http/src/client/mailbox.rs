//! A server as a mailbox: messages go by POST, and what came back with an answer is collected.
//!
//! What is it: a [`Caller`] and a short row of replies. Who calls it: the node's driver. What can
//! go wrong: the server, as [`super::reply`] judges it; nobody collects, then nothing more is
//! posted, because a reply that came would have no place.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HeaderMap;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use packmule_bus::{Envelope, Kind};
use tokio::sync::{Notify, Semaphore};

use super::{Caller, reply};
use crate::media::COMPACT;

/// Replies that wait to be collected, those that may still come included.
const REPLIES: usize = 16;

/// Requests at once.
const AT_ONCE: usize = 8;

pub(crate) struct Outlet {
    caller: Caller,
    turns: Semaphore,
    row: Arc<Row>,
}

/// Replies in the order in which they came.
#[derive(Default)]
struct Row {
    waiting: Mutex<VecDeque<Vec<u8>>>,
    bell: Notify,
}

impl Row {
    fn with<T>(&self, act: impl FnOnce(&mut VecDeque<Vec<u8>>) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outlet {
    pub(crate) fn new(caller: Caller) -> Self {
        Self {
            caller,
            turns: Semaphore::new(AT_ONCE),
            row: Arc::default(),
        }
    }

    async fn post(&self, packed: Vec<u8>, kind: Kind) -> Result<(), LinkError> {
        let media_type = match kind {
            Kind::Other if Envelope::decode(&packed).is_ok() => COMPACT,
            Kind::Other => {
                let why = "HTTP carries DIDComm messages only".to_owned();
                return Err(LinkError::Refused(why));
            }
            _ => kind.media_type(),
        };
        let _turn = self.turns.acquire().await;
        if self.row.with(|waiting| waiting.len()) + AT_ONCE > REPLIES {
            let why = "replies wait to be collected".to_owned();
            return Err(LinkError::Busy(why));
        }
        let bytes = packed.len();
        let more = HeaderMap::new();
        let answer = self.caller.post(media_type, &more, packed.into()).await?;
        reply::judge(&answer, bytes)?;
        if let Some(message) = reply::message(answer.body) {
            self.row.with(|waiting| waiting.push_back(message));
            self.row.bell.notify_one();
        }
        Ok(())
    }
}

impl Mailbox for Outlet {
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(self.post(packed, kind))
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            loop {
                if let Some(bytes) = self.row.with(VecDeque::pop_front) {
                    let settle = Box::new(Unsettled {
                        bytes: Some(bytes.clone()),
                        row: Arc::clone(&self.row),
                    });
                    return Ok(Collected { bytes, settle });
                }
                // A ring between the look and the wait is kept for us.
                self.row.bell.notified().await;
            }
        })
    }
}

/// A reply in somebody's hands. No one else has it: let go of without settling, it waits again.
struct Unsettled {
    bytes: Option<Vec<u8>>,
    row: Arc<Row>,
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
            self.row.with(|waiting| waiting.push_front(bytes));
            self.row.bell.notify_one();
        }
    }
}
