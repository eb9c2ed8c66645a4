//! The node's end of the socket.
//!
//! Called by the node when it starts. One conversation is one task: it reads a request, answers
//! it, reads the next. What can go wrong: a client of another user (hung up on), one that does
//! not read (dropped after [`PATIENCE`]), one that writes nonsense (told so).

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_bus::EnvelopeId;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::line::{LineEnd, Lines, line_of};
use super::{DeadLetter, EventLine, MAX_LINE, Outcome, Parcel, Reply, Request, VERSION, place};
use crate::driver::Command;
use crate::node::Inner;
use crate::{DoneError, Events, Node, Submit, SubmitError};

/// Conversations at once.
const SEATS: usize = 32;
/// How long a client may have nothing to ask before its seat is somebody else's.
const IDLE: Duration = Duration::from_secs(600);
/// How long a client may take to read a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of events that are written in one go.
const BREATHFUL: usize = 32 << 10;
/// After a visitor that could not be let in.
const BREATH: Duration = Duration::from_millis(100);
/// How long the last answers may take when the node has ended.
const FAREWELL: Duration = Duration::from_millis(300);

/// A bound socket.
pub(crate) struct Server {
    listener: UnixListener,
    _made: place::Made,
}

impl Server {
    /// Binds the socket of a home whose lock this process holds: whatever is there was left by
    /// one that is gone.
    pub(crate) fn bind(home: &Path) -> io::Result<Self> {
        let (made, listener) = place::bind(home, place::SOCKET)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self {
            listener,
            _made: made,
        })
    }

    /// Serves clients until the node has ended.
    pub(crate) async fn serve(self, node: Weak<Inner>, ends: mpsc::Sender<Command>) {
        let seats = Arc::new(Semaphore::new(SEATS));
        let mut talks = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(_) => {
                        sleep(BREATH).await;
                        continue;
                    }
                },
                () = ends.closed() => break,
            };
            while talks.try_join_next().is_some() {}
            if !is_ours(&stream) {
                continue;
            }
            let seat = Arc::clone(&seats).try_acquire_owned();
            let node = node.clone();
            talks.spawn(async move {
                let (from, to) = stream.into_split();
                let mut talk = Talk {
                    lines: Lines::of(from),
                    to,
                    node,
                };
                let outcome = match seat {
                    Ok(_seat) => talk.hold().await,
                    Err(_) => talk.refuse("too many clients; try again later").await,
                };
                // A client that is gone needs no answer.
                drop(outcome);
            });
        }
        drop(self);
        // Who asked it to stop hears that it has.
        let all_said = async { while talks.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, all_said).await;
    }
}

