//! The identity form: what an envelope *is*.
//!
//! What is it: deterministic CBOR (RFC 8949 §4.2), tag [`TAG`] around an array of a shape
//! number and a body. JWE and JWS are maps of small integers to byte strings, so that neither
//! member order nor white space nor escapes of the JSON reach it; all else is raw bytes. The
//! id is its SHA-256: this module can never change what it writes for a given message.
//! Who calls it: `Envelope`, `wire` (to check itself) and `inspect`. What can go wrong:
//! [`decode`] meets bytes from strangers; it accepts exactly what [`encode`] writes.
//!
//! ```text
//! identity  = 56320([shape, body])
//! shape     = 0 other / 1 plaintext / 2 signed, not canonical / 3 encrypted, not canonical
//!           / 4 JWS general / 5 JWS flattened / 6 JWE general / 7 JWE flattened
//! body      = bytes (shapes 0–3) / map (shapes 4–7)
//! JWE       = {? 1: protected, ? 2: iv, 3: ciphertext, ? 4: tag, ? 5: aad, ? 6: unprotected,
//!              (7: [* recipient]) / (? 8: header, ? 9: encrypted_key)}
//! recipient = {? 8: header, ? 9: encrypted_key}
//! JWS       = {? 10: payload, (11: [* signed]) / signed}     signed = {? 1: protected,
//!              ? 8: header, 12: signature}
//! ```
//! Headers that are not protected are maps, see `headers`.

use std::borrow::Cow;

use crate::cbor::{self, Reader};
use crate::envelope::{DecodeError, Kind, MAX_ENVELOPE};
use crate::headers::{Headers, MAX_VALUES};
use crate::inspect::Part;
use crate::packed;
use crate::parts::{Bytes, Jwe, Jws, MAX_RECIPIENTS, Parts, Recipient, Signature};

/// The CBOR tag of the identity form, `D9 DC 00` on the wire. Not registered.
pub(crate) const TAG: u16 = 0xDC00;
/// The first bytes of the identity form.
pub(crate) const MAGIC: [u8; 3] = [0xD9, 0xDC, 0x00];

/// Shape numbers; the wire form uses them too.
pub(crate) mod shape {
    pub(crate) const OTHER: u64 = 0;
    pub(crate) const PLAINTEXT: u64 = 1;
    pub(crate) const RAW_SIGNED: u64 = 2;
    pub(crate) const RAW_ENCRYPTED: u64 = 3;
    pub(crate) const JWS: u64 = 4;
    pub(crate) const JWS_FLAT: u64 = 5;
    pub(crate) const JWE: u64 = 6;
    pub(crate) const JWE_FLAT: u64 = 7;
}

/// Map keys.
mod key {
    pub(super) const PROTECTED: u64 = 1;
    pub(super) const IV: u64 = 2;
    pub(super) const CIPHERTEXT: u64 = 3;
    pub(super) const TAG: u64 = 4;
    pub(super) const AAD: u64 = 5;
    pub(super) const UNPROTECTED: u64 = 6;
    pub(super) const RECIPIENTS: u64 = 7;
    pub(super) const HEADER: u64 = 8;
    pub(super) const ENCRYPTED_KEY: u64 = 9;
    pub(super) const PAYLOAD: u64 = 10;
    pub(super) const SIGNATURES: u64 = 11;
    pub(super) const SIGNATURE: u64 = 12;
}

/// The shape number of a message.
pub(crate) fn shape_of(parts: &Parts<'_>) -> u64 {
    match parts {
        Parts::Raw(Kind::Other, _) => shape::OTHER,
        Parts::Raw(Kind::Plaintext, _) => shape::PLAINTEXT,
        Parts::Raw(Kind::Signed, _) => shape::RAW_SIGNED,
        Parts::Raw(Kind::Encrypted, _) => shape::RAW_ENCRYPTED,
        Parts::Jws(jws) if jws.flat => shape::JWS_FLAT,
        Parts::Jws(_) => shape::JWS,
        Parts::Jwe(jwe) if jwe.flat => shape::JWE_FLAT,
        Parts::Jwe(_) => shape::JWE,
    }
}

/// The kind that a raw shape number stands for.
pub(crate) fn raw_kind(shape: u64) -> Option<Kind> {
    match shape {
        shape::OTHER => Some(Kind::Other),
        shape::PLAINTEXT => Some(Kind::Plaintext),
        shape::RAW_SIGNED => Some(Kind::Signed),
        shape::RAW_ENCRYPTED => Some(Kind::Encrypted),
        _ => None,
    }
}

