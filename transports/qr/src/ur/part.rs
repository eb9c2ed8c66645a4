//! One UR as text: its kind, and either a whole message or a part of one.
//!
//! Called by the collector and the reader. What can go wrong: not a UR at all (then it is some
//! other code); a UR that is damaged, not canonical or out of bounds.

use super::{MAX_FRAGMENTS, MAX_MESSAGE, words};

/// One part of a message of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// `bytes` or `x-didcomm`.
    pub(crate) kind: String,
    /// Its number, from 1; those beyond `count` are mixed.
    pub(crate) number: u32,
    /// How many fragments the message has; 1 where this is all of it.
    pub(crate) count: usize,
    /// Bytes of the message.
    pub(crate) length: usize,
    /// CRC-32 of the message.
    pub(crate) checksum: u32,
    /// The fragment, or several of them mixed.
    pub(crate) data: Vec<u8>,
}

/// Why a UR cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PartError {
    /// It is of a kind that holds no packed message.
    #[error("a UR of another kind")]
    Kind,
    /// Its letters are none, or their checksum does not match.
    #[error("the UR is damaged")]
    Words,
    /// Its fields make no sense, or are out of bounds.
    #[error("the UR's fields make no sense")]
    Fields,
}

impl Part {
    /// Reads a text; none if it is no UR.
    pub(crate) fn read(text: &[u8]) -> Option<Result<Self, PartError>> {
        let (scheme, rest) = text.split_at_checked(3)?;
        if !scheme.eq_ignore_ascii_case(b"ur:") {
            return None;
        }
        Some(Self::read_rest(rest))
    }

    fn read_rest(rest: &[u8]) -> Result<Self, PartError> {
        let mut pieces = rest.split(|byte| *byte == b'/');
        let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let kind = String::from_utf8(kind).map_err(|_| PartError::Kind)?;
        if kind != "bytes" && !kind.starts_with("x-") {
            return Err(PartError::Kind);
        }
        let (first, second) = (pieces.next(), pieces.next());
        if pieces.next().is_some() {
            return Err(PartError::Fields);
        }
        match (first, second) {
            (Some(body), None) => {
                let message = words::decode(body).ok_or(PartError::Words)?;
                let checksum = words::crc32(&message);
                Ok(Self {
                    kind,
                    number: 1,
                    count: 1,
                    length: message.len(),
                    checksum,
                    data: message,
                })
            }
            (Some(place), Some(body)) => {
                let body = words::decode(body).ok_or(PartError::Words)?;
                let part = Self::of_fields(kind, &body).ok_or(PartError::Fields)?;
                let said = format!("{}-{}", part.number, part.count);
                if said.as_bytes() == place {
                    Ok(part)
                } else {
                    Err(PartError::Fields)
                }
            }
            _ => Err(PartError::Fields),
        }
    }

    /// The CBOR inside: number, count, length, checksum, bytes.
    fn of_fields(kind: String, cbor: &[u8]) -> Option<Self> {
        let rest = cbor.strip_prefix(&[0x85])?;
        let (number, rest) = head(rest, 0)?;
        let (count, rest) = head(rest, 0)?;
        let (length, rest) = head(rest, 0)?;
        let (checksum, rest) = head(rest, 0)?;
        let (size, data) = head(rest, 2)?;
        let part = Self {
            kind,
            number: u32::try_from(number).ok()?,
            count: usize::try_from(count).ok()?,
            length: usize::try_from(length).ok()?,
            checksum: u32::try_from(checksum).ok()?,
            data: data.to_vec(),
        };
        let fits = usize::try_from(size) == Ok(part.data.len())
            && part.number >= 1
            && (1..=MAX_FRAGMENTS).contains(&part.count)
            && (1..=MAX_MESSAGE).contains(&part.length)
            // The fragments are as short as so many can be.
            && part.length.div_ceil(part.count) == part.data.len();
        fits.then_some(part)
    }

    /// The same as CBOR.
    pub(super) fn fields(&self) -> Vec<u8> {
        let mut cbor = vec![0x85];
        write_head(&mut cbor, 0, u64::from(self.number));
        write_head(&mut cbor, 0, self.count as u64);
        write_head(&mut cbor, 0, self.length as u64);
        write_head(&mut cbor, 0, u64::from(self.checksum));
        write_head(&mut cbor, 2, self.data.len() as u64);
        cbor.extend(&self.data);
        cbor
    }
}

