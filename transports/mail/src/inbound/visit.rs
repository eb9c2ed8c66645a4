//! A mail that was handed over, as a mailbox that holds its messages.
//!
//! What is it: messages, and the one answer that the visitor waits for: yes, when all are settled;
//! no, when one is let go of. Who calls it: `talk` makes it, the node's driver empties it. What can
//! go wrong: the visitor leaves before it was answered; then settling fails, and the mail comes
//! again, which the bus knows.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use tokio::sync::{Notify, oneshot};

struct Inner {
    waiting: VecDeque<Vec<u8>>,
    /// Not settled, waiting or out.
    open: usize,
    /// Until the visit is over.
    answer: Option<oneshot::Sender<bool>>,
}

struct State {
    inner: Mutex<Inner>,
    ended: Notify,
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the visit, if it has not ended. Whether the visitor hears the answer.
    fn end(&self, taken: bool) -> bool {
        let answer = self.inner().answer.take();
        let heard = answer.is_some_and(|answer| answer.send(taken).is_ok());
        self.ended.notify_waiters();
        heard
    }

    async fn over(&self) {
        loop {
            let ended = self.ended.notified();
            if self.inner().answer.is_none() {
                return;
            }
            ended.await;
        }
    }
}

/// While it lives the visitor waits for the answer.
pub(super) struct Here(Arc<State>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.end(false);
    }
}

pub(super) struct Visit(Arc<State>);

impl Visit {
    pub(super) fn new(messages: Vec<Vec<u8>>, answer: oneshot::Sender<bool>) -> (Self, Here) {
        let inner = Inner {
            open: messages.len(),
            waiting: messages.into(),
            answer: Some(answer),
        };
        let state = Arc::new(State {
            inner: Mutex::new(inner),
            ended: Notify::new(),
        });
        (Self(Arc::clone(&state)), Here(state))
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Nobody can collect what waits any more; what is out has an end of its own.
        if !self.0.inner().waiting.is_empty() {
            self.0.end(false);
        }
    }
}

impl Mailbox for Visit {
    fn deliver(&self, _: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let next = {
                let mut inner = self.0.inner();
                let gone = inner.answer.is_none();
                inner.waiting.pop_front().filter(|_| !gone)
            };
            if let Some(bytes) = next {
                let settle = Box::new(Unsettled {
                    state: Arc::clone(&self.0),
                    settled: false,
                });
                return Ok(Collected { bytes, settle });
            }
            self.0.over().await;
            Err(LinkError::Closed)
        })
    }
}

/// A message in somebody's hands.
struct Unsettled {
    state: Arc<State>,
    settled: bool,
}

impl Settle for Unsettled {
    fn settle(mut self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        Box::pin(async move {
            self.settled = true;
            let last = {
                let mut inner = self.state.inner();
                if inner.answer.is_none() {
                    // It is durable, and its sender does not know: it will come again.
                    return Err(LinkError::Closed);
                }
                inner.open = inner.open.saturating_sub(1);
                inner.open == 0
            };
            if !last || self.state.end(true) {
                Ok(())
            } else {
                Err(LinkError::Closed)
            }
        })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if !self.settled {
            self.state.end(false);
        }
    }
}
