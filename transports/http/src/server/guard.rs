//! A connection that does not wait for ever.
//!
//! What is it: a stream around the stream. It keeps the visitor's seat, ends a write that makes no
//! progress, and before it closes says that nothing more comes and reads away what the visitor
//! still sends: else the system would answer that with a reset, and the visitor would never see
//! why it was refused. Who calls it: the HTTP library, and the WebSocket that takes the connection
//! over. What can go wrong: a visitor that goes on sending for ever: bytes and time are bounded.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use packmule_ws::Duplex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::Limits;
use super::seats::Seat;

pub(super) struct Guard {
    stream: Box<dyn Duplex>,
    stall: Duration,
    /// The connection is a WebSocket now: whoever does not read is waited for, and judged by
    /// whoever holds the port.
    changed_over: Arc<AtomicBool>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    linger: u64,
    linger_time: Duration,
    /// Runs once our direction is closed.
    leaving: Option<Pin<Box<Sleep>>>,
    _seat: Seat,
}

impl Guard {
    pub(super) fn new(
        stream: Box<dyn Duplex>,
        limits: &Limits,
        seat: Seat,
        changed_over: Arc<AtomicBool>,
    ) -> Self {
        Self {
            stream,
            changed_over,
            stall: limits.write_stall,
            stalled: None,
            linger: limits.linger,
            linger_time: limits.linger_time,
            leaving: None,
            _seat: seat,
        }
    }

    /// Lets a write go on that waits, while it may.
    fn wrote<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() || self.changed_over.load(Ordering::Relaxed) {
            self.stalled = None;
            return wrote;
        }
        let stall = self.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.linger_time;
        let timer = self.leaving.get_or_insert_with(|| Box::pin(sleep(time)));
        let mut waste = [0; 16 << 10];
        while self.linger > 0 && timer.deadline() > Instant::now() {
            let mut buffer = ReadBuf::new(&mut waste);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let more = buffer.filled().len() as u64;
                    self.linger = self.linger.saturating_sub(more);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return timer.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.leaving.is_none() {
            let closed = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.wrote(cx, closed))?;
        }
        self.poll_linger(cx).map(Ok)
    }
}
