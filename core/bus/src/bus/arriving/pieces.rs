//! The bytes of one wire form that are here, in the order of their offsets.
//!
//! What is it: [`Pieces`], which takes byte ranges in any order and gives back the whole. Who
//! calls it: [`super::Arriving`]. What can go wrong: a sender that cuts its bytes into crumbs:
//! a transfer holds at most [`Pieces::MOST`] of them.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::ranges::Ranges;

/// Byte ranges and their bytes; no two overlap.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: BTreeMap<u64, Vec<u8>>,
    held: u64,
}

impl Pieces {
    /// Most separate pieces of one wire form: more than any loss a session repairs leaves.
    pub(super) const MOST: usize = 4096;
    /// What one piece costs beside its bytes.
    const OVERHEAD: usize = 64;

    /// Takes bytes at an offset. What is here already stays as it is. False if they cannot be
    /// taken: the pieces are too many.
    pub(super) fn add(&mut self, offset: u64, bytes: Vec<u8>, whole: u64) -> bool {
        let Some(end) = offset.checked_add(bytes.len() as u64) else {
            return false;
        };
        let before = self.pieces.range(..end).next_back();
        let overlaps = before.is_some_and(|(at, piece)| at + piece.len() as u64 > offset);
        if overlaps {
            return self.add_around(offset, &bytes, whole);
        }
        self.held += bytes.len() as u64;
        if let Some((at, piece)) = self.pieces.range_mut(..offset).next_back()
            && at + piece.len() as u64 == offset
        {
            // Grow to the whole at once when an eighth of it is here: no more than the sender
            // has justified, and no copy after copy of a large one.
            let goal = usize::try_from(whole - at).unwrap_or(usize::MAX);
            if piece.capacity() < goal && piece.len() >= goal / 8 {
                piece.reserve_exact(goal - piece.len());
            }
            piece.extend_from_slice(&bytes);
            return true;
        }
        if self.pieces.len() >= Self::MOST {
            self.join();
        }
        if self.pieces.len() >= Self::MOST {
            self.held -= bytes.len() as u64;
            return false;
        }
        self.pieces.insert(offset, bytes);
        true
    }

    /// Takes only what is not here yet.
    fn add_around(&mut self, offset: u64, bytes: &[u8], whole: u64) -> bool {
        let end = offset + bytes.len() as u64;
        let mut gaps = Ranges::new();
        gaps.insert(offset..end);
        for (at, piece) in self.pieces.range(..end).rev() {
            let to = at + piece.len() as u64;
            if to <= offset {
                break;
            }
            gaps.remove(*at..to);
        }
        let mut taken = true;
        for gap in gaps.iter() {
            let from = usize::try_from(gap.start - offset).unwrap_or(usize::MAX);
            let to = usize::try_from(gap.end - offset).unwrap_or(usize::MAX);
            if let Some(part) = bytes.get(from..to) {
                taken &= self.add(gap.start, part.to_vec(), whole);
            }
        }
        taken
    }

    /// Joins neighbours.
    fn join(&mut self) {
        let mut joined: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for (at, piece) in std::mem::take(&mut self.pieces) {
            match joined.last_entry() {
                Some(mut last) if last.key() + last.get().len() as u64 == at => {
                    last.get_mut().extend_from_slice(&piece);
                }
                _ => {
                    joined.insert(at, piece);
                }
            }
        }
        self.pieces = joined;
    }

    /// Bytes that are here.
    pub(super) const fn held(&self) -> u64 {
        self.held
    }

    /// What this costs in memory.
    pub(super) fn cost(&self) -> usize {
        usize::try_from(self.held)
            .unwrap_or(usize::MAX)
            .saturating_add(self.pieces.len() * Self::OVERHEAD)
    }

    /// What is missing of a whole of so many bytes.
    pub(super) fn missing(&self, whole: u64) -> Ranges {
        let mut missing = Ranges::new();
        missing.insert(0..whole);
        for (at, piece) in &self.pieces {
            missing.remove(*at..at + piece.len() as u64);
        }
        missing
    }

    /// The whole, if it is here; nothing is left then.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.held = 0;
        let pieces = std::mem::take(&mut self.pieces);
        let mut pieces = pieces.into_values();
        let mut whole = pieces.next().unwrap_or_default();
        for piece in pieces {
            whole.extend_from_slice(&piece);
        }
        whole
    }

    /// For a record: neighbours joined.
    pub(super) fn record(&mut self) -> Vec<(Range<u64>, Vec<u8>)> {
        self.join();
        self.pieces
            .iter()
            .map(|(at, piece)| (*at..at + piece.len() as u64, piece.clone()))
            .collect()
    }
}
