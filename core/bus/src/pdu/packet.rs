//! Packets: what one PDU is on a link that may lose, double or reorder.
//!
//! What is it: [`Packet`], and the [`Piece`]s that one is cut into where the MTU is too short for
//! it. Who calls it: `session`. What can go wrong: see `pdu`; a packet of unknown kind is
//! [`Packet::Later`] and not looked at.
//!
//! ```text
//! data       = 000000nn, number (nn + 1 low bytes, big-endian), sealed frames
//! handshake  = 010000ss, version 1, attempt 4, message, CRC-32 4       ss: which message, 1–3
//! reset      = 01000000, CRC-32 4                                       "I cannot read you"
//! piece      = 1lnnnnnn, tag 2, bytes                                   l: the last; n: which
//! ```
//! The tag is the low half of the whole packet's CRC-32: a packet said again is the same packet,
//! so that its pieces add up over repetitions. On reliable, ordered links only the handshake's
//! form is used, without its checksum.

use super::{Octets, PduError};

/// The version spoken here.
pub const VERSION: u8 = 1;
/// Most pieces of one packet.
pub const MAX_PIECES: usize = 64;
/// The bytes that a piece adds.
pub const PIECE_HEAD: usize = 3;

const HANDSHAKE: u8 = 0x40;
const PIECE: u8 = 0x80;
const LAST: u8 = 0x40;

/// One PDU's meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// Sealed frames.
    Data {
        /// The low bytes of the packet's number.
        number: u32,
        /// How many low bytes.
        width: u8,
        /// Frames and tag.
        sealed: &'a [u8],
    },
    /// A message of the handshake.
    Handshake(Handshake<'a>),
    /// The other side cannot read what we send.
    Reset,
    /// A part of a packet.
    Piece(Piece<'a>),
    /// Of a later version, or noise.
    Later,
}

/// A message of the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake<'a> {
    /// 1: from the dialer; 2: the listener's answer; 3: the dialer's.
    pub step: u8,
    /// The version of the protocol.
    pub version: u8,
    /// Which attempt, as the dialer numbers them.
    pub attempt: u32,
    /// What the handshake itself says.
    pub message: &'a [u8],
}

/// A part of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece<'a> {
    /// Which packet.
    pub tag: u16,
    /// Which part of it, from 0.
    pub index: u8,
    /// Is it the last one?
    pub last: bool,
    /// The part.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a PDU.
    ///
    /// # Errors
    /// [`PduError`] if it is cut short, or its checksum is wrong.
    pub fn read(pdu: &'a [u8]) -> Result<Self, PduError> {
        let mut octets = Octets::new(pdu);
        let kind = octets.byte()?;
        Ok(match kind {
            0x00..=0x03 => {
                let low = octets.take(usize::from(kind) + 1)?;
                Self::Data {
                    number: low.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)),
                    width: kind + 1,
                    sealed: octets.rest(),
                }
            }
            HANDSHAKE => {
                checked(pdu)?;
                Self::Reset
            }
            0x41..=0x43 => Self::Handshake(Handshake::read(checked(pdu)?)?),
            PIECE.. => Self::Piece(Piece {
                tag: u16::from_be_bytes(octets.fixed()?),
                index: kind & 0x3f,
                last: kind & LAST != 0,
                bytes: octets.rest(),
            }),
            _ => Self::Later,
        })
    }
}

impl<'a> Handshake<'a> {
    /// Reads one, without checksum.
    ///
    /// # Errors
    /// [`PduError`] if it is none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PduError> {
        let mut octets = Octets::new(bytes);
        let kind = octets.byte()?;
        if !(HANDSHAKE + 1..=HANDSHAKE + 3).contains(&kind) {
            return Err(PduError::Malformed("no handshake"));
        }
        Ok(Self {
            step: kind & 0x3f,
            version: octets.byte()?,
            attempt: u32::from_be_bytes(octets.fixed()?),
            message: octets.rest(),
        })
    }

    /// Writes it, without checksum.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.message.len() + 10);
        out.extend_from_slice(&[HANDSHAKE | self.step & 3, self.version]);
        out.extend_from_slice(&self.attempt.to_be_bytes());
        out.extend_from_slice(self.message);
        out
    }
}

/// A reset.
#[must_use]
pub fn reset() -> Vec<u8> {
    with_checksum(vec![HANDSHAKE])
}

/// Adds a checksum.
#[must_use]
pub fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&packet);
    packet.extend_from_slice(&sum.to_be_bytes());
    packet
}

fn checked(packet: &[u8]) -> Result<&[u8], PduError> {
    let (body, sum) = packet.split_last_chunk().ok_or(PduError::Truncated)?;
    if crc32fast::hash(body) == u32::from_be_bytes(*sum) {
        Ok(body)
    } else {
        Err(PduError::Malformed("a wrong checksum"))
    }
}

/// The head of a data packet with this number, of which the other side knows that it is not
/// more than 2⁷ (2¹⁵, …) away from `known`.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u64, known: u64) {
    let away = number.saturating_sub(known).saturating_mul(2);
    let width = match away {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    };
    out.push(width - 1);
    let wide = number.to_be_bytes();
    out.extend_from_slice(wide.get(8 - usize::from(width)..).unwrap_or_default());
}

/// The number whose low bytes these are and that is nearest to `expected` (RFC 9000, A.3).
pub(crate) fn whole_number(low: u32, width: u8, expected: u64) -> u64 {
    let window = 1_u64 << (8 * u32::from(width));
    let near = expected & !(window - 1) | u64::from(low);
    if near + window / 2 <= expected && near < u64::MAX - window {
        near + window
    } else if near > expected + window / 2 && near >= window {
        near - window
    } else {
        near
    }
}

/// Cuts a packet into pieces of at most `mtu` bytes; itself if it is no longer than that.
pub(crate) fn cut(packet: Vec<u8>, mtu: usize) -> Vec<Vec<u8>> {
    if packet.len() <= mtu {
        return vec![packet];
    }
    let tag = crc32fast::hash(&packet) as u16;
    let step = mtu.saturating_sub(PIECE_HEAD).max(1);
    let count = packet.len().div_ceil(step);
    packet
        .chunks(step)
        .enumerate()
        .map(|(index, bytes)| {
            let mut piece = Vec::with_capacity(bytes.len() + PIECE_HEAD);
            let last = if index + 1 == count { LAST } else { 0 };
            piece.push(PIECE | last | index as u8 & 0x3f);
            piece.extend_from_slice(&tag.to_be_bytes());
            piece.extend_from_slice(bytes);
            piece
        })
        .collect()
}
