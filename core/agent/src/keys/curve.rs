//! The six curves, their names and sizes.

use std::fmt;

/// An elliptic curve of DIDComm v2.1 (§5.1.3 for agreement, §5.2 for signatures).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Curve {
    /// RFC 7748, key agreement; the one we prefer.
    X25519,
    /// RFC 8032, signatures (EdDSA).
    Ed25519,
    /// NIST P-256: key agreement and signatures (ES256).
    P256,
    /// NIST P-384: key agreement.
    P384,
    /// NIST P-521: key agreement.
    P521,
    /// secp256k1: signatures (ES256K).
    Secp256k1,
}

impl Curve {
    /// Every curve we know.
    pub const ALL: [Self; 6] = [
        Self::X25519,
        Self::Ed25519,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Secp256k1,
    ];

    /// JWK `crv` (IANA JOSE registry).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X25519 => "X25519",
            Self::Ed25519 => "Ed25519",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// The curve with this JWK `crv`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// JWK `kty`: `OKP` (one coordinate, RFC 8037) or `EC` (two).
    #[must_use]
    pub const fn kty(self) -> &'static str {
        if self.is_okp() { "OKP" } else { "EC" }
    }

    /// Whether DIDComm agrees on keys with it.
    #[must_use]
    pub const fn can_agree(self) -> bool {
        matches!(self, Self::X25519 | Self::P256 | Self::P384 | Self::P521)
    }

    /// Whether DIDComm signs with it.
    #[must_use]
    pub const fn can_sign(self) -> bool {
        matches!(self, Self::Ed25519 | Self::P256 | Self::Secp256k1)
    }

    /// Bytes of one coordinate and of the secret scalar.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::X25519 | Self::Ed25519 | Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Whether a public key is 32 raw bytes rather than a point with two coordinates.
    pub(crate) const fn is_okp(self) -> bool {
        matches!(self, Self::X25519 | Self::Ed25519)
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
