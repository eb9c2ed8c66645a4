//! Explains a message byte for byte.
//!
//! What is it: [`inspect()`] tells kind, id, sizes, algorithms and key ids of a message in any
//! form, and lists every part of its wire form. Who calls it: `packmule inspect` and tests.
//! What can go wrong: bytes that claim to be one of our forms and are not; anything else is
//! explained as a packed message of kind `other`. Nothing here is verified cryptographically:
//! what a header says is only what it says.

mod facts;

use crate::envelope::{DecodeError, Envelope, EnvelopeError, Kind};
use crate::{identity, wire};

/// A stretch of a wire form or identity form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Where it begins in the compact form, in bytes; `None` within compressed text.
    pub offset: Option<usize>,
    /// Its length in bytes; of uncompressed text where `offset` is `None`.
    pub bytes: usize,
    /// Its value or meaning, for people.
    pub note: String,
}

/// What [`inspect()`] found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// What kind of packed message it is.
    pub kind: Kind,
    /// The form that was given: `json`, `identity`, `wire`, or `other` for bytes that are not
    /// JSON either.
    pub form: &'static str,
    /// The envelope id, 52 characters of base32.
    pub id: String,
    /// Bytes of the packed message: as given, or as this software would write it.
    pub json_bytes: usize,
    /// Bytes of the smallest compact form.
    pub compact_bytes: usize,
    /// What no format could leave out: ciphertext, tag, iv, encrypted keys, epk, signatures and
    /// distinct public keys in the DIDs; for signed messages the payload too; for the rest the
    /// message itself. Compression can go below it where there is text.
    pub floor_bytes: usize,
    /// `alg` of the protected header; of the first signature.
    pub alg: Option<String>,
    /// `enc` of the protected header.
    pub enc: Option<String>,
    /// Curve of the ephemeral key.
    pub epk_curve: Option<String>,
    /// The sender's key id that the protected header claims: `skid`, or `apu` without it.
    pub sender_kid: Option<String>,
    /// Key ids of the recipients, in order.
    pub recipient_kids: Vec<String>,
    /// Key ids of the signers, in order.
    pub signer_kids: Vec<String>,
    /// The known member order of the protected header; `None` when it travels otherwise.
    pub template: Option<String>,
    /// The smallest compact form, part by part, in order and without gaps; after it the parts
    /// of compressed text.
    pub parts: Vec<Part>,
}

/// Why bytes could not be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No packed message at all.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// One of our forms, damaged.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Explains a packed message, identity form or wire form.
///
/// # Errors
/// [`InspectError`] for nothing at all, too much, or a damaged form of ours.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let (envelope, form) = match Envelope::decode(bytes) {
        Ok(envelope) if bytes.starts_with(&identity::MAGIC) => (envelope, "identity"),
        Ok(envelope) => (envelope, "wire"),
        Err(DecodeError::NotAnEnvelope | DecodeError::Truncated)
            if !bytes.starts_with(&wire::FAMILY) =>
        {
            let envelope = Envelope::from_packed(bytes)?;
            let json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
            (envelope, if json { "json" } else { "other" })
        }
        Err(error) => return Err(error.into()),
    };
    let compact = envelope.to_wire();
    let parts = wire::explain(&compact)?;
    let facts = facts::of(&identity::decode_trusted(envelope.identity())?);
    let json_bytes = match form {
        "json" | "other" => bytes.len(),
        _ => envelope.to_json().len(),
    };
    Ok(Inspection {
        kind: envelope.kind(),
        form,
        id: envelope.id().to_string(),
        json_bytes,
        compact_bytes: compact.len(),
        floor_bytes: facts.floor,
        alg: facts.alg,
        enc: facts.enc,
        epk_curve: facts.epk_curve,
        sender_kid: facts.sender_kid,
        recipient_kids: facts.recipient_kids,
        signer_kids: facts.signer_kids,
        template: parts
            .iter()
            .find(|part| part.name == "template")
            // The note is "number, name" for a known order, "number" otherwise.
            .and_then(|part| part.note.split_once(", "))
            .map(|(_, name)| name.to_owned()),
        parts,
    })
}
