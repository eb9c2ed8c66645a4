//! A packed message taken apart: the model between JSON, identity form and wire form.
//!
//! What is it: the members of a JWE (RFC 7516 §7.2) or JWS (RFC 7515 §7.2) as bytes, or the
//! raw bytes of everything else. Who calls it: `packed` makes it from JSON and writes JSON
//! from it, `identity` and `wire` encode and decode it. What can go wrong: nothing; it is
//! only data, and whoever makes it has checked the bounds below.

use std::borrow::Cow;

use crate::envelope::Kind;
use crate::headers::Headers;

/// Most recipients of a JWE, or signatures of a JWS, that are taken apart; messages with more
/// are carried raw.
pub(crate) const MAX_RECIPIENTS: usize = 4096;

/// Bytes, mostly borrowed from the input.
pub(crate) type Bytes<'a> = Cow<'a, [u8]>;

/// A packed message taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parts<'a> {
    /// Carried as it is: plaintext, JOSE that is not canonical, anything.
    Raw(Kind, Bytes<'a>),
    /// A canonical JWE.
    Jwe(Jwe<'a>),
    /// A canonical JWS.
    Jws(Jws<'a>),
}

/// Members of a JWE. `None` = absent from the JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jwe<'a> {
    /// Flattened serialisation: `recipients` has exactly one entry, written at top level.
    pub(crate) flat: bool,
    /// The protected header's raw bytes.
    pub(crate) protected: Option<Bytes<'a>>,
    pub(crate) unprotected: Option<Headers<'a>>,
    pub(crate) recipients: Vec<Recipient<'a>>,
    pub(crate) aad: Option<Bytes<'a>>,
    pub(crate) iv: Option<Bytes<'a>>,
    pub(crate) tag: Option<Bytes<'a>>,
    pub(crate) ciphertext: Bytes<'a>,
}

/// One entry of a JWE's `recipients`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Recipient<'a> {
    pub(crate) header: Option<Headers<'a>>,
    pub(crate) encrypted_key: Option<Bytes<'a>>,
}

/// Members of a JWS. `None` = absent from the JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jws<'a> {
    /// Flattened serialisation: `signatures` has exactly one entry, written at top level.
    pub(crate) flat: bool,
    /// Absent when detached (RFC 7515 appendix F).
    pub(crate) payload: Option<Bytes<'a>>,
    pub(crate) signatures: Vec<Signature<'a>>,
}

/// One entry of a JWS's `signatures`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature<'a> {
    pub(crate) protected: Option<Bytes<'a>>,
    pub(crate) header: Option<Headers<'a>>,
    pub(crate) signature: Bytes<'a>,
}

impl Parts<'_> {
    /// What kind of packed message this is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Raw(kind, _) => *kind,
            Self::Jwe(_) => Kind::Encrypted,
            Self::Jws(_) => Kind::Signed,
        }
    }
}
