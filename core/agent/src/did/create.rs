//! New identities.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::{DidDoc, DidError, Service, jwk, key, peer2, peer4};
use crate::keys::{Curve, SecretKey};

/// Methods we make DIDs of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// did:key of one Ed25519 key, which also gives the X25519 key. Short; no services.
    Key,
    /// did:peer:2 with X25519, Ed25519 and services.
    Peer2,
    /// did:peer:4 likewise; short after its first use.
    Peer4,
    /// did:jwk of one P-256 key that signs and agrees. No services.
    Jwk,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Key, Self::Peer2, Self::Peer4, Self::Jwk];

    /// The name on the command line: `key`, `peer2`, `peer4`, `jwk`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Peer2 => "peer2",
            Self::Peer4 => "peer4",
            Self::Jwk => "jwk",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = DidError;

    fn from_str(name: &str) -> Result<Self, DidError> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| DidError::Syntax(super::syntax::clip(name)))
    }
}

/// A fresh identity.
#[derive(Debug, Clone)]
pub struct NewDid {
    /// The DID; of a did:peer:4 the long form, to be told once (see [`super::short_form`]).
    pub did: String,
    /// Its document.
    pub doc: DidDoc,
    /// Key id and secret. A did:peer:4's keys are listed under both its long and short form.
    pub secrets: Vec<(String, SecretKey)>,
}

/// Makes keys and the DID that carries them.
///
/// # Errors
/// [`DidError::NoServices`] when services are given to did:key or did:jwk,
/// [`DidError::TooLong`] when they do not fit, [`DidError::Key`] without randomness.
pub fn create(method: Method, services: &[Service]) -> Result<NewDid, DidError> {
    match method {
        Method::Key if !services.is_empty() => Err(DidError::NoServices("did:key")),
        Method::Jwk if !services.is_empty() => Err(DidError::NoServices("did:jwk")),
        Method::Key => create_key(),
        Method::Jwk => create_jwk(),
        Method::Peer2 => create_peer2(services),
        Method::Peer4 => create_peer4(services),
    }
}

fn create_key() -> Result<NewDid, DidError> {
    let secret = SecretKey::generate(Curve::Ed25519)?;
    let agree = secret.to_x25519()?;
    let did = format!("did:key:{}", secret.public().to_multikey());
    let doc = key::document(&did, secret.public())?;
    let secrets = vec![
        (key::kid(&did, secret.public()), secret),
        (key::kid(&did, agree.public()), agree),
    ];
    Ok(NewDid { did, doc, secrets })
}

fn create_jwk() -> Result<NewDid, DidError> {
    let secret = SecretKey::generate(Curve::P256)?;
    let did = jwk::did(secret.public());
    let doc = resolve(&did)?;
    Ok(NewDid {
        secrets: vec![(format!("{did}#0"), secret)],
        did,
        doc,
    })
}

fn create_peer2(services: &[Service]) -> Result<NewDid, DidError> {
    let (agree, sign) = (
        SecretKey::generate(Curve::X25519)?,
        SecretKey::generate(Curve::Ed25519)?,
    );
    let did = peer2::did(&[('E', agree.public()), ('V', sign.public())], services);
    let doc = resolve(&did)?;
    let secrets = vec![
        (format!("{did}#key-1"), agree),
        (format!("{did}#key-2"), sign),
    ];
    Ok(NewDid { did, doc, secrets })
}

fn create_peer4(services: &[Service]) -> Result<NewDid, DidError> {
    let (agree, sign) = (
        SecretKey::generate(Curve::X25519)?,
        SecretKey::generate(Curve::Ed25519)?,
    );
    let did = peer4::long_form(&input_document(&agree, &sign, services));
    let doc = resolve(&did)?;
    let short = peer4::short_form(&did).unwrap_or(&did).to_owned();
    let mut secrets = Vec::new();
    for form in [&did, &short] {
        secrets.push((format!("{form}#key-1"), agree.clone()));
        secrets.push((format!("{form}#key-2"), sign.clone()));
    }
    Ok(NewDid { did, doc, secrets })
}

fn input_document(agree: &SecretKey, sign: &SecretKey, services: &[Service]) -> Value {
    let method = |id: &str, secret: &SecretKey| json!({ "id": id, "type": "Multikey", "publicKeyMultibase": secret.public().to_multikey() });
    let mut input = Map::new();
    input.insert(
        "@context".to_owned(),
        json!([
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/multikey/v1"
        ]),
    );
    input.insert(
        "verificationMethod".to_owned(),
        json!([method("#key-1", agree), method("#key-2", sign)]),
    );
    input.insert("keyAgreement".to_owned(), json!(["#key-1"]));
    input.insert("authentication".to_owned(), json!(["#key-2"]));
    let (mut entries, mut unnamed) = (Vec::new(), 0);
    for service in services {
        if service.id.is_empty() {
            // Named as in did:peer:2, so that one set of services has one set of names.
            entries.push(service.to_json(&peer2::unnamed_id(unnamed)));
            unnamed += 1;
        } else {
            entries.push(service.to_json(&service.id));
        }
    }
    if !entries.is_empty() {
        input.insert("service".to_owned(), Value::Array(entries));
    }
    Value::Object(input)
}

/// What we emit must be what we read: the document comes from the DID, never beside it.
fn resolve(did: &str) -> Result<DidDoc, DidError> {
    let parsed = super::Did::parse(did)?;
    match parsed.method() {
        "jwk" => jwk::resolve(did, parsed.specific_id()),
        _ if did.starts_with("did:peer:4") => peer4::resolve(did, did),
        _ => peer2::resolve(did),
    }
}
