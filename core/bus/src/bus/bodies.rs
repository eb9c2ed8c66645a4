//! Wire forms at hand: a bounded shelf of what is being sent.
//!
//! What is it: [`Shelf`], the bodies that sessions and mailboxes read from, and who waits for
//! one that the store has to bring. Who calls it: the bus. What can go wrong: a body larger than
//! the shelf; then it stands there alone. Bodies leave the shelf when others come, those that
//! were not read for longest first.

use std::collections::{BTreeMap, BTreeSet};

use super::io::LinkId;
use crate::EnvelopeId;
use crate::link::Way;
use crate::session::Bodies;

/// A bounded shelf of wire forms.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    capacity: usize,
    bytes: usize,
    wires: BTreeMap<EnvelopeId, Standing>,
    /// By when they were last read.
    order: BTreeMap<u64, EnvelopeId>,
    clock: u64,
    waiting: BTreeMap<EnvelopeId, Waiting>,
}

#[derive(Debug)]
struct Standing {
    wire: Vec<u8>,
    used: u64,
}

/// Who waits for a body.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Sessions that want to send it.
    pub(super) links: BTreeSet<LinkId>,
    /// Mailboxes that it goes to.
    pub(super) ways: BTreeSet<Way>,
}

impl Shelf {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Is it worth keeping a copy of a body that goes to the store now? One that would push
    /// most others off the shelf is not.
    pub(super) fn welcomes(&self, bytes: usize) -> bool {
        bytes <= self.capacity / 4
    }

    /// Puts a body on the shelf.
    pub(super) fn put(&mut self, id: EnvelopeId, wire: Vec<u8>) {
        self.remove(&id);
        self.bytes = self.bytes.saturating_add(wire.len());
        self.clock += 1;
        let used = self.clock;
        self.wires.insert(id, Standing { wire, used });
        self.order.insert(used, id);
        while self.bytes > self.capacity && self.wires.len() > 1 {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            if let Some(gone) = self.wires.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.wire.len());
            }
        }
    }

    /// Takes a body off the shelf.
    pub(super) fn remove(&mut self, id: &EnvelopeId) {
        if let Some(gone) = self.wires.remove(id) {
            self.order.remove(&gone.used);
            self.bytes = self.bytes.saturating_sub(gone.wire.len());
        }
    }

    /// A copy for a mailbox, if it is here.
    pub(super) fn copy(&self, id: &EnvelopeId) -> Option<Vec<u8>> {
        self.wires.get(id).map(|standing| standing.wire.clone())
    }

    /// Notes who waits for a body. True if the store has to be asked: nobody waits yet.
    pub(super) fn wait(&mut self, id: EnvelopeId) -> (bool, &mut Waiting) {
        let first = !self.waiting.contains_key(&id);
        (first, self.waiting.entry(id).or_default())
    }

    /// Who waits for this body; nobody does any more.
    pub(super) fn waited(&mut self, id: &EnvelopeId) -> Waiting {
        self.waiting.remove(id).unwrap_or_default()
    }

    /// Bytes on the shelf.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        let standing = self.wires.get_mut(id)?;
        if standing.used != self.clock {
            self.order.remove(&standing.used);
            self.clock += 1;
            standing.used = self.clock;
            self.order.insert(self.clock, *id);
        }
        Some(&standing.wire)
    }
}
