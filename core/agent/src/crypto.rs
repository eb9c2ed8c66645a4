//! Every call to a cryptographic library, and nothing else.
//!
//! What is it: thin wrappers with our own types over aws-lc-rs (agreement, signatures, AES,
//! HMAC, SHA-2), RustCrypto's `chacha20poly1305` (XChaCha20-Poly1305, which aws-lc lacks) and
//! `curve25519-dalek` (the map from Ed25519 to X25519 points). Who calls it: `keys` and
//! `jose`, no one else, so that a library can be exchanged here alone. What can go wrong:
//! every failure is the one opaque [`Refused`]; *why* a key or a tag was refused is nobody's
//! business but a debugger's, and must never reach a peer.

pub(crate) mod agree;
pub(crate) mod content;
pub(crate) mod sign;

use aws_lc_rs::digest;

/// A primitive said no: bad key, bad point, bad tag, bad signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl From<aws_lc_rs::error::Unspecified> for Refused {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl From<aws_lc_rs::error::KeyRejected> for Refused {
    fn from(_: aws_lc_rs::error::KeyRejected) -> Self {
        Self
    }
}

/// Fills `out` from the operating system's generator.
pub(crate) fn random(out: &mut [u8]) -> Result<(), Refused> {
    aws_lc_rs::rand::fill(out).map_err(Refused::from)
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    // SHA-256 always yields 32 bytes; zip keeps that free of a panic path.
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}
