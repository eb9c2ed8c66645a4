//! Live mode: new messages come as they arrive.
//!
//! What is it: how a keeper spends its time while a socket is open. Who calls it: `keep`, when
//! everything that waited was fetched. What can go wrong: the socket ends, or its mediator falls
//! silent; then messages are fetched as before, and another socket is tried for in time. Only
//! faults of what is fetched meanwhile end the visit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use packmule_agent::protocol::pickup::{self, Answer};
use packmule_http::hyper::header::AUTHORIZATION;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::affinidi::{self, Pass};
use crate::fault::Fault;
use crate::keep::{Keeper, draw};
use crate::line::Line;
use crate::pace::{Breaker, Verdict};
use crate::socket::{Heard, Plan, Socket};
use crate::status::{State, What};

/// A mediator that says nothing for so long (or for as long as one would wait for the next look) is
/// asked how much waits: that also shows whether it is still there, and what it forgot to send.
const SILENCE: Duration = Duration::from_secs(45);
/// How long the answer to that may take, at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// A socket that lasted so long was worth it.
const LASTED: Duration = Duration::from_secs(60);
/// Messages without names are fetched together with those that come this soon after.
const TOGETHER: Duration = Duration::from_millis(200);

/// The tries for a socket: where, and when again.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    breaker: Breaker,
}

impl Tries {
    /// When it is worth a try.
    pub(crate) fn wait(&self) -> Duration {
        self.breaker.wait(Instant::now())
    }

    /// One was over after this time: what does not last is tried ever more rarely.
    pub(crate) fn lost(&mut self, lasted: Duration, longest: Duration) {
        if lasted >= LASTED {
            self.breaker.worked();
        }
        self.breaker
            .failed(Verdict::Soon, Instant::now(), longest, draw());
    }
}

impl Keeper {
    /// Opens a socket, if it is wanted and worth a try.
    pub(crate) async fn socket(
        &mut self,
        line: &Line,
        urls: &[String],
        tries: &mut Tries,
    ) -> Option<Socket> {
        if !self.upstream.live || !tries.wait().is_zero() {
            return None;
        }
        let token = line.headers.get(AUTHORIZATION);
        let token = token
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let mut last = None;
        for url in urls {
            let opened = Socket::open(Plan {
                node: self.node.clone(),
                owner: Arc::clone(&self.owner),
                url: url.clone(),
                authorization: token.clone(),
                did: line.did().to_owned(),
                version: self.memory.pickup(),
                rate: self.upstream.rate,
                patience: self.upstream.patience.min(PATIENCE),
                trust: Arc::clone(&self.trust),
            });
            match opened.await {
                Ok(socket) => return Some(socket),
                Err(fault) => last = Some(fault),
            }
        }
        let verdict = last?.verdict();
        tries
            .breaker
            .failed(verdict, Instant::now(), self.upstream.retry, draw());
        None
    }

    /// Takes what comes, until the socket is over or the list of those served changed.
    pub(crate) async fn attend(
        &mut self,
        line: &mut Line,
        call: &Call<'_>,
        pass: &mut Option<Pass>,
        socket: &mut Socket,
        changes: &mut watch::Receiver<u64>,
        later: Option<Duration>,
    ) -> Result<Left, Fault> {
        self.row.state(State::Live);
        let (silence, patience) = (
            self.upstream.poll.min(SILENCE),
            self.upstream.patience.min(PATIENCE),
        );
        let mut quiet = Instant::now();
        let mut asked: Option<String> = None;
        // When what has no name, or was put off, is fetched.
        let mut fetch = later.and_then(|later| Instant::now().checked_add(later));
        loop {
            let bound = if asked.is_some() { patience } else { silence };
            let silent = bound.saturating_sub(quiet.elapsed());
            let due = fetch.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            tokio::select! {
                heard = socket.next() => {
                    quiet = Instant::now();
                    self.row.seen();
                    let soon = match heard {
                        Heard::Over(_) => return Ok(Left::Over),
                        Heard::Pushed { taken, unread, bytes, later } => {
                            self.came(line, taken, unread, bytes);
                            later
                        }
                        Heard::Bare { bytes, later } => {
                            self.came(line, 0, 0, bytes);
                            Some(later.unwrap_or(TOGETHER))
                        }
                        Heard::Word(word) => {
                            let ours = asked.take_if(|id| word.thid.as_ref() == Some(&*id));
                            match pickup::read_answer(&word) {
                                // What was sent and not acknowledged waits too, for a moment.
                                Some(Answer::Status(status)) if ours.is_some() && status.count > 0 => {
                                    Some(Duration::ZERO)
                                }
                                _ => None,
                            }
                        }
                    };
                    if let Some(soon) = soon {
                        let at = Instant::now() + soon;
                        fetch = Some(fetch.map_or(at, |other| other.min(at)));
                    }
                }
                () = sleep(due) => {
                    let (_, later) = self.collect(line, call.recipient, changes).await?;
                    self.row.state(State::Live);
                    fetch = later.and_then(|later| Instant::now().checked_add(later));
                    quiet = Instant::now();
                }
                () = sleep(silent) => {
                    if asked.is_some() {
                        return Ok(Left::Over);
                    }
                    if let Some(held) = pass.take() {
                        *pass = Some(affinidi::renew(line, call.address, call.own, held).await?);
                    }
                    let question = pickup::status_request(self.memory.pickup(), call.recipient);
                    asked = Some(question.id.clone());
                    socket.say(question);
                    quiet = Instant::now();
                }
                changed = changes.changed(), if call.recipient.is_none() => {
                    return Ok(if changed.is_ok() { Left::Changed } else { Left::Over });
                }
            }
        }
    }

    fn came(&self, line: &mut Line, taken: u64, unread: u64, bytes: u64) {
        let weight = usize::try_from(bytes).unwrap_or(usize::MAX);
        line.budget.spend(weight, Instant::now());
        self.row.change(|row| {
            row.collected += taken;
            row.unread += unread;
            row.bytes += bytes;
        });
        if taken > 0 {
            self.row.tell(What::Collected(taken));
        }
    }
}

/// Whom is called, and as whom.
pub(crate) struct Call<'a> {
    /// The address in its document.
    pub(crate) address: &'a str,
    /// Our DID.
    pub(crate) own: &'a str,
    /// The DID to ask for, at a mediator that holds messages for one alone.
    pub(crate) recipient: Option<&'a str>,
}

/// Why the socket was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// It is over.
    Over,
    /// The list of those served changed.
    Changed,
}
