//! A mailbox over didcomm-bluetooth: whole messages in chunks, in either role.
//!
//! Called by [`crate::Ble`], for ways that ask for the profile and centrals that use it. What can
//! go wrong: the other side goes in the middle of a message, of which nothing is left then; what
//! comes is no message, which whoever collects finds out; nobody says anything for [`IDLE`], and
//! the connection, which others wait for, is ended. A message that went in part ends it too: the
//! next one would be read as the rest of it.

use std::sync::{Mutex as Plain, PoisonError};
use std::time::Duration;

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, LinkRx, LinkTx, Mailbox, Settle};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use crate::profile::{Assembler, END, chunks};
use crate::radio::{Answers, Channel};

/// The longest message that is taken, in bytes: a stranger's, of whom nothing is known yet.
const MOST: usize = 1 << 20;
/// A peripheral has one place for such centrals: whoever is silent for so long gives it up.
pub const IDLE: Duration = Duration::from_secs(60);

/// Both directions of one connection, each there until it fails.
pub(crate) struct Letters {
    longest: usize,
    tx: Mutex<Option<Box<dyn LinkTx>>>,
    rx: Mutex<Option<Inward>>,
    /// When something went or came last.
    last: Plain<Instant>,
    over: watch::Sender<bool>,
}

struct Inward {
    values: Box<dyn LinkRx>,
    message: Assembler,
    answers: Option<Answers>,
}

impl Letters {
    pub(crate) fn over(channel: Channel) -> Self {
        Self {
            longest: channel.longest,
            tx: Mutex::new(Some(channel.tx)),
            rx: Mutex::new(Some(Inward {
                values: channel.rx,
                message: Assembler::new(MOST),
                answers: channel.answers,
            })),
            last: Plain::new(Instant::now()),
            over: watch::channel(false).0,
        }
    }

    fn stir(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When it will have been silent for too long, if nothing happens.
    fn idle_at(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) + IDLE
    }

    /// The next value; an error where nobody says anything any more.
    async fn next(&self, values: &mut dyn LinkRx) -> Result<Vec<u8>, LinkError> {
        loop {
            let until = self.idle_at();
            match timeout_at(until, values.recv()).await {
                Ok(value) => {
                    self.stir();
                    return value;
                }
                // Meanwhile something went.
                Err(_) if self.idle_at() > until => {}
                Err(_) => return Err(LinkError::Closed),
            }
        }
    }

    /// The next message that is whole.
    async fn message(&self, inward: &mut Inward) -> Result<Collected, LinkError> {
        loop {
            let value = self.next(inward.values.as_mut()).await?;
            // Whoever wrote the end of a message that is none hears so: this is dropped then.
            let answer = match &mut inward.answers {
                Some(answers) if value == END => answers.try_recv().ok(),
                _ => None,
            };
            // A message that is too long, or nothing before an end, is passed over.
            if let Ok(Some(bytes)) = inward.message.heard(&value) {
                return Ok(Collected {
                    bytes,
                    settle: Box::new(Told(answer)),
                });
            }
        }
    }
}

/// Ends the connection when it is dropped, unless it was [`Whole::done`].
struct Whole<'a>(Option<&'a watch::Sender<bool>>);

impl Whole<'_> {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        if let Some(over) = self.0 {
            over.send_replace(true);
        }
    }
}

impl Mailbox for Letters {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let refused = |why: crate::profile::SendError| LinkError::Refused(why.to_string());
            let values = chunks(&packed, self.longest).map_err(refused)?;
            // One message after the other: chunks say not of which they are.
            let mut seat = self.tx.lock().await;
            if *self.over.borrow() {
                *seat = None;
            }
            let mut tx = seat.take().ok_or(LinkError::Closed)?;
            let whole = Whole(Some(&self.over));
            for value in values {
                tx.send(value.to_vec()).await?;
                self.stir();
            }
            whole.done();
            *seat = Some(tx);
            Ok(())
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let mut seat = self.rx.lock().await;
            let mut over = self.over.subscribe();
            let inward = seat.as_mut().ok_or(LinkError::Closed)?;
            let came = tokio::select! {
                biased;
                _ = over.wait_for(|over| *over) => Err(LinkError::Closed),
                came = self.message(inward) => came,
            };
            if came.is_err() {
                // Both halves, or the connection would be held by the other one.
                *seat = None;
                self.over.send_replace(true);
                if let Ok(mut tx) = self.tx.try_lock() {
                    *tx = None;
                }
            }
            came
        })
    }
}

/// Whoever waits for the answer to the last value of a message. Where the profile or the stack has
/// no word for it, the sender hears nothing.
struct Told(Option<oneshot::Sender<()>>);

impl Settle for Told {
    fn settle(self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        if let Some(answer) = self.0 {
            // Whoever does not wait any more sends it again, and it is known then.
            let _ = answer.send(());
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
