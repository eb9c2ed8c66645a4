//! One frame, to bytes and back, and the bounds that everything else relies on.

use core::fmt;

use super::{MAX_OBJECT, MAX_SOURCE_SYMBOLS, MAX_SYMBOL, MIN_SYMBOL};
use crate::hash::sha256;

/// Bytes of a frame that are not symbol.
pub const OVERHEAD: usize = HEADER + CHECKSUM;

const HEADER: usize = 11;
const CHECKSUM: usize = 4;
const VERSION: u8 = 1;

/// Names a transfer: the first four bytes of the object's SHA-256.
///
/// Enough to keep transfers apart that a receiver meets at the same time; not a proof of anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TransferId([u8; 4]);

impl TransferId {
    /// The name of the transfer that carries `object`.
    #[must_use]
    pub fn of(object: &[u8]) -> Self {
        let mut id = [0; 4];
        for (to, from) in id.iter_mut().zip(sha256(object)) {
            *to = from;
        }
        Self(id)
    }

    /// The four bytes as they travel.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// The name those four bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// How an object is cut: its length F and the symbol length T, both within bounds.
///
/// Whoever holds one may hand F, T and K to RaptorQ: the crate cannot panic on them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shape {
    object_bytes: u32,
    symbol_bytes: u16,
}

impl Shape {
    /// Checks F and T.
    ///
    /// # Errors
    /// Which of the bounds they break.
    pub fn new(object_bytes: usize, symbol_bytes: usize) -> Result<Self, ShapeError> {
        if !(1..=MAX_OBJECT).contains(&object_bytes) {
            return Err(ShapeError::Object(object_bytes));
        }
        if !(MIN_SYMBOL..=MAX_SYMBOL).contains(&symbol_bytes) {
            return Err(ShapeError::Symbol(symbol_bytes));
        }
        let source = object_bytes.div_ceil(symbol_bytes);
        if source > MAX_SOURCE_SYMBOLS as usize {
            return Err(ShapeError::TooManySymbols(source));
        }
        // Both fit by the checks above; the fallbacks are never taken.
        Ok(Self {
            object_bytes: u32::try_from(object_bytes).unwrap_or(u32::MAX),
            symbol_bytes: u16::try_from(symbol_bytes).unwrap_or(u16::MAX),
        })
    }

    /// F: bytes of the object.
    #[must_use]
    pub const fn object_bytes(self) -> u32 {
        self.object_bytes
    }

    /// T: bytes of every symbol.
    #[must_use]
    pub const fn symbol_bytes(self) -> u16 {
        self.symbol_bytes
    }

    /// K: how many symbols the object itself makes, and so how many a receiver needs.
    #[must_use]
    pub fn source_count(self) -> u32 {
        self.object_bytes.div_ceil(u32::from(self.symbol_bytes))
    }
}

/// An object or symbol length outside the format's bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// F is 0 or more than [`MAX_OBJECT`].
    #[error("an object of {0} bytes: 1 to {MAX_OBJECT} can travel as frames")]
    Object(usize),
    /// T is outside [`MIN_SYMBOL`] ..= [`MAX_SYMBOL`].
    #[error("a symbol of {0} bytes: {MIN_SYMBOL} to {MAX_SYMBOL} are allowed")]
    Symbol(usize),
    /// K is more than [`MAX_SOURCE_SYMBOLS`].
    #[error("the object makes {0} symbols, more than {MAX_SOURCE_SYMBOLS}: take longer symbols")]
    TooManySymbols(usize),
}

/// One checked frame, borrowing its symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Which transfer it belongs to.
    pub transfer: TransferId,
    /// How that transfer's object is cut.
    pub shape: Shape,
    /// Which symbol this is: below [`Shape::source_count`] a piece of the object, else repair.
    pub esi: u32,
    /// The symbol, [`Shape::symbol_bytes`] long.
    pub symbol: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame, checking every bound and the CRC; allocates nothing.
    ///
    /// # Errors
    /// Why these bytes are not a frame of ours.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (body, checksum) = bytes
            .split_last_chunk::<CHECKSUM>()
            .ok_or(FrameError::TooShort(bytes.len()))?;
        let (header, symbol) = body
            .split_first_chunk::<HEADER>()
            .ok_or(FrameError::TooShort(bytes.len()))?;
        let [tag, i0, i1, i2, i3, f0, f1, f2, e0, e1, e2] = *header;
        if tag >> 4 != VERSION {
            return Err(FrameError::Version(tag >> 4));
        }
        if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Checksum);
        }
        // After the CRC: these were meant, by a newer packmule or by mallory.
        if tag & 0x0f != 0 {
            return Err(FrameError::Flags(tag & 0x0f));
        }
        let object_bytes = u32::from_be_bytes([0, f0, f1, f2]) as usize;
        Ok(Self {
            transfer: TransferId([i0, i1, i2, i3]),
            shape: Shape::new(object_bytes, symbol.len())?,
            esi: u32::from_be_bytes([0, e0, e1, e2]),
            symbol,
        })
    }

    /// The frame's bytes. The symbol must be as long as the shape says and the ESI below 2^24;
    /// only this crate builds frames, from checked parts.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(OVERHEAD + self.symbol.len());
        bytes.push(VERSION << 4);
        bytes.extend(self.transfer.0);
        bytes.extend(self.shape.object_bytes.to_be_bytes().iter().skip(1));
        bytes.extend(self.esi.to_be_bytes().iter().skip(1));
        bytes.extend(self.symbol);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_be_bytes());
        bytes
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than a frame's own fields take.
    #[error("{0} bytes are too few for a frame")]
    TooShort(usize),
    /// Another version, or no frame at all.
    #[error("frame version {0} is not known here")]
    Version(u8),
    /// Version 1 has no flags; a later one may.
    #[error("frame flags {0:#x} are not known here")]
    Flags(u8),
    /// The CRC does not match: misread, or torn.
    #[error("the frame's checksum does not match")]
    Checksum,
    /// The lengths it claims are out of bounds.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Within the format's bounds, but above what this receiver was told to accept.
    #[error("an object of {0} bytes is more than this receiver accepts")]
    OverLimit(u32),
}
