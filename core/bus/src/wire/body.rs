//! JWE and JWS bodies in the three streams.
//!
//! What is it: recipients first (the protected header's `apv` derives from their key ids), then
//! header, then the large members; the ciphertext is whatever is left of the raw stream, the
//! lengths of iv, tag and encrypted keys are mostly one of a few. Who calls it: `wire`. What can
//! go wrong: hostile forms, bounded by the streams, the budget and the bounds of `parts`.

use std::borrow::Cow;

use super::jwk::Jwk;
use super::streams::{Sink, Source};
use super::{names, protected};
use crate::cbor::{self, Reader};
use crate::envelope::DecodeError;
use crate::headers::{Headers, MAX_VALUES};
use crate::parts::{Bytes, Jwe, Jws, MAX_RECIPIENTS, Recipient, Signature};

/// How an unprotected header is written.
mod header {
    pub(super) const ABSENT: usize = 0;
    /// `{"kid"}`
    pub(super) const KID: usize = 1;
    /// `{"kid", "epk": JWK}` (didcomm-messaging's anoncrypt)
    pub(super) const KID_EPK: usize = 2;
    pub(super) const CBOR: usize = 3;
}

/// Bits of a JWE's flags; the two lowest are 0, or 1 + an index into [`USUAL`].
mod flag {
    pub(super) const USUAL: usize = 3;
    pub(super) const NO_PROTECTED: usize = 4;
    pub(super) const AAD: usize = 8;
    pub(super) const UNPROTECTED: usize = 16;
    pub(super) const ALL: usize = 31;
}

/// Usual lengths of encrypted keys, iv and tag together: A256CBC-HS512, A256GCM, XC20P, all
/// with A256KW.
const USUAL: [[usize; 3]; 3] = [[72, 16, 32], [40, 12, 16], [40, 24, 16]];

/// Usual lengths of encrypted keys: A256KW of a 64-byte and of a 32-byte key.
const KEY_LENGTHS: [usize; 2] = [72, 40];
/// Usual lengths of an iv: AES-CBC, AES-GCM, XChaCha20.
const IV_LENGTHS: [usize; 3] = [16, 12, 24];
/// Usual lengths of a tag.
const TAG_LENGTHS: [usize; 3] = [32, 16, 24];
/// Usual lengths of a signature.
const SIGNATURE_LENGTHS: [usize; 2] = [64, 96];

/// Appends optional raw bytes: 0 absent, 1… a usual length, then any length.
fn write_blob(sink: &mut Sink<'_>, blob: Option<&Bytes<'_>>, usual: &[usize]) {
    let Some(blob) = blob else {
        return sink.number(0);
    };
    match usual.iter().position(|length| *length == blob.len()) {
        Some(number) => sink.number(1 + number),
        None => {
            sink.number(1 + usual.len());
            sink.number(blob.len());
        }
    }
    sink.raw(blob);
}

fn read_blob<'a>(
    source: &mut Source<'a>,
    name: &'static str,
    usual: &[usize],
) -> Result<Option<Bytes<'a>>, DecodeError> {
    let number = source.number(name)?;
    if number == 0 {
        return Ok(None);
    }
    let length = match usual.get(number - 1) {
        Some(length) => *length,
        None if number == 1 + usual.len() => source.number("length")?,
        None => return Err(DecodeError::Malformed("unknown length")),
    };
    source
        .raw
        .take(name, length)
        .map(|blob| Some(Cow::Borrowed(blob)))
}

/// Raw bytes of a known length.
fn take<'a>(
    source: &mut Source<'a>,
    name: &'static str,
    length: usize,
) -> Result<Bytes<'a>, DecodeError> {
    source.raw.take(name, length).map(Cow::Borrowed)
}

