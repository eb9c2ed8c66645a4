//! The wire form: what links, QR frames, tags and batch files carry.
//!
//! What is it: version 1 is deterministic CBOR, tag [`TAG`] around an array of three byte
//! strings, *control*, *text* and *raw* (the last, and then the last two, left out when empty):
//!
//! ```text
//! wire    = 56321([control, ? text, ? raw])
//! control = shape + 8 × dictionary, ? (length of text), body   a CBOR sequence of numbers
//! text    = what compresses: by zstd with the numbered dictionary, or as it is (dictionary 0)
//! raw     = what does not: keys, iv, tag, ciphertext, signatures
//! ```
//! The body is described in `body`, `protected` and `names`. The encoder decodes what it wrote
//! and falls back to the identity form should anything differ, so that a wrong guess about a
//! header can cost size but never a message. Who calls it: `Envelope` and `inspect`. What can
//! go wrong: [`decode`] meets bytes from strangers: all it unfolds is held to a budget that
//! grows with the form's length.

mod body;
mod dictionary;
mod jwk;
mod names;
mod protected;
mod service;
mod streams;
mod tables;
mod text;

use std::borrow::Cow;

use crate::cbor::{self, Reader};
use crate::envelope::{DecodeError, MAX_ENVELOPE};
use crate::identity::{self, shape};
use crate::inspect::Part;
use crate::parts::Parts;
use streams::{Budget, EXPANSION, Sink, Source};

/// The CBOR tag of version 1, `D9 DC 01` on the wire. Not registered.
const TAG: u16 = 0xDC01;
/// The first bytes of version 1.
const MAGIC: [u8; 3] = [0xD9, 0xDC, 0x01];
/// The first number of the control stream is shape + this × dictionary.
const SHAPES: u64 = 8;
/// What the first two bytes of every form of ours are.
pub(crate) const FAMILY: [u8; 2] = [0xD9, 0xDC];

/// Where decompressed text lives while parts borrow from it.
#[derive(Default)]
pub(crate) struct Unpacked(Vec<u8>);

/// The wire form of an envelope, from its (trusted) identity form.
pub(crate) fn encode(identity: &[u8]) -> Vec<u8> {
    let written = identity::decode_trusted(identity)
        .map(|parts| write(&parts))
        .ok()
        .filter(|wire| wire.len() < identity.len() && reads_back(wire, identity));
    written.unwrap_or_else(|| identity.to_vec())
}

/// Whether a wire form that was just written stands for this identity form.
fn reads_back(wire: &[u8], identity: &[u8]) -> bool {
    let mut unpacked = Unpacked::default();
    let mut log = None;
    read(wire, &mut unpacked, &mut log).is_ok_and(|parts| match &parts {
        // Raw bytes are the tail of their identity form; no need to copy them.
        Parts::Raw(_, bytes) => {
            identity.ends_with(bytes) && identity::encode(&parts).len() == identity.len()
        }
        _ => identity::encode(&parts) == identity,
    })
}

fn write(parts: &Parts<'_>) -> Vec<u8> {
    let mut sink = Sink::default();
    let mut body_text = None;
    match parts {
        Parts::Raw(_, bytes) => body_text = Some(bytes),
        Parts::Jwe(jwe) => body::write_jwe(&mut sink, jwe),
        Parts::Jws(jws) => body::write_jws(&mut sink, jws),
    }
    let text: &[u8] = body_text.map_or(&sink.text, |bytes| bytes);
    let packed = dictionary::deflate(text)
        .filter(|packed| text.len() <= packed.len().saturating_mul(EXPANSION));
    let mut head = Vec::with_capacity(8);
    let dictionary = packed.as_ref().map_or(0, |_| dictionary::CURRENT as u64);
    cbor::uint(&mut head, identity::shape_of(parts) + SHAPES * dictionary);
    if packed.is_some() {
        cbor::uint(&mut head, text.len() as u64);
    }
    let text = packed.as_deref().unwrap_or(text);
    head.extend_from_slice(&sink.control);
    let sections = match (text.is_empty(), sink.raw.is_empty()) {
        (true, true) => 1,
        (_, true) => 2,
        _ => 3,
    };
    let mut out = Vec::with_capacity(head.len() + text.len() + sink.raw.len() + 24);
    cbor::tag16(&mut out, TAG);
    cbor::array(&mut out, sections);
    for section in [head.as_slice(), text, &sink.raw].iter().take(sections) {
        cbor::bytes(&mut out, section);
    }
    out
}

/// Reads a wire form from anyone.
pub(crate) fn decode<'a>(
    form: &'a [u8],
    unpacked: &'a mut Unpacked,
) -> Result<Parts<'a>, DecodeError> {
    let parts = read(form, unpacked, &mut None)?;
    identity::check(&parts)?;
    Ok(parts)
}

