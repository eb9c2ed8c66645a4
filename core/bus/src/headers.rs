//! Unprotected headers: a JSON object in a form that re-serialising does not change.
//!
//! What is it: the object as a deterministic CBOR map (RFC 8949 §4.2.1: text keys in the
//! bytewise order of their encodings), values null, booleans, integers within `i64`/`u64`,
//! strings, arrays and maps. Floating-point numbers, duplicate names and anything beyond the
//! bounds have no such form: a message with them is carried raw. Who calls it: `packed`
//! makes it from JSON and writes JSON from it; `identity` checks it; `wire` shortens it.
//! What can go wrong: hostile nesting or counts, bounded by [`MAX_DEPTH`] and [`MAX_VALUES`].

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::cbor::{self, ARRAY, FALSE, MAP, NEGATIVE, NULL, Reader, SIMPLE, TEXT, TRUE};
use crate::envelope::DecodeError;

/// Deepest nesting of a header; the header object itself is level 1.
pub(crate) const MAX_DEPTH: usize = 16;
/// Most values in all unprotected headers of one message together.
pub(crate) const MAX_VALUES: usize = 4 * crate::parts::MAX_RECIPIENTS;

/// A JSON object as a deterministic CBOR map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headers<'a>(Cow<'a, [u8]>);

impl<'a> Headers<'a> {
    /// The object `{"kid": kid}`.
    pub(crate) fn of_kid(kid: &str) -> Headers<'static> {
        let mut out = Vec::with_capacity(kid.len() + 8);
        cbor::map(&mut out, 1);
        cbor::text(&mut out, "kid");
        cbor::text(&mut out, kid);
        Headers(Cow::Owned(out))
    }

    /// Reads and checks a map that stands at the reader's place. `values` is what is left of
    /// [`MAX_VALUES`].
    pub(crate) fn read(reader: &mut Reader<'a>, values: &mut usize) -> Result<Self, DecodeError> {
        let before = reader.remaining();
        let begun = reader.pause();
        let (major, count) = reader.any_head()?;
        if major != MAP {
            return Err(DecodeError::Malformed("a header that is not a map"));
        }
        spend(values)?;
        check_map(reader, count, 1, values)?;
        reader.resume(begun, "unprotected header");
        Ok(Headers(Cow::Borrowed(reader.since(before))))
    }

    /// A header from a whole slice, checked.
    pub(crate) fn parse(bytes: &'a [u8], values: &mut usize) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let headers = Self::read(&mut reader, values)?;
        reader.end()?;
        Ok(headers)
    }

    /// The CBOR map.
    pub(crate) fn as_cbor(&self) -> &[u8] {
        &self.0
    }

    /// The value of a member that is a string.
    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        self.members()
            .into_iter()
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| Reader::new(value).text("").ok())
    }

    /// All members: name and the CBOR of the value, in order.
    pub(crate) fn members(&self) -> Vec<(&str, &[u8])> {
        let mut reader = Reader::new(&self.0);
        let mut members = Vec::new();
        let Ok(count) = reader.map("", MAX_VALUES) else {
            return members;
        };
        for _ in 0..count {
            let Ok(key) = reader.text("") else { break };
            let before = reader.remaining();
            let mut values = MAX_VALUES;
            if check_value(&mut reader, 1, &mut values).is_err() {
                break;
            }
            members.push((key, reader.since(before)));
        }
        members
    }

    /// Puts a map together from members that are already in order.
    pub(crate) fn from_members(members: &[(&str, Vec<u8>)]) -> Headers<'static> {
        let mut out = Vec::new();
        cbor::map(&mut out, members.len());
        for (name, value) in members {
            cbor::text(&mut out, name);
            out.extend_from_slice(value);
        }
        Headers(Cow::Owned(out))
    }

    /// Appends the object as JSON, without white space.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if write_value(&mut Reader::new(&self.0), out).is_none() {
            // Not reached for checked maps; an empty object keeps the JSON well-formed.
            out.truncate(start);
            out.extend_from_slice(b"{}");
        }
    }
}

fn spend(values: &mut usize) -> Result<(), DecodeError> {
    *values = values
        .checked_sub(1)
        .ok_or(DecodeError::Malformed("too many values in headers"))?;
    Ok(())
}

fn check_map(
    reader: &mut Reader<'_>,
    count: u64,
    depth: usize,
    values: &mut usize,
) -> Result<(), DecodeError> {
    let mut last: Option<&[u8]> = None;
    for _ in 0..count {
        let before = reader.remaining();
        reader.text("")?;
        let key = reader.since(before);
        if last.is_some_and(|last| last >= key) {
            return Err(DecodeError::Malformed("header names out of order"));
        }
        last = Some(key);
        check_value(reader, depth, values)?;
    }
    Ok(())
}

