//! One visit to a mediator, for as long as it answers.
//!
//! What is it: logging in or registering, then fetching again and again, with or without a socket.
//! Who calls it: `keep`. What can go wrong: a visit ends with a [`Fault`] and in no other way.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::Kind;
use crate::affinidi::{self, Pass};
use crate::collect;
use crate::fault::Fault;
use crate::keep::{Keeper, draw};
use crate::line::Line;
use crate::live::{Call, Left, Tries};
use crate::pace::Idle;
use crate::place::Place;
use crate::register::{self, Registered};
use crate::socket::Socket;
use crate::status::{State, What};

/// A socket is not tried for sooner than this after a look.
const SOON: Duration = Duration::from_secs(1);

/// Who comes this soon after another is registered together with it.
const GATHER: Duration = Duration::from_millis(100);

impl Keeper {
    /// Calls, and stays as long as it answers.
    pub(crate) async fn call(&mut self, found: &Place, address: &str) -> Fault {
        let url = match found.kind {
            Kind::Affinidi => affinidi::inbound(address),
            _ => address.to_owned(),
        };
        let (node, row) = (self.node.clone(), self.row.clone());
        let trust = Arc::clone(&self.trust);
        let line = Line::new(node, &url, self.did(), self.budget, trust, row);
        let mut line = match line {
            Ok(line) => line,
            Err(fault) => return fault,
        };
        line.quiet = self.memory.quiet;
        line.patience = self.upstream.patience;
        let Err(fault) = self.stay(found, address, &mut line).await;
        self.budget = line.budget;
        self.learn(&line).await;
        match fault {
            // The token is not known there any more, or was never enough.
            Fault::Refused(401 | 403) if line.has_token() => Fault::LoggedOut,
            other => other,
        }
    }

    async fn stay(
        &mut self,
        found: &Place,
        address: &str,
        line: &mut Line,
    ) -> Result<Infallible, Fault> {
        let own = self.node.desk().did().to_owned();
        let kind = found.kind;
        let call = Call {
            address,
            own: &own,
            recipient: (kind == Kind::Affinidi).then_some(&own),
        };
        let mut pass: Option<Pass> = None;
        if kind == Kind::Affinidi {
            self.row.state(State::LoggingIn);
            pass = Some(affinidi::log_in(line, address, &own).await?);
        } else if !self.granted {
            self.row.state(State::Registering);
            register::discover(line, &mut self.memory).await?;
            register::request(line, &mut self.memory).await?;
            self.granted = true;
            self.learn(line).await;
        }
        self.row.tell(What::Up);
        let mut changes = self.owner.changes();
        self.roll.forget();
        let mut stale = kind != Kind::Affinidi;
        let mut again: Option<Instant> = None;
        let mut idle = Idle::new(self.upstream.poll);
        let (mut tries, mut socket) = (Tries::default(), None::<Socket>);
        loop {
            if let Some(held) = pass.take() {
                pass = Some(affinidi::renew(line, address, &own, held).await?);
            }
            if stale && again.is_none_or(|at| at <= Instant::now()) {
                changes.mark_unchanged();
                stale = !self.reconcile(line, &own).await?;
                // What it could not do now it can hardly do in a minute.
                again = Instant::now().checked_add(self.upstream.retry);
            }
            let (mut came, mut later) = self.collect(line, call.recipient, &changes).await?;
            self.breaker(address).worked();
            self.learn(line).await;
            if socket.is_none() {
                socket = self.socket(line, &found.sockets, &mut tries).await;
                if socket.is_some() {
                    self.row.tell(What::Live);
                    // What came before it was open does not come by itself.
                    let (more, put_off) = self.collect(line, call.recipient, &changes).await?;
                    (came, later) = (came | more, put_off);
                }
            }
            if let Some(open) = &mut socket {
                let began = Instant::now();
                match self
                    .attend(line, &call, &mut pass, open, &mut changes, later)
                    .await?
                {
                    Left::Changed => {
                        sleep(GATHER).await;
                        stale = true;
                        again = None;
                    }
                    Left::Over => {
                        socket = None;
                        tries.lost(began.elapsed(), self.upstream.retry);
                    }
                }
                continue;
            }
            if came {
                idle.woken();
            }
            self.row.state(State::Idle);
            let mut pause = idle.pause(draw());
            pause = later.map_or(pause, |later| later.min(pause));
            if self.upstream.live {
                // A socket may be worth another try before the next look.
                pause = pause.min(tries.wait().max(self.upstream.poll.min(SOON)));
            }
            tokio::select! {
                () = sleep(pause) => {}
                changed = changes.changed() => match changed {
                    Ok(()) => {
                        sleep(GATHER).await;
                        stale = kind != Kind::Affinidi;
                        again = None;
                    }
                    // Its owner has gone: nothing changes any more.
                    Err(_) => sleep(pause).await,
                },
            }
        }
    }

