//! Files of contacts: what format it is, decompressed if it is, line by line, never too much.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use packmule_bus::time::Time;

use super::{Contacts, ContactsError, Limits, ion, one, timetable};

/// The longest line that any of the formats has.
const LONGEST_LINE: usize = 4096;
/// A timetable is written by people.
const LONGEST_TIMETABLE: u64 = 1 << 20;
/// What a zstd frame begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Largest window of a zstd frame, as a power of two: 8 MiB is what its highest usual level takes.
const ZSTD_WINDOW: u32 = 23;

impl Contacts {
    /// Reads a file: a trace of The ONE, an ION contact plan, or a timetable in TOML, each also
    /// compressed by zstd.
    ///
    /// # Errors
    /// [`ContactsError`], with the line that makes no sense.
    pub fn read(path: &Path, limits: &Limits) -> Result<Self, ContactsError> {
        Self::from_reader(File::open(path)?, limits)
    }

    /// Reads the same from bytes.
    ///
    /// # Errors
    /// [`ContactsError`], with the line that makes no sense.
    pub fn from_reader(reader: impl Read, limits: &Limits) -> Result<Self, ContactsError> {
        let mut reader = BufReader::with_capacity(1 << 16, reader);
        if reader.fill_buf()?.starts_with(&ZSTD) {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            return by_content(BufReader::with_capacity(1 << 16, decoder), limits);
        }
        by_content(reader, limits)
    }
}

/// The first line that says something tells the format.
fn by_content(mut reader: impl BufRead, limits: &Limits) -> Result<Contacts, ContactsError> {
    let head = String::from_utf8_lossy(reader.fill_buf()?).into_owned();
    let mut first = head
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = first.next() else {
        return Err(ContactsError::Format);
    };
    let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
    match words.as_slice() {
        [_, "CONN", ..] => one::read(reader, limits),
        [command, ..] if ion::COMMANDS.contains(command) => ion::read(reader, limits),
        _ if line.starts_with('[') || line.contains('=') => {
            let mut text = String::new();
            let read = reader
                .take(LONGEST_TIMETABLE + 1)
                .read_to_string(&mut text)?;
            if read as u64 > LONGEST_TIMETABLE {
                return Err(ContactsError::TooMuch {
                    what: "bytes of timetable",
                    limit: LONGEST_TIMETABLE,
                });
            }
            timetable::read(&text, limits)
        }
        _ => Err(ContactsError::Format),
    }
}

/// Lines of bounded length, counted.
pub(super) struct Lines<R> {
    reader: R,
    line: u64,
    left: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R, limits: &Limits) -> Self {
        Self {
            reader,
            line: 0,
            left: limits.bytes,
            bytes: limits.bytes,
        }
    }

    /// What is wrong with the line read last.
    pub(super) fn fault(&self, why: &str) -> ContactsError {
        ContactsError::Line {
            line: self.line,
            why: why.to_owned(),
        }
    }

    fn read(&mut self) -> Result<Option<String>, ContactsError> {
        let mut bytes = Vec::new();
        let most = self.left.min(LONGEST_LINE as u64);
        let read = (&mut self.reader)
            .take(most + 1)
            .read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if read as u64 > self.left {
            return Err(ContactsError::TooMuch {
                what: "bytes of text",
                limit: self.bytes,
            });
        }
        self.left -= read as u64;
        if read > LONGEST_LINE {
            return Err(self.fault("too long"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.fault("not UTF-8")),
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<String, ContactsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Seconds with at most six decimals, exactly; none if it is no time within the horizon.
pub(super) fn seconds(text: &str, limits: &Limits) -> Option<Time> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 12 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let kept = part.get(..6).unwrap_or(part);
    let micros: u64 = format!("{kept:0<6}").parse().ok()?;
    let all = whole.checked_mul(1_000_000)?.checked_add(micros)?;
    (u128::from(all) <= limits.horizon.as_micros()).then(|| Time::from_micros(all))
}
