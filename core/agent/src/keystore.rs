//! Secret keys at rest: a [`Keyring`] sealed under a passphrase.
//!
//! What is it: one file: a line of JSON header, the sealed keys, a checksum. The passphrase
//! goes through Argon2id (RFC 9106), the keys through XChaCha20-Poly1305 with the header as
//! associated data. Who calls it: the node's home. What can go wrong: [`KeystoreError`]; the
//! checksum tells a damaged file from a wrong passphrase, and the header's costs are bounded
//! before any memory is taken, since the file may come from a stranger's backup.
//!
//! Layout of version 1: `header JSON` `\n` `ciphertext and tag` `SHA-256 of all before`.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::keys::{KeyError, Keyring};

#[cfg(test)]
mod tests;

const FORMAT: &str = "packmule-keys";
const MAX_HEADER: usize = 1024;
/// A ring of a thousand keys is about 300 kB.
const MAX_FILE: usize = 16 << 20;
const CHECKSUM: usize = 32;
const SALT: usize = 16;
const NONCE: usize = 24;

/// What guessing one passphrase costs (RFC 9106 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory in KiB, 8 × lanes at least.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB, 3 passes, 1 lane.
    pub const STANDARD: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 1,
    };
    /// For tests alone: no protection against guessing.
    pub const TEST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// Bounds on what a file may ask of us: 1 GiB of memory, 64 passes, 16 lanes, and memory
    /// times passes, which is the work, at most 4 GiB.
    const fn sane(self) -> bool {
        self.memory_kib <= 1 << 20
            && self.passes >= 1
            && self.passes <= 64
            && self.lanes >= 1
            && self.lanes <= 16
            && self.memory_kib >= 8 * self.lanes
            && self.memory_kib as u64 * self.passes as u64 <= 4 << 20
    }
}