/// Writes the identity form.
pub(crate) fn encode(parts: &Parts<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(estimate(parts));
    cbor::tag16(&mut out, TAG);
    cbor::array(&mut out, 2);
    cbor::uint(&mut out, shape_of(parts));
    match parts {
        Parts::Raw(_, bytes) => cbor::bytes(&mut out, bytes),
        Parts::Jwe(jwe) => encode_jwe(jwe, &mut out),
        Parts::Jws(jws) => encode_jws(jws, &mut out),
    }
    out
}

/// Little more than the length of the identity form.
fn estimate(parts: &Parts<'_>) -> usize {
    fn of(bytes: Option<&Bytes<'_>>) -> usize {
        bytes.map_or(0, |bytes| bytes.len() + 6)
    }
    fn header(headers: Option<&Headers<'_>>) -> usize {
        headers.map_or(0, |headers| headers.as_cbor().len() + 1)
    }
    16 + match parts {
        Parts::Raw(_, bytes) => bytes.len(),
        Parts::Jwe(jwe) => {
            let members = [&jwe.protected, &jwe.aad, &jwe.iv, &jwe.tag];
            let recipients = jwe.recipients.iter();
            jwe.ciphertext.len()
                + 16
                + members
                    .map(|member| of(member.as_ref()))
                    .iter()
                    .sum::<usize>()
                + header(jwe.unprotected.as_ref())
                + recipients
                    .map(|r| header(r.header.as_ref()) + of(r.encrypted_key.as_ref()) + 1)
                    .sum::<usize>()
        }
        Parts::Jws(jws) => {
            let signed = jws.signatures.iter().map(|s| {
                of(s.protected.as_ref()) + header(s.header.as_ref()) + s.signature.len() + 7
            });
            of(jws.payload.as_ref()) + 16 + signed.sum::<usize>()
        }
    }
}

fn encode_jwe(jwe: &Jwe<'_>, out: &mut Vec<u8>) {
    let flat = jwe.recipients.first().filter(|_| jwe.flat);
    let mut map = Map::default();
    map.bytes(key::PROTECTED, jwe.protected.as_ref());
    map.bytes(key::IV, jwe.iv.as_ref());
    map.bytes(key::CIPHERTEXT, Some(&jwe.ciphertext));
    map.bytes(key::TAG, jwe.tag.as_ref());
    map.bytes(key::AAD, jwe.aad.as_ref());
    map.headers(key::UNPROTECTED, jwe.unprotected.as_ref());
    if !jwe.flat {
        map.0
            .push((key::RECIPIENTS, Value::Recipients(&jwe.recipients)));
    }
    map.recipient(flat);
    map.write(out);
}

fn encode_jws(jws: &Jws<'_>, out: &mut Vec<u8>) {
    let flat = jws.signatures.first().filter(|_| jws.flat);
    let mut map = Map::default();
    if let Some(flat) = flat {
        map.bytes(key::PROTECTED, flat.protected.as_ref());
        map.headers(key::HEADER, flat.header.as_ref());
    }
    map.bytes(key::PAYLOAD, jws.payload.as_ref());
    if let Some(flat) = flat {
        map.bytes(key::SIGNATURE, Some(&flat.signature));
    } else {
        map.0
            .push((key::SIGNATURES, Value::Signatures(&jws.signatures)));
    }
    map.write(out);
}

/// A map being written; members are pushed in ascending order of their keys.
#[derive(Default)]
struct Map<'a>(Vec<(u64, Value<'a>)>);

enum Value<'a> {
    Bytes(&'a [u8]),
    Cbor(&'a [u8]),
    Recipients(&'a [Recipient<'a>]),
    Signatures(&'a [Signature<'a>]),
}

impl<'a> Map<'a> {
    fn bytes(&mut self, key: u64, value: Option<&'a Bytes<'_>>) {
        self.0.extend(value.map(|value| (key, Value::Bytes(value))));
    }

    fn headers(&mut self, key: u64, value: Option<&'a Headers<'_>>) {
        let value = value.map(|value| (key, Value::Cbor(value.as_cbor())));
        self.0.extend(value);
    }

