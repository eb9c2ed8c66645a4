//! JOSE as DIDComm v2.1 §5 uses it: JWE, JWS and the one JWT (`from_prior`).
//!
//! What is it: reading, checking and writing of single envelopes with keys in hand. It knows
//! nothing of DID documents, nesting or addressing: that is `pack`, which calls it. What can
//! go wrong: [`JoseError`]. Bytes come from strangers: parsing borrows, allocates no more
//! than the input is long, and never panics.

mod alg;
mod header;
mod jwe;
mod jws;
mod jwt;
mod kdf;
mod members;

pub use alg::{ContentEncryption, KeyAlgorithm, SignatureAlgorithm};
pub use jwt::{Jwt, peek_jwt, sign_jwt, verify_jwt};

pub use jwe::encrypt::{Encryption, encrypt};
pub use jws::sign;

pub(crate) use jwe::decrypt::Jwe;
pub(crate) use jws::Jws;
pub(crate) use members::{Members, Shape};

use base64_simd::URL_SAFE_NO_PAD;

/// Why an envelope was not read, or could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoseError {
    /// It is no JSON, or a member that must be there is missing or of another type.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A DIDComm v1 (Aries) envelope.
    #[error("this is a DIDComm v1 message")]
    Version1,
    /// An algorithm, curve or extension that DIDComm v2 does not use, or we do not know.
    #[error("unsupported {what}: {name}")]
    Unsupported {
        /// Which header member.
        what: &'static str,
        /// What it said, shortened.
        name: String,
    },
    /// `apu`, `apv` and `skid` do not fit the recipients and each other (§5.1.9, §5.1.10).
    #[error("the header's {0} does not match the message")]
    Inconsistent(&'static str),
    /// A key was refused: off its curve, low order, or of another curve than its peer.
    #[error("a key in the message is not acceptable")]
    Key,
    /// Decryption or verification failed. Deliberately no more than that.
    #[error("decryption or signature check failed")]
    Crypto,
    /// The system gave no randomness, or the library failed inside.
    #[error("the cryptographic library failed")]
    Library,
}

impl JoseError {
    pub(crate) fn unsupported(what: &'static str, name: &str) -> Self {
        // Names come from strangers and end in logs: keep them short.
        Self::Unsupported {
            what,
            name: name.chars().take(40).collect(),
        }
    }
}

/// base64url without padding, as RFC 7515 §2 demands: no padding, no whitespace, no stray
/// trailing bits.
pub(crate) fn unbase64(text: &str, what: &'static str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .map_err(|_| JoseError::Malformed(what))
}

/// Bytes as base64url without padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Appends `"text"` with JSON's escapes.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    let plain = text
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}
