//! Short APDUs (ISO/IEC 7816-4): what a reader asks a card, and what it answers.
//!
//! What is it: a codec without IO; extended lengths are refused, because phones and chips of the
//! field stop at 261 bytes. Who calls it: the applet, the reader, tags of type 4, the fuzzer. What
//! can go wrong: bytes from a stranger; they give an error, and nothing is allocated for a length
//! that only says it is there.

/// The most bytes of data in one command.
pub const MAX_DATA: usize = 255;
/// The longest command: head, length, data, expected length.
pub const MAX_COMMAND: usize = 5 + MAX_DATA + 1;
/// The longest response: 256 bytes and a status.
pub const MAX_RESPONSE: usize = 258;

/// All went well.
pub const OK: u16 = 0x9000;
/// The length is wrong for this command.
pub const WRONG_LENGTH: u16 = 0x6700;
/// It may not be written.
pub const NOT_ALLOWED: u16 = 0x6982;
/// Not now: something has to come before it.
pub const NOT_NOW: u16 = 0x6985;
/// The data makes no sense.
pub const WRONG_DATA: u16 = 0x6a80;
/// No such application or file.
pub const NOT_FOUND: u16 = 0x6a82;
/// There is no room.
pub const NO_ROOM: u16 = 0x6a84;
/// The parameters make no sense.
pub const WRONG_PARAMETERS: u16 = 0x6a86;
/// No such offset.
pub const WRONG_OFFSET: u16 = 0x6b00;
/// No such instruction.
pub const UNKNOWN_INS: u16 = 0x6d00;
/// No such class.
pub const UNKNOWN_CLASS: u16 = 0x6e00;

/// A command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command<'a> {
    /// CLA: 0x00 is the standard's, 0x80 ours.
    pub class: u8,
    /// INS: what is to be done.
    pub ins: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// At most [`MAX_DATA`] bytes.
    pub data: &'a [u8],
    /// How many bytes may come back, at most: 0 to 256.
    pub expected: u16,
}

/// Why bytes are no short APDU, or values do not go into one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApduError {
    /// Fewer bytes than the shortest.
    #[error("{0} bytes are too few")]
    Short(usize),
    /// More bytes than the longest, or a length of the extended form.
    #[error("longer than a short APDU")]
    Long,
    /// The length inside is not the one outside.
    #[error("a length of {said} where {there} bytes are")]
    Length {
        /// What is said.
        said: usize,
        /// What is there.
        there: usize,
    },
}

impl<'a> Command<'a> {
    /// Reads one: the four cases of ISO/IEC 7816-4, 5.1.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ApduError> {
        let [class, ins, p1, p2, rest @ ..] = bytes else {
            return Err(ApduError::Short(bytes.len()));
        };
        let (data, expected) = match rest {
            [] => (rest, 0),
            [le] => (&[][..], le_of(*le)),
            [0, ..] => return Err(ApduError::Long),
            [lc, body @ ..] => {
                let said = usize::from(*lc);
                let there = body.len();
                match body.split_at_checked(said) {
                    Some((data, [])) => (data, 0),
                    Some((data, [le])) => (data, le_of(*le)),
                    _ => return Err(ApduError::Length { said, there }),
                }
            }
        };
        Ok(Self {
            class: *class,
            ins: *ins,
            p1: *p1,
            p2: *p2,
            data,
            expected,
        })
    }

    /// Its bytes.
    ///
    /// # Errors
    /// If there is more data than goes, or more is expected.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ApduError> {
        let mut bytes = Vec::with_capacity(6 + self.data.len());
        bytes.extend_from_slice(&[self.class, self.ins, self.p1, self.p2]);
        if !self.data.is_empty() {
            bytes.push(u8::try_from(self.data.len()).map_err(|_| ApduError::Long)?);
            bytes.extend_from_slice(self.data);
        }
        match self.expected {
            0 => {}
            256 => bytes.push(0),
            some => bytes.push(u8::try_from(some).map_err(|_| ApduError::Long)?),
        }
        Ok(bytes)
    }
}

/// `Le`: 0 stands for 256.
const fn le_of(byte: u8) -> u16 {
    if byte == 0 { 256 } else { byte as u16 }
}

/// A response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response<'a> {
    /// At most 256 bytes.
    pub data: &'a [u8],
    /// SW1 and SW2.
    pub status: u16,
}

impl<'a> Response<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ApduError> {
        if bytes.len() > MAX_RESPONSE {
            return Err(ApduError::Long);
        }
        let (data, status) = bytes
            .split_last_chunk()
            .ok_or(ApduError::Short(bytes.len()))?;
        Ok(Self {
            data,
            status: u16::from_be_bytes(*status),
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.data.to_vec();
        bytes.extend_from_slice(&self.status.to_be_bytes());
        bytes
    }
}

/// A response that is a status alone.
#[must_use]
pub fn status(status: u16) -> Vec<u8> {
    status.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases() {
        for (bytes, data, expected) in [
            (&[0, 0xa4, 4, 0][..], &[][..], 0),
            (&[0, 0xa4, 4, 0, 0], &[], 256),
            (&[0, 0xa4, 4, 0, 9], &[], 9),
            (&[0, 0xa4, 4, 0, 2, 7, 8], &[7, 8], 0),
            (&[0, 0xa4, 4, 0, 2, 7, 8, 0], &[7, 8], 256),
        ] {
            let command = Command::read(bytes).expect("a command");
            assert_eq!((command.data, command.expected), (data, expected));
            assert_eq!(command.to_bytes().as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bytes in [
            &[][..],
            &[0, 0xa4, 4],
            &[0, 0xa4, 4, 0, 0, 1, 0],
            &[0, 0xa4, 4, 0, 3, 1, 2],
            &[0, 0xa4, 4, 0, 1, 1, 2, 3],
        ] {
            assert!(Command::read(bytes).is_err(), "{bytes:?}");
        }
        for bytes in [&[][..], &[0x90], &[0; 259]] {
            assert!(Response::read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_longest_of_each() {
        let command = Command {
            class: 0x80,
            ins: 0xd2,
            p1: 1,
            p2: 2,
            data: &[7; MAX_DATA],
            expected: 256,
        };
        let bytes = command.to_bytes().expect("it goes");
        assert_eq!(bytes.len(), MAX_COMMAND);
        assert_eq!(Command::read(&bytes), Ok(command));
        let too_long = Command {
            data: &[7; MAX_DATA + 1],
            ..command
        };
        assert_eq!(too_long.to_bytes(), Err(ApduError::Long));
        let response = Response {
            data: &[7; 256],
            status: OK,
        };
        assert_eq!(Response::read(&response.to_bytes()), Ok(response));
    }
}
