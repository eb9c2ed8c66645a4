//! What may go over which link, and in which order.
//!
//! What is it: the one place that decides whether a bundle may be offered to a node, and its
//! place in that link's line. Who calls it: whenever a bundle, a contact or an answer changes
//! that. What can go wrong: nothing; whoever is in a line is judged again when its turn comes.

use std::cmp::Reverse;

use super::Depot;
use super::contacts::{Class, Place};
use super::queue::{Entry, Standing};
use super::spray;
use crate::EnvelopeId;
use crate::bus::io::LinkId;
use crate::label::DidTag;

/// Between the orders of one class and the next.
const STEP: u64 = 1 << 41;

impl Depot {
    /// Why may this bundle go to the node on this link now, if it may?
    pub(super) fn class(&self, link: LinkId, id: &EnvelopeId) -> Option<Class> {
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

    pub(super) fn enter_all(&mut self, link: LinkId) {
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
    pub(super) fn place(&self, class: Class) -> Place {
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
