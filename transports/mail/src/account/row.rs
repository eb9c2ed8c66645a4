//! What was found and waits, and the mailbox that hands it out.
//!
//! What is it: a row under a lock, and a bell. Who calls it: the watch puts mails in, the node's
//! driver takes messages out. What can go wrong: a message that is let go of unsettled waits again,
//! behind the others; a session that ended answers no settling, and the mail comes again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use tokio::sync::{Notify, mpsc, oneshot};

/// Messages that wait at most before no further mail is fetched, and their bytes.
const MOST: usize = 64;
const MOST_BYTES: usize = 32 << 20;

/// A mail of which everything is durable here; answered when it is put away.
pub(super) struct Done {
    pub(super) uid: u32,
    pub(super) answer: oneshot::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(u32, Vec<u8>)>,
    bytes: usize,
    /// Of each mail, the messages that are not settled.
    open: BTreeMap<u32, usize>,
    over: bool,
}

#[derive(Default)]
pub(crate) struct Row {
    inner: Mutex<Inner>,
    bell: Notify,
    /// For whoever fetches.
    room: Notify,
    ended: Notify,
}

impl Row {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the messages of a mail in.
    pub(super) fn put(&self, uid: u32, messages: Vec<Vec<u8>>) {
        let mut inner = self.inner();
        inner.open.insert(uid, messages.len());
        for message in messages {
            inner.bytes += message.len();
            inner.waiting.push_back((uid, message));
        }
        drop(inner);
        self.bell.notify_one();
    }

    pub(super) fn has_room(&self) -> bool {
        let inner = self.inner();
        inner.waiting.len() < MOST && inner.bytes < MOST_BYTES
    }

    /// Waits until something was taken out.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// The mails that are not put away, by the first of them.
    pub(super) fn first_open(&self) -> Option<u32> {
        self.inner().open.keys().next().copied()
    }

    pub(super) fn forget(&self, uid: u32) {
        self.inner().open.remove(&uid);
    }

    /// The session is over.
    pub(super) fn end(&self) {
        self.inner().over = true;
        self.bell.notify_waiters();
        self.bell.notify_one();
        self.ended.notify_waiters();
    }

    /// Waits until the session is over.
    pub(crate) async fn over(&self) {
        loop {
            let ended = self.ended.notified();
            if self.inner().over {
                return;
            }
            ended.await;
        }
    }

    fn take(&self) -> Option<Result<(u32, Vec<u8>), LinkError>> {
        let mut inner = self.inner();
        if inner.over {
            // What waits comes again from the next session.
            return Some(Err(LinkError::Closed));
        }
        let (uid, bytes) = inner.waiting.pop_front()?;
        inner.bytes = inner.bytes.saturating_sub(bytes.len());
        let more = !inner.waiting.is_empty();
        drop(inner);
        self.room.notify_one();
        if more {
            self.bell.notify_one();
        }
        Some(Ok((uid, bytes)))
    }

    fn put_back(&self, uid: u32, bytes: Vec<u8>) {
        let mut inner = self.inner();
        inner.bytes += bytes.len();
        inner.waiting.push_back((uid, bytes));
        drop(inner);
        self.bell.notify_one();
    }

    /// One message of a mail is durable; was it the last?
    fn settled(&self, uid: u32) -> bool {
        let mut inner = self.inner();
        let Some(open) = inner.open.get_mut(&uid) else {
            return false;
        };
        *open = open.saturating_sub(1);
        *open == 0
    }
}

/// The collecting side.
pub(super) struct Inbox {
    row: Arc<Row>,
    requests: mpsc::UnboundedSender<Done>,
}

impl Inbox {
    pub(super) const fn new(row: Arc<Row>, requests: mpsc::UnboundedSender<Done>) -> Self {
        Self { row, requests }
    }
}

impl Mailbox for Inbox {
    fn deliver(&self, _: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            loop {
                if let Some(taken) = self.row.take() {
                    let (uid, bytes) = taken?;
                    let settle = Box::new(Unsettled {
                        uid,
                        bytes: Some(bytes.clone()),
                        row: Arc::clone(&self.row),
                        requests: self.requests.clone(),
                    });
                    return Ok(Collected { bytes, settle });
                }
                // A ring between the look and the wait is kept for us.
                self.row.bell.notified().await;
            }
        })
    }
}

/// A message in somebody's hands. Let go of without settling, it waits again.
struct Unsettled {
    uid: u32,
    bytes: Option<Vec<u8>>,
    row: Arc<Row>,
    requests: mpsc::UnboundedSender<Done>,
}

impl Settle for Unsettled {
    fn settle(mut self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        self.bytes = None;
        let (row, uid, requests) = (Arc::clone(&self.row), self.uid, self.requests.clone());
        Box::pin(async move {
            if !row.settled(uid) {
                // The mail is put away with the last of its messages.
                return Ok(());
            }
            let (answer, answered) = oneshot::channel();
            let asked = requests.send(Done { uid, answer }).is_ok();
            if asked && answered.await == Ok(true) {
                Ok(())
            } else {
                Err(LinkError::Closed)
            }
        })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.row.put_back(self.uid, bytes);
        }
    }
}
