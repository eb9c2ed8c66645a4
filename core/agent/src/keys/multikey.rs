//! Multikey text: multibase `z` (base58btc) over a multicodec prefix and the key, as in
//! did:key and did:peer.

use super::{Curve, KeyError, PublicKey};

/// No multikey of ours is longer than 67 + 2 bytes, which is under 100 characters; anything
/// longer would only burn time, since base58 is quadratic.
const MAX_TEXT: usize = 128;

impl PublicKey {
    /// Reads multibase base58btc text such as `z6Mk…` (Ed25519) or `z6LS…` (X25519).
    ///
    /// # Errors
    /// [`KeyError::Encoding`] for broken text, [`KeyError::Unsupported`] for another kind of
    /// key, and those of [`PublicKey::from_raw`].
    pub fn from_multikey(text: &str) -> Result<Self, KeyError> {
        let digits = text.strip_prefix('z').ok_or(KeyError::Encoding)?;
        if digits.len() > MAX_TEXT {
            return Err(KeyError::Encoding);
        }
        let bytes = bs58::decode(digits)
            .into_vec()
            .map_err(|_| KeyError::Encoding)?;
        let (prefix, key) = bytes.split_at_checked(2).ok_or(KeyError::Encoding)?;
        let curve = Curve::ALL
            .into_iter()
            .find(|curve| multicodec(*curve) == prefix)
            .ok_or_else(|| KeyError::Unsupported(format!("multicodec {prefix:02x?}")))?;
        // did:key and Multikey carry points compressed only (W3C Controlled Identifiers).
        if key.len() != curve.size() + usize::from(!curve.is_okp()) {
            return Err(KeyError::Length(curve));
        }
        Self::from_raw(curve, key)
    }

    /// The multibase text, points compressed.
    #[must_use]
    pub fn to_multikey(&self) -> String {
        let mut bytes = multicodec(self.curve()).to_vec();
        bytes.extend_from_slice(&self.compressed());
        format!("z{}", bs58::encode(bytes).into_string())
    }
}

/// The multicodec code as an unsigned varint; all of ours take two bytes.
const fn multicodec(curve: Curve) -> [u8; 2] {
    match curve {
        Curve::Secp256k1 => [0xe7, 0x01],
        Curve::X25519 => [0xec, 0x01],
        Curve::Ed25519 => [0xed, 0x01],
        Curve::P256 => [0x80, 0x24],
        Curve::P384 => [0x81, 0x24],
        Curve::P521 => [0x82, 0x24],
    }
}