    fn recipient(&mut self, recipient: Option<&'a Recipient<'_>>) {
        if let Some(recipient) = recipient {
            self.headers(key::HEADER, recipient.header.as_ref());
            self.bytes(key::ENCRYPTED_KEY, recipient.encrypted_key.as_ref());
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        cbor::map(out, self.0.len());
        for (key, value) in self.0 {
            cbor::uint(out, key);
            match value {
                Value::Bytes(bytes) => cbor::bytes(out, bytes),
                Value::Cbor(cbor) => out.extend_from_slice(cbor),
                Value::Recipients(recipients) => {
                    cbor::array(out, recipients.len());
                    for recipient in recipients {
                        let mut map = Map::default();
                        map.recipient(Some(recipient));
                        map.write(out);
                    }
                }
                Value::Signatures(signatures) => {
                    cbor::array(out, signatures.len());
                    for signature in signatures {
                        let mut map = Map::default();
                        map.bytes(key::PROTECTED, signature.protected.as_ref());
                        map.headers(key::HEADER, signature.header.as_ref());
                        map.bytes(key::SIGNATURE, Some(&signature.signature));
                        map.write(out);
                    }
                }
            }
        }
    }
}

/// Reads an identity form from anyone. Accepts exactly what [`encode`] writes for what
/// [`packed::read`] yields, so that one message has one identity.
pub(crate) fn decode(form: &[u8]) -> Result<Parts<'_>, DecodeError> {
    let parts = decode_with(&mut Reader::new(form))?;
    check(&parts)?;
    Ok(parts)
}

/// Every part of a (trusted) identity form, in order.
pub(crate) fn explain(form: &[u8]) -> Result<Vec<Part>, DecodeError> {
    let mut reader = Reader::logged(form, 0, true);
    decode_with(&mut reader)?;
    Ok(reader.take_log())
}

/// Reads an identity form that this process wrote or checked before.
pub(crate) fn decode_trusted(form: &[u8]) -> Result<Parts<'_>, DecodeError> {
    decode_with(&mut Reader::new(form))
}

fn decode_with<'a>(reader: &mut Reader<'a>) -> Result<Parts<'a>, DecodeError> {
    if reader.remaining() > MAX_ENVELOPE + 64 {
        return Err(DecodeError::TooLarge {
            limit: MAX_ENVELOPE,
        });
    }
    if reader.take("identity form", MAGIC.len())? != MAGIC {
        return Err(DecodeError::NotAnEnvelope);
    }
    if reader.array("array", 2)? != 2 {
        return Err(DecodeError::Malformed("an identity form has two items"));
    }
    let shape = reader.uint("shape")?;
    let parts = match shape {
        shape::JWE | shape::JWE_FLAT => Parts::Jwe(decode_jwe(reader, shape == shape::JWE_FLAT)?),
        shape::JWS | shape::JWS_FLAT => Parts::Jws(decode_jws(reader, shape == shape::JWS_FLAT)?),
        other => match raw_kind(other) {
            Some(kind) => Parts::Raw(kind, Cow::Borrowed(reader.bytes("message")?)),
            None => return Err(DecodeError::Malformed("unknown shape")),
        },
    };
    reader.end()?;
    Ok(parts)
}

/// Holds parts that came from a form to what a packed message could have given: raw bytes
/// that are not canonical, of the kind claimed, and a size within the limit.
pub(crate) fn check(parts: &Parts<'_>) -> Result<(), DecodeError> {
    let too_large = DecodeError::TooLarge {
        limit: MAX_ENVELOPE,
    };
    match parts {
        Parts::Raw(_, bytes) if bytes.is_empty() => Err(DecodeError::Malformed("empty message")),
        Parts::Raw(_, bytes) if bytes.len() > MAX_ENVELOPE => Err(too_large),
        Parts::Raw(kind, bytes) => match packed::read(bytes) {
            Parts::Raw(found, _) if found == *kind => Ok(()),
            _ => Err(DecodeError::Malformed("raw bytes of another kind")),
        },
        // The JSON is at most eight times as long (escaped control characters in a header),
        // so that only giants need measuring.
        Parts::Jwe(_) | Parts::Jws(_) if estimate(parts) < MAX_ENVELOPE / 16 => Ok(()),
        Parts::Jwe(_) | Parts::Jws(_) if packed::write(parts).len() > MAX_ENVELOPE => {
            Err(too_large)
        }
        Parts::Jwe(_) | Parts::Jws(_) => Ok(()),
    }
}

/// Reads the keys of a map in ascending order and hands each to `member`.
fn decode_map<'a>(
    reader: &mut Reader<'a>,
    mut member: impl FnMut(u64, &mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let count = reader.map("map", 12)?;
    let mut last = 0;
    for _ in 0..count {
        let key = reader.uint("member")?;
        if key <= last {
            return Err(DecodeError::Malformed("members out of order"));
        }
        last = key;
        member(key, reader)?;
    }
    Ok(())
}

fn bytes<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Bytes<'a>, DecodeError> {
    reader.bytes(name).map(Cow::Borrowed)
}

