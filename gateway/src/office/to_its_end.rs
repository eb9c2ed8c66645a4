//! Work that is done whether or not anybody still waits for it.
//!
//! Called by the doors for each message: a visitor that leaves half way drops the future that it
//! waited for, and a live push or an answer would be missing. What can go wrong: a panic in it is
//! a panic of whoever waits, and it is not asked again.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Goes on in a task of its own once it is dropped. A task for each from the start would cost more
/// than many messages do.
pub(super) struct ToItsEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> ToItsEnd<F> {
    pub(super) fn of(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Out of its place while it is asked: what panics is not asked again.
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn who_waits_is_told_and_who_leaves_stops_nothing() {
        assert_eq!(ToItsEnd::of(async { 7 }).await, 7);

        let (go, done) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (told, ends) = (Arc::clone(&go), Arc::clone(&done));
        let work = async move {
            told.notified().await;
            ends.store(true, Ordering::Release);
        };
        let left = timeout(Duration::from_millis(20), ToItsEnd::of(work)).await;
        assert!(left.is_err() && !done.load(Ordering::Acquire));
        go.notify_one();
        for _ in 0..500 {
            if done.load(Ordering::Acquire) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("it was dropped half way");
    }
}
