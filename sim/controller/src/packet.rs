//! HCI packets and their octets: H4 framing, and the fields of a command.
//!
//! What is it: [`Framer`], which finds packets in a stream of bytes, and a reader for fields. Who
//! calls it: [`crate::serve`], and the controller for each command. What can go wrong: a host
//! sends what is no packet: a stream has lost its place then, and ends.
//!
//! Source: Bluetooth Core 5.4, Vol 4, Part A, 2 (the indicator before each packet) and Part E, 5.4
//! (the heads, numbers little-endian).

use crate::codes::status;

/// The indicator of a command.
pub const COMMAND: u8 = 1;
/// The indicator of ACL data.
pub const ACL: u8 = 2;
/// The indicator of an event.
pub const EVENT: u8 = 4;
/// Synchronous and isochronous data, which are passed over.
const SYNCHRONOUS: u8 = 3;
const ISOCHRONOUS: u8 = 5;

/// The bytes are not those of a host: no packet begins so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no packet begins with {0:#04x}")]
pub struct NoPacket(pub u8);

/// Finds the packets in a stream of bytes. It never holds more than one packet and what was pushed
/// last.
#[derive(Debug, Default)]
pub struct Framer {
    held: Vec<u8>,
}

impl Framer {
    /// Bytes came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole packet, its indicator first.
    ///
    /// # Errors
    /// If none begins here. There is no way back: the stream has lost its place.
    pub fn next_packet(&mut self) -> Result<Option<Vec<u8>>, NoPacket> {
        let length = match self.held[..] {
            [] => return Ok(None),
            [COMMAND, _, _, length, ..] | [SYNCHRONOUS, _, _, length, ..] => {
                4 + usize::from(length)
            }
            [EVENT, _, length, ..] => 3 + usize::from(length),
            [ACL, _, _, low, high, ..] => 5 + usize::from(u16::from_le_bytes([low, high])),
            [ISOCHRONOUS, _, _, low, high, ..] => {
                5 + usize::from(u16::from_le_bytes([low, high]) & 0x3fff)
            }
            [COMMAND..=ISOCHRONOUS, ..] => return Ok(None),
            [other, ..] => return Err(NoPacket(other)),
        };
        if self.held.len() < length {
            return Ok(None);
        }
        let rest = self.held.split_off(length);
        Ok(Some(std::mem::replace(&mut self.held, rest)))
    }
}

/// The fields of a command that have not been read yet. Whatever is not there, or more than there
/// should be, is an invalid parameter.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], u8> {
        let (first, rest) = self.0.split_first_chunk().ok_or(status::INVALID)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, u8> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn short(&mut self) -> Result<u16, u8> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn long(&mut self) -> Result<u64, u8> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number between these two.
    pub(crate) fn within(&mut self, least: u16, most: u16) -> Result<u16, u8> {
        let number = self.short()?;
        match (least..=most).contains(&number) {
            true => Ok(number),
            false => Err(status::INVALID),
        }
    }

    /// A byte up to this one.
    pub(crate) fn upto(&mut self, most: u8) -> Result<u8, u8> {
        let byte = self.byte()?;
        if byte <= most {
            Ok(byte)
        } else {
            Err(status::INVALID)
        }
    }

    /// One field and nothing else.
    pub(crate) fn only<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, u8>,
    ) -> Result<T, u8> {
        let field = read(self)?;
        self.end()?;
        Ok(field)
    }

    pub(crate) const fn end(&self) -> Result<(), u8> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(status::INVALID)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_however_the_bytes_come() {
        let stream = [
            &[COMMAND, 3, 0x0c, 0][..],
            &[ACL, 1, 0, 2, 0, 9, 9],
            &[ISOCHRONOUS, 1, 0, 1, 0x40, 7],
            &[SYNCHRONOUS, 1, 0, 1, 7],
            &[EVENT, 0x0e, 1, 5],
            &[COMMAND, 1, 0x20, 1, 5],
        ];
        for step in 1..9 {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for bytes in stream.concat().chunks(step) {
                framer.push(bytes);
                while let Some(packet) = framer.next_packet().expect("packets") {
                    found.push(packet);
                }
            }
            assert_eq!(found, stream);
            assert_eq!(framer.next_packet(), Ok(None));
        }
    }

    #[test]
    fn what_is_no_packet_is_said() {
        for odd in [0, 6, 0x7e, 0xff] {
            let mut framer = Framer::default();
            framer.push(&[odd]);
            assert_eq!(framer.next_packet(), Err(NoPacket(odd)));
        }
    }
}
