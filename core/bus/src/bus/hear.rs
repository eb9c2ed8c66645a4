//! What each input means.
//!
//! What is it: the first half of [`Bus::handle`]. Who calls it: only that. What can go wrong: an
//! input about a link, a batch or a question that is over; it means nothing then.

use super::Bus;
use super::arriving::Left;
use super::derive;
use super::gate::Said;
use super::io::{Event, HandFault, Input, LinkId};
use super::io::{Op, Output};
use super::io::{Record, Submission, Verdict};
use super::line::Line;
use crate::EnvelopeId;
use crate::bus::io::WireHash;
use crate::depot::{Effect, Meta};
use crate::label::DidTag;
use crate::link::{LinkFacts, Role, Way};
use crate::session::{Session, SessionConfig};

impl Bus {
    pub(super) fn hear(&mut self, input: Input) {
        let now = self.now;
        match input {
            Input::Identity(tags) => self.identify(tags),
            Input::Ways(to, ways) => {
                self.depot.ways(to, ways);
                self.lines.more();
                self.routes = true;
            }
            Input::StrangersWays(to, ways) => {
                self.depot.strangers_ways(to, ways);
                self.lines.more();
                self.routes = true;
            }
            Input::Submit(submission) => self.submit(submission),
            Input::LinkUp {
                link,
                facts,
                role,
                transport,
                way,
            } => self.link_up(link, facts, role, transport, way),
            Input::LinkDown(link) => self.part(link, "the link is gone"),
            Input::Room(link, room) => {
                if let Some(line) = self.lines.stir(link) {
                    line.room = line.room.saturating_add(room);
                }
            }
            Input::Pdu(link, pdu) => {
                if let Some(line) = self.lines.stir(link) {
                    line.session.receive(now.time, &pdu);
                }
            }
            Input::DialFailed(way, _) => {
                self.depot.dial_failed(now, &way);
                self.routes = true;
            }
            Input::Sighted(way) => {
                self.depot.sighted(now, &way);
                self.routes = true;
            }
            Input::MailboxUp(way) => {
                self.depot.mailbox(&way);
                self.routes = true;
            }
            Input::Whole {
                transport,
                envelope,
                to,
                settle,
            } => self.whole_came(transport, &envelope, &to, settle),
            Input::Handed { id, way, outcome } => self.handed(&id, &way, &outcome),
            Input::Committed(batch) => self.committed(batch),
            Input::Failed(batch, fault) => self.failed(batch, fault),
            Input::Fetched(id, wire) => self.fetched(id, wire),
            Input::Proven(ask, claims) => self.proven(ask, claims),
            Input::Verified(ask, true_word) => self.verified(ask, true_word),
            Input::Signed(ask, receipt) => self.signed(ask, receipt),
            Input::Acknowledge(id, refused) => {
                let verdict = refused.map_or(Verdict::Kept, Verdict::Refused);
                self.depot.acknowledge(now, &id, verdict, &mut self.turn);
            }
            Input::Known(fragments) => self.arriving.know(fragments),
            Input::Answered(id) => {
                self.depot.answered_for(now, &id, &mut self.turn);
            }
            Input::Receipt(receipt) => self.receipt_came(None, receipt),
            Input::Forget(id) => {
                self.depot.forget(now, &id, &mut self.turn);
                self.routes = true;
            }
            Input::Retry(id) => {
                self.depot.retry(now, &id, &mut self.turn);
                self.lines.more();
                self.routes = true;
            }
            Input::Leave => {
                for link in self.lines.all() {
                    if let Some(line) = self.lines.note(link) {
                        line.session.bye();
                    }
                    self.hang_up(link, "the node stops");
                }
            }
            Input::Timeout => self.timeout(),
        }
    }

    fn identify(&mut self, tags: Vec<DidTag>) {
        self.depot.identity(tags.clone());
        self.identity = tags;
        for link in self.lines.up() {
            self.prove(link);
        }
    }

