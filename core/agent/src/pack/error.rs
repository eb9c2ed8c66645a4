//! What can go wrong, as one enum per verb.

use crate::jose::JoseError;
use crate::resolve::ResolveError;

/// Why a message could not be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The plaintext is no DIDComm message.
    #[error("the plaintext is no DIDComm message: {0}")]
    Plaintext(&'static str),
    /// A combination of layers that DIDComm forbids (§2.1).
    #[error("these layers cannot be combined: {0}")]
    Combination(&'static str),
    /// The message says another sender than the plan (§3.2).
    #[error("the message's \"from\" is not {0}")]
    From(String),
    /// The message does not name this recipient (§3.2), or names none where it must.
    #[error("the message's \"to\" does not contain {0}")]
    To(String),
    /// A DID document is not to be had.
    #[error("{did}: {source}")]
    Resolve {
        /// Whose.
        did: String,
        /// Why not.
        source: ResolveError,
    },
    /// The recipient's document has no key that we can encrypt to.
    #[error("{0} has no key agreement key that we know")]
    NoRecipientKey(String),
    /// We hold no secret for the sender's DID, or none on a curve that the recipient has.
    #[error("we hold no key of {0} that fits the recipient's")]
    NoSenderKey(String),
    /// We hold no signing secret of this DID, or the key is not in its `authentication`.
    #[error("we hold no signing key of {0}")]
    NoSigningKey(String),
    /// The JOSE layer failed.
    #[error(transparent)]
    Jose(#[from] JoseError),
}

/// Why a packed message was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Longer than [`super::Limits::max_bytes`].
    #[error("the message is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More recipients, signatures or layers than allowed.
    #[error("more {what} than the {limit} that are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// It is no DIDComm v2 message, or a damaged one.
    #[error("no DIDComm message: {0}")]
    Malformed(&'static str),
    /// A DIDComm v1 (Aries) message.
    #[error("this is a DIDComm v1 message; only v2 is supported")]
    Version1,
    /// An algorithm or extension that we do not take.
    #[error("unsupported {what}: {name}")]
    Unsupported {
        /// Which header member.
        what: &'static str,
        /// What it said, shortened.
        name: String,
    },
    /// A combination of layers that DIDComm forbids (§2.1).
    #[error("forbidden combination of layers: {0}")]
    Combination(String),
    /// None of the recipients' keys is ours.
    #[error("the message is encrypted for other keys than ours: {}", kids.join(", "))]
    NotForUs {
        /// The first few of those it is for.
        kids: Vec<String>,
    },
    /// `apu`, `apv`, `skid` or `kid` do not fit the message and each other.
    #[error("the header's {0} does not match the message")]
    Inconsistent(&'static str),
    /// Wrong key, tampered content, bad signature, bad curve point. Deliberately no more.
    #[error("decryption or signature check failed")]
    Crypto,
    /// A DID document is needed and not there; resolve it and try again.
    #[error("{did}: {source}")]
    Resolve {
        /// Whose.
        did: String,
        /// Why not.
        source: ResolveError,
    },
    /// The sender's key is not in the document, or not for this use.
    #[error("{kid} is no {purpose} key in its DID document")]
    KeyNotListed {
        /// Which key.
        kid: String,
        /// `keyAgreement` or `authentication`.
        purpose: &'static str,
    },
    /// There must be a `from` in authenticated and signed messages, and there is none.
    #[error("the message is authenticated but has no \"from\"")]
    NoFrom,
    /// `from` is not the DID whose key encrypted or signed (§3.2): a forgery.
    #[error("the message says it is from {from}, but the key is {kid}")]
    FromMismatch {
        /// What the plaintext says.
        from: String,
        /// The key that was really used.
        kid: String,
    },
    /// The signer of the inside is not the sender of the outside (§2.1).
    #[error("signed by {signer} but encrypted by {sender}")]
    SignerNotSender {
        /// Key that signed.
        signer: String,
        /// Key that encrypted.
        sender: String,
    },
    /// `to` does not contain the DID of the key it was encrypted for (§3.2).
    #[error("the message was encrypted for {kid}, which its \"to\" does not name")]
    NotInTo {
        /// Our key.
        kid: String,
    },
    /// A signed message inside encryption must have `to` (§5.2), or else whoever got it could
    /// pass it on as if meant for another.
    #[error("signed and encrypted, but without \"to\"")]
    NoTo,
    /// `from_prior` is damaged or proves nothing (§5.3).
    #[error("from_prior: {0}")]
    FromPrior(&'static str),
}

impl OpenError {
    /// The problem code (§6.2.1) to report, or to print for a script.
    #[must_use]
    pub fn problem(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "e.p.me.res.storage.message_too_big",
            Self::TooMany { .. } => "e.p.me.res",
            Self::Malformed(_) => "e.p.msg.malformed",
            Self::Version1 => "e.p.msg.version-1",
            Self::Unsupported { .. } => "e.p.msg.unsupported",
            Self::Combination(_) => "e.p.trust.layers",
            Self::NotForUs { .. } => "e.p.trust.crypto.not-for-us",
            Self::Inconsistent(_) => "e.p.trust.crypto.header",
            Self::Crypto => "e.p.trust.crypto",
            Self::Resolve { .. } => "e.p.did.unresolved",
            Self::KeyNotListed { .. } => "e.p.did.key-not-listed",
            Self::NoFrom => "e.p.trust.no-from",
            Self::FromMismatch { .. } => "e.p.trust.from-mismatch",
            Self::SignerNotSender { .. } => "e.p.trust.signer-mismatch",
            Self::NotInTo { .. } => "e.p.trust.to-mismatch",
            Self::NoTo => "e.p.trust.no-to",
            Self::FromPrior(_) => "e.p.trust.from-prior",
        }
    }
}

impl From<JoseError> for OpenError {
    fn from(error: JoseError) -> Self {
        match error {
            JoseError::Malformed(what) => Self::Malformed(what),
            JoseError::Version1 => Self::Version1,
            JoseError::Unsupported { what, name } => Self::Unsupported { what, name },
            JoseError::Inconsistent(what) => Self::Inconsistent(what),
            JoseError::Key | JoseError::Crypto | JoseError::Library => Self::Crypto,
        }
    }
}
