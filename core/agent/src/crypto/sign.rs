//! Signatures (EdDSA, ES256, ES256K) and the parsing of elliptic-curve points in any SEC1
//! form. Called by `keys` and `jose`.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, ParsedPublicKey,
    VerificationAlgorithm,
};

use super::Refused;
use crate::keys::Curve;

/// A public key that checks signatures.
#[derive(Clone)]
pub(crate) struct VerifyKey(ParsedPublicKey);

impl VerifyKey {
    /// Parses Ed25519 raw bytes or a SEC1 point. P-384 and P-521 are parsed too (for their
    /// points), although DIDComm signs with neither.
    pub(crate) fn parse(curve: Curve, raw: &[u8]) -> Result<Self, Refused> {
        Ok(Self(ParsedPublicKey::new(algorithm(curve)?, raw)?))
    }

    /// Checks a signature: 64 bytes `r || s` for ECDSA (SHA-256), RFC 8032 for Ed25519.
    /// ECDSA's second solution (high S) is as good as the first: Python's libraries emit it.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        Ok(self.0.verify_sig(message, signature)?)
    }
}

/// A private key that signs.
pub(crate) enum SignKey {
    /// EdDSA (RFC 8037).
    Ed25519(Ed25519KeyPair),
    /// ES256, or ES256K if the flag is set.
    Ecdsa(EcdsaKeyPair, bool),
}

impl SignKey {
    /// Takes the raw secret and its raw public key; refuses a pair that does not match.
    pub(crate) fn parse(curve: Curve, secret: &[u8], public: &[u8]) -> Result<Self, Refused> {
        if curve == Curve::Ed25519 {
            let pair = Ed25519KeyPair::from_seed_and_public_key(secret, public)?;
            return Ok(Self::Ed25519(pair));
        }
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing(curve)?, secret, public)?;
        Ok(Self::Ecdsa(pair, curve == Curve::Secp256k1))
    }

    /// Signs; 64 bytes for all three algorithms. ES256K comes out with a low S, because
    /// some verifiers (libsecp256k1's heirs) take nothing else.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Refused> {
        match self {
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::Ecdsa(pair, secp256k1) => {
                let mut signature = pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec();
                if *secp256k1 {
                    lower_s(&mut signature);
                }
                Ok(signature)
            }
        }
    }
}

/// The public key of an Ed25519 seed.
pub(crate) fn ed25519_public(seed: &[u8]) -> Result<Vec<u8>, Refused> {
    use aws_lc_rs::signature::KeyPair;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed)?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// The uncompressed public point of a secp256k1 scalar.
pub(crate) fn secp256k1_public(scalar: &[u8]) -> Result<Vec<u8>, Refused> {
    use aws_lc_rs::signature::KeyPair;
    // ECPrivateKey (RFC 5915 §3): version 1, the scalar, the curve's name; the library then
    // computes the point, for which it has no call that takes a bare scalar.
    if scalar.len() != 32 {
        return Err(Refused);
    }
    let mut der = zeroize::Zeroizing::new(Vec::with_capacity(48));
    der.extend_from_slice(&[0x30, 46, 0x02, 1, 1, 0x04, 32]);
    der.extend_from_slice(scalar);
    der.extend_from_slice(&[0xa0, 7, 0x06, 5, 0x2b, 0x81, 0x04, 0x00, 0x0a]);
    let algorithm = &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_private_key_der(algorithm, &der)?;
    Ok(pair.public_key().as_ref().to_vec())
}

/// A fresh secp256k1 secret.
pub(crate) fn generate_secp256k1() -> Result<zeroize::Zeroizing<Vec<u8>>, Refused> {
    use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING)?;
    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes()?;
    Ok(zeroize::Zeroizing::new(scalar.as_ref().to_vec()))
}

