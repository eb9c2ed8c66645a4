//! A fountain of frames: one object cut into frames that may be lost, doubled, shuffled or joined
//! late, as a screen, a tag or an advertisement shows them (a *beacon*).
//!
//! The code is RaptorQ (RFC 6330) with one source block, so the first K frames carry the object's
//! own bytes in order and every later frame is fresh repair. A receiver needs K frames, whichever
//! they are (K + 1 in about one case of a hundred, K + 2 in one of ten thousand).
//!
//! Called by: the QR transport today, tags and radio beacons later; the store, which keeps a
//! [`Partial`] and may fill it from another channel. Frames are neutral to the medium.
//!
//! # The frame, version 1
//! Big-endian; everything that is not the symbol takes 15 bytes.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version (high nibble, 1) and flags (low nibble, 0 in this version) |
//! | 4 | [`TransferId`]: the first four bytes of SHA-256(object) |
//! | 3 | object length F in bytes, 1 ..= [`MAX_OBJECT`] |
//! | 3 | encoding symbol id (ESI) |
//! | T | symbol, T = frame length - 15, [`MIN_SYMBOL`] ..= [`MAX_SYMBOL`] |
//! | 4 | CRC-32 (IEEE) of everything before |
//!
//! RaptorQ's own transmission parameters never travel: both sides derive them from F and T
//! (Z = 1, N = 1, Al = 1), because the crate aborts on hostile ones. K = ceil(F / T) ≤ 56403.
//!
//! # What can go wrong
//! - A stranger's frame: refused by [`Frame::parse`] before anything is allocated.
//! - A forged frame with a good CRC: the whole fails its hash; see [`Catcher`] for how a transfer
//!   survives that. Four bytes of hash and a CRC tell transfers apart and catch accidents. They
//!   prove nothing about who sent it: the object is an envelope, and the envelope proves that.
//!   Whoever merges partials across channels and knows the full hash must check the full hash.

mod catcher;
mod frame;
mod partial;
mod sender;
mod session;
#[cfg(test)]
mod tests;

pub use catcher::{Catcher, Caught, Limits, Progress};
pub use frame::{Frame, FrameError, OVERHEAD, Shape, ShapeError, TransferId};
pub use partial::{Partial, PartialError};
pub use sender::{Fountain, FountainError};

/// The smallest symbol, in bytes. Below it the 15 bytes of frame would outweigh what they carry.
pub const MIN_SYMBOL: usize = 16;

/// The largest symbol, in bytes: what fits a version 40-L QR code in byte mode, less the frame.
pub const MAX_SYMBOL: usize = 2938;

/// The largest object, in bytes (4 MiB): what one beacon transfer may cost a receiver in memory.
pub const MAX_OBJECT: usize = 4 << 20;

/// The largest number of source symbols in one block (RFC 6330 §5.1.2, `K'_max`).
pub const MAX_SOURCE_SYMBOLS: u32 = 56_403;