const UNKNOWN: DecodeError = DecodeError::Malformed("unknown member");

fn decode_jwe<'a>(reader: &mut Reader<'a>, flat: bool) -> Result<Jwe<'a>, DecodeError> {
    let mut values = MAX_VALUES;
    let mut jwe = Jwe {
        flat,
        protected: None,
        unprotected: None,
        recipients: Vec::new(),
        aad: None,
        iv: None,
        tag: None,
        ciphertext: Cow::Borrowed(&[]),
    };
    let mut only = Recipient::default();
    let (mut has_ciphertext, mut has_recipients) = (false, false);
    decode_map(reader, |key, reader| {
        match key {
            key::PROTECTED => jwe.protected = Some(bytes(reader, "protected")?),
            key::IV => jwe.iv = Some(bytes(reader, "iv")?),
            key::CIPHERTEXT => {
                jwe.ciphertext = bytes(reader, "ciphertext")?;
                has_ciphertext = true;
            }
            key::TAG => jwe.tag = Some(bytes(reader, "tag")?),
            key::AAD => jwe.aad = Some(bytes(reader, "aad")?),
            key::UNPROTECTED => jwe.unprotected = Some(Headers::read(reader, &mut values)?),
            key::RECIPIENTS if !flat => {
                let count = reader.array("recipients", MAX_RECIPIENTS)?;
                for _ in 0..count {
                    let mut recipient = Recipient::default();
                    decode_map(reader, |key, reader| {
                        decode_recipient(&mut recipient, key, reader, &mut values)
                    })?;
                    jwe.recipients.push(recipient);
                }
                has_recipients = true;
            }
            _ if flat => decode_recipient(&mut only, key, reader, &mut values)?,
            _ => return Err(UNKNOWN),
        }
        Ok(())
    })?;
    if flat {
        jwe.recipients.push(only);
    }
    if !has_ciphertext || !(flat || has_recipients) {
        return Err(DecodeError::Malformed("a member is missing"));
    }
    Ok(jwe)
}

fn decode_recipient<'a>(
    recipient: &mut Recipient<'a>,
    key: u64,
    reader: &mut Reader<'a>,
    values: &mut usize,
) -> Result<(), DecodeError> {
    match key {
        key::HEADER => recipient.header = Some(Headers::read(reader, values)?),
        key::ENCRYPTED_KEY => recipient.encrypted_key = Some(bytes(reader, "encrypted key")?),
        _ => return Err(UNKNOWN),
    }
    Ok(())
}

fn decode_jws<'a>(reader: &mut Reader<'a>, flat: bool) -> Result<Jws<'a>, DecodeError> {
    let mut values = MAX_VALUES;
    let mut payload = None;
    let mut signatures = None;
    let mut only = HalfSigned::default();
    decode_map(reader, |key, reader| {
        match key {
            key::PAYLOAD => payload = Some(bytes(reader, "payload")?),
            key::SIGNATURES if !flat => {
                let count = reader.array("signatures", MAX_RECIPIENTS)?;
                let mut list = Vec::new();
                for _ in 0..count {
                    let mut half = HalfSigned::default();
                    decode_map(reader, |key, reader| half.member(key, reader, &mut values))?;
                    list.push(half.whole()?);
                }
                signatures = Some(list);
            }
            _ if flat => only.member(key, reader, &mut values)?,
            _ => return Err(UNKNOWN),
        }
        Ok(())
    })?;
    let signatures = match signatures {
        Some(list) => list,
        None if flat => vec![only.whole()?],
        None => return Err(DecodeError::Malformed("a member is missing")),
    };
    Ok(Jws {
        flat,
        payload,
        signatures,
    })
}

#[derive(Default)]
struct HalfSigned<'a> {
    protected: Option<Bytes<'a>>,
    header: Option<Headers<'a>>,
    signature: Option<Bytes<'a>>,
}

impl<'a> HalfSigned<'a> {
    fn member(
        &mut self,
        key: u64,
        reader: &mut Reader<'a>,
        values: &mut usize,
    ) -> Result<(), DecodeError> {
        match key {
            key::PROTECTED => self.protected = Some(bytes(reader, "protected")?),
            key::HEADER => self.header = Some(Headers::read(reader, values)?),
            key::SIGNATURE => self.signature = Some(bytes(reader, "signature")?),
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }

    fn whole(self) -> Result<Signature<'a>, DecodeError> {
        let signature = self.signature;
        Ok(Signature {
            protected: self.protected,
            header: self.header,
            signature: signature.ok_or(DecodeError::Malformed("a member is missing"))?,
        })
    }
}
