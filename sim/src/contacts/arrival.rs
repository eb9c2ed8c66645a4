//! The oracle: when could a message be there at the earliest, if somebody knew the future?
//!
//! What is it: Dijkstra over contacts, by time of arrival, for a message of some size that
//! crosses each contact whole. Who calls it: the liveness checker (what cannot arrive must not
//! be waited for) and reports (how much later than the best possible we are). What can go
//! wrong: partials that survive a contact may beat it; it counts whole crossings only.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use packmule_bus::time::Time;

use super::{Contact, Contacts};

/// What sets out where and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The node that has the message.
    pub node: u32,
    /// From when on.
    pub at: Time,
    /// Its length.
    pub bytes: u64,
    /// Bytes a second of contacts that do not say; zero: crossing takes no time.
    pub rate: u64,
    /// Nothing that arrives later counts.
    pub until: Time,
}

/// Contacts by node, for many questions to the same contacts.
pub struct Oracle<'a> {
    /// For each node, its contacts sorted by their end, with the other node's number.
    by_node: Vec<Vec<(&'a Contact, u32)>>,
}

/// The answer: for each node the earliest arrival, and from whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrivals {
    at: Vec<Option<Time>>,
    from: Vec<Option<u32>>,
}

impl<'a> Oracle<'a> {
    /// Sorts contacts for asking.
    #[must_use]
    pub fn new(contacts: &'a Contacts) -> Self {
        let mut by_node: Vec<Vec<(&Contact, u32)>> = vec![Vec::new(); contacts.nodes().len()];
        for contact in contacts.contacts() {
            let ways = [(contact.a, contact.b), (contact.b, contact.a)];
            let count = if contact.one_way { 1 } else { 2 };
            for (from, to) in ways.into_iter().take(count) {
                if let Some(list) = by_node.get_mut(from as usize) {
                    list.push((contact, to));
                }
            }
        }
        for list in &mut by_node {
            list.sort_by_key(|(contact, _)| contact.to);
        }
        Self { by_node }
    }

    /// When the message could be where.
    #[must_use]
    pub fn all(&self, start: Start) -> Arrivals {
        self.search(start, None)
    }

    /// When it could be at one node: stops as soon as that is known.
    #[must_use]
    pub fn earliest(&self, start: Start, to: u32) -> Option<Time> {
        self.search(start, Some(to)).at(to)
    }

    fn search(&self, start: Start, goal: Option<u32>) -> Arrivals {
        let mut found = Arrivals {
            at: vec![None; self.by_node.len()],
            from: vec![None; self.by_node.len()],
        };
        let mut open = BinaryHeap::new();
        if let Some(slot) = found.at.get_mut(start.node as usize) {
            *slot = Some(start.at);
            open.push(Reverse((start.at, start.node)));
        }
        while let Some(Reverse((now, node))) = open.pop() {
            if found.at(node) != Some(now) {
                continue; // A better way was found since.
            }
            if goal == Some(node) {
                break;
            }
            let list = self
                .by_node
                .get(node as usize)
                .map_or(&[][..], Vec::as_slice);
            let ended = list.partition_point(|(contact, _)| contact.to <= now);
            for (contact, other) in list.iter().skip(ended) {
                let Some(there) = crossing(contact, now, &start) else {
                    continue;
                };
                let better = found.at(*other).is_none_or(|known| there < known);
                if there <= start.until && better {
                    let index = *other as usize;
                    if let (Some(at), Some(from)) =
                        (found.at.get_mut(index), found.from.get_mut(index))
                    {
                        *at = Some(there);
                        *from = Some(node);
                        open.push(Reverse((there, *other)));
                    }
                }
            }
        }
        found
    }
}

impl Arrivals {
    /// The earliest arrival at a node; none: it cannot get there in time.
    #[must_use]
    pub fn at(&self, node: u32) -> Option<Time> {
        self.at.get(node as usize).copied().flatten()
    }

    /// The nodes of the earliest way to a node, both ends included; empty if there is none.
    #[must_use]
    pub fn path(&self, node: u32) -> Vec<u32> {
        if self.at(node).is_none() {
            return Vec::new();
        }
        let mut path = vec![node];
        let mut here = node;
        while let Some(before) = self.from.get(here as usize).copied().flatten() {
            path.push(before);
            here = before;
        }
        path.reverse();
        path
    }
}

/// When a message that is here at `now` is across, if it crosses before the contact ends.
fn crossing(contact: &Contact, now: Time, start: &Start) -> Option<Time> {
    let rate = contact.rate.unwrap_or(start.rate);
    let micros = match (contact.rate, rate) {
        (Some(0), _) => return None,
        (None, 0) => 0,
        _ => u128::from(start.bytes) * 1_000_000 / u128::from(rate),
    };
    let sent = now.max(contact.from) + Duration::from_micros(u64::try_from(micros).ok()?);
    (sent <= contact.to).then(|| sent + contact.delay.unwrap_or_default())
}

/// When a message could be where, for one question; see [`Oracle`] for many.
#[must_use]
pub fn earliest(contacts: &Contacts, start: Start) -> Arrivals {
    Oracle::new(contacts).all(start)
}
