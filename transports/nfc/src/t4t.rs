//! Tags of type 4: a message in a file behind APDUs (NFC Forum, Type 4 Tag 1.0, mapping 2.0).
//!
//! What is it: [`Type4`], the tag that our own card shows to phones, and [`read`] and [`write()`],
//! for such tags in our field. Who calls it: the applet, the command line, the fuzzer. What can go
//! wrong: foreign tags and readers; lengths are believed within the file's size only.

use std::time::{Duration, Instant};

use crate::apdu::{self, Command, Response};
use crate::chip::{ApduLink, ChipError};
use crate::ndef::NdefError;
use crate::pipe::{reply, select};

/// The forum's application.
pub const AID: &[u8] = b"\xd2\x76\x00\x00\x85\x01\x01";

/// The longest message that a tag of ours shows: offsets end at 32 KiB.
pub const MAX_MESSAGE: usize = 0x7ffe;

/// The capability container, and where we keep the message.
const CC: u16 = 0xe103;
const MESSAGE: u16 = 0xe104;
/// What a phone may read or write at once: some readers fail above it (libnfc's author measured).
const CHUNK: u8 = 0xfd;
/// The capability container's length.
const CC_LENGTH: u8 = 15;

/// How long a tag may take for one command; writes of flash take some milliseconds.
const WAIT: Duration = Duration::from_millis(500);

/// How long a tag may take in all: the longest message, by a slow one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tag that a card of ours shows. Nobody can write on it: what a phone wrote there would have to be
/// on the disk before the phone hears that it is written.
#[derive(Clone, Debug)]
pub struct Type4 {
    /// The message's file: two bytes of length, and it.
    file: Vec<u8>,
    chosen: Option<u16>,
}

impl Default for Type4 {
    /// With nothing on it.
    fn default() -> Self {
        Self {
            file: vec![0; 2],
            chosen: None,
        }
    }
}

impl Type4 {
    /// A tag with this message that nobody can write.
    ///
    /// # Errors
    /// If it is too long.
    pub fn showing(message: &[u8]) -> Result<Self, NdefError> {
        let length = u16::try_from(message.len()).map_err(|_| NdefError::Large)?;
        if message.len() > MAX_MESSAGE {
            return Err(NdefError::Large);
        }
        let mut file = length.to_be_bytes().to_vec();
        file.extend_from_slice(message);
        Ok(Self { file, chosen: None })
    }

    /// The application was selected: no file is chosen.
    pub(crate) const fn select(&mut self) {
        self.chosen = None;
    }

    /// The answer to a command of class 0.
    pub(crate) fn hear(&mut self, command: &Command<'_>) -> Vec<u8> {
        let at = usize::from(u16::from_be_bytes([command.p1, command.p2]));
        match command.ins {
            0xa4 if command.p1 == 0 => self.choose(command.data),
            0xb0 => self.read(at, usize::from(command.expected)),
            0xd6 if self.chosen.is_some() => apdu::status(apdu::NOT_ALLOWED),
            0xd6 => apdu::status(apdu::NOT_NOW),
            0xa4 => apdu::status(apdu::WRONG_PARAMETERS),
            _ => apdu::status(apdu::UNKNOWN_INS),
        }
    }

    fn choose(&mut self, name: &[u8]) -> Vec<u8> {
        let Ok(name) = <[u8; 2]>::try_from(name) else {
            return apdu::status(apdu::WRONG_LENGTH);
        };
        let name = u16::from_be_bytes(name);
        if name != CC && name != MESSAGE {
            return apdu::status(apdu::NOT_FOUND);
        }
        self.chosen = Some(name);
        apdu::status(apdu::OK)
    }

    fn read(&self, at: usize, expected: usize) -> Vec<u8> {
        let cc;
        let file = match self.chosen {
            Some(CC) => {
                cc = self.cc();
                &cc[..]
            }
            Some(_) => &self.file[..],
            None => return apdu::status(apdu::NOT_NOW),
        };
        let Some(rest) = file.get(at..) else {
            return apdu::status(apdu::WRONG_OFFSET);
        };
        let length = rest.len().min(expected).min(usize::from(CHUNK));
        reply(rest.get(..length).unwrap_or_default())
    }

    fn cc(&self) -> [u8; CC_LENGTH as usize] {
        let room = u16::try_from(self.file.len()).unwrap_or(u16::MAX);
        let [high, low] = room.max(5).to_be_bytes();
        let [name, name_low] = MESSAGE.to_be_bytes();
        [
            0, CC_LENGTH, 0x20, 0, CHUNK, 0, CHUNK, 4, 6, name, name_low, high, low, 0, 0xff,
        ]
    }
}

/// Why a tag could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The field, or the chip.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// It has no message, or is not a tag of that type.
    #[error("this is no tag with a message ({0})")]
    NoTag(String),
    /// What it says of itself does not hold.
    #[error("the tag contradicts itself: {0}")]
    Odd(&'static str),
    /// The message does not go on it.
    #[error("{bytes} bytes do not go on a tag that holds {room}")]
    Full {
        /// The message's length.
        bytes: usize,
        /// The longest that goes.
        room: usize,
    },
    /// It cannot be written.
    #[error("the tag cannot be written")]
    Locked,
}

/// What a tag says of itself.
struct Capabilities {
    most_read: u16,
    most_write: u16,
    file: u16,
    size: u16,
    locked: bool,
}

