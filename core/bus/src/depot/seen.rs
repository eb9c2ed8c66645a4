//! Which messages were here before.
//!
//! What is it: [`Seen`], the ids that must not be taken again. Who calls it: judging, arriving,
//! releasing. What can go wrong: a table that forgets lets a message in twice, one that never
//! forgets grows without end. So ids are forgotten only when room is needed, only after their
//! time and a margin, the longest expired first; when all are unexpired nothing new is taken.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::EnvelopeId;
use crate::label::DidTag;

/// Seconds that an id is remembered beyond its expiry: other nodes' clocks may be behind.
pub(super) const MARGIN: u64 = 86_400;

#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    ids: BTreeMap<EnvelopeId, Option<u64>>,
    by_end: BTreeSet<(u64, EnvelopeId)>,
}

impl Seen {
    /// The name under which an id is remembered that was only carried, so that a label that lied
    /// about the recipient cannot keep the message from its true one.
    pub(super) fn carried(id: &EnvelopeId, to: &DidTag) -> EnvelopeId {
        let mut hash = Sha256::new();
        hash.update(b"packmule carried");
        hash.update(id.as_bytes());
        hash.update(to.as_bytes());
        EnvelopeId::from_bytes(hash.finalize().into())
    }

    pub(super) fn contains(&self, id: &EnvelopeId) -> bool {
        self.ids.contains_key(id)
    }

    pub(super) fn until(&self, id: &EnvelopeId) -> Option<Option<u64>> {
        self.ids.get(id).copied()
    }

    /// The first that may be forgotten: when.
    pub(super) fn oldest_end(&self) -> Option<u64> {
        self.by_end.first().map(|(end, _)| *end)
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Remembers; a later end wins.
    pub(super) fn insert(&mut self, id: EnvelopeId, until: Option<u64>) {
        let until = match self.ids.get(&id) {
            Some(None) => None,
            Some(Some(before)) => until.map(|end| end.max(*before)),
            None => until,
        };
        self.remove(&id);
        self.ids.insert(id, until);
        if let Some(end) = until {
            self.by_end.insert((end, id));
        }
    }

    pub(super) fn remove(&mut self, id: &EnvelopeId) {
        if let Some(Some(end)) = self.ids.remove(id) {
            self.by_end.remove(&(end, *id));
        }
    }

    /// Forgets up to `most` ids whose time is over at `wall`, and says which.
    pub(super) fn prune(&mut self, wall: u64, most: usize) -> Vec<EnvelopeId> {
        let over: Vec<EnvelopeId> = self
            .by_end
            .iter()
            .take_while(|(end, _)| *end < wall)
            .take(most)
            .map(|(_, id)| *id)
            .collect();
        for id in &over {
            self.remove(id);
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> EnvelopeId {
        EnvelopeId::from_bytes([n; 32])
    }

    #[test]
    fn only_what_is_over_is_forgotten_and_the_oldest_first() {
        let mut seen = Seen::default();
        seen.insert(id(1), Some(300));
        seen.insert(id(2), Some(100));
        seen.insert(id(3), Some(200));
        seen.insert(id(4), None);
        assert_eq!(seen.prune(250, 1), [id(2)]);
        assert_eq!(seen.prune(250, 9), [id(3)]);
        assert_eq!(seen.prune(300, 9), []);
        assert!(seen.contains(&id(1)) && seen.contains(&id(4)));
    }

    #[test]
    fn a_shorter_memory_does_not_replace_a_longer_one() {
        let mut seen = Seen::default();
        seen.insert(id(1), None);
        seen.insert(id(1), Some(5));
        assert_eq!(seen.until(&id(1)), Some(None));
        seen.insert(id(2), Some(9));
        seen.insert(id(2), Some(5));
        assert_eq!(seen.prune(8, 9), []);
    }
}
