//! What is offered to us and what arrives.
//!
//! What is it: [`Depot::submit`], [`Depot::judge`], [`Depot::arrived`]. Who calls it: the bus.
//! What can go wrong: everything here was said by a stranger. Labels are cut down to what our
//! policy allows; an offer of what cannot fit is refused before a byte of it comes.

use super::Depot;
use super::queue::Entry;
use super::quota::Charge;
use super::seen::Seen;
use super::turn::{Arrival, Judgement, Meta, Source, Turn};
use crate::EnvelopeId;
use crate::bus::io::{Arrived, Event, Held, HeldState, Key, NodeKey, Op, Origin, Record};
use crate::label::{DidTag, Label};
use crate::receipt::{Reason, Rung};
use crate::time::Now;

impl Depot {
    /// Takes a message of our own. The bus adds its body. The same message again changes
    /// nothing and is told how far it has come.
    ///
    /// # Errors
    ///
    /// The reason why it was not taken; nothing has changed then.
    pub fn submit(
        &mut self,
        now: Now,
        meta: Meta,
        by: Vec<String>,
        turn: &mut Turn,
    ) -> Result<(), Reason> {
        self.read(now);
        if let Some(entry) = self.queue.get(&meta.id)
            && entry.is_own()
        {
            let rung = entry.rung();
            turn.tell(progress(meta.id, rung));
            return Ok(());
        }
        if meta.bytes > self.config.quotas.max_message {
            return Err(Reason::TooLarge);
        }
        if self.is_over(&meta.label) {
            return Err(Reason::Expired);
        }
        let charge = Charge::of(Origin::Own, meta.bytes);
        self.make_room(&meta, &charge, turn)?;
        // Carried for somebody until now: it changes hands here.
        self.replace(&meta.id, turn);
        self.books.charge(&charge);
        if self.seen.contains(&meta.id) {
            self.seen.remove(&meta.id);
            turn.ops.push(Op::Drop(Key::Seen(meta.id)));
        }
        self.hold(meta, Origin::Own, by, turn);
        turn.tell(progress(meta.id, Rung::Queued));
        Ok(())
    }

    /// Answers an offer of a node that has proven these DIDs on this link. `Want` keeps room
    /// until it arrives or is abandoned.
    pub fn judge(
        &mut self,
        now: Now,
        from: NodeKey,
        proven: &[DidTag],
        meta: &Meta,
        turn: &mut Turn,
    ) -> Judgement {
        self.read(now);
        match self.admit(meta) {
            Ok(false) => {}
            Ok(true) => return Judgement::Have,
            Err(reason) => return Judgement::Refuse(reason),
        }
        let origin = if proven.iter().any(|tag| self.ways.knows(tag)) {
            Origin::Friend(from)
        } else {
            Origin::From(from)
        };
        let charge = self.charge_for(meta, origin);
        let before = self.coming.get(&meta.id);
        if before.is_some() && !self.coming.is_paused(&meta.id) {
            return Judgement::Coming;
        }
        // Whoever goes on with what an earlier link or process began pays for all of it.
        if let Some(part) = &before {
            self.books.give_back(part);
        }
        match self.make_room(meta, &charge, turn) {
            Ok(()) => {
                self.books.charge(&charge);
                self.coming.begin(meta.id, charge);
                Judgement::Want
            }
            Err(reason) => {
                if let Some(part) = &before {
                    self.books.charge(part);
                }
                Judgement::Refuse(reason)
            }
        }
    }

    /// Its link is gone; so many bytes of it are here and stay, as long as no other message needs
    /// their room ([`super::Effect::Discard`]). The rest of the room kept for it is free.
    pub fn paused(&mut self, now: Now, id: &EnvelopeId, to: &DidTag, here: u64) {
        self.read(now);
        if let Some(charge) = self.coming.end(id) {
            self.books.give_back(&charge);
            let bytes = here.min(charge.bytes);
            let kept = Charge { bytes, ..charge };
            self.books.charge(&kept);
            let ours = self.ours.contains(to);
            self.coming.pause(*id, kept, ours, self.now.time);
        }
    }

    /// It will not come, and nothing of it is kept: its room is free again.
    pub fn abandon(&mut self, id: &EnvelopeId) {
        if let Some(charge) = self.coming.end(id) {
            self.books.give_back(&charge);
        }
    }

    /// A whole message is here, its hash checked. `meta.label` is the label of this source's own
    /// offer; of a mailbox, of what its header names. The bus adds the body to the ops.
    pub fn arrived(&mut self, now: Now, from: &Source, meta: &Meta, turn: &mut Turn) -> Arrival {
        self.read(now);
        let reserved = self.coming.get(&meta.id);
        self.abandon(&meta.id);
        match self.admit(meta) {
            Ok(false) => {}
            Ok(true) => return Arrival::Have,
            Err(reason) => return Arrival::Refuse(reason),
        }
        let (origin, transport) = match from {
            Source::Mailbox { transport } => (Origin::Mailbox, transport),
            Source::Node { key, transport } => match reserved {
                Some(Charge { stranger: None, .. }) => (Origin::Friend(*key), transport),
                _ => (Origin::From(*key), transport),
            },
        };
        let charge = self.charge_for(meta, origin);
        if let Err(reason) = self.make_room(meta, &charge, turn) {
            return Arrival::Refuse(reason);
        }
        // Carried under another label until now; the body comes anew.
        if self.replace(&meta.id, turn) {
            turn.ops.push(Op::Drop(Key::Held(meta.id)));
        }
        self.books.charge(&charge);
        if self.ours.contains(&meta.label.to) {
            let arrived = Arrived {
                id: meta.id,
                to: meta.label.to,
                bytes: meta.bytes,
                transport: transport.clone(),
                at: self.now.wall,
                expires: meta.label.expires,
                acknowledged: None,
            };
            turn.ops.push(Op::Put(Record::Inbox(arrived.clone())));
            self.inbox.insert(arrived.clone());
            turn.tell(Event::Received(arrived));
            Arrival::Inbox
        } else {
            let label = self.cut(meta.label);
            self.hold(Meta { label, ..*meta }, origin, Vec::new(), turn);
            turn.tell(Event::Carrying(meta.id));
            Arrival::Carry
        }
    }

