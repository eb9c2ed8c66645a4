//! What is held, in the orders that are asked for.
//!
//! What is it: [`Queue`], the bundles by id, by recipient, by priority and age, by expiry, and
//! the carried ones by worth. Who calls it: all of the depot. What can go wrong: an index that
//! is not kept with its bundle; so whatever an index is made of changes by [`Queue::change`]
//! alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::turn::Meta;
use crate::EnvelopeId;
use crate::bus::io::{Held, HeldState, NodeKey, Origin};
use crate::label::{DidTag, Priority};
use crate::link::Way;
use crate::receipt::Reason;
use crate::time::Time;

/// Most nodes remembered for one bundle: beyond, a stranger's answer is not worth its room.
const NODES: usize = 256;
/// Most bundles that make room for one.
pub(super) const VICTIMS: usize = 256;

/// Priority, then age, then order of arrival.
pub(super) type Order = (Reverse<Priority>, u64, u64);

/// How a node stands to a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It has it.
    Has,
    /// It refused for good.
    Never(Reason),
    /// It refused for now.
    Later { at: Time, tries: u32, why: Reason },
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) held: Held,
    pub(super) seq: u64,
    /// Its record is committed.
    pub(super) durable: bool,
    pub(super) nodes: BTreeMap<NodeKey, Standing>,
    /// Ways that will never take it, and why, for people.
    pub(super) barred: BTreeMap<Way, String>,
    /// The mailbox it is being handed to.
    pub(super) handing: Option<Way>,
}

impl Entry {
    pub(super) fn order(&self) -> Order {
        (Reverse(self.held.label.priority), self.held.since, self.seq)
    }

    pub(super) fn is_own(&self) -> bool {
        self.held.origin == Origin::Own
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.held.state == HeldState::Waiting
    }

    /// The recipient's own node, or a mailbox that leads to it, has taken it.
    pub(super) fn reached(&self) -> bool {
        self.held
            .takers
            .iter()
            .any(|taker| taker.sure && taker.copies == 0)
    }

    /// Remembers an answer, if there is room.
    pub(super) fn stands(&mut self, node: NodeKey, standing: Standing) {
        if self.nodes.len() < NODES || self.nodes.contains_key(&node) {
            self.nodes.insert(node, standing);
        }
    }

    /// Is it worth less than a newcomer?
    pub(super) fn yields_to(&self, newcomer: &Meta) -> bool {
        self.worth() < newcomer.label.expires.unwrap_or(u64::MAX)
    }

    /// Smaller is given up first: what has the least time left to meet its recipient.
    fn worth(&self) -> u64 {
        self.held.label.expires.unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    entries: BTreeMap<EnvelopeId, Entry>,
    line: BTreeMap<Order, EnvelopeId>,
    by_to: BTreeMap<DidTag, BTreeMap<Order, EnvelopeId>>,
    by_end: BTreeSet<(u64, EnvelopeId)>,
    carried: BTreeSet<(u64, EnvelopeId)>,
    delivered: BTreeSet<(u64, EnvelopeId)>,
    dead: usize,
    seq: u64,
}

impl Queue {
    /// Takes a bundle in; one with its id must not be here.
    pub(super) fn insert(&mut self, held: Held, durable: bool) {
        self.seq += 1;
        let entry = Entry {
            held,
            seq: self.seq,
            durable,
            nodes: BTreeMap::new(),
            barred: BTreeMap::new(),
            handing: None,
        };
        self.index(&entry);
        self.entries.insert(entry.held.id, entry);
    }

    pub(super) fn remove(&mut self, id: &EnvelopeId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.unindex(&entry);
        Some(entry)
    }

    pub(super) fn get(&self, id: &EnvelopeId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// For what no index is made of.
    pub(super) fn get_mut(&mut self, id: &EnvelopeId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    /// For anything.
    pub(super) fn change(&mut self, id: &EnvelopeId, change: impl FnOnce(&mut Held)) {
        if let Some(mut entry) = self.remove(id) {
            change(&mut entry.held);
            self.index(&entry);
            self.entries.insert(*id, entry);
        }
    }

    fn index(&mut self, entry: &Entry) {
        let (id, label) = (entry.held.id, &entry.held.label);
        match entry.held.state {
            HeldState::Waiting => {
                self.line.insert(entry.order(), id);
                self.by_to
                    .entry(label.to)
                    .or_default()
                    .insert(entry.order(), id);
                if let Some(end) = label.expires {
                    self.by_end.insert((end, id));
                }
                if !entry.is_own() {
                    self.carried.insert((entry.worth(), id));
                }
            }
            HeldState::Delivered => {
                self.delivered.insert((entry.held.since, id));
            }
            HeldState::Dead(_) => self.dead += 1,
        }
    }

    fn unindex(&mut self, entry: &Entry) {
        let (id, label) = (entry.held.id, &entry.held.label);
        match entry.held.state {
            HeldState::Waiting => {
                self.line.remove(&entry.order());
                if let Some(line) = self.by_to.get_mut(&label.to) {
                    line.remove(&entry.order());
                    if line.is_empty() {
                        self.by_to.remove(&label.to);
                    }
                }
                if let Some(end) = label.expires {
                    self.by_end.remove(&(end, id));
                }
                self.carried.remove(&(entry.worth(), id));
            }
            HeldState::Delivered => {
                self.delivered.remove(&(entry.held.since, id));
            }
            HeldState::Dead(_) => self.dead = self.dead.saturating_sub(1),
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn dead(&self) -> usize {
        self.dead
    }

    /// All that waits, first things first.
    pub(super) fn line(&self) -> impl Iterator<Item = &EnvelopeId> {
        self.line.values()
    }

    /// All that waits for one recipient, first things first.
    pub(super) fn to(&self, tag: &DidTag) -> impl Iterator<Item = &EnvelopeId> {
        self.by_to.get(tag).into_iter().flat_map(BTreeMap::values)
    }

    /// What is carried for others, the least worth first.
    pub(super) fn carried(&self) -> impl Iterator<Item = &EnvelopeId> {
        self.carried.iter().map(|(_, id)| id)
    }

    /// The next expiry.
    pub(super) fn next_end(&self) -> Option<(u64, EnvelopeId)> {
        self.by_end.first().copied()
    }

    /// The oldest delivered row, if there are more than so many.
    pub(super) fn surplus_delivered(&self, most: usize) -> Option<EnvelopeId> {
        (self.delivered.len() > most)
            .then(|| self.delivered.first().map(|(_, id)| *id))
            .flatten()
    }
}

impl Origin {
    /// The node that gave it.
    pub(super) const fn node(self) -> Option<NodeKey> {
        match self {
            Self::From(node) | Self::Friend(node) => Some(node),
            Self::Own | Self::Mailbox => None,
        }
    }
}