    /// Asks for claims to say on a link.
    pub(super) fn prove(&mut self, link: LinkId) {
        if let Some(line) = self.lines.note(link) {
            let ask = self.asks.prove(link, line.hash, line.role);
            self.outputs.push_back(ask);
        }
    }

    fn submit(&mut self, submission: Submission) {
        let Submission {
            id,
            wire,
            label,
            by,
        } = submission;
        if let Some(reason) = self.disk.refuses() {
            let event = Event::NotTaken(id, reason);
            self.outputs.push_back(Output::Event(event));
            return;
        }
        let meta = Meta {
            id,
            wire: WireHash::of(&wire),
            bytes: wire.len() as u64,
            label,
        };
        let mark = self.turn.ops.len();
        let taken = self.depot.submit(self.now, meta, by, &mut self.turn);
        if let Err(reason) = taken {
            let event = Effect::Event(Event::NotTaken(id, reason));
            self.said.push(Said::Depot(event));
            return;
        }
        let fresh = self.turn.ops.iter().skip(mark).any(|op| match op {
            Op::Put(Record::Held(held)) => held.id == id,
            Op::Put(Record::Inbox(arrived)) => arrived.id == id,
            _ => false,
        });
        if fresh {
            self.shelf.copy_in(id, &wire);
            self.turn.ops.push(Op::Body(id, wire));
        }
    }

    fn link_up(
        &mut self,
        link: LinkId,
        facts: LinkFacts,
        role: Role,
        transport: String,
        way: Option<Way>,
    ) {
        if self.lines.contains(link) {
            return;
        }
        let mut limits = self.config.session;
        limits.max_bytes = limits.max_bytes.min(self.config.depot.quotas.max_message);
        let session = Session::new(
            self.now.time,
            facts,
            role,
            &self.config.secret,
            derive(&self.config.seed, "session", link.0),
            SessionConfig {
                limits,
                epoch: self.epoch,
                sabotage: self.config.sabotage,
            },
        );
        self.lines
            .insert(link, Line::new(session, role, transport, way));
    }

    /// A link is over: what came on it is left to others or written down.
    pub(super) fn part(&mut self, link: LinkId, why: &str) {
        let Some(line) = self.lines.remove(link) else {
            return;
        };
        if line.peer.is_some() {
            if let Some(since) = line.session.unsure_since() {
                self.depot.doubt(link, since);
            }
            self.depot.parted(self.now, link);
        }
        let event = Event::Parted(link, why.to_owned());
        self.outputs.push_back(Output::Event(event));
        for (id, incoming) in &line.incoming {
            self.leave(link, incoming.name(*id));
        }
        self.make_way();
        self.lines.more();
        self.routes = true;
    }

    /// A link does not bring this any more.
    pub(super) fn leave(&mut self, link: LinkId, name: super::arriving::Name) {
        match self.arriving.left(self.now, link, &name) {
            Left::Next(next) => self.ask_for(next, &name.0),
            Left::Save => {
                self.pause(&name);
                if let Some(partial) = self.arriving.save(self.now, &name) {
                    self.turn.ops.push(Op::Put(Record::Partial(partial)));
                }
            }
            Left::Kept => self.pause(&name),
            Left::Nothing => {
                if self.arriving.names_of(&name.0).is_empty() {
                    self.depot.abandon(&name.0);
                }
            }
        }
    }

    fn pause(&mut self, name: &super::arriving::Name) {
        if let Some((to, here)) = self.arriving.here(name) {
            self.depot.paused(self.now, &name.0, &to, here);
        }
    }

    pub(super) fn handed(&mut self, id: &EnvelopeId, way: &Way, outcome: &Result<(), HandFault>) {
        let turn = &mut self.turn;
        self.depot.handed(self.now, id, way, outcome, turn);
        self.lines.more();
        self.routes = true;
    }

    fn timeout(&mut self) {
        self.lines.timeout(self.now.time);
        self.help_stalled();
        self.depot.timeout(self.now, &mut self.turn);
        self.lines.more();
        self.routes = true;
        self.make_way();
        if self.disk.deadline().is_some_and(|at| at <= self.now.time) {
            self.try_disk();
        }
    }
}
