//! What is offered to whom, and what they say to it.
//!
//! What is it: contacts coming and going, [`Depot::offers`], and the three answers. Who calls
//! it: the bus. What can go wrong: an answer to what was not offered is ignored; a lost answer
//! leaves a promise in doubt (see [`super::spray`]).

use std::cmp::Reverse;

use super::Depot;
use super::contacts::{Class, Contact, Place, Share};
use super::queue::{Entry, Standing};
use super::spray;
use super::turn::{Effect, Lot, Meta, Turn};
use crate::EnvelopeId;
use crate::bus::io::{Event, Key, LinkId, NodeKey, Op, Taker};
use crate::label::{DidTag, Label};
use crate::link::Way;
use crate::receipt::{Reason, Rung};
use crate::time::{Now, Time};

/// Most takers recorded for one bundle.
const TAKERS: usize = 64;
/// Between the orders of one class and the next.
const STEP: u64 = 1 << 41;

impl Depot {
    /// A node is at the other end of a link; `way`: the one that we dialled, if we did.
    pub fn contact(
        &mut self,
        now: Now,
        node: NodeKey,
        link: LinkId,
        transport: &str,
        way: Option<&Way>,
    ) {
        self.read(now);
        let mut contact = Contact::new(now.time, node, transport, way);
        contact.telling = self.receipts.telling(&node, now.time);
        self.contacts.open(link, contact);
        if let Some(way) = way {
            self.ways.opened(way);
        }
        self.enter_all(link);
    }

    /// The node has proven control of a DID: what is held for it is offered first.
    pub fn proved(&mut self, link: LinkId, tag: DidTag) {
        let Some(contact) = self.contacts.get_mut(link) else {
            return;
        };
        if contact.proven.insert(tag) {
            self.enter_all_for(link, &tag);
        }
    }

    /// The node has said which DIDs it is, none perhaps: what is for others may be offered.
    pub fn introduced(&mut self, link: LinkId) {
        if let Some(contact) = self.contacts.get_mut(link) {
            contact.opens = Time::default();
        }
    }

    /// A link is gone. What was promised on it stays in doubt, but for what [`Depot::recall`]
    /// called back before.
    pub fn parted(&mut self, now: Now, link: LinkId) {
        self.read(now);
        let Some(contact) = self.contacts.close(link) else {
            return;
        };
        self.receipts.told(&contact.node, &contact, now.time);
        if let Some(way) = &contact.way {
            let wait = self.wait(1);
            self.ways.closed(way, now.time + wait);
        }
        // A second link to the same node may offer it now.
        for other in self.contacts.with(&contact.node).collect::<Vec<_>>() {
            for id in contact.offered.keys() {
                self.enter(other, id);
            }
        }
        let mut waiting: Vec<DidTag> = Vec::new();
        for tag in &contact.proven {
            if !waiting.contains(tag) {
                waiting.push(*tag);
            }
        }
        for tag in waiting {
            self.ways.wake(&tag, now.time);
        }
    }

    /// The node has lost what it did not commit: all that has no answer is offered again.
    pub fn forgot(&mut self, link: LinkId) {
        let Some(contact) = self.contacts.get_mut(link) else {
            return;
        };
        let offered = std::mem::take(&mut contact.offered);
        for id in offered.keys() {
            self.enter(link, id);
        }
    }

    /// The offer never left, or its last byte never did: nobody can have taken it.
    pub fn recall(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        if share.copies > 0 && !share.again {
            self.queue.change(id, |held| spray::call_off(held, &node));
            self.put(id, turn);
            self.enter_everywhere(id);
        } else {
            self.enter(link, id);
        }
    }

    /// What to offer on this link that is not offered there, at most so many. Those returned may
    /// go at once; those that share copies come as [`Effect::Offer`] after the turn's commit.
    pub fn offers(&mut self, now: Now, link: LinkId, max: usize, turn: &mut Turn) -> Vec<Lot> {
        self.read(now);
        self.wake_later(link);
        let mut lots = Vec::new();
        let mut count = 0;
        while count < max {
            let Some(contact) = self.contacts.get_mut(link) else {
                break;
            };
            let Some(id) = contact.pop(now.time) else {
                break;
            };
            let Some(class) = self.class(link, &id) else {
                continue;
            };
            if let Some(lot) = self.offer(link, &id, class, turn) {
                lots.push(lot);
            }
            count += 1;
        }
        lots
    }

