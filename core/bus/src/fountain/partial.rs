//! What is held of a transfer, apart from any receiver: a store keeps it, another channel fills it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Shape, ShapeError, TransferId};

const VERSION: u8 = 1;
const HEADER: usize = 13;
const CHECKSUM: usize = 4;

/// The symbols held of one transfer.
///
/// Symbols below K are the object's own bytes, so a partial is byte ranges plus repair: ranges go
/// out to a link that asks what is missing ([`Self::ranges`]) and come in from one
/// ([`Self::add_range`]). The transfer's name is four bytes of hash: before merging with what
/// another channel brought, compare the object's full hash where it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partial {
    transfer: TransferId,
    shape: Shape,
    symbols: BTreeMap<u32, Vec<u8>>,
}

impl Partial {
    /// Nothing held yet of a transfer.
    #[must_use]
    pub fn new(transfer: TransferId, shape: Shape) -> Self {
        Self::of(transfer, shape, BTreeMap::new())
    }

    /// Symbols must have the shape's length; only this module's callers make them.
    pub(super) fn of(transfer: TransferId, shape: Shape, symbols: BTreeMap<u32, Vec<u8>>) -> Self {
        Self {
            transfer,
            shape,
            symbols,
        }
    }

    /// Which transfer.
    #[must_use]
    pub fn transfer(&self) -> TransferId {
        self.transfer
    }

    /// How its object is cut.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Symbol ids and symbols, ascending.
    pub fn symbols(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.symbols.iter().map(|(esi, s)| (*esi, s.as_slice()))
    }

    /// The byte ranges of the object that are held, ascending, adjacent ones joined. Repair
    /// symbols are none.
    #[must_use]
    pub fn ranges(&self) -> Vec<Range<u32>> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for range in self.symbols.keys().filter_map(|esi| self.range_of(*esi)) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// The object's bytes in `range`, if all of it is held.
    #[must_use]
    pub fn bytes(&self, range: Range<u32>) -> Option<Vec<u8>> {
        if range.end > self.shape.object_bytes() {
            return None;
        }
        let length = u32::from(self.shape.symbol_bytes());
        let mut bytes = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let symbol = self.symbols.get(&(at / length))?;
            let from = at % length;
            let to = (from + range.end - at).min(length);
            bytes.extend(symbol.get(from as usize..to as usize)?);
            at += to - from;
        }
        Some(bytes)
    }

    /// Takes in bytes of the object from elsewhere. Whole symbols inside them are kept unless
    /// already held; cut-off ends are not. Returns how many symbols were new.
    pub fn add_range(&mut self, offset: u32, bytes: &[u8]) -> u32 {
        let length = u32::from(self.shape.symbol_bytes());
        let mut added = 0;
        for esi in offset.div_ceil(length)..self.shape.source_count() {
            let Some(range) = self.range_of(esi) else {
                break;
            };
            let within = (range.start - offset) as usize..(range.end - offset) as usize;
            let Some(piece) = bytes.get(within) else {
                break;
            };
            self.symbols.entry(esi).or_insert_with(|| {
                added += 1;
                let mut symbol = piece.to_vec();
                symbol.resize(length as usize, 0);
                symbol
            });
        }
        added
    }

    /// The form a store keeps.
    ///
    /// Big-endian: version (1 byte), transfer (4), F (3), T (2), number of symbols (3), then each
    /// symbol id (3) with its symbol (T), ascending; CRC-32 of everything before.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let each = 3 + usize::from(self.shape.symbol_bytes());
        let mut bytes = Vec::with_capacity(HEADER + self.symbols.len() * each + CHECKSUM);
        bytes.push(VERSION);
        bytes.extend(self.transfer.to_bytes());
        bytes.extend(u24(self.shape.object_bytes()));
        bytes.extend(self.shape.symbol_bytes().to_be_bytes());
        bytes.extend(u24(u32::try_from(self.symbols.len()).unwrap_or(u32::MAX)));
        for (esi, symbol) in &self.symbols {
            bytes.extend(u24(*esi));
            bytes.extend(symbol);
        }
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_be_bytes());
        bytes
    }

    /// Reads the form a store keeps. Allocates no more than `bytes` is long.
    ///
    /// # Errors
    /// Why it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PartialError> {
        let (body, checksum) = bytes
            .split_last_chunk::<CHECKSUM>()
            .ok_or(PartialError::Length)?;
        if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
            return Err(PartialError::Checksum);
        }
        let (header, rest) = body
            .split_first_chunk::<HEADER>()
            .ok_or(PartialError::Length)?;
        let [version, i0, i1, i2, i3, f0, f1, f2, t0, t1, c0, c1, c2] = *header;
        if version != VERSION {
            return Err(PartialError::Version(version));
        }
        let shape = Shape::new(
            u32::from_be_bytes([0, f0, f1, f2]) as usize,
            usize::from(u16::from_be_bytes([t0, t1])),
        )?;
        let count = u32::from_be_bytes([0, c0, c1, c2]) as usize;
        let each = 3 + usize::from(shape.symbol_bytes());
        if rest.len() != count * each {
            return Err(PartialError::Length);
        }
        let mut symbols = BTreeMap::new();
        for entry in rest.chunks_exact(each) {
            let ([e0, e1, e2], symbol) = entry.split_first_chunk().ok_or(PartialError::Length)?;
            let esi = u32::from_be_bytes([0, *e0, *e1, *e2]);
            if symbols
                .last_key_value()
                .is_some_and(|(last, _)| *last >= esi)
            {
                return Err(PartialError::Order(esi));
            }
            symbols.insert(esi, symbol.to_vec());
        }
        let transfer = TransferId::from_bytes([i0, i1, i2, i3]);
        Ok(Self::of(transfer, shape, symbols))
    }

    /// Where in the object a symbol's bytes are; none for repair.
    fn range_of(&self, esi: u32) -> Option<Range<u32>> {
        if esi >= self.shape.source_count() {
            return None;
        }
        let length = u32::from(self.shape.symbol_bytes());
        let start = esi * length;
        Some(start..(start + length).min(self.shape.object_bytes()))
    }
}

fn u24(value: u32) -> [u8; 3] {
    let [_, a, b, c] = value.to_be_bytes();
    [a, b, c]
}

/// Why bytes are not a partial.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartialError {
    /// Cut short, or longer than it says.
    #[error("the partial's length does not fit its contents")]
    Length,
    /// Another version of the form.
    #[error("partial version {0} is not known here")]
    Version(u8),
    /// Damaged.
    #[error("the partial's checksum does not match")]
    Checksum,
    /// Symbol ids must ascend.
    #[error("symbol {0} is out of order")]
    Order(u32),
    /// The lengths it claims are out of bounds.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}
