//! did:jwk: the DID is a JWK in base64url.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{DidDoc, DidError, VerificationMethod};
use crate::keys::PublicKey;

/// The document of `did:jwk:<id>`: one method `#0`. A `use` of `sig` keeps it out of
/// `keyAgreement`, `enc` out of all else (did:jwk, "Read"); a curve that cannot do a thing is
/// never listed for it.
pub(crate) fn resolve(did: &str, id: &str) -> Result<DidDoc, DidError> {
    let wrong = |why| DidError::Method {
        method: "did:jwk",
        why,
    };
    let bytes = URL_SAFE_NO_PAD
        .decode_to_vec(id.trim_end_matches('='))
        .map_err(|_| wrong("not base64url"))?;
    let jwk: Value = serde_json::from_slice(&bytes).map_err(|_| wrong("not JSON inside"))?;
    if jwk.get("d").is_some() {
        return Err(DidError::PrivateKey);
    }
    let key = PublicKey::from_jwk(&jwk)?;
    let usage = jwk.get("use").and_then(Value::as_str);
    let kid = format!("{did}#0");
    let listed = |yes: bool| if yes { vec![kid.clone()] } else { Vec::new() };
    let authentication = listed(key.curve().can_sign() && usage != Some("enc"));
    let key_agreement = listed(key.curve().can_agree() && usage != Some("sig"));
    let mut raw = json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
        "id": did,
        "verificationMethod": [{
            "id": kid, "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk,
        }],
    });
    for (name, ids) in [
        ("authentication", &authentication),
        ("keyAgreement", &key_agreement),
    ] {
        if !ids.is_empty() {
            raw[name] = json!(ids);
        }
    }
    super::add_signing_relations(&mut raw);
    Ok(DidDoc {
        id: did.to_owned(),
        also_known_as: Vec::new(),
        verification: vec![VerificationMethod { id: kid, key }],
        key_agreement,
        authentication,
        services: Vec::new(),
        raw,
    })
}

/// The DID of a key. The members stand in the order of [`PublicKey::to_jwk`], always the
/// same, so that one key has one DID here.
pub(super) fn did(key: &PublicKey) -> String {
    format!(
        "did:jwk:{}",
        URL_SAFE_NO_PAD.encode_to_string(key.to_jwk().to_string())
    )
}
