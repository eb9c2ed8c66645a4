//! The name of an envelope.
//!
//! What is it: SHA-256 of the identity form; the same message has the same id on every channel
//! and in every version of this software, however its JSON was re-serialised on the way.
//! Who calls it: everything that stores, offers, wants or deduplicates envelopes. What can go
//! wrong: only parsing a text that is not an id.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

use crate::hash::sha256;

/// SHA-256 of an envelope's identity form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeId([u8; 32]);

impl EnvelopeId {
    /// The id with these 32 bytes, e.g. read back from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id of an identity form.
    pub(crate) fn of(identity: &[u8]) -> Self {
        Self(sha256(identity))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 26 of the 52 characters (130 bits): enough to name a file or to show a
    /// person, not to be parsed back.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(26);
        text
    }
}

/// Lower-case base32 (RFC 4648 §6) without padding, 52 characters.
impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeId({self})")
    }
}

/// The text is not the 52 lower-case base32 characters of an envelope id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an envelope id: 52 characters a-z, 2-7 are expected")]
pub struct ParseIdError;

impl FromStr for EnvelopeId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        if text.len() != 52 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParseIdError);
        }
        let bytes = BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| ParseIdError)?;
        Ok(Self(bytes.try_into().map_err(|_| ParseIdError)?))
    }
}
