//! Key agreement on X25519, P-256, P-384 and P-521, and the birational map that turns an
//! Ed25519 key into an X25519 one. Called by `keys`. Points are checked when parsed; X25519
//! results of all zero (low-order points) are refused when agreeing (RFC 7748 §6.1).

use aws_lc_rs::agreement::{self, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin};
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroizing;

use super::Refused;
use crate::keys::Curve;

/// A shared secret; at most 66 bytes (P-521), wiped when dropped.
pub(crate) type Shared = Zeroizing<Vec<u8>>;

/// A public key that was parsed and found to be on its curve.
#[derive(Clone)]
pub(crate) struct AgreePublic(ParsedPublicKey);

impl AgreePublic {
    /// Parses X25519 raw bytes or an uncompressed SEC1 point.
    pub(crate) fn parse(curve: Curve, raw: &[u8]) -> Result<Self, Refused> {
        let unparsed = UnparsedPublicKey::new(algorithm(curve)?, raw);
        let parsed = ParsedPublicKey::try_from(unparsed)?;
        Ok(Self(parsed))
    }
}

/// A private agreement key, in the form that the library computes with.
pub(crate) struct AgreeSecret(PrivateKey, Curve);

impl AgreeSecret {
    /// Takes the raw scalar, fixed length for the curve.
    pub(crate) fn parse(curve: Curve, raw: &[u8]) -> Result<Self, Refused> {
        let key = PrivateKey::from_private_key(algorithm(curve)?, raw)?;
        Ok(Self(key, curve))
    }

    /// Makes a fresh key; used for the ephemeral key of every message.
    pub(crate) fn generate(curve: Curve) -> Result<Self, Refused> {
        Ok(Self(PrivateKey::generate(algorithm(curve)?)?, curve))
    }

    /// The raw public key: X25519 32 bytes, else `04 || x || y`.
    pub(crate) fn public(&self) -> Result<Vec<u8>, Refused> {
        Ok(self.0.compute_public_key()?.as_ref().to_vec())
    }

    /// The raw scalar, fixed length for the curve.
    pub(crate) fn to_raw(&self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let bytes = if self.1 == Curve::X25519 {
            let seed: Curve25519SeedBin<'_> = self.0.as_be_bytes()?;
            Zeroizing::new(seed.as_ref().to_vec())
        } else {
            let scalar: EcPrivateKeyBin<'_> = self.0.as_be_bytes()?;
            Zeroizing::new(scalar.as_ref().to_vec())
        };
        Ok(bytes)
    }

    /// Diffie–Hellman. Refuses a key of another curve, and an all-zero X25519 result.
    pub(crate) fn agree(&self, peer: &AgreePublic) -> Result<Shared, Refused> {
        agreement::agree(&self.0, peer.0.clone(), Refused, |secret| {
            Ok(Zeroizing::new(secret.to_vec()))
        })
    }
}

/// The X25519 public key of an Ed25519 public key: u = (1 + y) / (1 − y) mod p
/// (RFC 7748 §4.1). Refuses bytes that are no point on the curve.
pub(crate) fn montgomery_of_edwards(public: &[u8]) -> Result<[u8; 32], Refused> {
    let compressed = CompressedEdwardsY::from_slice(public).map_err(|_| Refused)?;
    let point = compressed.decompress().ok_or(Refused)?;
    Ok(point.to_montgomery().to_bytes())
}

/// The X25519 scalar of an Ed25519 seed: the first half of its SHA-512, which RFC 8032
/// §5.1.5 clamps as RFC 7748 §5 does.
pub(crate) fn scalar_of_seed(seed: &[u8]) -> Zeroizing<[u8; 32]> {
    let hash = digest::digest(&digest::SHA512, seed);
    let mut scalar = Zeroizing::new([0; 32]);
    for (to, from) in scalar.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    scalar[0] &= 0b1111_1000;
    scalar[31] &= 0b0111_1111;
    scalar[31] |= 0b0100_0000;
    scalar
}

fn algorithm(curve: Curve) -> Result<&'static agreement::Algorithm, Refused> {
    match curve {
        Curve::X25519 => Ok(&agreement::X25519),
        Curve::P256 => Ok(&agreement::ECDH_P256),
        Curve::P384 => Ok(&agreement::ECDH_P384),
        Curve::P521 => Ok(&agreement::ECDH_P521),
        Curve::Ed25519 | Curve::Secp256k1 => Err(Refused),
    }
}
