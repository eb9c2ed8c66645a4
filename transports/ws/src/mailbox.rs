//! A conversation with a stranger by the WebSocket rules of DIDComm: one packed message a frame.
//!
//! What is it: a mailbox whose two directions share one socket. Who calls it: the node's driver;
//! whether an answer may go back this way (return-route) is not decided here. What can go wrong:
//! the stranger goes, sends too much, or never answers a ping.
//!
//! The convention has no receipt. So each delivery sends a ping behind its message, and counts
//! the message as taken when the answer comes: then the other end has read it. Our end reads on
//! only when what it read is settled, so that the answer to a ping behind a message says that the
//! message is durable here; what is let go of unsettled was refused, and ends the conversation
//! before any answer. A stranger's library may answer for what it has only read.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox, Settle};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::Socket;

pub(crate) struct Exchange {
    socket: Socket,
    max_message: usize,
    /// Held by the delivery that is going: messages and their pings go one after the other.
    turn: tokio::sync::Mutex<()>,
    state: Arc<Mutex<State>>,
    bell: Arc<Bell>,
}

#[derive(Default)]
struct State {
    pings: u64,
    pongs: u64,
    /// A message that a delivery met while it waited for its answer; `collect` takes it.
    met: Option<Vec<u8>>,
    /// A collected message is not settled: nothing behind it is read.
    unsettled: bool,
    /// One was let go of unsettled, and the other side was not told yet.
    refused: bool,
    /// A fault that `collect` has not told yet.
    fault: Option<LinkError>,
    ended: bool,
}

impl Exchange {
    pub(crate) fn new(socket: Socket, max_message: usize) -> Self {
        Self {
            socket,
            max_message,
            turn: tokio::sync::Mutex::default(),
            state: Arc::default(),
            bell: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        open(&self.state)
    }

    /// Reads until a message waits, the end shows, or nothing more is here.
    fn read(&self, state: &mut State, cx: &Context<'_>) {
        let waker = self.bell.hang(cx);
        let mut cx = Context::from_waker(&waker);
        if std::mem::take(&mut state.refused) {
            self.socket.turn_away();
        }
        while state.met.is_none() && !state.unsettled && !state.ended {
            let Poll::Ready(frame) = self.socket.poll_next(&mut cx) else {
                return;
            };
            match frame {
                Ok(Message::Text(text)) => state.met = Some(text.as_bytes().to_vec()),
                Ok(Message::Binary(bytes)) => state.met = Some(bytes.into()),
                Ok(Message::Pong(number)) => {
                    if let Ok(number) = <[u8; 8]>::try_from(&*number) {
                        state.pongs = state.pongs.max(u64::from_be_bytes(number));
                    }
                }
                // Pings are answered below us.
                Ok(_) => continue,
                Err(fault) => {
                    state.ended = true;
                    state.fault = Some(fault);
                }
            }
            // Whatever changed may be what somebody else waits for.
            self.bell.ring();
        }
    }

    fn poll_collect(&self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, LinkError>> {
        let mut state = self.state();
        self.read(&mut state, cx);
        // Of two that collect, the second waits for what the first has to settle.
        if !state.unsettled
            && let Some(message) = state.met.take()
        {
            state.unsettled = true;
            // A delivery may have stopped reading for it.
            self.bell.ring();
            return Poll::Ready(Ok(message));
        }
        if state.ended {
            return Poll::Ready(Err(state.fault.take().unwrap_or(LinkError::Closed)));
        }
        Poll::Pending
    }

    fn poll_answered(&self, ping: u64, cx: &Context<'_>) -> Poll<Result<(), LinkError>> {
        let mut state = self.state();
        self.read(&mut state, cx);
        if state.pongs >= ping {
            Poll::Ready(Ok(()))
        } else if state.ended {
            Poll::Ready(Err(LinkError::Closed))
        } else {
            Poll::Pending
        }
    }

    /// Flushes; meanwhile reads, because the other side may wait for the same of us. A fault of
    /// writing is not the end of reading: messages may be here already.
    fn poll_written(&self, cx: &Context<'_>) -> Poll<Result<(), LinkError>> {
        self.read(&mut self.state(), cx);
        let waker = self.bell.hang(cx);
        self.socket.poll_flush(&mut Context::from_waker(&waker))
    }
}

impl Mailbox for Exchange {
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if packed.len() > self.max_message {
                return Err(LinkError::TooLarge {
                    bytes: packed.len(),
                    limit: self.max_message,
                });
            }
            let _turn = self.turn.lock().await;
            poll_fn(|cx| self.poll_written(cx)).await?;
            let ping = {
                let mut state = self.state();
                if state.ended {
                    return Err(LinkError::Closed);
                }
                state.pings += 1;
                state.pings
            };
            self.socket.start(frame(packed, kind))?;
            let number = ping.to_be_bytes().to_vec();
            self.socket.start(Message::Ping(number.into()))?;
            poll_fn(|cx| self.poll_written(cx)).await?;
            let answered = pin!(poll_fn(|cx| self.poll_answered(ping, cx)));
            answered.await
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let bytes = poll_fn(|cx| self.poll_collect(cx)).await?;
            let settle = Box::new(Unsettled {
                state: Arc::clone(&self.state),
                bell: Arc::clone(&self.bell),
                settled: false,
            });
            Ok(Collected { bytes, settle })
        })
    }
}

/// JSON goes as text, anything else as bytes.
fn frame(packed: Vec<u8>, kind: Kind) -> Message {
    if kind == Kind::Other {
        return Message::Binary(packed.into());
    }
    match String::from_utf8(packed) {
        Ok(text) => Message::Text(text.into()),
        Err(fault) => Message::Binary(fault.into_bytes().into()),
    }
}

fn open(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message that was collected. Settled, it lets the reading go on, and with it the answer to
/// the ping behind the message; dropped before, it ends the conversation.
struct Unsettled {
    state: Arc<Mutex<State>>,
    bell: Arc<Bell>,
    settled: bool,
}

impl Settle for Unsettled {
    fn settle(mut self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        Box::pin(async move {
            self.settled = true;
            Ok(())
        })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let mut state = open(&self.state);
        state.unsettled = false;
        if !self.settled {
            state.ended = true;
            state.refused = true;
        }
        drop(state);
        self.bell.ring();
    }
}

/// Wakes everybody who waits: deliveries and a collect use the same socket, which remembers only
/// who asked last.
#[derive(Default)]
struct Bell(Mutex<Vec<Waker>>);

impl Bell {
    /// Enters a task, and gives what wakes all that are entered.
    fn hang(self: &Arc<Self>, cx: &Context<'_>) -> Waker {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Waker::from(Arc::clone(self))
    }

    fn ring(&self) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
