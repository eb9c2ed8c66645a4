//! Packed messages as JSON: taken apart, and put together again.
//!
//! What is it: [`read`] parses a JWE or JWS without building a tree, decodes its base64url
//! members, and refuses (→ raw bytes) whatever it could not give back with every member equal;
//! [`write`] is the way back. Who calls it: `Envelope`. What can go wrong: nothing that is an
//! error: bytes that are no canonical JOSE message are carried as they are.

mod members;
mod sniff;

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;

use crate::headers::Headers;
use crate::packed::members::{Entry, Members};
use crate::parts::{Bytes, Jwe, Jws, Parts, Recipient, Signature};

/// Takes a packed message apart.
pub(crate) fn read(packed: &[u8]) -> Parts<'_> {
    canonical(packed).unwrap_or_else(|| Parts::Raw(sniff::kind(packed), Cow::Borrowed(packed)))
}

/// The message, if it is a JWE or JWS in which nothing is out of the ordinary.
fn canonical(packed: &[u8]) -> Option<Parts<'static>> {
    let members = members::parse(packed)?;
    if members.ciphertext.is_some() {
        jwe(members).map(Parts::Jwe)
    } else {
        jws(members).map(Parts::Jws)
    }
}

fn jwe(members: Members<'_>) -> Option<Jwe<'static>> {
    if members.payload.is_some() || members.signatures.is_some() || members.signature.is_some() {
        return None;
    }
    let flat = members.recipients.is_none();
    let recipients = match members.recipients {
        None => vec![Recipient {
            header: members.header,
            encrypted_key: member(members.encrypted_key)?,
        }],
        Some(_) if members.header.is_some() || members.encrypted_key.is_some() => return None,
        Some(entries) => entries.into_iter().map(recipient).collect::<Option<_>>()?,
    };
    Some(Jwe {
        flat,
        protected: member(members.protected)?,
        unprotected: members.unprotected,
        recipients,
        aad: member(members.aad)?,
        iv: member(members.iv)?,
        tag: member(members.tag)?,
        ciphertext: unbase64(&members.ciphertext?)?,
    })
}

fn recipient(entry: Entry<'_>) -> Option<Recipient<'static>> {
    if entry.protected.is_some() || entry.signature.is_some() {
        return None;
    }
    Some(Recipient {
        header: entry.header,
        encrypted_key: member(entry.encrypted_key)?,
    })
}

fn jws(members: Members<'_>) -> Option<Jws<'static>> {
    let foreign = members.recipients.is_some()
        || members.encrypted_key.is_some()
        || members.iv.is_some()
        || members.tag.is_some()
        || members.aad.is_some()
        || members.unprotected.is_some();
    if foreign {
        return None;
    }
    let flat = members.signatures.is_none();
    let signatures = match members.signatures {
        None => vec![Signature {
            protected: member(members.protected)?,
            header: members.header,
            signature: unbase64(&members.signature?)?,
        }],
        Some(_)
            if members.protected.is_some()
                || members.header.is_some()
                || members.signature.is_some() =>
        {
            return None;
        }
        Some(entries) => entries.into_iter().map(signature).collect::<Option<_>>()?,
    };
    Some(Jws {
        flat,
        payload: member(members.payload)?,
        signatures,
    })
}

fn signature(entry: Entry<'_>) -> Option<Signature<'static>> {
    if entry.encrypted_key.is_some() {
        return None;
    }
    Some(Signature {
        protected: member(entry.protected)?,
        header: entry.header,
        signature: unbase64(&entry.signature?)?,
    })
}

/// An optional base64url member: outer `None` = not canonical, inner `None` = absent.
#[expect(
    clippy::option_option,
    reason = "both absences are needed, and `?` is applied to the outer one at once"
)]
fn member(text: Option<Cow<'_, str>>) -> Option<Option<Bytes<'static>>> {
    match text {
        None => Some(None),
        Some(text) => unbase64(&text).map(Some),
    }
}

/// Strict base64url (RFC 4648 §5): no padding, no foreign characters, unused bits zero.
pub(crate) fn unbase64(text: &str) -> Option<Bytes<'static>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok().map(Cow::Owned)
}

/// Base64url without padding, appended.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    URL_SAFE_NO_PAD.encode_append(bytes, out);
}

/// Puts the packed message together. Members stand in one fixed order, without white space.
pub(crate) fn write(parts: &Parts<'_>) -> Vec<u8> {
    match parts {
        Parts::Jwe(jwe) => write_jwe(jwe, &jwe.ciphertext),
        Parts::Raw(_, bytes) => bytes.to_vec(),
        Parts::Jws(jws) => {
            let payload = jws.payload.as_ref().map_or(0, |payload| payload.len());
            let mut out = Object::with_capacity(payload / 3 * 4 + 1024);
            out.jws(jws);
            out.done()
        }
    }
}

/// A JWE with this ciphertext, its own or none.
pub(crate) fn write_jwe(jwe: &Jwe<'_>, ciphertext: &[u8]) -> Vec<u8> {
    let mut out = Object::with_capacity(ciphertext.len() / 3 * 4 + 1024);
    out.jwe(jwe, ciphertext);
    out.done()
}

/// JSON being written: commas come by themselves.
struct Object(Vec<u8>);

impl Object {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn jwe(&mut self, jwe: &Jwe<'_>, ciphertext: &[u8]) {
        self.open(b'{');
        self.binary("protected", jwe.protected.as_ref());
        self.headers("unprotected", jwe.unprotected.as_ref());
        if !jwe.flat {
            self.name("recipients");
            self.open(b'[');
            for recipient in &jwe.recipients {
                self.comma();
                self.open(b'{');
                self.recipient(recipient);
                self.close(b'}');
            }
            self.close(b']');
        } else if let Some(recipient) = jwe.recipients.first() {
            self.recipient(recipient);
        }
        self.binary("aad", jwe.aad.as_ref());
        self.binary("iv", jwe.iv.as_ref());
        self.binary("ciphertext", Some(&Cow::Borrowed(ciphertext)));
        self.binary("tag", jwe.tag.as_ref());
        self.close(b'}');
    }

    fn recipient(&mut self, recipient: &Recipient<'_>) {
        self.headers("header", recipient.header.as_ref());
        self.binary("encrypted_key", recipient.encrypted_key.as_ref());
    }

    fn jws(&mut self, jws: &Jws<'_>) {
        self.open(b'{');
        self.binary("payload", jws.payload.as_ref());
        if !jws.flat {
            self.name("signatures");
            self.open(b'[');
            for signature in &jws.signatures {
                self.comma();
                self.open(b'{');
                self.signature(signature);
                self.close(b'}');
            }
            self.close(b']');
        } else if let Some(signature) = jws.signatures.first() {
            self.signature(signature);
        }
        self.close(b'}');
    }

    fn signature(&mut self, signature: &Signature<'_>) {
        self.binary("protected", signature.protected.as_ref());
        self.headers("header", signature.header.as_ref());
        self.binary("signature", Some(&signature.signature));
    }

    fn binary(&mut self, name: &str, value: Option<&Bytes<'_>>) {
        if let Some(value) = value {
            self.name(name);
            self.0.push(b'"');
            base64(value, &mut self.0);
            self.0.push(b'"');
        }
    }

    fn headers(&mut self, name: &str, value: Option<&Headers<'_>>) {
        if let Some(value) = value {
            self.name(name);
            value.write_json(&mut self.0);
        }
    }

    /// The names are ours and need no escapes.
    fn name(&mut self, name: &str) {
        self.comma();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    fn open(&mut self, bracket: u8) {
        self.0.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.0.push(bracket);
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}