/// Parses a compressed or uncompressed SEC1 point, checks that it lies on the curve and is
/// not the point at infinity, and gives it back uncompressed.
///
/// The library has no accessor for the point itself, but its SubjectPublicKeyInfo (RFC 5480)
/// always ends in the uncompressed form.
pub(crate) fn uncompress(curve: Curve, sec1: &[u8]) -> Result<Vec<u8>, Refused> {
    let der = VerifyKey::parse(curve, sec1)?.0.as_der()?;
    let der: &[u8] = der.as_ref();
    let length = 1 + 2 * curve.size();
    let start = der.len().checked_sub(length).ok_or(Refused)?;
    let point = der.get(start..).ok_or(Refused)?;
    if point.first() != Some(&4) {
        return Err(Refused);
    }
    Ok(point.to_vec())
}

/// Order of secp256k1 (SEC 2 §2.4.1), big-endian.
const SECP256K1_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Replaces `s` by `n − s` when that is smaller. Signatures are public: no need to hide
/// which branch was taken.
fn lower_s(signature: &mut [u8]) {
    let Some(s) = signature.get_mut(32..64) else {
        return;
    };
    let other = negated(s);
    if other.as_slice() < &*s {
        s.copy_from_slice(&other);
    }
}

/// `n − s` on secp256k1, for 32 big-endian bytes below n.
fn negated(s: &[u8]) -> [u8; 32] {
    let mut other = [0; 32];
    let mut borrow = false;
    for ((out, n), s) in other.iter_mut().zip(&SECP256K1_ORDER).zip(s).rev() {
        let (value, under) = n.overflowing_sub(*s);
        let (value, under_again) = value.overflowing_sub(u8::from(borrow));
        *out = value;
        borrow = under || under_again;
    }
    other
}

fn algorithm(curve: Curve) -> Result<&'static dyn VerificationAlgorithm, Refused> {
    match curve {
        Curve::Ed25519 => Ok(&signature::ED25519),
        Curve::P256 => Ok(&signature::ECDSA_P256_SHA256_FIXED),
        Curve::Secp256k1 => Ok(&signature::ECDSA_P256K1_SHA256_FIXED),
        Curve::P384 => Ok(&signature::ECDSA_P384_SHA384_FIXED),
        Curve::P521 => Ok(&signature::ECDSA_P521_SHA512_FIXED),
        Curve::X25519 => Err(Refused),
    }
}

fn signing(curve: Curve) -> Result<&'static EcdsaSigningAlgorithm, Refused> {
    match curve {
        Curve::P256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Curve::Secp256k1 => Ok(&signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        _ => Err(Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn every_algorithm_signs_and_verifies_and_notices_another_message() {
        for curve in [Curve::Ed25519, Curve::P256, Curve::Secp256k1] {
            let key = SecretKey::generate(curve).unwrap();
            let signature = key.signer().unwrap().sign(b"noon").unwrap();
            assert_eq!(signature.len(), 64);
            let verifier = key.public().verifier().unwrap();
            verifier.verify(b"noon", &signature).unwrap();
            assert_eq!(verifier.verify(b"moon", &signature), Err(Refused));
            assert_eq!(verifier.verify(b"noon", &signature[1..]), Err(Refused));
            assert_eq!(verifier.verify(b"noon", &[0; 64]), Err(Refused));
        }
    }

    /// Python's libraries emit either solution; ours emits the low one and reads both.
    #[test]
    fn a_high_s_is_read_and_never_written() {
        let key = SecretKey::generate(Curve::Secp256k1).unwrap();
        let verifier = key.public().verifier().unwrap();
        for round in 0..16_u8 {
            let low = key.signer().unwrap().sign(&[round]).unwrap();
            let mut high = low.clone();
            high[32..].copy_from_slice(&negated(&low[32..]));
            assert!(low[32..] < high[32..]);
            verifier.verify(&[round], &low).unwrap();
            verifier.verify(&[round], &high).unwrap();
        }
    }
}
