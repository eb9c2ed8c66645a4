//! What is held of one transfer, and when it is worth trying to put it together.

use std::collections::{BTreeMap, BTreeSet};

use raptorq::{EncodingPacket, PayloadId, SourceBlockDecoder};

use super::{Partial, Progress, Shape, TransferId, sender::transmission};

/// Up to this K, a transfer whose hash failed is searched for the one symbol that spoils it.
/// The search solves K + 1 systems; at 64 symbols that is some tens of milliseconds.
const SEARCH_LIMIT: u32 = 64;

/// How many symbols beyond K that search may wait for before everything is dropped.
const PATIENCE: u32 = 4;

/// What a symbol did to its transfer.
pub(super) enum Step {
    Fresh,
    Duplicate,
    Complete(Vec<u8>),
    Mismatch,
}

/// The symbols of one transfer.
pub(super) struct Session {
    pub(super) transfer: TransferId,
    pub(super) shape: Shape,
    symbols: BTreeMap<u32, Box<[u8]>>,
    /// Symbol ids that came with different bytes each time. One of the two was forged.
    disputed: BTreeSet<u32>,
    conflicts: u32,
    /// Solving is tried again once this many symbols are here.
    next_try: u32,
    /// Tries in a row that found the system unsolvable.
    unsolved: u32,
    /// The hash failed, and one spoiled symbol is being looked for.
    suspect: bool,
}

impl Session {
    pub(super) fn new(transfer: TransferId, shape: Shape) -> Self {
        Self {
            transfer,
            shape,
            symbols: BTreeMap::new(),
            disputed: BTreeSet::new(),
            conflicts: 0,
            next_try: shape.source_count(),
            unsolved: 0,
            suspect: false,
        }
    }

    /// Takes in a symbol of the right length.
    pub(super) fn add(&mut self, esi: u32, symbol: &[u8]) -> Step {
        if let Some(held) = self.symbols.get(&esi) {
            if **held != *symbol {
                self.conflicts = self.conflicts.saturating_add(1);
                self.disputed.insert(esi);
            }
            return Step::Duplicate;
        }
        self.symbols.insert(esi, symbol.into());
        if self.received() < self.next_try {
            return Step::Fresh;
        }
        if self.suspect {
            self.search()
        } else {
            self.assemble()
        }
    }

    /// Solves with everything held.
    fn assemble(&mut self) -> Step {
        let Some(object) = self.solve(None) else {
            if self.received() >= capacity(self.shape) {
                // Honest symbols never get here: this set was chosen so as not to be solvable.
                self.forget();
                return Step::Mismatch;
            }
            // Honest symbols solve after one or two more; chosen ones must not buy a
            // solver run each.
            let gap = 1 << self.unsolved.saturating_sub(3).min(4);
            self.next_try = (self.received() + gap).min(capacity(self.shape));
            self.unsolved += 1;
            return Step::Fresh;
        };
        if TransferId::of(&object) == self.transfer {
            return Step::Complete(object);
        }
        if !self.disputed.is_empty() {
            // The disputed ones are the likely forgeries; the rest may well be good.
            for esi in core::mem::take(&mut self.disputed) {
                self.symbols.remove(&esi);
            }
            self.next_try = self.needed().max(self.received() + 1);
        } else if self.needed() <= SEARCH_LIMIT && self.received() < self.needed() + PATIENCE {
            self.suspect = true;
            self.next_try = self.received() + 1;
        } else {
            self.forget();
        }
        Step::Mismatch
    }

    /// Leaves out each symbol in turn, in the hope that just one is forged.
    fn search(&mut self) -> Step {
        let found = self.symbols.keys().copied().find_map(|esi| {
            self.solve(Some(esi))
                .filter(|object| TransferId::of(object) == self.transfer)
        });
        if let Some(object) = found {
            return Step::Complete(object);
        }
        if self.received() < self.needed() + PATIENCE {
            self.next_try = self.received() + 1;
            return Step::Fresh;
        }
        self.forget();
        Step::Mismatch
    }

    fn solve(&self, without: Option<u32>) -> Option<Vec<u8>> {
        let needed = self.needed();
        let used = || {
            self.symbols
                .iter()
                .filter(|(esi, _)| Some(**esi) != without)
        };
        let block = if used().take_while(|(esi, _)| **esi < needed).count() == needed as usize {
            let source = used().take(needed as usize);
            Some(source.flat_map(|(_, s)| s.iter().copied()).collect())
        } else {
            let block_bytes = u64::from(needed) * u64::from(self.shape.symbol_bytes());
            SourceBlockDecoder::new(0, &transmission(self.shape), block_bytes).decode(
                used().map(|(esi, s)| EncodingPacket::new(PayloadId::new(0, *esi), s.to_vec())),
            )
        };
        block.map(|mut object: Vec<u8>| {
            object.truncate(self.shape.object_bytes() as usize);
            object
        })
    }

    fn forget(&mut self) {
        *self = Self {
            conflicts: self.conflicts,
            ..Self::new(self.transfer, self.shape)
        };
    }

    fn needed(&self) -> u32 {
        self.shape.source_count()
    }

    pub(super) fn received(&self) -> u32 {
        // Bounded by `capacity`, far below 2^32.
        u32::try_from(self.symbols.len()).unwrap_or(u32::MAX)
    }

    /// Bytes held, with what the map itself costs.
    pub(super) fn memory(&self) -> usize {
        self.symbols.len() * symbol_memory(self.shape)
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            transfer: self.transfer,
            received: self.received(),
            needed: self.needed(),
            object_bytes: self.shape.object_bytes(),
            symbol_bytes: self.shape.symbol_bytes(),
            beyond: self.symbols.last_key_value().map_or(0, |(esi, _)| esi + 1),
            conflicts: self.conflicts,
        }
    }

    pub(super) fn partial(&self) -> Partial {
        Partial::of(
            self.transfer,
            self.shape,
            self.symbols
                .iter()
                .map(|(esi, s)| (*esi, s.to_vec()))
                .collect(),
        )
    }
}

/// The most memory a session of this shape can come to hold, in bytes.
pub(super) fn worst_memory(shape: Shape) -> usize {
    (capacity(shape) as usize + 1) * symbol_memory(shape)
}

/// More symbols than any honest transfer needs: the bound of a session's memory.
fn capacity(shape: Shape) -> u32 {
    let needed = shape.source_count();
    needed + needed / 16 + 32
}

/// A symbol's bytes and its share of the map's nodes, roughly.
fn symbol_memory(shape: Shape) -> usize {
    usize::from(shape.symbol_bytes()) + 64
}