    /// May it come at all? `Ok(true)`: it is or was here.
    fn admit(&self, meta: &Meta) -> Result<bool, Reason> {
        if self.is_known(meta) {
            return Ok(true);
        }
        if self.is_over(&meta.label) {
            return Err(Reason::Expired);
        }
        if meta.bytes > self.config.quotas.max_message {
            return Err(Reason::TooLarge);
        }
        // One of the two labels lies, and we cannot tell which: whoever offers this one keeps its
        // copy for somebody else.
        if !self.ours.contains(&meta.label.to)
            && self
                .queue
                .get(&meta.id)
                .is_some_and(|entry| entry.held.label.to != meta.label.to)
        {
            return Err(Reason::Policy);
        }
        // Twice as much for ourselves as for others, and then no more: a bound is a bound.
        let remembered = self.seen.len() + self.queue.len() + self.inbox.len();
        if self.ours.contains(&meta.label.to) {
            if remembered >= self.config.seen_kept.saturating_mul(2) {
                return Err(Reason::Full);
            }
            return Ok(false);
        }
        if self.evicted.contains_key(&meta.id) {
            return Err(Reason::Policy);
        }
        if meta.label.hops == 0 {
            return Err(Reason::Hops);
        }
        if !self.config.policy.carry_for_strangers && !self.ways.knows(&meta.label.to) {
            return Err(Reason::Policy);
        }
        if remembered + self.coming.len() >= self.config.seen_kept
            && self.coming.get(&meta.id).is_none()
            && self
                .seen
                .oldest_end()
                .is_none_or(|end| end >= self.now.wall)
        {
            return Err(Reason::Full);
        }
        Ok(false)
    }

    /// Anybody may write any recipient on a label: having carried a message for somebody else
    /// is not having it for our own agent.
    fn is_known(&self, meta: &Meta) -> bool {
        let (id, to) = (&meta.id, &meta.label.to);
        let had = self.inbox.get(id).is_some()
            || self.seen.contains(id)
            || self.receipts.about(id, to).is_some();
        let held = self.queue.get(id);
        if self.ours.contains(to) {
            return had || held.is_some_and(Entry::is_own);
        }
        had || held.is_some_and(|entry| entry.is_own() || entry.held.label.to == *to)
            || (held.is_none() && self.seen.contains(&Seen::carried(id, to)))
    }

    pub(super) fn is_over(&self, label: &Label) -> bool {
        label.expires.is_some_and(|end| end < self.now.wall)
    }

    /// What is for us is nobody's account but the whole's.
    fn charge_for(&self, meta: &Meta, origin: Origin) -> Charge {
        if self.ours.contains(&meta.label.to) {
            Charge {
                bytes: meta.bytes,
                stranger: None,
            }
        } else {
            Charge::of(origin, meta.bytes)
        }
    }

    /// A label as we carry it: a hop less, and no more of anything than our policy allows.
    fn cut(&self, label: Label) -> Label {
        let policy = &self.config.policy;
        let latest = self.now.wall.saturating_add(policy.lifetime_s);
        Label {
            expires: Some(label.expires.map_or(latest, |end| end.min(latest))),
            hops: label.hops.min(policy.hops).saturating_sub(1),
            copies: label.copies.min(policy.copies),
            ..label
        }
    }

    /// Takes a carried bundle out, since the same message comes in as something else. Until the
    /// disk has that, the disk has this: it keeps its room, and is back if the disk refuses.
    fn replace(&mut self, id: &EnvelopeId, turn: &mut Turn) -> bool {
        let Some(entry) = self.queue.remove(id) else {
            return false;
        };
        self.withdraw(id, turn);
        if entry.durable {
            self.replaced.insert(*id, entry.held);
        } else {
            let charge = Charge::of(entry.held.origin, entry.held.bytes);
            self.books.give_back(&charge);
        }
        true
    }

    fn hold(&mut self, meta: Meta, origin: Origin, by: Vec<String>, turn: &mut Turn) {
        let held = Held {
            id: meta.id,
            wire: meta.wire,
            bytes: meta.bytes,
            label: meta.label,
            origin,
            since: self.now.wall,
            by,
            takers: Vec::new(),
            state: HeldState::Waiting,
        };
        turn.ops.push(Op::Put(Record::Held(held.clone())));
        self.queue.insert(held, false);
    }
}

/// A step on the ladder that nobody else said.
pub(super) fn progress(id: EnvelopeId, rung: Rung) -> Event {
    Event::Progress {
        id,
        rung,
        by: None,
        transport: None,
    }
}
