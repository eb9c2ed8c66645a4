//! One packed message as the bus carries it.
//!
//! What is it: [`Envelope`], a packed message in its identity form, never altered. Who calls
//! it: everything that carries messages: drive, QR, the outbox, the CLI. What can go wrong:
//! bytes from strangers: [`Envelope::from_packed`] takes any bytes at all, [`Envelope::decode`]
//! answers hostile ones with a [`DecodeError`]; both are bounded by [`MAX_ENVELOPE`].

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::id::EnvelopeId;
use crate::parts::Parts;
use crate::{identity, packed, wire};

/// Most bytes of a packed message: 64 MiB.
pub const MAX_ENVELOPE: usize = 64 << 20;

/// What kind of packed message an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A JWE (DIDComm v2.1 "DIDComm Encrypted Messages").
    Encrypted,
    /// A JWS ("DIDComm Signed Messages").
    Signed,
    /// A bare JWM ("DIDComm Plaintext Messages").
    Plaintext,
    /// Anything else; carried exactly as it is.
    Other,
}

impl Kind {
    /// The IANA media type of the DIDComm v2.1 specification.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Encrypted => "application/didcomm-encrypted+json",
            Self::Signed => "application/didcomm-signed+json",
            Self::Plaintext => "application/didcomm-plain+json",
            Self::Other => "application/octet-stream",
        }
    }

    /// The file extension of the DIDComm v2.1 specification, without its dot; `bin` for
    /// anything else.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Encrypted => "dcem",
            Self::Signed => "dcsm",
            Self::Plaintext => "dcpm",
            Self::Other => "bin",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "encrypted",
            Self::Signed => "signed",
            Self::Plaintext => "plaintext",
            Self::Other => "other",
        })
    }
}

/// Why bytes cannot become an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// There are no bytes.
    #[error("an empty message cannot be carried")]
    Empty,
    /// The message is longer than [`MAX_ENVELOPE`].
    #[error("the message is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why bytes are not a form of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Neither of our two forms; plain JSON goes through [`Envelope::from_packed`].
    #[error("not a compact envelope")]
    NotAnEnvelope,
    /// A wire form of a version that this software does not know.
    #[error("a compact envelope of version {0}, which this software is too old to read")]
    UnknownVersion(u8),
    /// The form, or the message in it, is longer than the limit.
    #[error("the envelope is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The form ends before its content does.
    #[error("the compact envelope is cut short")]
    Truncated,
    /// The form breaks a rule of its format.
    #[error("damaged compact envelope: {0}")]
    Malformed(&'static str),
    /// The form would unfold to far more than its size justifies.
    #[error("the compact envelope unfolds to more than it may")]
    Expansion,
}

/// One packed message in its identity form.
#[derive(Clone)]
pub struct Envelope {
    identity: Vec<u8>,
    /// Hashed when somebody asks: of a long message that takes longer than all else here.
    id: OnceLock<EnvelopeId>,
    kind: Kind,
}

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Envelope {}

impl Envelope {
    /// Takes a packed message: a JWE, JWS or JWM as JSON, or any other bytes.
    ///
    /// # Errors
    /// [`EnvelopeError::Empty`] and [`EnvelopeError::TooLarge`]; nothing else is refused.
    pub fn from_packed(packed: &[u8]) -> Result<Self, EnvelopeError> {
        if packed.is_empty() {
            return Err(EnvelopeError::Empty);
        }
        if packed.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge {
                limit: MAX_ENVELOPE,
            });
        }
        let parts = packed::read(packed);
        Ok(Self::of(identity::encode(&parts), parts.kind()))
    }

    /// Reads an identity form or a wire form, telling by its first bytes which it is.
    ///
    /// # Errors
    /// [`DecodeError::NotAnEnvelope`] for JSON and all else that is not one of ours; the
    /// others for damaged or hostile forms.
    pub fn decode(form: &[u8]) -> Result<Self, DecodeError> {
        if form.starts_with(&identity::MAGIC) {
            let kind = identity::decode(form)?.kind();
            return Ok(Self::of(form.to_vec(), kind));
        }
        let mut unpacked = wire::Unpacked::default();
        let parts = wire::decode(form, &mut unpacked)?;
        Ok(Self::of(identity::encode(&parts), parts.kind()))
    }

    /// The same for a form that this program itself wrote or checked before, and kept under
    /// this id: it is not hashed again. Whoever it goes to checks it; a form that was changed
    /// since would have the wrong name here.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn decode_trusted(form: &[u8], id: EnvelopeId) -> Result<Self, DecodeError> {
        if form.starts_with(&identity::MAGIC) {
            let kind = identity::decode(form)?.kind();
            return Ok(Self::named(form.to_vec(), id, kind));
        }
        let mut unpacked = wire::Unpacked::default();
        let parts = wire::decode(form, &mut unpacked)?;
        Ok(Self::named(identity::encode(&parts), id, parts.kind()))
    }

    fn named(identity: Vec<u8>, id: EnvelopeId, kind: Kind) -> Self {
        let id = OnceLock::from(id);
        Self { identity, id, kind }
    }

    fn of(identity: Vec<u8>, kind: Kind) -> Self {
        let id = OnceLock::new();
        Self { identity, id, kind }
    }

    /// The packed message: a JWE or JWS of which every member equals the original's, though
    /// order, white space and escapes may differ; everything else byte for byte.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        match identity::decode_trusted(&self.identity) {
            Ok(parts) => packed::write(&parts),
            // Not reached: the form was written or checked here.
            Err(_) => Vec::new(),
        }
    }

    /// The packed message of a JWE in two parts: JSON in which `ciphertext` is empty, and the
    /// ciphertext's bytes. `None` for anything else than a JWE that we took apart.
    #[must_use]
    pub fn to_json_apart(&self) -> Option<(Vec<u8>, &[u8])> {
        match identity::decode_trusted(&self.identity) {
            Ok(Parts::Jwe(jwe)) => match jwe.ciphertext {
                Cow::Borrowed(ciphertext) => Some((packed::write_jwe(&jwe, &[]), ciphertext)),
                Cow::Owned(_) => None,
            },
            _ => None,
        }
    }

    /// The identity form.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The identity form, without a copy.
    #[must_use]
    pub fn into_identity(self) -> Vec<u8> {
        self.identity
    }

    /// The smallest form for links, frames, tags and batch files: the wire form of the
    /// current version or, should that be longer, the identity form. The same for every node
    /// of one version.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        wire::encode(&self.identity)
    }

    /// The name of this message.
    #[must_use]
    pub fn id(&self) -> EnvelopeId {
        *self.id.get_or_init(|| EnvelopeId::of(&self.identity))
    }

    /// What kind of packed message this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("kind", &self.kind)
            .field("id", &self.id())
            .field("identity_bytes", &self.identity.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
