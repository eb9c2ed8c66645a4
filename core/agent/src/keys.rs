//! Keys: public, secret, and a ring of secrets by key id.
//!
//! What is it: the six curves of DIDComm v2.1 (§5.1.3, §5.2), read from and written to JWK
//! (RFC 7517, 7518, 8037), Multikey (W3C Controlled Identifiers §2.2.2) and raw bytes. Who
//! calls it: `did` (documents), `keystore`, `jose`. What can go wrong: [`KeyError`]; every
//! point is checked to lie on its curve when a key is made, so that a [`PublicKey`] in hand
//! is safe to compute with. Secrets are wiped when dropped and never printed.

mod agreed;
mod curve;
mod jwk;
mod multikey;
mod public;
mod ring;
mod secret;
#[cfg(test)]
mod tests;

pub use curve::Curve;
pub(crate) use jwk::fixed;
pub use public::PublicKey;
pub use ring::Keyring;
pub use secret::SecretKey;

/// Why bytes are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A JWK lacks this member, or it is no string.
    #[error("the JWK has no usable member \"{0}\"")]
    Member(&'static str),
    /// The key type or curve is none of ours; the text is what it said.
    #[error("unsupported key type or curve \"{0}\"")]
    Unsupported(String),
    /// base64url, base58 or multicodec framing is broken.
    #[error("the key's text encoding is damaged")]
    Encoding,
    /// The number of bytes does not fit the curve.
    #[error("wrong key length for {0}")]
    Length(Curve),
    /// The bytes are no point on the curve, or no scalar of its group.
    #[error("not a valid {0} key")]
    Invalid(Curve),
    /// Secret and public half do not belong together.
    #[error("the public half of this {0} key is not that of its secret half")]
    Mismatch(Curve),
    /// A list of secrets holds something that is no JWK with a key id.
    #[error("secrets must be an array or a map of private JWKs with a kid")]
    Secrets,
    /// The operating system gave no randomness, or the library failed inside.
    #[error("key generation failed")]
    Generation,
}
