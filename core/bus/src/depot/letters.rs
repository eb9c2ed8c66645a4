//! How messages end: delivered, refused, expired, forgotten; and dead letters.
//!
//! What is it: the last rungs of the ladder. Who calls it: receipts, answers, the clock, people.
//! What can go wrong: nothing of our own goes without a trace: it becomes a row that says
//! *delivered*, or a dead letter with its reason and its body, until a person lets go of it.

use super::Depot;
use super::incoming::progress;
use super::queue::Entry;
use super::quota::Charge;
use super::turn::Turn;
use crate::EnvelopeId;
use crate::bus::io::{Event, HeldState, Key, NodeKey, Op};
use crate::receipt::{Reason, Rung};
use crate::time::Now;

impl Depot {
    /// A person takes a message of our own back, or lets go of a dead letter or a row. Copies
    /// that others hold go on. `false`: there is none.
    pub fn forget(&mut self, now: Now, id: &EnvelopeId, turn: &mut Turn) -> bool {
        self.read(now);
        let Some(entry) = self.queue.get(id) else {
            return false;
        };
        let told = entry.is_own() && entry.held.state == HeldState::Waiting;
        self.release(id, turn);
        if told {
            turn.tell(progress(*id, Rung::Refused(Reason::Forgotten)));
        }
        true
    }

    /// A person lets a message of our own try again: a dead letter begins anew, with a new
    /// lifetime if it had expired and a copy to give if it had none; a waiting one forgets who
    /// refused it and how long to wait. `false`: there is none.
    pub fn retry(&mut self, now: Now, id: &EnvelopeId, turn: &mut Turn) -> bool {
        self.read(now);
        let Some(entry) = self.queue.get_mut(id) else {
            return false;
        };
        if entry.held.state == HeldState::Delivered {
            return false;
        }
        entry.nodes.clear();
        entry.barred.clear();
        let to = entry.held.label.to;
        let over = entry
            .held
            .label
            .expires
            .is_some_and(|end| end < self.now.wall);
        let anew = self.now.wall.saturating_add(self.config.policy.lifetime_s);
        self.queue.change(id, |held| {
            held.state = HeldState::Waiting;
            held.label.copies = held.label.copies.max(1);
            held.takers.retain(|taker| taker.copies > 0);
            if over {
                held.label.expires = Some(anew);
            }
        });
        self.put(id, turn);
        turn.tell(progress(*id, Rung::Queued));
        self.ways.hurry(&to, self.now.time);
        self.enter_everywhere(id);
        true
    }

    /// Ends all whose time is over.
    pub(super) fn expire(&mut self, turn: &mut Turn) {
        while let Some((end, id)) = self.queue.next_end() {
            if end >= self.now.wall {
                return;
            }
            self.fail(&id, Reason::Expired, None, turn);
        }
    }

    /// The agent knows from the recipient itself that a message of ours has arrived.
    pub fn answered_for(&mut self, now: Now, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        if self.queue.get(id).is_some_and(Entry::is_own) {
            self.concluded(id, None, turn);
        }
    }

    /// The recipient has said, signed, what became of a message.
    pub(super) fn concluded(&mut self, id: &EnvelopeId, refused: Option<Reason>, turn: &mut Turn) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        if !entry.is_own() {
            self.release(id, turn);
            return;
        }
        match (refused, entry.held.state) {
            (_, HeldState::Delivered) => {}
            // Its word that it has it stands above everything, also after an expiry.
            (None, _) => {
                let charge = Charge::of(entry.held.origin, entry.held.bytes);
                self.books.give_back(&charge);
                self.queue
                    .change(id, |held| held.state = HeldState::Delivered);
                self.withdraw(id, turn);
                // The body goes, the row stays.
                turn.ops.push(Op::Drop(Key::Held(*id)));
                self.put(id, turn);
                turn.tell(progress(*id, Rung::Delivered));
                if let Some(oldest) = self.queue.surplus_delivered(self.config.delivered_kept) {
                    self.release(&oldest, turn);
                }
            }
            (Some(reason), HeldState::Waiting) => self.fail(id, reason, None, turn),
            (Some(_), HeldState::Dead(_)) => {}
        }
    }

    /// A message will not arrive: our own becomes a dead letter, a carried one is let go.
    pub(super) fn fail(
        &mut self,
        id: &EnvelopeId,
        reason: Reason,
        by: Option<NodeKey>,
        turn: &mut Turn,
    ) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        if !entry.is_own() {
            self.release(id, turn);
            return;
        }
        self.queue
            .change(id, |held| held.state = HeldState::Dead(reason));
        self.withdraw(id, turn);
        self.put(id, turn);
        let rung = match reason {
            Reason::Expired => Rung::Expired,
            reason => Rung::Refused(reason),
        };
        turn.tell(Event::Progress {
            id: *id,
            rung,
            by,
            transport: None,
        });
        turn.tell(Event::Dead(*id, reason));
    }
}

impl Reason {
    /// Said by the recipient's own node: does it end the message?
    pub(super) const fn ends_with_recipient(self) -> bool {
        matches!(
            self,
            Self::TooLarge | Self::Policy | Self::Rejected | Self::Damaged
        )
    }
}

impl Entry {
    /// How far it has come.
    pub(super) fn rung(&self) -> Rung {
        match self.held.state {
            HeldState::Delivered => Rung::Delivered,
            HeldState::Dead(Reason::Expired) => Rung::Expired,
            HeldState::Dead(reason) => Rung::Refused(reason),
            HeldState::Waiting if self.held.takers.iter().any(|taker| taker.sure) => Rung::Custody,
            HeldState::Waiting => Rung::Queued,
        }
    }
}
