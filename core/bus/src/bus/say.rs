//! The end of every input: serve, write, say.
//!
//! What is it: the second half of [`Bus::handle`]. Who calls it: only that. What can go wrong:
//! nothing; the loop ends because every round consumes what it works on.

use super::Bus;
use super::gate::Said;
use super::io::{BatchId, Event, Key, Op, Output};
use super::line::Stage;
use crate::depot::{Effect, Lot};
use crate::receipt::{Reason, Receipt, Rung};
use crate::session::{Answer, Offer};

/// While so many receipts wait on a link, those that come are told later.
const UNTOLD: usize = 256;

impl Bus {
    /// Serves every link that was stirred, sends what changed to the disk, and says what may be
    /// said, until nothing moves.
    pub(super) fn finish(&mut self) {
        loop {
            self.serve();
            self.route();
            let effects = std::mem::take(&mut self.turn.effects);
            let mut said = std::mem::take(&mut self.said);
            said.extend(effects.into_iter().map(Said::Depot));
            let now = if self.turn.ops.is_empty() {
                if said.is_empty() {
                    return;
                }
                self.gate.say(said)
            } else {
                let mut ops = std::mem::take(&mut self.turn.ops);
                if ops.iter().any(|op| matches!(op, Op::Body(..))) {
                    said.extend(self.add_backlog(&mut ops));
                }
                for op in &ops {
                    if let Op::Drop(Key::Held(id)) = op {
                        self.shelf.remove(id);
                    }
                }
                let (batch, now) = self.gate.depart(&ops, said);
                self.outputs.push_back(Output::Persist(batch, ops));
                now
            };
            for word in now {
                self.say(word);
            }
        }
    }

    /// Sends a batch of its own to the disk.
    pub(super) fn persist(&mut self, ops: Vec<Op>, said: Vec<Said>) -> BatchId {
        let (batch, now) = self.gate.depart(&ops, said);
        self.outputs.push_back(Output::Persist(batch, ops));
        for word in now {
            self.say(word);
        }
        batch
    }

    /// Says what is true now.
    pub(super) fn say(&mut self, word: Said) {
        match word {
            Said::Custody(link, id) => {
                let Some(line) = self.lines.stir(link) else {
                    return;
                };
                match line.settled(&id).map(|incoming| incoming.stage) {
                    Some(Stage::Waits) => line.session.answer(&id, Answer::Have),
                    Some(_) => line.session.stored(&id),
                    None => {}
                }
                self.unpark(link);
            }
            Said::Settle(settle, _) => self.outputs.push_back(Output::Settle(settle)),
            Said::Depot(effect) => self.carry_out(effect),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Offer { link, lot } => self.offer(link, lot),
            Effect::Withdraw { link, id } => {
                if let Some(line) = self.lines.stir(link)
                    && line.outgoing.remove(&id)
                {
                    line.session.withdraw(&id);
                }
            }
            Effect::Discard(id) => {
                for name in self.arriving.names_of(&id) {
                    self.drop_transfer(&name);
                }
            }
            Effect::Tell { receipts, except } => {
                for link in self.lines.up() {
                    if Some(link) != except {
                        self.tell(link, &receipts);
                    }
                }
            }
            Effect::Sign { by, ids, refused } => {
                let ask = self.asks.sign(by, ids, refused, self.now.wall);
                self.outputs.push_back(ask);
            }
            Effect::Event(event) => self.outputs.push_back(Output::Event(event)),
        }
    }

    /// Tells of receipts on a link, at once unless enough of them wait there already: whoever
    /// sends us many must not make the queue of a slow link grow.
    fn tell(&mut self, link: crate::bus::io::LinkId, receipts: &[Receipt]) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        if line.session.receipts_waiting() < UNTOLD {
            line.session.tell(receipts);
            return;
        }
        line.telling = true;
        for receipt in receipts {
            self.depot.tell_later(link, receipt);
        }
    }

    /// Offers something on a link.
    pub(super) fn offer(&mut self, link: crate::bus::io::LinkId, lot: Lot) {
        let Some(line) = self.lines.stir(link) else {
            return;
        };
        if line.outgoing.insert(lot.meta.id) {
            line.session.offer(Offer {
                id: lot.meta.id,
                wire: lot.meta.wire,
                bytes: lot.meta.bytes,
                label: lot.meta.label,
                age: lot.age,
            });
        }
    }

    /// Says the contrary of what was to be said: its batch failed.
    pub(super) fn unsay(&mut self, word: Said, reason: Reason) {
        match word {
            Said::Custody(link, id) => {
                let Some(line) = self.lines.stir(link) else {
                    return;
                };
                if line.settled(&id).is_some() {
                    line.session.refuse(&id, reason);
                }
                self.unpark(link);
            }
            // So that the mailbox gives it again.
            Said::Settle(settle, _) => self.outputs.push_back(Output::Unsettle(settle)),
            Said::Depot(Effect::Offer { link, lot }) => {
                let turn = &mut self.turn;
                self.depot.recall(self.now, link, &lot.meta.id, turn);
            }
            Said::Depot(Effect::Event(Event::Progress {
                id,
                rung: Rung::Queued,
                ..
            })) => {
                let event = Event::NotTaken(id, reason);
                self.outputs.push_back(Output::Event(event));
            }
            Said::Depot(_) => {}
        }
    }
}
