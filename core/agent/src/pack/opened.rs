//! What opening yields, and the limits it keeps.

use std::fmt;

use serde_json::Value;

use crate::jose::ContentEncryption;

/// Bounds on what strangers may make us do. JSON nests at most 128 deep, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest packed message, in bytes; by default 64 MiB, as for any envelope.
    pub max_bytes: usize,
    /// Most layers of encryption and signature; no allowed combination has more than three.
    pub max_depth: usize,
    /// Most recipients of one JWE; by default 1000.
    pub max_recipients: usize,
    /// Most signatures on one JWS; by default 16.
    pub max_signatures: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_depth: 3,
            max_recipients: 1000,
            max_signatures: 16,
        }
    }
}

/// An opened message: every check of §3.2 was passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The plaintext message exactly as it was packed.
    pub plaintext: Vec<u8>,
    /// The same, parsed; always an object with `id` and `type`.
    pub message: Value,
    /// The layers it had, outermost first; only [`Layer::Plaintext`] when it had none.
    pub layers: Vec<Layer>,
    /// The DID that authenticated the message by authcrypt. `None`: nobody did.
    pub sender: Option<String>,
    /// The sender's key id, when `sender` is there.
    pub sender_kid: Option<String>,
    /// The first key id that signed (and whose signature was right).
    pub signed_by: Option<String>,
    /// Our key that opened the innermost encryption.
    pub recipient_kid: Option<String>,
    /// A proven change or end of the sender's DID (§5.3).
    pub from_prior: Option<FromPrior>,
    /// What was overlooked.
    pub warnings: Vec<Warning>,
}

/// A proven DID rotation (§5.3), or the end of a relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromPrior {
    /// The old DID.
    pub iss: String,
    /// The new DID; `None` ends the relationship (§5.3.4).
    pub sub: Option<String>,
    /// When, in seconds since 1970; `None` if it did not say.
    pub iat: Option<u64>,
}

/// One layer around a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// Encrypted.
    Encrypted {
        /// The sender's key id if authcrypt, `None` if anoncrypt.
        sender_kid: Option<String>,
        /// Our key id.
        recipient_kid: String,
        /// Content encryption.
        enc: ContentEncryption,
    },
    /// Signed by all of these key ids.
    Signed {
        /// At least one.
        kids: Vec<String>,
    },
    /// Neither encrypted nor signed.
    Plaintext,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted {
                sender_kid: None, ..
            } => "anoncrypt",
            Self::Encrypted {
                sender_kid: Some(_),
                ..
            } => "authcrypt",
            Self::Signed { .. } => "signed",
            Self::Plaintext => "plaintext",
        })
    }
}

/// A fault that was overlooked, because refusing would gain nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// Anoncrypt without `apv` (Veramo).
    #[error("the recipient list is not protected (no apv)")]
    MissingApv,
    /// `epk` stands in the recipient's header, not in the protected one (Indicio).
    #[error("the ephemeral key is not in the protected header")]
    EpkPerRecipient,
    /// authcrypt(signed), which §2.1 advises against.
    #[error("signed inside authcrypt")]
    SignedInsideAuthcrypt,
    /// A signed message that names no recipient (§2.3: SHOULD).
    #[error("signed, but without \"to\"")]
    SignedWithoutTo,
    /// A `from_prior` in a message that is not encrypted is not looked at (§5.3).
    #[error("from_prior ignored: the message is not encrypted")]
    FromPriorIgnored,
}
