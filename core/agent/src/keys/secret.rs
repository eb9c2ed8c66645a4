//! Secret keys.

use std::fmt;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::agreed::Agreed;
use super::{Curve, KeyError, PublicKey};
use crate::crypto::Refused;
use crate::crypto::agree::{self, AgreeSecret, Shared};
use crate::crypto::sign::{self, SignKey};

/// A secret key with its public half. Cheap to clone (the secret is shared, not copied);
/// wiped when the last clone is dropped; `Debug` prints the public half alone.
#[derive(Clone)]
pub struct SecretKey(Arc<Inner>);

struct Inner {
    public: PublicKey,
    raw: Zeroizing<Vec<u8>>,
    agree: Option<AgreeSecret>,
    agreed: Agreed,
    /// Made at the first signature: a P-256 key of a document's `keyAgreement` never signs.
    sign: OnceLock<Option<SignKey>>,
}

impl SecretKey {
    /// Makes a fresh key.
    ///
    /// # Errors
    /// [`KeyError::Generation`] when the system has no randomness to give.
    pub fn generate(curve: Curve) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Generation;
        let raw = match curve {
            Curve::Ed25519 => {
                let mut seed = Zeroizing::new(vec![0; 32]);
                crate::crypto::random(&mut seed).map_err(failed)?;
                seed
            }
            Curve::Secp256k1 => sign::generate_secp256k1().map_err(failed)?,
            Curve::X25519 | Curve::P256 | Curve::P384 | Curve::P521 => AgreeSecret::generate(curve)
                .and_then(|key| key.to_raw())
                .map_err(failed)?,
        };
        Self::from_raw(curve, &raw)
    }

    /// From the raw secret, of the curve's size: the X25519 scalar, the Ed25519 seed
    /// (RFC 8032 §5.1.5), or the big-endian scalar of the others.
    ///
    /// # Errors
    /// [`KeyError::Length`]; [`KeyError::Invalid`] for zero or a scalar beyond the order.
    pub fn from_raw(curve: Curve, bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != curve.size() {
            return Err(KeyError::Length(curve));
        }
        let invalid = |_| KeyError::Invalid(curve);
        let agree = if curve.can_agree() {
            Some(AgreeSecret::parse(curve, bytes).map_err(invalid)?)
        } else {
            None
        };
        let public = match (&agree, curve) {
            (Some(key), _) => key.public(),
            (None, Curve::Ed25519) => sign::ed25519_public(bytes),
            (None, _) => sign::secp256k1_public(bytes),
        };
        let public = PublicKey::from_raw(curve, &public.map_err(invalid)?)?;
        let raw = Zeroizing::new(bytes.to_vec());
        Ok(Self(Arc::new(Inner {
            public,
            raw,
            agree,
            agreed: Agreed::default(),
            sign: OnceLock::new(),
        })))
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.0.public.curve()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.0.public
    }

    /// The raw secret, as [`Self::from_raw`] takes it. Handle with care.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// The X25519 secret that belongs to an Ed25519 secret, as [`PublicKey::to_x25519`] does
    /// for the public half.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for any other curve.
    pub fn to_x25519(&self) -> Result<Self, KeyError> {
        if self.curve() != Curve::Ed25519 {
            return Err(KeyError::Unsupported(self.curve().to_string()));
        }
        Self::from_raw(Curve::X25519, agree::scalar_of_seed(self.raw()).as_slice())
    }

    /// Signs bytes: EdDSA, ES256 or ES256K, 64 bytes each. `None` for a key of a curve that
    /// DIDComm does not sign with. Whoever signs something else than a JWS begins it with a
    /// domain of its own, so that no signature is taken for another's.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.signer()?.sign(message).ok()
    }

    /// The form that agrees on keys; `None` for curves that only sign.
    pub(crate) fn agreement(&self) -> Option<&AgreeSecret> {
        self.0.agree.as_ref()
    }

    /// Agrees with a peer's static key: the same secret for every message between the two, so
    /// it is remembered for those who were heard last. Refuses a key of another curve, and one
    /// that leads to zero.
    pub(crate) fn agree_static(&self, peer: &PublicKey) -> Result<Shared, Refused> {
        let own = self.agreement().ok_or(Refused)?;
        self.0.agreed.with(own, peer)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.0.agreed.len()
    }

    /// The form that signs; `None` for curves that only agree.
    pub(crate) fn signer(&self) -> Option<&SignKey> {
        self.0
            .sign
            .get_or_init(|| SignKey::parse(self.curve(), self.raw(), self.public().raw()).ok())
            .as_ref()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.public())
    }
}
