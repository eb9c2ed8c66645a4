//! did:peer:4 (did:peer:4 specification): `did:peer:4<hash>:<document>` once, then the short
//! `did:peer:4<hash>`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{DidDoc, DidError};

/// Multicodec `json` as varint.
const JSON: [u8; 2] = [0x80, 0x04];
/// Multihash header of SHA-256.
const SHA256: [u8; 2] = [0x12, 0x20];
const PREFIX: &str = "did:peer:4";

/// The short form of a long or short did:peer:4; `None` for any other DID. Cuts only: whether
/// the hash is right is checked when the long form is resolved.
#[must_use]
pub fn short_form(did: &str) -> Option<&str> {
    let rest = did.strip_prefix(PREFIX)?;
    let hash = rest.split(':').next()?;
    (!hash.is_empty()).then(|| did.get(..PREFIX.len() + hash.len()))?
}

/// Whether two DIDs are forms of one did:peer:4.
pub(super) fn same(a: &str, b: &str) -> bool {
    short_form(a).is_some_and(|short| Some(short) == short_form(b))
}

/// The document of a long form, under the name `did` (long or short form of the same).
pub(crate) fn resolve(long: &str, did: &str) -> Result<DidDoc, DidError> {
    let (hash, encoded) = long
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'))
        .ok_or_else(|| wrong("not the long form"))?;
    if hash_of(encoded) != hash {
        return Err(DidError::Hash);
    }
    let bytes = encoded
        .strip_prefix('z')
        .and_then(|digits| bs58::decode(digits).into_vec().ok())
        .ok_or_else(|| wrong("the document is not base58btc"))?;
    let json = bytes
        .strip_prefix(&JSON)
        .ok_or_else(|| wrong("the document is not JSON"))?;
    let mut doc: Value =
        serde_json::from_slice(json).map_err(|_| wrong("the document is not JSON"))?;
    let map = doc
        .as_object_mut()
        .ok_or_else(|| wrong("the document is no object"))?;
    if map.contains_key("id") {
        return Err(wrong("the input document must not have an id"));
    }
    map.insert("id".to_owned(), json!(did));
    for name in [
        "verificationMethod",
        "authentication",
        "keyAgreement",
        "assertionMethod",
        "capabilityInvocation",
        "capabilityDelegation",
    ] {
        for method in map
            .get_mut(name)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(method) = method.as_object_mut() {
                method.entry("controller").or_insert_with(|| json!(did));
            }
        }
    }
    let other = if did == long {
        short_form(long).unwrap_or(long)
    } else {
        long
    };
    match map.get_mut("alsoKnownAs") {
        Some(Value::Array(names)) => names.push(json!(other)),
        _ => {
            map.insert("alsoKnownAs".to_owned(), json!([other]));
        }
    }
    DidDoc::from_json(&doc)
}

/// The long form of an input document (relative ids, no `id`).
pub(super) fn long_form(input: &Value) -> String {
    let mut bytes = JSON.to_vec();
    bytes.extend_from_slice(input.to_string().as_bytes());
    let encoded = format!("z{}", bs58::encode(bytes).into_string());
    format!("{PREFIX}{}:{encoded}", hash_of(&encoded))
}

fn hash_of(encoded: &str) -> String {
    let mut bytes = SHA256.to_vec();
    bytes.extend_from_slice(&Sha256::digest(encoded));
    format!("z{}", bs58::encode(bytes).into_string())
}

fn wrong(why: &'static str) -> DidError {
    DidError::Method {
        method: "did:peer:4",
        why,
    }
}