    fn offer(
        &mut self,
        link: LinkId,
        id: &EnvelopeId,
        class: Class,
        turn: &mut Turn,
    ) -> Option<Lot> {
        let wall = self.now.wall;
        let contact = self.contacts.get_mut(link)?;
        let node = contact.node;
        let entry = self.queue.get(id)?;
        let doubt = spray::promised(&entry.held, &node);
        let copies = match (class, doubt) {
            (Class::Direct, _) => 0,
            (_, Some(copies)) => copies,
            (class, None) => spray::share(entry.held.label.copies, class)?,
        };
        let again = doubt.is_some();
        contact.offered.insert(*id, Share { copies, again });
        let sharing = class != Class::Direct;
        if sharing && !again {
            let transport = contact.transport.clone();
            self.queue.change(id, |held| {
                spray::promise(held, node, &transport, wall, copies);
            });
        }
        let entry = self.queue.get(id)?;
        let lot = Lot {
            meta: Meta {
                id: *id,
                wire: entry.held.wire,
                bytes: entry.held.bytes,
                label: Label {
                    copies: copies.max(1),
                    ..entry.held.label
                },
            },
            age: entry.place(class).order,
        };
        if !sharing {
            return Some(lot);
        }
        self.put(id, turn);
        turn.effects.push(Effect::Offer { link, lot });
        None
    }

    /// The other node has custody of what was offered to it.
    pub fn taken(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        self.took(link, node, share, id, turn);
    }

    /// It was there already. Of a share that was in doubt: from us, most likely, so it counts as
    /// taken. Of a recipient: it has it.
    pub fn had(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        if share.again || self.is_recipient(link, id) {
            self.took(link, node, share, id, turn);
            return;
        }
        if let Some(entry) = self.queue.get_mut(id) {
            entry.stands(node, Standing::Has);
        }
        self.call_off(&node, id, turn);
    }

    /// The other node will not have it, now or ever.
    pub fn refused(
        &mut self,
        now: Now,
        link: LinkId,
        id: &EnvelopeId,
        reason: Reason,
        turn: &mut Turn,
    ) {
        self.read(now);
        let recipient = self.is_recipient(link, id);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        let before = self.queue.get(id).and_then(|entry| entry.nodes.get(&node));
        let tries = match before {
            Some(Standing::Later { tries, .. }) => tries.saturating_add(1),
            _ => 1,
        };
        // Damage may be the link's; three times is not.
        let passes = reason.may_pass() || (reason == Reason::Damaged && tries < 3);
        if !passes && recipient && reason.ends_with_recipient() {
            self.fail(id, reason, Some(node), turn);
            return;
        }
        let standing = if passes {
            let wait = self.wait(tries);
            let at = now.time + wait;
            Standing::Later {
                at,
                tries,
                why: reason,
            }
        } else {
            Standing::Never(reason)
        };
        if let Some(entry) = self.queue.get_mut(id) {
            entry.stands(node, standing);
        }
        // What was in doubt stays so: it may have taken it, passed copies on, and let go of it.
        if !share.again {
            self.call_off(&node, id, turn);
        }
        self.enter(link, id);
    }

    /// An answer came: what was offered, and to whom.
    fn answered(&mut self, link: LinkId, id: &EnvelopeId) -> Option<(NodeKey, Share)> {
        let contact = self.contacts.get_mut(link)?;
        let share = contact.offered.remove(id)?;
        Some((contact.node, share))
    }

    fn is_recipient(&self, link: LinkId, id: &EnvelopeId) -> bool {
        let to = self.queue.get(id).map(|entry| entry.held.label.to);
        let contact = self.contacts.get(link);
        to.zip(contact)
            .is_some_and(|(to, contact)| contact.proven.contains(&to))
    }

    fn took(
        &mut self,
        link: LinkId,
        node: NodeKey,
        share: Share,
        id: &EnvelopeId,
        turn: &mut Turn,
    ) {
        let recipient = self.is_recipient(link, id);
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        entry.stands(node, Standing::Has);
        let own = entry.is_own();
        let last = entry.held.label.copies == 0;
        if !own && (recipient || last) {
            self.release(id, turn);
            return;
        }
        let transport = self
            .contacts
            .get(link)
            .map(|contact| contact.transport.clone())
            .unwrap_or_default();
        let at = self.now.wall;
        self.queue.change(id, |held| {
            spray::keep_word(held, &node, at);
            let takers = &mut held.takers;
            if recipient || share.copies == 0 {
                takers.retain(|taker| taker.node != Some(node) || taker.copies > 0);
                if takers.len() < TAKERS {
                    takers.push(Taker {
                        node: Some(node),
                        transport: transport.clone(),
                        at,
                        copies: 0,
                        sure: true,
                    });
                }
            }
        });
        self.put(id, turn);
        if own {
            turn.tell(Event::Progress {
                id: *id,
                rung: Rung::Custody,
                by: Some(node),
                transport: Some(transport),
            });
        }
    }

