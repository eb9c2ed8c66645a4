//! NDEF messages: the records on a tag.
//!
//! What is it: a codec without IO for the NFC Forum's data exchange format 1.0, with records of
//! known kinds read out: URIs and MIME types. Who calls it: tags, the command line, the fuzzer.
//! What can go wrong: a stranger wrote the tag. Lengths are believed only as far as bytes are
//! there; records are at most [`MAX_RECORDS`], pieces of chunked ones joined within
//! [`MAX_MESSAGE`].

use std::borrow::Cow;

/// The longest message in bytes: what a tag of type 4 holds with short lengths.
pub const MAX_MESSAGE: usize = 0xfffe;
/// The most records in a message.
pub const MAX_RECORDS: usize = 64;

/// What a record's type is a name of (TNF).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// Nothing is in it.
    Empty,
    /// One of the forum's own types: `U`, `T`, `Sp`.
    WellKnown,
    /// A MIME type (RFC 2046).
    Mime,
    /// An absolute URI (RFC 3986) as a type.
    Uri,
    /// A type of somebody's own.
    External,
    /// Nobody says.
    Unknown,
}

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What `kind` is a name of.
    pub names: Names,
    /// The type's name.
    pub kind: Vec<u8>,
    /// The record's own name; mostly empty.
    pub id: Vec<u8>,
    /// What is in it.
    pub payload: Vec<u8>,
}

/// Why bytes are no message, or records make none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NdefError {
    /// It ends before it should.
    #[error("it ends in the middle of a record")]
    Short,
    /// It begins or ends where it must not.
    #[error("the first record does not begin it, or the last one does not end it")]
    Bounds,
    /// A reserved kind of name, or one that a record of its kind must not have.
    #[error("a record whose type is of no known kind")]
    Names,
    /// Pieces of a record that are not one after the other.
    #[error("pieces that make no record")]
    Pieces,
    /// More than a message may be.
    #[error("more than {MAX_RECORDS} records or {MAX_MESSAGE} bytes")]
    Large,
}

const BEGIN: u8 = 0x80;
const END: u8 = 0x40;
const PIECE: u8 = 0x20;
const SHORT: u8 = 0x10;
const HAS_ID: u8 = 0x08;
/// The kind of name that says "as before": later pieces of a record.
const UNCHANGED: u8 = 6;

/// What the first byte of a URI record stands for (NFC Forum, RTD URI 1.0, table 3).
const PREFIXES: [&str; 36] = [
    "",
    "http://www.",
    "https://www.",
    "http://",
    "https://",
    "tel:",
    "mailto:",
    "ftp://anonymous:anonymous@",
    "ftp://ftp.",
    "ftps://",
    "sftp://",
    "smb://",
    "nfs://",
    "ftp://",
    "dav://",
    "news:",
    "telnet://",
    "imap:",
    "rtsp://",
    "urn:",
    "pop:",
    "sip:",
    "sips:",
    "tftp:",
    "btspp://",
    "btl2cap://",
    "btgoep://",
    "tcpobex://",
    "irdaobex://",
    "file://",
    "urn:epc:id:",
    "urn:epc:tag:",
    "urn:epc:pat:",
    "urn:epc:raw:",
    "urn:epc:",
    "urn:nfc:",
];

impl Record {
    /// A URI, shortened as the forum has it.
    #[must_use]
    pub fn of_uri(uri: &str) -> Self {
        let prefixes = PREFIXES.iter().enumerate();
        let fitting = prefixes.filter(|(_, prefix)| uri.starts_with(**prefix));
        let (code, prefix) = fitting
            .max_by_key(|(_, prefix)| prefix.len())
            .unwrap_or((0, &""));
        let mut payload = vec![u8::try_from(code).unwrap_or_default()];
        payload.extend_from_slice(uri.get(prefix.len()..).unwrap_or_default().as_bytes());
        Self {
            names: Names::WellKnown,
            kind: b"U".to_vec(),
            id: Vec::new(),
            payload,
        }
    }

    /// Bytes of a MIME type.
    #[must_use]
    pub fn of_mime(kind: &str, payload: &[u8]) -> Self {
        Self {
            names: Names::Mime,
            kind: kind.as_bytes().to_vec(),
            id: Vec::new(),
            payload: payload.to_vec(),
        }
    }

    /// The URI, if it is one.
    #[must_use]
    pub fn uri(&self) -> Option<String> {
        match self.names {
            Names::Uri => String::from_utf8(self.kind.clone()).ok(),
            Names::WellKnown if self.kind == b"U" => {
                let (code, rest) = self.payload.split_first()?;
                // Codes that nobody has defined yet are to be read as none.
                let prefix = PREFIXES.get(usize::from(*code)).copied().unwrap_or("");
                Some(format!("{prefix}{}", str::from_utf8(rest).ok()?))
            }
            _ => None,
        }
    }

    /// The MIME type and the bytes, if it has one.
    #[must_use]
    pub fn mime(&self) -> Option<(Cow<'_, str>, &[u8])> {
        let is_mime = self.names == Names::Mime;
        is_mime.then(|| (String::from_utf8_lossy(&self.kind), self.payload.as_slice()))
    }
}