pub(super) fn write_jwe<'a>(sink: &mut Sink<'a>, jwe: &'a Jwe<'_>) {
    let usual = USUAL.iter().position(|[key, iv, tag]| {
        let is = |blob: &Option<Bytes<'_>>, length: &usize| {
            blob.as_ref().is_some_and(|blob| blob.len() == *length)
        };
        let mut keys = jwe
            .recipients
            .iter()
            .map(|recipient| &recipient.encrypted_key);
        is(&jwe.iv, iv) && is(&jwe.tag, tag) && keys.all(|blob| is(blob, key))
    });
    let mut flags = usual.map_or(0, |number| number + 1);
    if jwe.protected.is_none() {
        flags |= flag::NO_PROTECTED;
    }
    if jwe.aad.is_some() {
        flags |= flag::AAD;
    }
    if jwe.unprotected.is_some() {
        flags |= flag::UNPROTECTED;
    }
    sink.number(flags);
    if !jwe.flat {
        sink.number(jwe.recipients.len());
    }
    for recipient in &jwe.recipients {
        write_header(sink, recipient.header.as_ref());
        match &recipient.encrypted_key {
            Some(key) if usual.is_some() => sink.raw(key),
            key => write_blob(sink, key.as_ref(), &KEY_LENGTHS),
        }
    }
    if let Some(protected) = &jwe.protected {
        let kids: Vec<&str> = jwe.recipients.iter().filter_map(kid_of).collect();
        protected::write(sink, protected, &kids);
    }
    if jwe.unprotected.is_some() {
        write_header(sink, jwe.unprotected.as_ref());
    }
    if jwe.aad.is_some() {
        write_blob(sink, jwe.aad.as_ref(), &[]);
    }
    for (blob, lengths) in [(&jwe.iv, &IV_LENGTHS), (&jwe.tag, &TAG_LENGTHS)] {
        match blob {
            Some(blob) if usual.is_some() => sink.raw(blob),
            blob => write_blob(sink, blob.as_ref(), lengths),
        }
    }
    sink.raw(&jwe.ciphertext);
}

pub(super) fn read_jwe<'a>(source: &mut Source<'a>, flat: bool) -> Result<Jwe<'a>, DecodeError> {
    let mut values = MAX_VALUES;
    let flags = source.number("flags")?;
    if flags > flag::ALL {
        return Err(DecodeError::Malformed("unknown flag"));
    }
    let usual = (flags & flag::USUAL)
        .checked_sub(1)
        .and_then(|number| USUAL.get(number));
    let count = if flat {
        1
    } else {
        source.number("recipients")?
    };
    if count > MAX_RECIPIENTS {
        return Err(DecodeError::Malformed("too many recipients"));
    }
    let mut recipients = Vec::new();
    for _ in 0..count {
        recipients.push(Recipient {
            header: read_header(source, &mut values)?,
            encrypted_key: match usual {
                Some([key, _, _]) => Some(take(source, "encrypted key", *key)?),
                None => read_blob(source, "encrypted key", &KEY_LENGTHS)?,
            },
        });
    }
    let protected = if flags & flag::NO_PROTECTED == 0 {
        let kids: Vec<&str> = recipients.iter().filter_map(kid_of).collect();
        Some(Cow::Owned(protected::read(source, &kids)?))
    } else {
        None
    };
    let unprotected = if flags & flag::UNPROTECTED == 0 {
        None
    } else {
        read_header(source, &mut values)?
    };
    let aad = if flags & flag::AAD == 0 {
        None
    } else {
        read_blob(source, "aad", &[])?
    };
    let (iv, tag) = match usual {
        Some([_, iv, tag]) => (
            Some(take(source, "iv", *iv)?),
            Some(take(source, "tag", *tag)?),
        ),
        None => (
            read_blob(source, "iv", &IV_LENGTHS)?,
            read_blob(source, "tag", &TAG_LENGTHS)?,
        ),
    };
    Ok(Jwe {
        flat,
        protected,
        unprotected,
        recipients,
        aad,
        iv,
        tag,
        ciphertext: Cow::Borrowed(source.raw.rest("ciphertext")?),
    })
}

fn kid_of<'r>(recipient: &'r Recipient<'_>) -> Option<&'r str> {
    recipient
        .header
        .as_ref()
        .and_then(|header| header.string("kid"))
}

pub(super) fn write_jws<'a>(sink: &mut Sink<'a>, jws: &'a Jws<'_>) {
    match &jws.payload {
        None => sink.number(0),
        Some(payload) => {
            sink.number(1);
            sink.text(payload);
            // Names are looked for near the start, where a message has them.
            let head = payload.get(..4096).unwrap_or(payload);
            sink.context = match std::str::from_utf8(head) {
                Ok(text) => Some(text),
                Err(error) => head
                    .get(..error.valid_up_to())
                    .and_then(|head| std::str::from_utf8(head).ok()),
            };
        }
    }
    if !jws.flat {
        sink.number(jws.signatures.len());
    }
    for signature in &jws.signatures {
        write_header(sink, signature.header.as_ref());
        match &signature.protected {
            None => sink.number(0),
            Some(protected) => {
                sink.number(1);
                protected::write(sink, protected, &[]);
            }
        }
        write_blob(sink, Some(&signature.signature), &SIGNATURE_LENGTHS);
    }
}

