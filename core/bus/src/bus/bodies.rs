//! Wire forms at hand: a bounded shelf of what is being sent.
//!
//! What is it: [`Shelf`], the bodies that sessions and mailboxes read from, and who waits for
//! one that the store has to bring. Who calls it: the bus. What can go wrong: a body larger than
//! the shelf; then it stands there alone. When others need the place, bodies leave: first those
//! that somebody has taken, then those that were not read for longest. What was just submitted
//! pushes nothing away: what waits for longer goes first.

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
    /// By when they were last read; negative: they are hardly needed any more.
    order: BTreeMap<i64, EnvelopeId>,
    clock: i64,
    cold: i64,
    waiting: BTreeMap<EnvelopeId, Waiting>,
}

#[derive(Debug)]
struct Standing {
    wire: Vec<u8>,
    used: i64,
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

    /// Puts a copy of a body that goes to the store now on the shelf, if it pushes nothing away
    /// that is still needed.
    pub(super) fn copy_in(&mut self, id: EnvelopeId, wire: &[u8]) {
        if wire.len() > self.capacity / 4 {
            return;
        }
        while self.bytes + wire.len() > self.capacity {
            match self.order.first_key_value() {
                Some((used, oldest)) if *used < 0 => {
                    let oldest = *oldest;
                    self.remove(&oldest);
                }
                _ => return,
            }
        }
        self.put(id, wire.to_vec());
    }

    /// Puts a body on the shelf that was asked for.
    pub(super) fn put(&mut self, id: EnvelopeId, wire: Vec<u8>) {
        self.remove(&id);
        self.bytes = self.bytes.saturating_add(wire.len());
        self.clock += 1;
        let used = self.clock;
        self.wires.insert(id, Standing { wire, used });
        self.order.insert(used, id);
        while self.bytes > self.capacity && self.wires.len() > 1 {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            self.remove(&oldest);
        }
    }

    /// Somebody has taken it: it may leave first.
    pub(super) fn cool(&mut self, id: &EnvelopeId) {
        if let Some(standing) = self.wires.get_mut(id) {
            self.order.remove(&standing.used);
            self.cold -= 1;
            standing.used = self.cold;
            self.order.insert(self.cold, *id);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> EnvelopeId {
        EnvelopeId::from_bytes([number; 32])
    }

    #[test]
    fn what_waits_for_longest_stays_until_it_was_taken() {
        let mut shelf = Shelf::new(1000);
        for number in 0..6 {
            shelf.copy_in(id(number), &[number; 250]);
        }
        assert_eq!(shelf.bytes(), 1000);
        assert!(shelf.body(&id(0)).is_some(), "it goes first");
        assert!(shelf.body(&id(4)).is_none(), "the store has it");
        shelf.cool(&id(0));
        shelf.copy_in(id(6), &[6; 250]);
        assert!(shelf.body(&id(0)).is_none());
        assert!(shelf.body(&id(6)).is_some());
    }

    #[test]
    fn what_was_asked_for_comes_in_and_what_was_read_last_stays() {
        let mut shelf = Shelf::new(1000);
        for number in 0..4 {
            shelf.put(id(number), vec![number; 250]);
        }
        shelf.body(&id(0));
        shelf.put(id(9), vec![9; 500]);
        assert!(shelf.body(&id(0)).is_some());
        assert!(shelf.body(&id(1)).is_none());
        assert!(shelf.body(&id(2)).is_none());
        shelf.put(id(7), vec![7; 5000]);
        assert_eq!(shelf.bytes(), 5000, "alone");
    }
}
