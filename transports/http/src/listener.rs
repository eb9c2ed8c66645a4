//! Visitors as a node sees them: each posted message is a mailbox with one letter.
//!
//! What is it: a server whose reception hands ports to whoever accepts. Who calls it: the
//! transports `http` and `https`. What can go wrong: a visitor that leaves before it is answered,
//! which the mailbox tells; bytes that are no DIDComm message, which are refused at the door,
//! because a node would only let go of them, and the sender would try for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packmule_bus::link::{
    BoxFut, Collected, LinkError, Listener, Mailbox, OpenError, Port, Settle, Way,
};
use packmule_bus::{DecodeError, Envelope, Kind};
use packmule_ws::url::way_to;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::server::{Answer, Reception, Server, Visitor};

/// Ports that wait to be accepted; further visitors wait on their connections.
const WAITING: usize = 64;

/// What a visitor whose message was let go of is told.
const LATER: Answer = Answer::Refused {
    status: 503,
    retry_after: Some(30),
};

pub(crate) struct Listening {
    way: Way,
    ports: mpsc::Receiver<Port>,
    /// Dropping it ends the server and cuts its visitors off.
    _serving: JoinSet<()>,
}

impl Listening {
    /// Starts to serve.
    pub(crate) fn new(
        transport: &'static str,
        server: Server,
        path: &str,
    ) -> Result<Self, OpenError> {
        let way = way_to(transport, server.addr(), path);
        let way = way.ok_or_else(|| OpenError::Unavailable("the way is too long".to_owned()))?;
        let (door, ports) = mpsc::channel(WAITING);
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(Arc::new(Door(door)), std::future::pending()));
        Ok(Self {
            way,
            ports,
            _serving: serving,
        })
    }
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            let gone = || OpenError::NoAnswer("the server has ended".to_owned());
            self.ports.recv().await.ok_or_else(gone)
        })
    }
}

struct Door(mpsc::Sender<Port>);

impl Reception for Door {
    fn receive(&self, packed: Vec<u8>, _: Visitor) -> BoxFut<'_, Answer> {
        Box::pin(async move {
            if !is_message(&packed) {
                return Answer::Refused {
                    status: 400,
                    retry_after: None,
                };
            }
            let (visit, answered) = Visit::new(packed);
            // Its own end tells the mailbox that the visitor has gone, whenever this is dropped.
            let _here = Here(Arc::clone(&visit.state));
            if self.0.send(Port::Mailbox(Box::new(visit))).await.is_err() {
                return LATER;
            }
            answered.await.unwrap_or(LATER)
        })
    }

    fn socket(&self, port: Port, _: Visitor) -> BoxFut<'_, ()> {
        Box::pin(async {
            // Nobody accepts any more: the port is dropped, which is the end of it.
            let _ = self.0.send(port).await;
        })
    }
}

/// Whether bytes are a packed message, as JSON or in a form of ours.
fn is_message(bytes: &[u8]) -> bool {
    let envelope = match Envelope::decode(bytes) {
        Err(DecodeError::NotAnEnvelope) => Envelope::from_packed(bytes).ok(),
        other => other.ok(),
    };
    envelope.is_some_and(|envelope| envelope.kind() != Kind::Other)
}

/// What became of a visit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    Settled,
    /// Let go of unsettled, or the visitor left.
    Over,
}

struct State {
    phase: watch::Sender<Phase>,
    inner: Mutex<Inner>,
}

struct Inner {
    message: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
    answer: Option<oneshot::Sender<Answer>>,
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the visit once. `false` if it had ended before.
    fn end(&self, phase: Phase) -> bool {
        let mut inner = self.inner();
        let Some(answer) = inner.answer.take() else {
            return false;
        };
        let said = match (phase, inner.reply.take()) {
            (Phase::Settled, None) => Answer::Accepted,
            (Phase::Settled, Some(reply)) => Answer::Reply(reply),
            _ => LATER,
        };
        let heard = answer.send(said).is_ok();
        let phase = if heard { phase } else { Phase::Over };
        self.phase.send_replace(phase);
        heard
    }
}

/// While it lives the visitor waits for the answer.
struct Here(Arc<State>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.end(Phase::Over);
    }
}

struct Visit {
    state: Arc<State>,
}

impl Visit {
    fn new(message: Vec<u8>) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let state = State {
            phase: watch::Sender::new(Phase::Open),
            inner: Mutex::new(Inner {
                message: Some(message),
                reply: None,
                answer: Some(answer),
            }),
        };
        let state = Arc::new(state);
        (Self { state }, answered)
    }

    /// Waits until the visit is over, and tells how.
    async fn over(&self) -> Phase {
        let mut phase = self.state.phase.subscribe();
        let over = phase.wait_for(|phase| *phase != Phase::Open).await;
        over.map_or(Phase::Over, |phase| *phase)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Nobody can collect the message any more; one that was collected has its own end.
        if self.state.inner().message.is_some() {
            self.state.end(Phase::Over);
        }
    }
}

impl Mailbox for Visit {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            {
                let mut inner = self.state.inner();
                if inner.answer.is_none() {
                    return Err(LinkError::Closed);
                }
                if inner.reply.is_some() {
                    let why = "one message goes back with an answer".to_owned();
                    return Err(LinkError::Busy(why));
                }
                inner.reply = Some(packed);
            }
            match self.over().await {
                Phase::Settled => Ok(()),
                _ => Err(LinkError::Closed),
            }
        })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async {
            let message = {
                let mut inner = self.state.inner();
                let gone = inner.answer.is_none();
                inner.message.take().filter(|_| !gone)
            };
            if let Some(bytes) = message {
                let settle = Box::new(Unsettled(Arc::clone(&self.state)));
                return Ok(Collected { bytes, settle });
            }
            self.over().await;
            Err(LinkError::Closed)
        })
    }
}

/// A message that was collected. Settled, the visitor hears that it was taken; dropped before,
/// that it was not.
struct Unsettled(Arc<State>);

impl Settle for Unsettled {
    fn settle(self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>> {
        Box::pin(async move {
            if self.0.end(Phase::Settled) {
                Ok(())
            } else {
                // It is durable, and its sender does not know: it will come again.
                Err(LinkError::Closed)
            }
        })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        self.0.end(Phase::Over);
    }
}
