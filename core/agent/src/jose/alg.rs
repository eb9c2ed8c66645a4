//! The algorithms of DIDComm v2.1 §5.1.3, §5.1.4 and §5.2, and their JOSE names.

use std::fmt;

use crate::keys::Curve;

/// How a message's content is encrypted (§5.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ContentEncryption {
    /// `A256CBC-HS512`: everyone reads it; the only one for authcrypt.
    #[default]
    A256CbcHs512,
    /// `A256GCM`: 72 bytes less a layer; recommended for anoncrypt.
    A256Gcm,
    /// `XC20P` (draft-amringer-jose-chacha): optional for anoncrypt.
    Xc20p,
}

impl ContentEncryption {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::A256CbcHs512, Self::A256Gcm, Self::Xc20p];

    /// JOSE `enc`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A256Gcm => "A256GCM",
            Self::Xc20p => "XC20P",
        }
    }

    /// The one with this `enc`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.name() == name)
    }

    pub(crate) const fn key_len(self) -> usize {
        if matches!(self, Self::A256CbcHs512) {
            64
        } else {
            32
        }
    }

    pub(crate) const fn iv_len(self) -> usize {
        match self {
            Self::A256CbcHs512 => 16,
            Self::A256Gcm => 12,
            Self::Xc20p => 24,
        }
    }

    pub(crate) const fn tag_len(self) -> usize {
        if matches!(self, Self::A256CbcHs512) {
            32
        } else {
            16
        }
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the content key reaches a recipient (§5.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// `ECDH-ES+A256KW` (RFC 7518 §4.6): anoncrypt.
    EcdhEs,
    /// `ECDH-1PU+A256KW` (draft-madden-jose-ecdh-1pu-04): authcrypt.
    Ecdh1Pu,
}

impl KeyAlgorithm {
    /// JOSE `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdhEs => "ECDH-ES+A256KW",
            Self::Ecdh1Pu => "ECDH-1PU+A256KW",
        }
    }

    /// The one with this `alg`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EcdhEs, Self::Ecdh1Pu]
            .into_iter()
            .find(|alg| alg.name() == name)
    }
}

/// How a message is signed (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// `EdDSA` with Ed25519 (RFC 8037).
    EdDsa,
    /// `ES256` (RFC 7518 §3.4).
    Es256,
    /// `ES256K` (RFC 8812).
    Es256K,
}

impl SignatureAlgorithm {
    /// JOSE `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es256K => "ES256K",
        }
    }

    /// The one with this `alg`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Es256K]
            .into_iter()
            .find(|alg| alg.name() == name)
    }

    /// The curve that goes with it, and no other.
    #[must_use]
    pub const fn curve(self) -> Curve {
        match self {
            Self::EdDsa => Curve::Ed25519,
            Self::Es256 => Curve::P256,
            Self::Es256K => Curve::Secp256k1,
        }
    }

    /// The algorithm of keys on this curve.
    #[must_use]
    pub fn for_curve(curve: Curve) -> Option<Self> {
        [Self::EdDsa, Self::Es256, Self::Es256K]
            .into_iter()
            .find(|alg| alg.curve() == curve)
    }
}
