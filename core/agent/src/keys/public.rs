//! Public keys, checked when made.

use std::fmt;
use std::sync::Arc;

use super::{Curve, KeyError};
use crate::crypto::agree::{self, AgreePublic};
use crate::crypto::sign::{self, VerifyKey};

/// A public key whose point is known to lie on its curve. Cheap to clone; parse once.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    curve: Curve,
    raw: Box<[u8]>,
    agree: Option<AgreePublic>,
    verify: Option<VerifyKey>,
}

impl PublicKey {
    /// From raw bytes: 32 for X25519 and Ed25519; a SEC1 point (§2.3.4), compressed or
    /// uncompressed, for the others.
    ///
    /// # Errors
    /// [`KeyError::Length`], or [`KeyError::Invalid`] when it is no point on the curve.
    pub fn from_raw(curve: Curve, bytes: &[u8]) -> Result<Self, KeyError> {
        let raw = if curve.is_okp() {
            if bytes.len() != curve.size() {
                return Err(KeyError::Length(curve));
            }
            if curve == Curve::Ed25519 {
                agree::montgomery_of_edwards(bytes).map_err(|_| KeyError::Invalid(curve))?;
            }
            bytes.to_vec()
        } else {
            let expected = match bytes.first() {
                Some(2 | 3) => 1 + curve.size(),
                Some(4) => 1 + 2 * curve.size(),
                _ => return Err(KeyError::Invalid(curve)),
            };
            if bytes.len() != expected {
                return Err(KeyError::Length(curve));
            }
            if bytes.first() == Some(&4) {
                bytes.to_vec()
            } else {
                sign::uncompress(curve, bytes).map_err(|_| KeyError::Invalid(curve))?
            }
        };
        Self::checked(curve, raw)
    }

    /// The library's own parsers are the point check of every curve with two coordinates.
    fn checked(curve: Curve, raw: Vec<u8>) -> Result<Self, KeyError> {
        let invalid = |_| KeyError::Invalid(curve);
        let agree = if curve.can_agree() {
            Some(AgreePublic::parse(curve, &raw).map_err(invalid)?)
        } else {
            None
        };
        let verify = if curve.can_sign() {
            Some(VerifyKey::parse(curve, &raw).map_err(invalid)?)
        } else {
            None
        };
        Ok(Self(Arc::new(Inner {
            curve,
            raw: raw.into_boxed_slice(),
            agree,
            verify,
        })))
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.0.curve
    }

    /// X25519 and Ed25519: 32 bytes; the others: `04 || x || y`.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// The shortest raw form: X25519 and Ed25519 as [`Self::raw`], the others as compressed
    /// SEC1 (`02` or `03`, then x).
    #[must_use]
    pub fn compressed(&self) -> Vec<u8> {
        let Some((x, y)) = self.coordinates() else {
            return self.raw().to_vec();
        };
        let odd = y.last().is_some_and(|byte| byte & 1 == 1);
        let mut out = Vec::with_capacity(1 + x.len());
        out.push(if odd { 3 } else { 2 });
        out.extend_from_slice(x);
        out
    }

    /// The X25519 key that belongs to an Ed25519 key (did:key §3.1.3 derives the agreement
    /// key so).
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for any other curve.
    pub fn to_x25519(&self) -> Result<Self, KeyError> {
        if self.curve() != Curve::Ed25519 {
            return Err(KeyError::Unsupported(self.curve().to_string()));
        }
        let point = agree::montgomery_of_edwards(self.raw())
            .map_err(|_| KeyError::Invalid(Curve::Ed25519))?;
        Self::from_raw(Curve::X25519, &point)
    }

    /// Whether this key's owner signed these bytes; see [`super::SecretKey::sign`].
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier()
            .is_some_and(|key| key.verify(message, signature).is_ok())
    }

    /// The two coordinates, fixed length; `None` for X25519 and Ed25519.
    pub(crate) fn coordinates(&self) -> Option<(&[u8], &[u8])> {
        if self.curve().is_okp() {
            return None;
        }
        self.raw().get(1..)?.split_at_checked(self.curve().size())
    }

    /// The form that agrees on keys; `None` for curves that only sign.
    pub(crate) fn agreement(&self) -> Option<&AgreePublic> {
        self.0.agree.as_ref()
    }

    /// The form that checks signatures; `None` for curves that only agree.
    pub(crate) fn verifier(&self) -> Option<&VerifyKey> {
        self.0.verify.as_ref()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.curve() == other.curve() && self.raw() == other.raw()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.curve(), self.to_multikey())
    }
}
