//! What one medium began, for another one to finish.
//!
//! What is it: [`Fragment`], byte ranges of a wire form, from a link or from codes. Who calls it:
//! the bus, which asks links only for what codes have not brought ([`crate::bus::io::Input`]), and
//! the receiver of frames ([`crate::fountain::Catcher`]), which needs fewer of them after what a link
//! brought. What can go wrong: it was written by strangers, and is named by four bytes of a hash
//! alone. So it is taken once, and only to begin with: the whole is checked as if it had come by
//! one way, and a wrong one costs that it comes again.

use std::ops::Range;

use crate::bus::io::{self, WireHash};
use crate::fountain::{Partial, Shape, TransferId};

/// Some byte ranges of a wire form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fragment {
    transfer: TransferId,
    bytes: u64,
    pieces: Vec<(Range<u64>, Vec<u8>)>,
}

impl Fragment {
    /// What frames brought: their source symbols. Repair symbols are no bytes.
    #[must_use]
    pub fn of_frames(partial: &Partial) -> Self {
        let piece = |range: Range<u32>| {
            let bytes = partial.bytes(range.clone())?;
            Some((u64::from(range.start)..u64::from(range.end), bytes))
        };
        Self {
            transfer: partial.transfer(),
            bytes: partial.shape().object_bytes().into(),
            pieces: partial.ranges().into_iter().filter_map(piece).collect(),
        }
    }

    /// What links brought.
    #[must_use]
    pub fn of_links(partial: io::Partial) -> Self {
        Self {
            transfer: name_of(&partial.wire),
            bytes: partial.bytes,
            pieces: partial.pieces,
        }
    }

    /// The whole symbols in it, if it were cut into symbols of so many bytes. `None`: it cannot be.
    #[must_use]
    pub fn cut(&self, symbol_bytes: usize) -> Option<Partial> {
        let shape = Shape::new(usize::try_from(self.bytes).ok()?, symbol_bytes).ok()?;
        Some(self.clone().into_symbols(shape))
    }

    /// Does this wire form have its name and length?
    #[must_use]
    pub fn is_part_of(&self, wire: &[u8]) -> bool {
        self.bytes == wire.len() as u64 && self.transfer == TransferId::of(wire)
    }

    /// Is it of this wire form?
    pub(crate) fn is_of(&self, wire: &WireHash, bytes: u64) -> bool {
        self.transfer == name_of(wire) && self.bytes == bytes
    }

    /// Is it of this transfer?
    pub(crate) fn is_shown_as(&self, transfer: TransferId, shape: Shape) -> bool {
        self.transfer == transfer && self.bytes == u64::from(shape.object_bytes())
    }

    /// Bytes of memory that it takes.
    pub(crate) fn cost(&self) -> usize {
        let each = |(_, bytes): &(Range<u64>, Vec<u8>)| bytes.len() + size_of::<Vec<u8>>();
        self.pieces.iter().map(each).sum()
    }

    /// Its ranges, each with as many bytes; none is empty or beyond the end.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = (Range<u64>, Vec<u8>)> {
        let whole = self.bytes;
        let fits = move |(range, bytes): &(Range<u64>, Vec<u8>)| {
            let length = range.end.checked_sub(range.start);
            range.end <= whole && !bytes.is_empty() && length == Some(bytes.len() as u64)
        };
        self.pieces.into_iter().filter(fits)
    }

    /// The whole symbols in it, if it were cut like this.
    pub(crate) fn into_symbols(self, shape: Shape) -> Partial {
        let mut partial = Partial::new(self.transfer, shape);
        for (range, bytes) in self.into_pieces() {
            if let Ok(offset) = u32::try_from(range.start) {
                partial.add_range(offset, &bytes);
            }
        }
        partial
    }
}

/// A transfer is named by the beginning of the hash that names the wire form.
const fn name_of(wire: &WireHash) -> TransferId {
    let [a, b, c, d, ..] = wire.0;
    TransferId::from_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_lie_are_left_out() {
        let wire = vec![7_u8; 100];
        let name = WireHash::of(&wire);
        let fragment = Fragment {
            transfer: name_of(&name),
            bytes: 100,
            pieces: vec![
                (0..40, vec![7; 40]),
                (40..40, Vec::new()),
                (50..70, vec![7; 19]),
                (90..101, vec![7; 11]),
            ],
        };
        assert!(fragment.is_of(&name, 100) && !fragment.is_of(&name, 101));
        assert_eq!(TransferId::of(&wire), name_of(&name));
        let pieces: Vec<_> = fragment.clone().into_pieces().collect();
        assert_eq!(pieces, [(0..40, vec![7; 40])]);
        let shape = Shape::new(100, 32).unwrap();
        assert_eq!(fragment.into_symbols(shape).ranges(), vec![0..32]);
    }
}