/// What a message holds: a CBOR byte string, or text as some write it. Tags are passed over.
pub(crate) fn bytes_in(cbor: &[u8]) -> Option<Vec<u8>> {
    let mut rest = cbor;
    for _ in 0..4 {
        match head(rest, 6) {
            Some((_, inner)) => rest = inner,
            None => break,
        }
    }
    let (size, bytes) = head(rest, 2).or_else(|| head(rest, 3))?;
    (usize::try_from(size) == Ok(bytes.len())).then(|| bytes.to_vec())
}

/// A byte string.
pub(super) fn byte_string(bytes: &[u8]) -> Vec<u8> {
    let mut cbor = Vec::with_capacity(bytes.len() + 9);
    write_head(&mut cbor, 2, bytes.len() as u64);
    cbor.extend(bytes);
    cbor
}

/// The number in a CBOR head of this major type, and what follows it (RFC 8949 §3).
fn head(cbor: &[u8], major: u8) -> Option<(u64, &[u8])> {
    let (first, rest) = cbor.split_first()?;
    if first >> 5 != major {
        return None;
    }
    let size = match first & 31 {
        small @ 0..24 => return Some((u64::from(small), rest)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(size)?;
    Some((number.iter().fold(0, |n, b| n << 8 | u64::from(*b)), rest))
}

fn write_head(cbor: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    match number {
        // Each arm's bounds make the conversion exact.
        0..24 => cbor.push(major | number as u8),
        24..0x100 => cbor.extend([major | 24, number as u8]),
        0x100..0x1_0000 => {
            cbor.push(major | 25);
            cbor.extend((number as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            cbor.push(major | 26);
            cbor.extend((number as u32).to_be_bytes());
        }
        _ => {
            cbor.push(major | 27);
            cbor.extend(number.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_read() {
        // BCR-2020-005's reference test: make_message_ur(50, "Wolf").
        let text = "ur:bytes/hdeymejtswhhylkepmykhhtsytsnoyoyaxaedsuttydmmhhpktpmsrjtgwdpfnsboxgwlbaawzuefywkdplrsrjynbvygabwjldapfcsdwkbrkch";
        for text in [text.to_owned(), text.to_ascii_uppercase()] {
            let part = Part::read(text.as_bytes()).expect("a UR").expect("whole");
            assert_eq!((part.count, part.length), (1, 52));
            let bytes = bytes_in(&part.data).expect("bytes");
            assert_eq!(bytes[..4], [0x91, 0x6e, 0xc6, 0x5c]);
            assert_eq!(bytes.len(), 50);
        }
    }

    #[test]
    fn fields_that_lie_are_refused() {
        let good = Part {
            kind: "bytes".into(),
            number: 9,
            count: 3,
            length: 25,
            checksum: 0x0102_0304,
            data: vec![7; 9],
        };
        let read = |part: &Part, place: &str| {
            let text = format!("ur:bytes/{place}/{}", words::encode(&part.fields()));
            Part::read(text.as_bytes()).expect("a UR")
        };
        assert_eq!(read(&good, "9-3"), Ok(good.clone()));
        for place in ["9-4", "8-3", "09-3", "9", "9-3-1", "", "-"] {
            assert_eq!(read(&good, place), Err(PartError::Fields), "{place}");
        }
        for (number, count, length, size) in [
            (0, 3, 25, 9),
            (1, 0, 25, 9),
            (1, MAX_FRAGMENTS + 1, MAX_FRAGMENTS + 1, 1),
            (1, 3, 0, 0),
            (1, 3, 25, 8),
            (1, 3, 25, 10),
            (1, 2048, MAX_MESSAGE + 1, 2049),
            (1, 3, usize::MAX, 9),
        ] {
            let part = Part {
                number,
                count,
                length,
                data: vec![7; size],
                ..good.clone()
            };
            let place = format!("{number}-{count}");
            assert_eq!(
                read(&part, &place),
                Err(PartError::Fields),
                "{place} {length}"
            );
        }
    }

    #[test]
    fn other_urs_and_other_codes_are_told_apart() {
        assert_eq!(Part::read(b"https://a.example"), None);
        assert_eq!(Part::read(b"ur"), None);
        assert_eq!(Part::read(b"UR:CRYPTO-PSBT/AE"), Some(Err(PartError::Kind)));
        assert_eq!(Part::read(b"ur:bytes/aeae"), Some(Err(PartError::Words)));
        assert_eq!(Part::read(b"ur:bytes"), Some(Err(PartError::Fields)));
        assert_eq!(
            Part::read(b"ur:bytes/1-2/3/4"),
            Some(Err(PartError::Fields))
        );
        assert_eq!(Part::read(b"ur:"), Some(Err(PartError::Kind)));
    }
}
