//! did:key (W3C CCG did:key v0.9): the DID is the key.

use serde_json::Value;

use super::{DidDoc, DidError, VerificationMethod};
use crate::keys::{Curve, KeyError, PublicKey};

/// The document of `did:key:<id>`. Ed25519 signs, and its derived X25519 agrees (§3.1.3);
/// X25519 only agrees; the NIST curves do what DIDComm has them do; secp256k1 signs.
pub(crate) fn resolve(did: &str, id: &str) -> Result<DidDoc, DidError> {
    if !id.starts_with('z') {
        return Err(DidError::Method {
            method: "did:key",
            why: "no base58btc multibase (z…)",
        });
    }
    document(did, &PublicKey::from_multikey(id)?)
}

/// The document of a did:key made of this key.
pub(super) fn document(did: &str, key: &PublicKey) -> Result<DidDoc, DidError> {
    let mut doc = DidDoc {
        id: did.to_owned(),
        also_known_as: Vec::new(),
        verification: Vec::new(),
        key_agreement: Vec::new(),
        authentication: Vec::new(),
        services: Vec::new(),
        raw: Value::Null,
    };
    let own = kid(did, key);
    doc.verification.push(VerificationMethod {
        id: own.clone(),
        key: key.clone(),
    });
    if key.curve().can_sign() {
        doc.authentication.push(own.clone());
    }
    if key.curve() == Curve::Ed25519 {
        let agree = key.to_x25519()?;
        let id = kid(did, &agree);
        doc.verification.push(VerificationMethod {
            id: id.clone(),
            key: agree,
        });
        doc.key_agreement.push(id);
    } else if key.curve().can_agree() {
        doc.key_agreement.push(own);
    }
    doc.raw = doc.to_json();
    super::add_signing_relations(&mut doc.raw);
    Ok(doc)
}

/// In did:key the fragment repeats the key: `did:key:z6Mk…#z6LS…`.
pub(super) fn kid(did: &str, key: &PublicKey) -> String {
    format!("{did}#{}", key.to_multikey())
}

/// Reads base58 digits whose curve only the method's `type` tells (the suites of 2018 to
/// 2020, before Multikey).
pub(super) fn from_bare(kind: &str, digits: &str) -> Result<PublicKey, KeyError> {
    let curve = match kind {
        "Ed25519VerificationKey2018" | "Ed25519VerificationKey2020" => Curve::Ed25519,
        "X25519KeyAgreementKey2019" | "X25519KeyAgreementKey2020" => Curve::X25519,
        "EcdsaSecp256k1VerificationKey2019" => Curve::Secp256k1,
        "EcdsaSecp256r1VerificationKey2019" | "P256Key2021" => Curve::P256,
        _ => return Err(KeyError::Unsupported(super::syntax::clip(kind))),
    };
    if digits.len() > 64 {
        return Err(KeyError::Length(curve));
    }
    let raw = bs58::decode(digits)
        .into_vec()
        .map_err(|_| KeyError::Encoding)?;
    PublicKey::from_raw(curve, &raw)
}