/// Walks over one value inside a container of level `depth`.
fn check_value(
    reader: &mut Reader<'_>,
    depth: usize,
    values: &mut usize,
) -> Result<(), DecodeError> {
    spend(values)?;
    let (major, argument) = reader.any_head()?;
    match major {
        0 => Ok(()),
        NEGATIVE if argument <= i64::MAX as u64 => Ok(()),
        TEXT => {
            let body = reader.string_body(argument)?;
            match std::str::from_utf8(body) {
                Ok(_) => Ok(()),
                Err(_) => Err(DecodeError::Malformed("text that is not UTF-8")),
            }
        }
        ARRAY | MAP if depth >= MAX_DEPTH => Err(DecodeError::Malformed("header nested too deep")),
        ARRAY => {
            for _ in 0..argument {
                check_value(reader, depth + 1, values)?;
            }
            Ok(())
        }
        MAP => check_map(reader, argument, depth + 1, values),
        SIMPLE if matches!(argument, FALSE | TRUE | NULL) => Ok(()),
        _ => Err(DecodeError::Malformed("a value that JSON has not")),
    }
}

/// Writes one checked value as JSON. Recursion is bounded: the value was checked.
fn write_value(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let (major, argument) = reader.any_head().ok()?;
    match major {
        0 => out.extend_from_slice(argument.to_string().as_bytes()),
        NEGATIVE => {
            let value = -1 - i128::from(argument);
            out.extend_from_slice(value.to_string().as_bytes());
        }
        TEXT => write_string(reader.string_body(argument).ok()?, out),
        ARRAY => {
            out.push(b'[');
            for index in 0..argument {
                if index > 0 {
                    out.push(b',');
                }
                write_value(reader, out)?;
            }
            out.push(b']');
        }
        MAP => {
            out.push(b'{');
            for index in 0..argument {
                if index > 0 {
                    out.push(b',');
                }
                write_value(reader, out)?;
                out.push(b':');
                write_value(reader, out)?;
            }
            out.push(b'}');
        }
        SIMPLE => out.extend_from_slice(match argument {
            FALSE => b"false",
            TRUE => b"true",
            _ => b"null",
        }),
        _ => return None,
    }
    Some(())
}

/// A JSON string with the fewest escapes (RFC 8259 §7).
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Reads a JSON object straight into its CBOR form.
pub(crate) struct ObjectSeed<'b> {
    /// What is left of [`MAX_VALUES`].
    pub(crate) values: &'b mut usize,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = Headers<'static>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        let seed = ValueSeed {
            values: self.values,
            depth: 0,
            object_only: true,
        };
        seed.deserialize(from).map(|map| Headers(Cow::Owned(map)))
    }
}

/// Reads any JSON value inside a container of level `depth`.
struct ValueSeed<'b> {
    values: &'b mut usize,
    depth: usize,
    object_only: bool,
}

impl ValueSeed<'_> {
    fn inner(&mut self) -> ValueSeed<'_> {
        ValueSeed {
            values: self.values,
            depth: self.depth + 1,
            object_only: false,
        }
    }

    fn scalar<E: Error>(&self, major: u8, argument: u64) -> Result<Vec<u8>, E> {
        if self.object_only {
            return Err(E::custom("a header must be an object"));
        }
        let mut out = Vec::with_capacity(9);
        cbor::head(&mut out, major, argument);
        Ok(out)
    }

    fn enter<E: Error>(&self) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("header nested too deep"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<u8>, D::Error> {
        spend(self.values).map_err(Error::custom)?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value with one exact form")
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        self.scalar(SIMPLE, NULL)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<u8>, E> {
        self.scalar(SIMPLE, if value { TRUE } else { FALSE })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<u8>, E> {
        self.scalar(0, value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<u8>, E> {
        match u64::try_from(value) {
            Ok(value) => self.scalar(0, value),
            // -1 - value, which for a negative number is its complement.
            Err(_) => self.scalar(NEGATIVE, u64::from_ne_bytes((!value).to_ne_bytes())),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Vec<u8>, E> {
        let mut out = self.scalar(TEXT, value.len() as u64)?;
        out.extend_from_slice(value.as_bytes());
        Ok(out)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Vec<u8>, A::Error> {
        self.enter()?;
        let mut body = Vec::new();
        let mut count = 0;
        while let Some(item) = items.next_element_seed(self.inner())? {
            body.extend_from_slice(&item);
            count += 1;
        }
        let mut out = self.scalar(ARRAY, count)?;
        out.append(&mut body);
        Ok(out)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Vec<u8>, A::Error> {
        self.enter()?;
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            let mut key = Vec::with_capacity(name.len() + 2);
            cbor::text(&mut key, &name);
            pairs.push((key, members.next_value_seed(self.inner())?));
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        if pairs
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.0 == b.0))
        {
            return Err(Error::custom("a name twice"));
        }
        let mut out = Vec::new();
        cbor::map(&mut out, pairs.len());
        for (key, value) in pairs {
            out.extend_from_slice(&key);
            out.extend_from_slice(&value);
        }
        Ok(out)
    }
}