pub(super) fn read_jws<'a>(source: &mut Source<'a>, flat: bool) -> Result<Jws<'a>, DecodeError> {
    let mut values = MAX_VALUES;
    let payload = if read_presence(source, "payload")? {
        let payload = source.text("payload")?;
        source.context = match std::str::from_utf8(payload) {
            Ok(text) => Some(text),
            Err(error) => payload
                .get(..error.valid_up_to())
                .and_then(|head| std::str::from_utf8(head).ok()),
        };
        Some(Cow::Borrowed(payload))
    } else {
        None
    };
    let count = if flat {
        1
    } else {
        source.number("signatures")?
    };
    if count > MAX_RECIPIENTS {
        return Err(DecodeError::Malformed("too many signatures"));
    }
    let mut signatures = Vec::new();
    for _ in 0..count {
        let header = read_header(source, &mut values)?;
        let protected = if read_presence(source, "protected header")? {
            Some(Cow::Owned(protected::read(source, &[])?))
        } else {
            None
        };
        let signature = read_blob(source, "signature", &SIGNATURE_LENGTHS)?;
        signatures.push(Signature {
            protected,
            header,
            signature: signature.ok_or(DecodeError::Malformed("a member is missing"))?,
        });
    }
    Ok(Jws {
        flat,
        payload,
        signatures,
    })
}

fn read_presence(source: &mut Source<'_>, name: &'static str) -> Result<bool, DecodeError> {
    match source.number(name)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Malformed("neither present nor absent")),
    }
}

fn write_header<'a>(sink: &mut Sink<'a>, headers: Option<&'a Headers<'_>>) {
    let Some(headers) = headers else {
        return sink.number(header::ABSENT);
    };
    let members = headers.members();
    match members.as_slice() {
        [("kid", _)] => {
            if let Some(kid) = headers.string("kid") {
                sink.number(header::KID);
                return names::write(sink, kid);
            }
        }
        [("epk", epk), ("kid", _)] => {
            if let (Some(kid), Some(jwk)) = (headers.string("kid"), jwk_of(epk)) {
                sink.number(header::KID_EPK);
                names::write(sink, kid);
                sink.number(jwk.curve);
                return sink.raw(&jwk.point);
            }
        }
        _ => {}
    }
    sink.number(header::CBOR);
    sink.text(headers.as_cbor());
}

/// A JWK in the CBOR of an unprotected header.
fn jwk_of(value: &[u8]) -> Option<Jwk> {
    let mut values = MAX_VALUES;
    let headers = Headers::parse(value, &mut values).ok()?;
    let mut json = Vec::new();
    headers.write_json(&mut json);
    Jwk::parse(std::str::from_utf8(&json).ok()?, false)
}

fn read_header<'a>(
    source: &mut Source<'a>,
    values: &mut usize,
) -> Result<Option<Headers<'a>>, DecodeError> {
    let mut spend = |count| {
        *values = usize::checked_sub(*values, count)
            .ok_or(DecodeError::Malformed("too many values in headers"))?;
        Ok::<(), DecodeError>(())
    };
    Ok(Some(match source.number("unprotected header")? {
        header::ABSENT => return Ok(None),
        header::KID => {
            spend(2)?;
            let kid = names::read(source)?;
            Headers::of_kid(&kid)
        }
        header::KID_EPK => {
            let kid = names::read(source)?;
            let curve = source.number("epk curve")?;
            let has_y = super::jwk::CURVES.get(curve).is_some_and(|c| c.key != 32);
            spend(if has_y { 7 } else { 6 })?;
            let jwk = names::read_jwk(source, curve, protected::canonical_order(has_y))?;
            header_with_epk(&kid, &jwk).ok_or(DecodeError::Malformed("a JWK"))?
        }
        header::CBOR => Headers::parse(source.text("unprotected header")?, values)?,
        _ => return Err(DecodeError::Malformed("unknown form of a header")),
    }))
}

fn header_with_epk(kid: &str, jwk: &Jwk) -> Option<Headers<'static>> {
    let json = jwk.render(false)?;
    let (members, _) = super::text::members(&json)?;
    let mut epk = Vec::new();
    cbor::map(&mut epk, members.len());
    for (name, value) in members {
        let super::text::Value::Text(value) = value else {
            return None;
        };
        cbor::text(&mut epk, name);
        cbor::text(&mut epk, value);
    }
    let mut kid_value = Vec::new();
    cbor::text(&mut kid_value, kid);
    let headers = Headers::from_members(&[("epk", epk), ("kid", kid_value)]);
    // The text of a kid is free; the rest was put in order here.
    Reader::new(headers.as_cbor()).map("", 2).ok()?;
    Some(headers)
}
