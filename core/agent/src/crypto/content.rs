//! Content encryption (A256CBC-HS512, A256GCM, XC20P) and AES-256 key wrapping (RFC 3394).
//! Called by `jose` alone. Opening yields [`Refused`] for every kind of damage alike.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_256 as AES_256_WRAP, AesKek, KeyWrap};
use aws_lc_rs::{constant_time, hmac};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

use super::Refused;
use crate::jose::ContentEncryption;

/// A content encryption key: 64 bytes for A256CBC-HS512, 32 for the others.
pub(crate) type Cek = Zeroizing<Vec<u8>>;

/// Longest initialisation vector (XC20P) and tag (A256CBC-HS512), in bytes.
const MAX_IV: usize = 24;
const MAX_TAG: usize = 32;

/// What sealing yields beside the ciphertext.
pub(crate) struct Sealed {
    iv: [u8; MAX_IV],
    iv_len: usize,
    tag: [u8; MAX_TAG],
    tag_len: usize,
}

impl Sealed {
    pub(crate) fn iv(&self) -> &[u8] {
        self.iv.get(..self.iv_len).unwrap_or_default()
    }

    pub(crate) fn tag(&self) -> &[u8] {
        self.tag.get(..self.tag_len).unwrap_or_default()
    }
}

/// A fresh key of the right length.
pub(crate) fn generate(enc: ContentEncryption) -> Result<Cek, Refused> {
    let mut key = Zeroizing::new(vec![0; enc.key_len()]);
    super::random(&mut key)?;
    Ok(key)
}

/// Encrypts `text` in place under a fresh IV.
pub(crate) fn seal(
    enc: ContentEncryption,
    cek: &[u8],
    aad: &[&[u8]],
    text: &mut Vec<u8>,
) -> Result<Sealed, Refused> {
    let mut sealed = Sealed {
        iv: [0; MAX_IV],
        iv_len: enc.iv_len(),
        tag: [0; MAX_TAG],
        tag_len: enc.tag_len(),
    };
    let iv = sealed.iv.get_mut(..sealed.iv_len).ok_or(Refused)?;
    super::random(iv)?;
    match enc {
        ContentEncryption::A256CbcHs512 => {
            let (mac, key) = cek.split_at_checked(32).ok_or(Refused)?;
            let block: [u8; 16] = (&*iv).try_into().map_err(|_| Refused)?;
            let key = UnboundCipherKey::new(&AES_256, key)?;
            let context = EncryptionContext::Iv128(FixedLength::from(block));
            PaddedBlockEncryptingKey::cbc_pkcs7(key)?.less_safe_encrypt(text, context)?;
            sealed.tag = cbc_tag(mac, aad, &block, text);
        }
        ContentEncryption::A256Gcm => {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cek)?);
            let nonce = Nonce::try_assume_unique_for_key(iv)?;
            let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad.concat()), text)?;
            copy(&mut sealed.tag, tag.as_ref());
        }
        ContentEncryption::Xc20p => {
            let cipher = XChaCha20Poly1305::new_from_slice(cek).map_err(|_| Refused)?;
            let nonce = (&*iv).try_into().map_err(|_| Refused)?;
            let tag = cipher
                .encrypt_inout_detached(nonce, &aad.concat(), text.as_mut_slice().into())
                .map_err(|_| Refused)?;
            copy(&mut sealed.tag, &tag);
        }
    }
    Ok(sealed)
}

/// Checks the tag, then decrypts `text` in place.
pub(crate) fn open(
    enc: ContentEncryption,
    cek: &[u8],
    aad: &[&[u8]],
    iv: &[u8],
    text: &mut Vec<u8>,
    tag: &[u8],
) -> Result<(), Refused> {
    if cek.len() != enc.key_len() || iv.len() != enc.iv_len() || tag.len() != enc.tag_len() {
        return Err(Refused);
    }
    match enc {
        ContentEncryption::A256CbcHs512 => {
            let (mac, key) = cek.split_at_checked(32).ok_or(Refused)?;
            let block: [u8; 16] = iv.try_into().map_err(|_| Refused)?;
            let expected = cbc_tag(mac, aad, &block, text);
            constant_time::verify_slices_are_equal(&expected, tag)?;
            let key = UnboundCipherKey::new(&AES_256, key)?;
            let context = DecryptionContext::Iv128(FixedLength::from(block));
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(key)?;
            let length = key.decrypt(text, context)?.len();
            text.truncate(length);
        }
        ContentEncryption::A256Gcm => {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cek)?);
            let nonce = Nonce::try_assume_unique_for_key(iv)?;
            text.extend_from_slice(tag);
            let length = key
                .open_in_place(nonce, Aad::from(aad.concat()), text)?
                .len();
            text.truncate(length);
        }
        ContentEncryption::Xc20p => {
            let cipher = XChaCha20Poly1305::new_from_slice(cek).map_err(|_| Refused)?;
            let nonce = iv.try_into().map_err(|_| Refused)?;
            let tag = tag.try_into().map_err(|_| Refused)?;
            cipher
                .decrypt_inout_detached(nonce, &aad.concat(), text.as_mut_slice().into(), tag)
                .map_err(|_| Refused)?;
        }
    }
    Ok(())
}

/// Wraps a content key: the key's length and eight bytes more.
pub(crate) fn wrap(kek: &[u8; 32], cek: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut out = vec![0; cek.len() + 8];
    let length = AesKek::new(&AES_256_WRAP, kek)?.wrap(cek, &mut out)?.len();
    out.truncate(length);
    Ok(out)
}

/// Unwraps a content key, or refuses it (RFC 3394 has its own integrity check).
pub(crate) fn unwrap(kek: &[u8; 32], wrapped: &[u8]) -> Result<Cek, Refused> {
    // 64 + 8 is the longest that any of our algorithms has.
    if wrapped.len() > 72 {
        return Err(Refused);
    }
    let mut out = Zeroizing::new(vec![0; wrapped.len().saturating_sub(8)]);
    let length = AesKek::new(&AES_256_WRAP, kek)?
        .unwrap(wrapped, &mut out)?
        .len();
    out.truncate(length);
    Ok(out)
}

/// The tag of AES_256_CBC_HMAC_SHA_512 (RFC 7518 §5.2.2.1): the first half of HMAC-SHA-512
/// over AAD, IV, ciphertext, and the AAD's length in bits.
fn cbc_tag(mac: &[u8], aad: &[&[u8]], iv: &[u8], ciphertext: &[u8]) -> [u8; MAX_TAG] {
    let key = hmac::Key::new(hmac::HMAC_SHA512, mac);
    let mut context = hmac::Context::with_key(&key);
    let mut bytes = 0_u64;
    for part in aad {
        bytes += part.len() as u64;
        context.update(part);
    }
    context.update(iv);
    context.update(ciphertext);
    context.update(&(bytes * 8).to_be_bytes());
    let mut tag = [0; MAX_TAG];
    copy(&mut tag, context.sign().as_ref());
    tag
}

/// Copies as many bytes as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
