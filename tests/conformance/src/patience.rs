//! Waiting, but not for ever; polling a future a few times and dropping it.
//!
//! What is it: the only place with timeouts. Who calls it: every check. What can go wrong: a
//! machine that stands still longer than [`PATIENCE`] makes a kept promise look broken.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use packmule_bus::link::BoxFut;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::Broken;

/// How long a check waits for what must come; far longer than it ever takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// After this long a send that has not returned is taken to wait for the reader. Too short
/// changes only how full a link is when the check goes on.
pub(crate) const STUCK: Duration = Duration::from_millis(200);

/// A check: its name, for whatever it finds.
#[derive(Clone, Copy)]
pub(crate) struct Promise(pub(crate) &'static str);

impl Promise {
    pub(crate) fn broken(self, seen: impl Into<String>) -> Broken {
        Broken {
            promise: self.0,
            seen: seen.into(),
        }
    }

    /// Waits for what must come.
    pub(crate) async fn soon<T>(
        self,
        what: &str,
        coming: impl Future<Output = T>,
    ) -> Result<T, Broken> {
        timeout(PATIENCE, coming)
            .await
            .map_err(|_| self.broken(format!("{what} never came to an end")))
    }

    /// Waits for what must come and be good.
    pub(crate) async fn good<T, E: Display>(
        self,
        what: &str,
        coming: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Broken> {
        self.soon(what, coming)
            .await?
            .map_err(|fault| self.broken(format!("{what} failed: {fault}")))
    }

    pub(crate) fn demand(self, holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
        if holds {
            Ok(())
        } else {
            Err(self.broken(seen()))
        }
    }
}

/// Polls a future up to so many times, letting others run in between, then drops it.
pub(crate) async fn poke<T>(mut future: BoxFut<'_, T>, polls: usize) -> Option<T> {
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await;
        if let Poll::Ready(value) = polled {
            return Some(value);
        }
        yield_now().await;
    }
    None
}
