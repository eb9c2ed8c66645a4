//! Which receipts were here and had to make room.
//!
//! What is it: [`Heard`], a bounded memory of signatures that are kept no more. Who calls it:
//! [`super::receipts`], before it takes an old receipt for news. What can go wrong: a node that
//! forgets that it had heard a receipt takes it for news and tells everyone again, and so do
//! those whom it tells: where fewer are kept than go round, they go round for ever, as fast as
//! the links are. So far more are remembered than kept; the oldest are forgotten first, and of
//! those that is so again.

use std::collections::{BTreeSet, VecDeque};

use sha2::{Digest, Sha256};

/// At least and at most so many are remembered …
const LEAST: usize = 4_096;
const MOST: usize = 32_768;
/// … and within that so many for each that may be kept.
const EACH: usize = 2;

/// Enough of a hash that nobody makes a signature which passes for another one.
type Sum = [u8; 16];

#[derive(Clone, Debug)]
pub(super) struct Heard {
    most: usize,
    sums: BTreeSet<Sum>,
    order: VecDeque<Sum>,
}

impl Heard {
    /// For a table of at most `kept` receipts.
    pub(super) fn new(kept: usize) -> Self {
        Self {
            most: kept.saturating_mul(EACH).clamp(LEAST, MOST),
            sums: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn contains(&self, signature: &[u8]) -> bool {
        self.sums.contains(&sum(signature))
    }

    pub(super) fn insert(&mut self, signature: &[u8]) {
        let sum = sum(signature);
        if !self.sums.insert(sum) {
            return;
        }
        self.order.push_back(sum);
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.sums.remove(&oldest);
            }
        }
    }
}

fn sum(signature: &[u8]) -> Sum {
    let hash: [u8; 32] = Sha256::digest(signature).into();
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_first_and_nothing_grows() {
        let mut heard = Heard::new(0);
        for n in 0..2 * LEAST as u64 {
            heard.insert(&n.to_be_bytes());
            heard.insert(&n.to_be_bytes());
        }
        assert_eq!((heard.sums.len(), heard.order.len()), (LEAST, LEAST));
        assert!(!heard.contains(&(LEAST as u64 - 1).to_be_bytes()));
        assert!(heard.contains(&(LEAST as u64).to_be_bytes()));
    }
}
