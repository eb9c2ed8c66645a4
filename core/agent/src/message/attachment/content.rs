//! What an attachment holds: decoded, and checked against its hash.

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{Attachment, AttachmentError};

impl Attachment {
    /// The content that the message itself carries, checked against `hash` if there is one;
    /// JSON as compact text. `None` when there are only links.
    ///
    /// # Errors
    /// [`AttachmentError::Base64`], [`AttachmentError::Mismatch`], [`AttachmentError::Hash`].
    pub fn bytes(&self) -> Result<Option<Vec<u8>>, AttachmentError> {
        let bytes = match (&self.data.base64, &self.data.json) {
            (Some(text), _) => unbase64(text)?,
            (None, Some(json)) => json.to_string().into_bytes(),
            (None, None) => return Ok(None),
        };
        // The hash of JSON would depend on how its writer spelled it.
        if self.data.base64.is_some() && self.data.hash.is_some() {
            self.check(&bytes)?;
        }
        Ok(Some(bytes))
    }

    /// Checks content fetched from a link against the hash in the message.
    ///
    /// # Errors
    /// [`AttachmentError::Hash`], [`AttachmentError::Mismatch`].
    pub fn check(&self, content: &[u8]) -> Result<(), AttachmentError> {
        let text = self.data.hash.as_deref().ok_or(AttachmentError::Hash)?;
        let expected = sha256_of_multihash(text).ok_or(AttachmentError::Hash)?;
        if Sha256::digest(content).as_slice() == expected {
            Ok(())
        } else {
            Err(AttachmentError::Mismatch)
        }
    }

    /// The size of the content in the message, in bytes, without decoding it. `None` when
    /// there is none, or JSON.
    pub(crate) fn size(&self) -> Option<u64> {
        let text = self.data.base64.as_deref()?.trim_end_matches('=');
        Some(text.len() as u64 / 4 * 3 + (text.len() as u64 % 4).saturating_sub(1))
    }
}

/// base64url is the rule (§3.3); padding and the standard alphabet occur, in the spec's own
/// examples too.
fn unbase64(text: &str) -> Result<Vec<u8>, AttachmentError> {
    let text = text.trim_end_matches('=');
    let standard = text.bytes().any(|b| b == b'+' || b == b'/');
    let codec = if standard {
        &STANDARD_NO_PAD
    } else {
        &URL_SAFE_NO_PAD
    };
    codec
        .decode_to_vec(text)
        .map_err(|_| AttachmentError::Base64)
}

/// The SHA-256 in a multihash: multibase base58btc, base64url or base16, or bare base58 or
/// hexadecimal as careless writers have it.
fn sha256_of_multihash(text: &str) -> Option<Vec<u8>> {
    if text.len() > 128 {
        return None;
    }
    let hex = |text: &str| {
        data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .ok()
    };
    let base58 = |text: &str| bs58::decode(text).into_vec().ok();
    let candidates = [
        text.strip_prefix('z').and_then(base58),
        text.strip_prefix('u')
            .and_then(|text| URL_SAFE_NO_PAD.decode_to_vec(text).ok()),
        text.strip_prefix('f').and_then(hex),
        base58(text),
        hex(text),
    ];
    let found = candidates
        .into_iter()
        .flatten()
        .find(|hash| hash.len() == 34 && hash.starts_with(&[0x12, 0x20]))?;
    found.get(2..).map(<[u8]>::to_vec)
}
