//! The little deterministic CBOR (RFC 8949 §4.2) that both envelope forms are written in.
//!
//! What is it: a writer that can only produce the shortest form, and a reader that accepts
//! nothing else, borrows from its input, and can keep a log of what it read for
//! [`inspect`](crate::inspect()). Who calls it: `identity`, `headers` and `wire`. What can go
//! wrong: any byte sequence may arrive here; the reader answers with a [`DecodeError`] and
//! never allocates.

use crate::envelope::DecodeError;
use crate::inspect::Part;

/// Unsigned integer.
const UINT: u8 = 0;
/// Negative integer; the argument is `-1 - n`.
pub(crate) const NEGATIVE: u8 = 1;
/// Byte string.
const BYTES: u8 = 2;
/// Text string (UTF-8).
pub(crate) const TEXT: u8 = 3;
/// Array.
pub(crate) const ARRAY: u8 = 4;
/// Map.
pub(crate) const MAP: u8 = 5;
/// Tag.
const TAG: u8 = 6;
/// Simple values; only false, true and null are ours.
pub(crate) const SIMPLE: u8 = 7;
/// Arguments of the three simple values that a JSON header can hold.
pub(crate) const FALSE: u64 = 20;
/// See [`FALSE`].
pub(crate) const TRUE: u64 = 21;
/// See [`FALSE`].
pub(crate) const NULL: u64 = 22;

/// Appends the head of an item: major type and argument, in the shortest form.
pub(crate) fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let wide = argument.to_be_bytes();
    let [.., e, f, g, h] = wide;
    match argument {
        0..=23 => out.push(major | h),
        24..=0xff => out.extend_from_slice(&[major | 24, h]),
        0x100..=0xffff => out.extend_from_slice(&[major | 25, g, h]),
        0x1_0000..=0xffff_ffff => out.extend_from_slice(&[major | 26, e, f, g, h]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&wide);
        }
    }
}

/// Appends an unsigned integer.
pub(crate) fn uint(out: &mut Vec<u8>, value: u64) {
    head(out, UINT, value);
}