/// Why a key file was not written or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The file is whole, but this passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The file is cut short or changed.
    #[error("the key file is damaged: {0}")]
    Damaged(&'static str),
    /// A newer version, or an algorithm or cost that we do not take.
    #[error("the key file is of a kind this version cannot open: {0}")]
    Unsupported(&'static str),
    /// The system gave no randomness or memory.
    #[error("could not seal the keys: {0}")]
    System(&'static str),
    /// A key inside is broken.
    #[error("a key in the key file is not usable")]
    Key(#[from] KeyError),
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    kdf: String,
    cost: Cost,
    salt: String,
    cipher: String,
    nonce: String,
}

/// Seals keys under a passphrase, at [`Cost::STANDARD`].
///
/// # Errors
/// [`KeystoreError::System`].
pub fn seal(keys: &Keyring, passphrase: &[u8]) -> Result<Vec<u8>, KeystoreError> {
    seal_with(keys, passphrase, Cost::STANDARD)
}

/// Seals keys at a cost of the caller's choice.
///
/// # Errors
/// [`KeystoreError::System`]; [`KeystoreError::Unsupported`] for a cost out of bounds.
pub fn seal_with(keys: &Keyring, passphrase: &[u8], cost: Cost) -> Result<Vec<u8>, KeystoreError> {
    let mut random = [0; SALT + NONCE];
    crate::crypto::random(&mut random).map_err(|_| KeystoreError::System("no randomness"))?;
    let (salt, nonce) = random.split_at(SALT);
    let header = Header {
        format: FORMAT.to_owned(),
        version: 1,
        kdf: "argon2id".to_owned(),
        cost,
        salt: BASE64URL_NOPAD.encode(salt),
        cipher: "xchacha20-poly1305".to_owned(),
        nonce: BASE64URL_NOPAD.encode(nonce),
    };
    let mut out = serde_json::to_vec(&header).map_err(|_| KeystoreError::System("header"))?;
    out.push(b'\n');
    let plain = plaintext(keys);
    let sealed = cipher(passphrase, salt, cost)?
        .encrypt(
            &nonce_of(nonce)?,
            Payload {
                msg: &plain,
                aad: &out,
            },
        )
        .map_err(|_| KeystoreError::System("encryption"))?;
    out.extend_from_slice(&sealed);
    let checksum = Sha256::digest(&out);
    out.extend_from_slice(&checksum);
    Ok(out)
}

/// Opens a sealed key file.
///
/// # Errors
/// [`KeystoreError::Damaged`] when the checksum or layout is broken,
/// [`KeystoreError::Unsupported`] for another version or excessive cost,
/// [`KeystoreError::WrongPassphrase`].
pub fn open(file: &[u8], passphrase: &[u8]) -> Result<Keyring, KeystoreError> {
    use KeystoreError::{Damaged, Unsupported};
    if file.len() > MAX_FILE {
        return Err(Unsupported("too large"));
    }
    let body_len = file
        .len()
        .checked_sub(CHECKSUM)
        .ok_or(Damaged("too short"))?;
    let (body, checksum) = file
        .split_at_checked(body_len)
        .ok_or(Damaged("too short"))?;
    if Sha256::digest(body).as_slice() != checksum {
        return Err(Damaged("its checksum does not match"));
    }
    let end = body
        .iter()
        .take(MAX_HEADER)
        .position(|byte| *byte == b'\n')
        .ok_or(Damaged("it has no header"))?;
    let (aad, sealed) = body.split_at_checked(end + 1).ok_or(Damaged("too short"))?;
    let raw: Value = serde_json::from_slice(aad).map_err(|_| Damaged("its header is broken"))?;
    if raw.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(Unsupported("not a packmule key file"));
    }
    if raw.get("version").and_then(Value::as_u64) != Some(1) {
        return Err(Unsupported("its version is newer"));
    }
    let header: Header =
        serde_json::from_value(raw).map_err(|_| Damaged("its header is broken"))?;
    if header.kdf != "argon2id" || header.cipher != "xchacha20-poly1305" {
        return Err(Unsupported("unknown algorithms"));
    }
    let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes());
    let salt = bytes(&header.salt).map_err(|_| Damaged("its salt is broken"))?;
    let nonce = bytes(&header.nonce).map_err(|_| Damaged("its nonce is broken"))?;
    if salt.len() != SALT {
        return Err(Damaged("its salt is broken"));
    }
    let plain = cipher(passphrase, &salt, header.cost)?
        .decrypt(&nonce_of(&nonce)?, Payload { msg: sealed, aad })
        .map(Zeroizing::new)
        .map_err(|_| KeystoreError::WrongPassphrase)?;
    let mut secrets: Value =
        serde_json::from_slice(&plain).map_err(|_| Damaged("its content is no key list"))?;
    let ring = Keyring::from_secrets_json(&secrets);
    wipe(&mut secrets);
    Ok(ring?)
}

/// Keys as a map from kid to private JWK, in one allocation that is wiped: growing would
/// leave copies behind.
fn plaintext(keys: &Keyring) -> Zeroizing<Vec<u8>> {
    let parts: Vec<(String, Zeroizing<String>)> = keys
        .iter()
        .map(|(kid, key)| (Value::from(kid).to_string(), key.to_jwk()))
        .collect();
    let size: usize = parts
        .iter()
        .map(|(kid, jwk)| kid.len() + jwk.len() + 2)
        .sum();
    let mut out = Zeroizing::new(Vec::with_capacity(size + 2));
    out.push(b'{');
    for (index, (kid, jwk)) in parts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(kid.as_bytes());
        out.push(b':');
        out.extend_from_slice(jwk.as_bytes());
    }
    out.push(b'}');
    out
}

fn cipher(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<XChaCha20Poly1305, KeystoreError> {
    if !cost.sane() {
        return Err(KeystoreError::Unsupported(
            "its key derivation costs too much or too little",
        ));
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| KeystoreError::Unsupported("its key derivation parameters"))?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| KeystoreError::System("key derivation"))?;
    XChaCha20Poly1305::new_from_slice(key.as_slice())
        .map_err(|_| KeystoreError::System("key derivation"))
}

fn nonce_of(bytes: &[u8]) -> Result<XNonce, KeystoreError> {
    XNonce::try_from(bytes).map_err(|_| KeystoreError::Damaged("its nonce is broken"))
}

/// `serde_json` does not wipe its strings; the secrets among them are wiped here.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}
