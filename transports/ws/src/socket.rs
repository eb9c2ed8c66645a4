//! A WebSocket that two tasks use: one reads, one writes.
//!
//! What is it: a stream of frames under a lock that is held only while it is polled. Who calls
//! it: links and mailboxes. What can go wrong: each foreign error becomes one of ours, once, here.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_util::{Sink, Stream};
use packmule_bus::link::LinkError;
use tokio::io::AsyncWrite;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::Duplex;

pub(crate) struct Socket(Mutex<WebSocketStream<Box<dyn Duplex>>>);

impl Socket {
    pub(crate) const fn new(stream: WebSocketStream<Box<dyn Duplex>>) -> Self {
        Self(Mutex::new(stream))
    }

    fn lock(&self) -> MutexGuard<'_, WebSocketStream<Box<dyn Duplex>>> {
        // Whoever panicked while polling left a stream that fails; it does not lie.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next frame that is not a continuation. After the other side's goodbye: the end.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Message, LinkError>> {
        let mut stream = self.lock();
        match ready!(Pin::new(&mut *stream).poll_next(cx)) {
            Some(Ok(Message::Close(_))) => {
                // Answers the goodbye and ends our direction, as others wait for (RFC 6455,
                // 7.1.1); that the answer arrives is of no account.
                if Pin::new(&mut *stream).poll_flush(cx).is_ready() {
                    let _ = Pin::new(stream.get_mut()).poll_shutdown(cx);
                }
                Poll::Ready(Err(LinkError::Closed))
            }
            Some(Ok(frame)) => Poll::Ready(Ok(frame)),
            Some(Err(fault)) => Poll::Ready(Err(told(fault))),
            None => Poll::Ready(Err(LinkError::Closed)),
        }
    }

    /// Waits until nothing is left to write.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        Pin::new(&mut *self.lock()).poll_flush(cx).map_err(told)
    }

    /// Says goodbye because a message was not taken, if the system takes it at once: whoever sent
    /// it need not wait for an answer.
    pub(crate) fn turn_away(&self) {
        let goodbye = CloseFrame {
            code: CloseCode::Again,
            reason: Utf8Bytes::from_static("not taken; try again later"),
        };
        let mut stream = self.lock();
        let mut cx = Context::from_waker(Waker::noop());
        if Pin::new(&mut *stream)
            .start_send(Message::Close(Some(goodbye)))
            .is_ok()
        {
            let _ = Pin::new(&mut *stream).poll_flush(&mut cx);
        }
    }

    /// Takes a frame whole, to be written by the next flushes. Call it after a flush only: so no
    /// more than one waits.
    pub(crate) fn start(&self, frame: Message) -> Result<(), LinkError> {
        Pin::new(&mut *self.lock()).start_send(frame).map_err(told)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A goodbye, if the system takes it at once; otherwise the connection just ends.
        let mut stream = self.lock();
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut *stream).poll_close(&mut cx);
    }
}

fn told(fault: Error) -> LinkError {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    match fault {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => LinkError::Closed,
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake
            | ProtocolError::SendAfterClosing
            | ProtocolError::ReceivedAfterClosing,
        ) => LinkError::Closed,
        other => LinkError::Io(io::Error::new(io::ErrorKind::InvalidData, other)),
    }
}
