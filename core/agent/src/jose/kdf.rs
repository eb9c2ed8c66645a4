//! The key-encryption key: Concat KDF (NIST SP 800-56A §5.8.1) as RFC 7518 §4.6.2 and
//! draft-madden-jose-ecdh-1pu-04 §2.3 fill it in. 256 bits are one round of SHA-256.

use zeroize::Zeroizing;

use super::KeyAlgorithm;
use crate::crypto::sha256;

/// Derives the key that wraps the content key.
///
/// `z` is Ze for ECDH-ES and Ze ‖ Zs for ECDH-1PU; `apu` and `apv` are decoded; `tag` is the
/// content's authentication tag, for ECDH-1PU only (in the draft's version 4 it follows
/// SuppPubInfo with its own length: version 3, without, is another key).
pub(crate) fn key_encryption_key(
    alg: KeyAlgorithm,
    z: &[&[u8]],
    apu: &[u8],
    apv: &[u8],
    tag: Option<&[u8]>,
) -> Zeroizing<[u8; 32]> {
    let name = alg.name().as_bytes();
    let lengths = [name, apu, apv, tag.unwrap_or_default()].map(length);
    let [name_len, apu_len, apv_len, tag_len] = &lengths;
    let mut parts: Vec<&[u8]> = Vec::with_capacity(12);
    parts.push(&ROUND);
    parts.extend_from_slice(z);
    parts.extend_from_slice(&[name_len, name, apu_len, apu, apv_len, apv, &KEY_BITS]);
    if let Some(tag) = tag {
        parts.extend_from_slice(&[tag_len, tag]);
    }
    Zeroizing::new(sha256(&parts))
}

const ROUND: [u8; 4] = 1_u32.to_be_bytes();
const KEY_BITS: [u8; 4] = 256_u32.to_be_bytes();

/// Headers are bounded far below 4 GiB, so nothing is cut off here.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}