/// Reads the message of the tag in the field; empty if it has none.
///
/// # Errors
/// If it cannot be read.
pub fn read(tag: &mut dyn ApduLink) -> Result<Vec<u8>, TagError> {
    let known = capabilities(tag)?;
    let length = read_some(tag, 0, 2)?;
    let length = <[u8; 2]>::try_from(length).map_err(|_| TagError::Odd("half a length"))?;
    let length = u16::from_be_bytes(length);
    if length > known.size.saturating_sub(2) {
        return Err(TagError::Odd("a message longer than its file"));
    }
    let mut message = Vec::new();
    let until = Instant::now() + PATIENCE;
    while message.len() < usize::from(length) {
        // A byte at a time, each as late as may be, would be hours.
        if Instant::now() > until {
            return Err(TagError::Odd("it takes too long"));
        }
        let left = usize::from(length) - message.len();
        let some = left.min(usize::from(known.most_read.min(255)));
        let bytes = read_some(tag, message.len() + 2, some)?;
        if bytes.is_empty() || bytes.len() > some {
            return Err(TagError::Odd("another number of bytes than asked for"));
        }
        message.extend_from_slice(&bytes);
    }
    Ok(message)
}

/// Writes a message on the tag in the field: no length, the message, its length. Torn away in the
/// middle, it is an empty tag.
///
/// # Errors
/// If it does not go on it, or cannot be written.
pub fn write(tag: &mut dyn ApduLink, message: &[u8]) -> Result<(), TagError> {
    let known = capabilities(tag)?;
    if known.locked {
        return Err(TagError::Locked);
    }
    let room = usize::from(known.size.saturating_sub(2));
    let bytes = message.len();
    let full = || TagError::Full { bytes, room };
    let length = u16::try_from(bytes).map_err(|_| full())?;
    if bytes > room {
        return Err(full());
    }
    write_some(tag, 0, &[0, 0])?;
    let chunk = usize::from(known.most_write.clamp(1, 255));
    let until = Instant::now() + PATIENCE;
    for (n, piece) in message.chunks(chunk).enumerate() {
        if Instant::now() > until {
            return Err(TagError::Odd("it takes too long"));
        }
        write_some(tag, n * chunk + 2, piece)?;
    }
    write_some(tag, 0, &length.to_be_bytes())
}

fn capabilities(tag: &mut dyn ApduLink) -> Result<Capabilities, TagError> {
    let command = select(AID).unwrap_or_default();
    let said = tag.exchange(&command, WAIT)?;
    let status = Response::read(&said)
        .map_err(|_| TagError::Odd("an answer that is none"))?
        .status;
    if status != apdu::OK {
        return Err(TagError::NoTag(format!("it says {status:04x}")));
    }
    choose(tag, CC)?;
    let cc = read_some(tag, 0, usize::from(CC_LENGTH))?;
    let [
        _,
        _,
        version,
        r1,
        r0,
        w1,
        w0,
        4,
        _,
        f1,
        f0,
        s1,
        s0,
        may_read,
        may_write,
        ..,
    ] = *cc
    else {
        return Err(TagError::Odd("no file for a message"));
    };
    let two = |high, low| u16::from_be_bytes([high, low]);
    let known = Capabilities {
        most_read: two(r1, r0),
        most_write: two(w1, w0),
        file: two(f1, f0),
        size: two(s1, s0),
        locked: may_write != 0,
    };
    if may_read != 0 {
        return Err(TagError::NoTag("it is not for everybody".to_owned()));
    }
    if !(0x10..0x40).contains(&version) || known.most_read == 0 || known.size < 3 {
        return Err(TagError::Odd("capabilities that cannot be"));
    }
    choose(tag, known.file)?;
    Ok(known)
}

fn choose(tag: &mut dyn ApduLink, file: u16) -> Result<(), TagError> {
    let command = Command {
        class: 0,
        ins: 0xa4,
        p1: 0,
        p2: 0x0c,
        data: &file.to_be_bytes(),
        expected: 0,
    };
    ask(tag, &command).map(drop)
}

fn read_some(tag: &mut dyn ApduLink, at: usize, count: usize) -> Result<Vec<u8>, TagError> {
    let count = u16::try_from(count).map_err(|_| TagError::Odd("a length that cannot be"))?;
    ask(tag, &at_offset(0xb0, at, &[], count)?)
}

fn write_some(tag: &mut dyn ApduLink, at: usize, data: &[u8]) -> Result<(), TagError> {
    ask(tag, &at_offset(0xd6, at, data, 0)?).map(drop)
}

fn at_offset(ins: u8, at: usize, data: &[u8], expected: u16) -> Result<Command<'_>, TagError> {
    let at = u16::try_from(at).ok().filter(|at| *at < 0x8000);
    let [p1, p2] = at
        .ok_or(TagError::Odd("an offset beyond 32 KiB"))?
        .to_be_bytes();
    Ok(Command {
        class: 0,
        ins,
        p1,
        p2,
        data,
        expected,
    })
}

fn ask(tag: &mut dyn ApduLink, command: &Command<'_>) -> Result<Vec<u8>, TagError> {
    let bytes = command
        .to_bytes()
        .map_err(|_| TagError::Odd("a length that cannot be"))?;
    let said = tag.exchange(&bytes, WAIT)?;
    let response = Response::read(&said).map_err(|_| TagError::Odd("an answer that is none"))?;
    match response.status {
        apdu::OK => Ok(response.data.to_vec()),
        other => Err(TagError::NoTag(format!("it says {other:04x}"))),
    }
}

#[cfg(test)]
mod tests;