    /// Makes its list of DIDs ours. False: some are left for later.
    async fn reconcile(&mut self, line: &mut Line, own: &str) -> Result<bool, Fault> {
        let Ok(served) = self.owner.served().await else {
            return Ok(false);
        };
        if served.is_empty() && self.memory.told && !self.memory.registered {
            return Ok(true);
        }
        self.row.state(State::Registering);
        let memory = &self.memory;
        let done = register::reconcile(line, memory, own, &served, &mut self.roll).await;
        let done = match done {
            Ok(done) => done,
            // It holds messages for us alone, then; what waits is fetched all the same.
            Err(Fault::Problem(_) | Fault::Refused(_)) => {
                self.roll.forget();
                Registered {
                    refused: served.len() as u64,
                    ..Registered::default()
                }
            }
            // Whether that was the mediator at all shows when messages are asked for.
            Err(Fault::Nonsense(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        };
        self.memory.registered |= done.added > 0;
        self.memory.told |= !done.left;
        self.learn(line).await;
        let (held, refused) = (self.roll.held(own), self.roll.refused(own));
        self.row.change(|row| {
            row.registered = held;
            row.refused = refused.max(done.refused);
        });
        if done.added + done.removed + done.refused > 0 {
            self.row.tell(What::Registered {
                added: done.added,
                removed: done.removed,
                refused: done.refused,
            });
        }
        Ok(!done.left)
    }

    /// Fetches everything that waits: whether there was anything, and when to look again for what
    /// was put off. Ends early when the list of those served changed: whoever is new should not
    /// wait for a long queue.
    pub(crate) async fn collect(
        &mut self,
        line: &mut Line,
        recipient: Option<&str>,
        changes: &watch::Receiver<u64>,
    ) -> Result<(bool, Option<Duration>), Fault> {
        let (version, mut all, mut later) = (self.memory.pickup(), 0, None);
        let mut before = Vec::new();
        loop {
            let owner = Arc::clone(&self.owner);
            let page = collect::page(line, version, recipient, &mut self.batch, &*owner).await?;
            if !page.ids.is_empty() && page.ids == before {
                // It would never end.
                let why = "it gives again what was acknowledged";
                return Err(Fault::Nonsense(why.to_owned()));
            }
            before = page.ids;
            if page.taken + page.unread > 0 {
                self.row.state(State::Collecting);
            }
            self.row.change(|row| {
                row.collected += page.taken;
                row.unread += page.unread;
            });
            all += page.taken;
            later = later.max(page.later);
            if !page.more || changes.has_changed().unwrap_or(false) {
                break;
            }
        }
        if all > 0 {
            self.row.tell(What::Collected(all));
        }
        Ok((all > 0, later))
    }

    /// Remembers what was learnt, if anything was.
    async fn learn(&mut self, line: &Line) {
        if line.did() != self.did() {
            self.memory.moved = Some(line.did().to_owned());
            self.row.tell(What::Moved);
        }
        self.memory.quiet = line.quiet;
        if self.kept != self.memory {
            self.kept = self.memory.clone();
            self.memory.keep(&self.node, &self.upstream.did).await;
        }
    }
}
