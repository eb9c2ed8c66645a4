//! What was asked is answered: by the disk, by the store, by those who hold keys.
//!
//! What is it: the part of [`Bus`] that hears answers. Who calls it: `hear`. What can go wrong:
//! an answer to what was never asked, or twice: it means nothing. The disk refuses: what it was
//! to store is undone and refused, and everything else is written again later.

use super::Bus;
use super::asks::Ask;
use super::gate::{self, Said, TRIAL};
use super::io::{AskId, BatchId, Claim, DiskFault, Event, HandFault, HeldState, Key, LinkId};
use super::io::{Op, Output, Record};
use crate::EnvelopeId;
use crate::label::DidTag;
use crate::receipt::{Reason, Receipt};

impl Bus {
    pub(super) fn committed(&mut self, batch: BatchId) {
        let Some(landed) = self.gate.committed(batch) else {
            return;
        };
        if self.disk.committed(batch) {
            self.turn.ops.push(Op::Drop(Key::Partial(TRIAL)));
            self.outputs.push_back(Output::Event(Event::DiskRoom));
            if self.gate.has_backlog() {
                // Of batches that failed while the trial was on its way.
                self.write_again(Vec::new());
            }
        }
        for id in &landed.durable {
            self.depot.durable(id);
        }
        if !landed.durable.is_empty() {
            self.lines.more();
            self.routes = true;
        }
        for word in landed.said {
            self.say(word);
        }
    }

    pub(super) fn failed(&mut self, batch: BatchId, fault: DiskFault) {
        let Some(lost) = self.gate.failed(batch) else {
            return;
        };
        if self.disk.failed(self.now.time, batch, fault) {
            self.outputs.push_back(Output::Event(Event::DiskFull));
        }
        let reason = Reason::from(fault);
        for id in &lost.undone {
            self.depot.undo(id);
            self.shelf.remove(id);
        }
        for word in lost.unsaid {
            self.unsay(word, reason);
        }
    }

    pub(super) fn fetched(&mut self, id: EnvelopeId, wire: Option<Vec<u8>>) {
        let waiting = self.shelf.waited(&id);
        let Some(wire) = wire else {
            for link in waiting.links {
                if let Some(line) = self.lines.stir(link) {
                    line.session.withdraw(&id);
                    line.outgoing.remove(&id);
                }
            }
            for way in waiting.ways {
                let fault = HandFault::Later("its bytes are not in the store".to_owned());
                self.handed(&id, &way, &Err(fault));
            }
            return;
        };
        for way in waiting.ways {
            let wire = wire.clone();
            self.outputs.push_back(Output::Deliver { id, way, wire });
        }
        if waiting.links.is_empty() {
            return;
        }
        self.shelf.put(id, wire);
        for link in waiting.links {
            if let Some(line) = self.lines.stir(link) {
                line.session.body_came(&id);
            }
        }
    }

    pub(super) fn proven(&mut self, ask: AskId, claims: Vec<Claim>) {
        if let Some(Ask::Prove(link)) = self.asks.answered(ask)
            && let Some(line) = self.lines.stir(link)
        {
            line.session.claim(claims);
        }
    }

    pub(super) fn verified(&mut self, ask: AskId, holds: bool) {
        match self.asks.answered(ask) {
            Some(Ask::Claim(link, tag)) => self.claim_checked(link, tag, holds),
            Some(Ask::Receipt(link, receipt)) if holds => {
                let turn = &mut self.turn;
                self.depot.receipt(self.now, receipt, link, turn);
                self.lines.more();
            }
            _ => {}
        }
    }

    fn claim_checked(&mut self, link: LinkId, tag: DidTag, holds: bool) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        line.claims = line.claims.saturating_sub(1);
        line.more = true;
        let last = line.claims == 0;
        if holds && !line.proven.contains(&tag) {
            line.proven.push(tag);
            self.depot.proved(link, tag);
            let event = Event::Proved(link, tag);
            self.outputs.push_back(Output::Event(event));
        }
        if last {
            self.depot.introduced(link);
        }
    }

    pub(super) fn signed(&mut self, ask: AskId, receipt: Option<Receipt>) {
        if let Some(Ask::Sign(by, ids, refused)) = self.asks.answered(ask) {
            let turn = &mut self.turn;
            self.depot
                .signed(self.now, by, &ids, refused, receipt, turn);
        }
    }

    /// Writes again what could not be written, and something that needs room, to see whether
    /// there is some.
    pub(super) fn try_disk(&mut self) {
        let trial = Op::Put(Record::Partial(gate::trial(self.now)));
        let batch = self.write_again(vec![trial]);
        self.disk.tries(batch);
    }

    /// Writes what could not be written behind these changes.
    fn write_again(&mut self, mut ops: Vec<Op>) -> BatchId {
        let owed = self.add_backlog(&mut ops);
        self.persist(ops, owed)
    }

    /// Adds what could not be written to these changes, and says what waits for it. Who stores
    /// something anew must take it along: room that was made by a change which failed is not
    /// free on the disk.
    pub(super) fn add_backlog(&mut self, ops: &mut Vec<Op>) -> Vec<Said> {
        let (keys, owed) = self.gate.take_backlog(ops);
        for key in keys {
            let record = match &key {
                Key::Partial(wire) => self.arriving.record(self.now, wire).map(Record::Partial),
                other => self.depot.record(other),
            };
            // Of a delivered message the row stays and the body goes.
            let bodiless = matches!(
                &record,
                Some(Record::Held(held)) if held.state == HeldState::Delivered
            );
            if record.is_none() || bodiless {
                ops.push(Op::Drop(key));
            }
            ops.extend(record.map(Op::Put));
        }
        owed
    }
}