/// This user's, or the system's.
fn is_ours(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

struct Talk {
    lines: Lines<OwnedReadHalf>,
    to: OwnedWriteHalf,
    node: Weak<Inner>,
}

impl Talk {
    async fn hold(&mut self) -> io::Result<()> {
        let Some(node) = Node::upgrade(&self.node) else {
            return Ok(());
        };
        let did = node.desk().did().to_owned();
        drop(node);
        let pid = std::process::id();
        let version = VERSION;
        self.say(&Reply::Hello { version, pid, did }).await?;
        loop {
            let line = match timeout(IDLE, self.lines.next()).await {
                Ok(Ok(line)) => line,
                Ok(Err(LineEnd::TooLong)) => {
                    let why = format!("a request is longer than {MAX_LINE} bytes");
                    return self.refuse(&why).await;
                }
                Ok(Err(LineEnd::Closed)) | Err(_) => return Ok(()),
            };
            // Held for one request, so that a silent client does not keep the node alive.
            let Some(node) = Node::upgrade(&self.node) else {
                return Ok(());
            };
            let reply = match serde_json::from_slice(&line) {
                Err(error) => Reply::Error {
                    why: format!("not a request: {error}"),
                },
                Ok(Request::Watch) => {
                    let events = node.events();
                    drop(node);
                    self.say(&Reply::Done { changed: false }).await?;
                    return self.watch(events).await;
                }
                Ok(request) => answer(node, request).await,
            };
            self.say(&reply).await?;
        }
    }

    async fn watch(&mut self, mut events: Events) -> io::Result<()> {
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.tell(event, &mut events).await?,
                    None => return Ok(()),
                },
                // It has nothing to say any more but that it goes.
                line = self.lines.next() => if line.is_err() {
                    return Ok(());
                },
            }
        }
    }

    /// Says this event and those that wait behind it, as many as go in one breath.
    async fn tell(&mut self, first: EventLine, events: &mut Events) -> io::Result<()> {
        let mut lines = line_of(&Reply::Event(first))?;
        while lines.len() < BREATHFUL
            && let Some(event) = events.ready()
        {
            lines.extend(line_of(&Reply::Event(event))?);
        }
        self.write(&lines).await
    }

    async fn refuse(&mut self, why: &str) -> io::Result<()> {
        self.say(&Reply::Error {
            why: why.to_owned(),
        })
        .await
    }

    async fn say(&mut self, reply: &Reply) -> io::Result<()> {
        let line = match line_of(reply) {
            Ok(line) => line,
            Err(error) => line_of(&Reply::Error {
                why: error.to_string(),
            })?,
        };
        self.write(&line).await
    }

    async fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match timeout(PATIENCE, self.to.write_all(lines)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn answer(node: Node, request: Request) -> Reply {
    let error = |why: String| Reply::Error { why };
    match request {
        Request::Send {
            to,
            message,
            by,
            priority,
        } => {
            let options = Submit {
                by,
                priority: priority.into(),
                ..Submit::default()
            };
            match message_of(message) {
                Ok(message) => {
                    let message_id = Some(message.id.clone());
                    queued(node.send(&to, message, options).await, message_id)
                }
                Err(why) => error(why),
            }
        }
        Request::Submit(parcel) => {
            let (packed, to, options) = letter(parcel);
            let taken = node.submit(packed, &to, options).await;
            queued(taken.map(|id| vec![id]), None)
        }
        Request::SubmitAll { parcels } => {
            let letters = parcels.into_iter().map(letter).collect();
            let outcomes = node.submit_all(letters).await.into_iter();
            Reply::QueuedAll {
                outcomes: outcomes
                    .map(|outcome| match outcome {
                        Ok(id) => Outcome::Queued(id.to_string()),
                        Err(error) => Outcome::Refused(error.to_string()),
                    })
                    .collect(),
            }
        }
        Request::Status => match node.status().await {
            Some(status) => Reply::Status(Box::new(status)),
            None => error("the node is ending".to_owned()),
        },
        Request::Why { id } => match find(&node, &id) {
            Ok(id) => Reply::Why {
                why: node.why(id).await.map(Box::new),
            },
            Err(why) => error(why),
        },
        Request::Forget { id } => match find(&node, &id) {
            Ok(id) => changed(node.forget(id).await),
            Err(why) => error(why),
        },
        Request::Retry { id } => match find(&node, &id) {
            Ok(id) => changed(node.retry(id).await),
            Err(why) => error(why),
        },
        Request::DeadLetters => dead_letters(node.dead_letters().await),
        Request::Poke => {
            node.poke().await;
            Reply::Done { changed: true }
        }
        Request::Stop => {
            node.halt().await;
            Reply::Done { changed: true }
        }
        Request::Watch => error("already watching".to_owned()),
    }
}

fn changed(outcome: Result<bool, DoneError>) -> Reply {
    match outcome {
        Ok(changed) => Reply::Done { changed },
        Err(error) => Reply::Error {
            why: error.to_string(),
        },
    }
}

fn letter(parcel: Parcel) -> (Vec<u8>, String, Submit) {
    let options = Submit {
        expires: parcel.expires,
        by: parcel.by,
        priority: parcel.priority.into(),
        ..Submit::default()
    };
    (parcel.packed.into_bytes(), parcel.to, options)
}

fn queued(outcome: Result<Vec<EnvelopeId>, SubmitError>, message_id: Option<String>) -> Reply {
    match outcome {
        Ok(ids) => Reply::Queued {
            message_id,
            ids: ids.iter().map(ToString::to_string).collect(),
        },
        Err(error) => Reply::Error {
            why: error.to_string(),
        },
    }
}

/// A plaintext from outside, with an id of its own if it has none.
fn message_of(mut value: serde_json::Value) -> Result<Message, String> {
    let kind = value.get("type").and_then(serde_json::Value::as_str);
    let fresh = Message::new(kind.ok_or("the message has no type")?);
    if let Some(object) = value.as_object_mut() {
        object
            .entry("id")
            .or_insert_with(|| fresh.id.clone().into());
    }
    Message::parse(value.to_string().as_bytes()).map_err(|error| error.to_string())
}

/// By the envelope's id, its beginning, or the message's own id.
fn find(node: &Node, text: &str) -> Result<EnvelopeId, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let found = node.desk().home().find_held(text);
    match found.map_err(|error| error.to_string())?.as_slice() {
        [id] => Ok(*id),
        [] => Err(format!("no message {text:?} is held here")),
        _ => Err(format!("{text:?} names several messages; give more of it")),
    }
}

/// As many as surely fit in a line.
fn dead_letters(mut letters: Vec<DeadLetter>) -> Reply {
    const FIT: usize = 500;
    let more = letters.len().saturating_sub(FIT);
    letters.truncate(FIT);
    Reply::DeadLetters { letters, more }
}