/// Appends a byte string.
pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    head(out, BYTES, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a text string.
pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    head(out, TEXT, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends the head of an array of `count` items.
pub(crate) fn array(out: &mut Vec<u8>, count: usize) {
    head(out, ARRAY, count as u64);
}

/// Appends the head of a map of `count` pairs.
pub(crate) fn map(out: &mut Vec<u8>, count: usize) {
    head(out, MAP, count as u64);
}

/// A log that is waiting, see [`Reader::pause`].
pub(crate) struct Pause {
    start: usize,
    log: Option<Vec<Part>>,
}

/// Reads deterministic CBOR, or plain bytes, from a slice; never past its end.
pub(crate) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// Where `data` begins in the file that is being explained.
    base: usize,
    log: Option<Vec<Part>>,
}

impl<'a> Reader<'a> {
    /// A reader that keeps no log.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            base: 0,
            log: None,
        }
    }

    /// A reader that logs each item with its place, when `logging`; `base` is the offset of
    /// `data` in the whole.
    pub(crate) fn logged(data: &'a [u8], base: usize, logging: bool) -> Self {
        Self {
            data,
            at: 0,
            base,
            log: logging.then(Vec::new),
        }
    }

    /// Bytes not yet read.
    pub(crate) fn remaining(&self) -> usize {
        self.data.len().saturating_sub(self.at)
    }

    /// Offset of the next byte in the whole.
    pub(crate) fn offset(&self) -> usize {
        self.base + self.at
    }

    /// Stops logging, until [`Reader::resume`] logs all that was read meanwhile as one item.
    pub(crate) fn pause(&mut self) -> Pause {
        Pause {
            start: self.at,
            log: self.log.take(),
        }
    }

    /// See [`Reader::pause`].
    pub(crate) fn resume(&mut self, pause: Pause, name: &'static str) {
        self.log = pause.log;
        self.record(name, pause.start, String::new);
    }

    /// The log, leaving none behind.
    pub(crate) fn take_log(&mut self) -> Vec<Part> {
        self.log.take().unwrap_or_default()
    }

    /// Adds to the note of the item read last.
    pub(crate) fn note(&mut self, note: impl FnOnce() -> String) {
        if let Some(part) = self.log.as_mut().and_then(|log| log.last_mut()) {
            if !part.note.is_empty() {
                part.note.push_str(", ");
            }
            part.note.push_str(&note());
        }
    }

    /// `count` bytes as they are.
    pub(crate) fn take(
        &mut self,
        name: &'static str,
        count: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        let taken = self.advance(count)?;
        self.record(name, start, String::new);
        Ok(taken)
    }

    /// All bytes that are left.
    pub(crate) fn rest(&mut self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        let count = self.remaining();
        if count == 0 {
            return Ok(&[]);
        }
        self.take(name, count)
    }

    /// The head of any item: major type and argument. Fails unless it is the shortest form.
    pub(crate) fn any_head(&mut self) -> Result<(u8, u64), DecodeError> {
        let [first] = self.fixed()?;
        let (major, short) = (first >> 5, first & 0x1f);
        let (argument, least) = match short {
            0..=23 => (u64::from(short), 0),
            24 => (u64::from(u8::from_be_bytes(self.fixed()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.fixed()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.fixed()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.fixed()?), 0x1_0000_0000),
            _ => return Err(DecodeError::Malformed("indefinite or reserved length")),
        };
        if argument < least {
            return Err(DecodeError::Malformed("number not in its shortest form"));
        }
        Ok((major, argument))
    }

    /// An unsigned integer.
    pub(crate) fn uint(&mut self, name: &'static str) -> Result<u64, DecodeError> {
        let start = self.at;
        let value = self.expect_major(UINT)?;
        self.record(name, start, || value.to_string());
        Ok(value)
    }

    /// An unsigned integer that counts or measures something in memory.
    pub(crate) fn size(&mut self, name: &'static str) -> Result<usize, DecodeError> {
        let value = self.uint(name)?;
        usize::try_from(value).map_err(|_| DecodeError::Malformed("a size beyond memory"))
    }

    /// A byte string.
    pub(crate) fn bytes(&mut self, name: &'static str) -> Result<&'a [u8], DecodeError> {
        let start = self.at;
        let value = self.body(BYTES)?;
        self.record(name, start, String::new);
        Ok(value)
    }

    /// The head of a byte string, whose bytes another reader will explain: its bytes, and
    /// their offset in the whole.
    pub(crate) fn section(&mut self, name: &'static str) -> Result<(&'a [u8], usize), DecodeError> {
        let start = self.at;
        let count = self.length(BYTES)?;
        self.record(name, start, || format!("{count} bytes follow"));
        let offset = self.offset();
        Ok((self.advance(count)?, offset))
    }

    /// A text string, checked to be UTF-8.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<&'a str, DecodeError> {
        let start = self.at;
        let value = self.body(TEXT)?;
        let value = std::str::from_utf8(value)
            .map_err(|_| DecodeError::Malformed("text that is not UTF-8"))?;
        self.record(name, start, || value.to_owned());
        Ok(value)
    }

    /// The head of an array: its count, at most `most`.
    pub(crate) fn array(&mut self, name: &'static str, most: usize) -> Result<usize, DecodeError> {
        self.collection(name, ARRAY, most)
    }

    /// The head of a map: its count of pairs, at most `most`.
    pub(crate) fn map(&mut self, name: &'static str, most: usize) -> Result<usize, DecodeError> {
        self.collection(name, MAP, most)
    }

    /// Fails when anything is left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(DecodeError::Malformed("bytes after the end"))
        }
    }

    /// The bytes between an earlier `remaining()` and here.
    pub(crate) fn since(&self, remaining_before: usize) -> &'a [u8] {
        let start = self.data.len().saturating_sub(remaining_before);
        self.data.get(start..self.at).unwrap_or_default()
    }

    /// The bytes of a string whose head has been read as (major, argument).
    pub(crate) fn string_body(&mut self, argument: u64) -> Result<&'a [u8], DecodeError> {
        let count = usize::try_from(argument).map_err(|_| DecodeError::Truncated)?;
        self.advance(count)
    }

    fn collection(
        &mut self,
        name: &'static str,
        major: u8,
        most: usize,
    ) -> Result<usize, DecodeError> {
        let start = self.at;
        let count = self.expect_major(major)?;
        self.record(name, start, || format!("{count} entries"));
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(DecodeError::Malformed("more entries than allowed")),
        }
    }

    fn body(&mut self, major: u8) -> Result<&'a [u8], DecodeError> {
        let count = self.length(major)?;
        self.advance(count)
    }

    fn length(&mut self, major: u8) -> Result<usize, DecodeError> {
        usize::try_from(self.expect_major(major)?).map_err(|_| DecodeError::Truncated)
    }

    fn expect_major(&mut self, wanted: u8) -> Result<u64, DecodeError> {
        match self.any_head()? {
            (major, argument) if major == wanted => Ok(argument),
            _ => Err(DecodeError::Malformed("an item of another type")),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        <[u8; N]>::try_from(self.advance(N)?).map_err(|_| DecodeError::Truncated)
    }

    fn advance(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(count).ok_or(DecodeError::Truncated)?;
        let taken = self.data.get(self.at..end).ok_or(DecodeError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn record(&mut self, name: &'static str, start: usize, note: impl FnOnce() -> String) {
        let (offset, bytes) = (self.base + start, self.at - start);
        if let Some(log) = self.log.as_mut().filter(|_| bytes > 0) {
            log.push(Part {
                name: name.to_owned(),
                offset: Some(offset),
                bytes,
                note: note(),
            });
        }
    }
}

/// The tag that begins an envelope form, `0xD9` and two bytes. `0xD9` is never the first byte
/// of a JSON text (RFC 8259 §2, in UTF-8), nor of UTF-8 text at all when followed by `0xDC`.
pub(crate) fn tag16(out: &mut Vec<u8>, tag: u16) {
    debug_assert!(tag > 0xff, "shorter tags have shorter heads");
    head(out, TAG, u64::from(tag));
}