/// Every part of a form that [`encode`] wrote, in order, and after them the parts of
/// compressed text.
pub(crate) fn explain(form: &[u8]) -> Result<Vec<Part>, DecodeError> {
    if form.starts_with(&identity::MAGIC) {
        return identity::explain(form);
    }
    let mut log = Some(Vec::new());
    read(form, &mut Unpacked::default(), &mut log)?;
    Ok(log.unwrap_or_default())
}

/// The raw public keys that stand in a key id: in its DID, and as its fragment.
pub(crate) fn keys_in(kid: &str) -> Vec<Vec<u8>> {
    names::keys_in(kid)
}

fn read<'a>(
    form: &'a [u8],
    unpacked: &'a mut Unpacked,
    log: &mut Option<Vec<Part>>,
) -> Result<Parts<'a>, DecodeError> {
    if form.len() > MAX_ENVELOPE {
        return Err(DecodeError::TooLarge {
            limit: MAX_ENVELOPE,
        });
    }
    let logging = log.is_some();
    let mut frame = Reader::logged(form, 0, logging);
    match frame.take("wire form", MAGIC.len()) {
        Ok(magic) if magic == MAGIC => frame.note(|| "version 1".to_owned()),
        Ok([a, b, version]) if [*a, *b] == FAMILY => {
            return Err(DecodeError::UnknownVersion(*version));
        }
        _ => return Err(DecodeError::NotAnEnvelope),
    }
    let sections = frame.array("sections", 3)?;
    let empty: (&[u8], usize) = (&[], form.len());
    let control = frame.section("control")?;
    let text = if sections > 1 {
        frame.section("text")?
    } else {
        empty
    };
    let raw = if sections > 2 {
        frame.section("raw")?
    } else {
        empty
    };
    frame.end()?;

    let mut budget = Budget::of(form.len());
    let mut control = Reader::logged(control.0, control.1, logging);
    let number = control.size("shape and dictionary")?;
    let (shape, dictionary) = (number as u64 % SHAPES, number / SHAPES as usize);
    control.note(|| format!("{}, dictionary {dictionary}", shape_name(shape)));
    let text_reader = if dictionary == 0 {
        Reader::logged(text.0, text.1, logging)
    } else {
        let length = control.size("length of text")?;
        budget.spend(length)?;
        unpacked.0 = dictionary::inflate(dictionary, text.0, length)?;
        let mut compressed = Reader::logged(text.0, text.1, logging);
        compressed.rest("compressed text")?;
        compressed.note(|| format!("zstd, unfolds to {length} bytes"));
        if let Some(log) = log.as_mut() {
            log.extend(compressed.take_log());
        }
        Reader::logged(&unpacked.0, 0, logging)
    };
    let mut source = Source {
        control,
        text: text_reader,
        raw: Reader::logged(raw.0, raw.1, logging),
        budget,
        names: Vec::new(),
        context: None,
        long_names: 0,
        last_service: Vec::new(),
    };
    let parts = read_body(&mut source, shape)?;
    source.control.end()?;
    source.text.end()?;
    source.raw.end()?;
    if let Some(log) = log.as_mut() {
        log.extend(frame.take_log());
        log.extend(source.control.take_log());
        log.extend(source.raw.take_log());
        let mut inner = source.text.take_log();
        if dictionary != 0 {
            for part in &mut inner {
                part.offset = None;
            }
        }
        log.extend(inner);
        // What has no place of its own comes last.
        log.sort_by_key(|part| part.offset.unwrap_or(usize::MAX));
    }
    Ok(parts)
}

fn read_body<'a>(source: &mut Source<'a>, shape: u64) -> Result<Parts<'a>, DecodeError> {
    Ok(match shape {
        shape::JWE | shape::JWE_FLAT => {
            Parts::Jwe(body::read_jwe(source, shape == shape::JWE_FLAT)?)
        }
        shape::JWS | shape::JWS_FLAT => {
            Parts::Jws(body::read_jws(source, shape == shape::JWS_FLAT)?)
        }
        raw => {
            let kind = identity::raw_kind(raw).ok_or(DecodeError::Malformed("unknown shape"))?;
            Parts::Raw(kind, Cow::Borrowed(source.text.rest("message")?))
        }
    })
}

/// A shape number in words.
pub(crate) fn shape_name(number: u64) -> &'static str {
    match number {
        shape::OTHER => "other bytes",
        shape::PLAINTEXT => "plaintext",
        shape::RAW_SIGNED => "JWS, not canonical",
        shape::RAW_ENCRYPTED => "JWE, not canonical",
        shape::JWS => "JWS",
        shape::JWS_FLAT => "JWS, flattened",
        shape::JWE => "JWE",
        shape::JWE_FLAT => "JWE, flattened",
        _ => "unknown",
    }
}