    fn call_off(&mut self, node: &NodeKey, id: &EnvelopeId, turn: &mut Turn) {
        let open = self
            .queue
            .get(id)
            .and_then(|entry| spray::promised(&entry.held, node));
        if open.is_some() {
            self.queue.change(id, |held| spray::call_off(held, node));
            self.put(id, turn);
            self.enter_everywhere(id);
        }
    }

    /// Writes a bundle's record as it is now.
    pub(super) fn put(&self, id: &EnvelopeId, turn: &mut Turn) {
        if let Some(record) = self.record(&Key::Held(*id)) {
            turn.ops.push(Op::Put(record));
        }
    }

    /// Why may this bundle go to the node on this link now, if it may?
    fn class(&self, link: LinkId, id: &EnvelopeId) -> Option<Class> {
        let contact = self.contacts.get(link)?;
        let entry = self.queue.get(id)?;
        let held = &entry.held;
        let allowed = held.by.is_empty() || held.by.contains(&contact.transport);
        if !entry.durable
            || !entry.is_waiting()
            || !allowed
            || contact.offered.contains_key(id)
            || self.is_over(&held.label)
            || held.origin.node() == Some(contact.node)
        {
            return None;
        }
        match entry.nodes.get(&contact.node) {
            Some(Standing::Has | Standing::Never(_)) => return None,
            Some(Standing::Later { at, .. }) if *at > self.now.time => return None,
            Some(Standing::Later { .. }) | None => {}
        }
        if self.contacts.offered_elsewhere(link, &contact.node, id) {
            return None;
        }
        if contact.proven.contains(&held.label.to) {
            return Some(Class::Direct);
        }
        if entry.reached() || held.label.hops == 0 {
            return None;
        }
        let way = contact.way.as_ref();
        let class = if way.is_some_and(|way| self.ways.leads(way, &held.label.to)) {
            Class::Route
        } else {
            Class::Spray
        };
        let doubted = spray::promised(held, &contact.node).is_some();
        (doubted || spray::share(held.label.copies, class).is_some()).then_some(class)
    }

    /// Puts a bundle in a link's line if it fits there now, or notes when it will.
    pub(super) fn enter(&mut self, link: LinkId, id: &EnvelopeId) {
        let class = self.class(link, id);
        let now = self.now.time;
        let Some(contact) = self.contacts.get_mut(link) else {
            return;
        };
        let Some(entry) = self.queue.get(id) else {
            contact.leave(id);
            return;
        };
        if let Some(Standing::Later { at, .. }) = entry.nodes.get(&contact.node)
            && *at > now
        {
            contact.later.insert((*at, *id));
        }
        match class {
            Some(class) => contact.enter(*id, entry.place(class)),
            None => contact.leave(id),
        }
    }

    pub(super) fn enter_everywhere(&mut self, id: &EnvelopeId) {
        for link in self.contacts.links() {
            self.enter(link, id);
        }
    }

    pub(super) fn enter_all_for(&mut self, link: LinkId, tag: &DidTag) {
        for id in self.queue.to(tag).copied().collect::<Vec<_>>() {
            self.enter(link, &id);
        }
    }

    fn enter_all(&mut self, link: LinkId) {
        for id in self.queue.line().copied().collect::<Vec<_>>() {
            self.enter(link, &id);
        }
    }

    /// Puts in line what was refused for a while that is over.
    pub(super) fn wake_later(&mut self, link: LinkId) {
        let now = self.now.time;
        loop {
            let Some(contact) = self.contacts.get_mut(link) else {
                return;
            };
            match contact.later.first().copied() {
                Some((at, id)) if at <= now => {
                    contact.later.pop_first();
                    self.enter(link, &id);
                }
                _ => return,
            }
        }
    }
}

impl Entry {
    /// Its place in a line.
    fn place(&self, class: Class) -> Place {
        // Within a priority, for the recipient before for others: the other side's session sends
        // in the order of these numbers. What waits for its recipient goes oldest first. Shares
        // of copies go where they spread fastest: most copies first, then the shortest, which
        // is likeliest to get across whole.
        let since = self.held.since.min(STEP - 1);
        let spread = u64::from(u16::MAX - self.held.label.copies) << 24
            | (self.held.bytes >> 10).min((1 << 24) - 1);
        let order = match class {
            Class::Direct => since,
            Class::Route => STEP + since,
            Class::Spray => 2 * STEP + spread,
        };
        Place {
            priority: Reverse(self.held.label.priority),
            class,
            order,
            seq: self.seq,
        }
    }
}