/// One piece as it is written: flags, name, and what is in it.
struct Piece<'a> {
    flags: u8,
    kind: &'a [u8],
    id: &'a [u8],
    payload: &'a [u8],
}

/// Reads a message.
///
/// # Errors
/// If the bytes are none.
pub fn read(bytes: &[u8]) -> Result<Vec<Record>, NdefError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(NdefError::Large);
    }
    let (mut rest, mut records) = (bytes, Vec::<Record>::new());
    // The record of which pieces are still to come.
    let mut open: Option<Record> = None;
    let mut first = true;
    loop {
        let piece = take_piece(&mut rest)?;
        if (piece.flags & BEGIN != 0) != first {
            return Err(NdefError::Bounds);
        }
        first = false;
        let more = piece.flags & PIECE != 0;
        let record = join(open.take(), &piece)?;
        if more {
            open = Some(record);
        } else if records.len() >= MAX_RECORDS {
            return Err(NdefError::Large);
        } else {
            records.push(record);
        }
        match (piece.flags & END != 0, rest.is_empty()) {
            (true, true) if more => return Err(NdefError::Pieces),
            (true, true) => return Ok(records),
            (true, false) => return Err(NdefError::Bounds),
            (false, true) => return Err(NdefError::Short),
            (false, false) => {}
        }
    }
}

/// A record that begins, or one that goes on.
fn join(open: Option<Record>, piece: &Piece<'_>) -> Result<Record, NdefError> {
    let names = piece.flags & 7;
    if let Some(mut record) = open {
        if names != UNCHANGED || !piece.kind.is_empty() || piece.flags & HAS_ID != 0 {
            return Err(NdefError::Pieces);
        }
        record.payload.extend_from_slice(piece.payload);
        return Ok(record);
    }
    let names = match names {
        0 => Names::Empty,
        1 => Names::WellKnown,
        2 => Names::Mime,
        3 => Names::Uri,
        4 => Names::External,
        5 => Names::Unknown,
        UNCHANGED => return Err(NdefError::Pieces),
        _ => return Err(NdefError::Names),
    };
    let whole = [piece.kind, piece.id, piece.payload];
    let sound = match names {
        Names::Empty => whole.iter().all(|part| part.is_empty()),
        Names::Unknown => piece.kind.is_empty(),
        _ => !piece.kind.is_empty(),
    };
    if !sound {
        return Err(NdefError::Names);
    }
    Ok(Record {
        names,
        kind: piece.kind.to_vec(),
        id: piece.id.to_vec(),
        payload: piece.payload.to_vec(),
    })
}

fn take_piece<'a>(rest: &mut &'a [u8]) -> Result<Piece<'a>, NdefError> {
    let [flags, kind] = *take(rest, 2)? else {
        return Err(NdefError::Short);
    };
    let payload = if flags & SHORT != 0 {
        take(rest, 1)?.first().copied().map_or(0, usize::from)
    } else {
        let four = take(rest, 4)?.try_into().map_err(|_| NdefError::Short)?;
        usize::try_from(u32::from_be_bytes(four)).map_err(|_| NdefError::Short)?
    };
    let id = if flags & HAS_ID != 0 {
        take(rest, 1)?.first().copied().map_or(0, usize::from)
    } else {
        0
    };
    Ok(Piece {
        flags,
        kind: take(rest, usize::from(kind))?,
        id: take(rest, id)?,
        payload: take(rest, payload)?,
    })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], NdefError> {
    let (head, tail) = rest.split_at_checked(count).ok_or(NdefError::Short)?;
    *rest = tail;
    Ok(head)
}

/// Writes a message of these records.
///
/// # Errors
/// If they make none: too many, too long, or none at all.
pub fn write(records: &[Record]) -> Result<Vec<u8>, NdefError> {
    if records.is_empty() {
        return Err(NdefError::Short);
    }
    if records.len() > MAX_RECORDS {
        return Err(NdefError::Large);
    }
    let mut bytes = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let mut flags = match record.names {
            Names::Empty => 0,
            Names::WellKnown => 1,
            Names::Mime => 2,
            Names::Uri => 3,
            Names::External => 4,
            Names::Unknown => 5,
        };
        let short = u8::try_from(record.payload.len());
        for (flag, set) in [
            (BEGIN, at == 0),
            (END, at + 1 == records.len()),
            (SHORT, short.is_ok()),
            (HAS_ID, !record.id.is_empty()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        let length = |part: &[u8]| u8::try_from(part.len()).map_err(|_| NdefError::Large);
        bytes.extend_from_slice(&[flags, length(&record.kind)?]);
        match short {
            Ok(short) => bytes.push(short),
            Err(_) => {
                let long = u32::try_from(record.payload.len()).map_err(|_| NdefError::Large)?;
                bytes.extend_from_slice(&long.to_be_bytes());
            }
        }
        if !record.id.is_empty() {
            bytes.push(length(&record.id)?);
        }
        for part in [&record.kind, &record.id, &record.payload] {
            bytes.extend_from_slice(part);
        }
        if bytes.len() > MAX_MESSAGE {
            return Err(NdefError::Large);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
