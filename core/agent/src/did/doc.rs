//! DID documents (W3C DID Core §5), read generously, written plainly.

use serde_json::{Map, Value, json};

use super::{Did, DidError, Service, did_of, same_did};
use crate::keys::{KeyError, PublicKey};

/// Bounds against hostile documents: no honest one comes near.
const MAX_METHODS: usize = 64;
const MAX_SERVICES: usize = 32;
const MAX_DEPTH: usize = 24;
/// How much of a key peerdid (to 0.5.2) puts into its id.
const OLD_NAME: usize = 8;

/// A key of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationMethod {
    /// Absolute DID URL.
    pub id: String,
    /// The key itself.
    pub key: PublicKey,
}

/// What a DID leads to: keys and ways to reach its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DidDoc {
    /// The DID this document is about.
    pub id: String,
    /// Other names, as claimed by the document.
    pub also_known_as: Vec<String>,
    /// Every key on a curve we know, listed or embedded; others are left out.
    pub verification: Vec<VerificationMethod>,
    /// Ids of keys that agree (for encryption), in order of preference.
    pub key_agreement: Vec<String>,
    /// Ids of keys that sign for the owner.
    pub authentication: Vec<String>,
    /// Ways to reach the owner, in order of preference.
    pub services: Vec<Service>,
    /// The document as it came; `Null` in one made by hand.
    pub raw: Value,
}

impl DidDoc {
    /// Reads a document. Keys may be `publicKeyJwk`, `publicKeyMultibase` (multicodec or, for
    /// the types of 2018 to 2020, bare) or `publicKeyBase58`; methods may be embedded in a
    /// relationship; ids may be relative. Keys of unknown kinds are left out.
    ///
    /// # Errors
    /// [`DidError::Document`] when there is no `id`, a list is no list, or a bound is passed;
    /// [`DidError::Syntax`] when the id is no DID.
    pub fn from_json(raw: &Value) -> Result<Self, DidError> {
        if !shallow(raw, MAX_DEPTH) {
            return Err(DidError::Document("nested too deep"));
        }
        let id = raw
            .get("id")
            .and_then(Value::as_str)
            .ok_or(DidError::Document("no id"))?;
        Did::parse(id)?;
        let mut doc = Self {
            id: id.to_owned(),
            also_known_as: Vec::new(),
            verification: Vec::new(),
            key_agreement: Vec::new(),
            authentication: Vec::new(),
            services: Vec::new(),
            raw: Value::Null,
        };
        for name in list(raw, "alsoKnownAs", MAX_SERVICES)? {
            doc.also_known_as.extend(name.as_str().map(str::to_owned));
        }
        for method in list(raw, "verificationMethod", MAX_METHODS)? {
            doc.read_method(method);
        }
        doc.key_agreement = doc.read_relation(raw, "keyAgreement")?;
        doc.authentication = doc.read_relation(raw, "authentication")?;
        for entry in list(raw, "service", MAX_SERVICES)? {
            doc.services.extend(Service::read(id, entry));
        }
        doc.raw = raw.clone();
        Ok(doc)
    }

    /// The document as JSON: as it came, or built from the fields.
    #[must_use]
    pub fn to_json(&self) -> Value {
        if !self.raw.is_null() {
            return self.raw.clone();
        }
        let mut out = Map::new();
        out.insert(
            "@context".to_owned(),
            json!([
                "https://www.w3.org/ns/did/v1",
                "https://w3id.org/security/multikey/v1"
            ]),
        );
        out.insert("id".to_owned(), json!(self.id));
        if !self.also_known_as.is_empty() {
            out.insert("alsoKnownAs".to_owned(), json!(self.also_known_as));
        }
        let methods: Vec<Value> = self
            .verification
            .iter()
            .map(|method| {
                json!({
                    "id": method.id, "type": "Multikey", "controller": self.id,
                    "publicKeyMultibase": method.key.to_multikey(),
                })
            })
            .collect();
        for (name, values) in [
            ("verificationMethod", methods),
            (
                "authentication",
                self.authentication.iter().map(|id| json!(id)).collect(),
            ),
            (
                "keyAgreement",
                self.key_agreement.iter().map(|id| json!(id)).collect(),
            ),
            (
                "service",
                self.services
                    .iter()
                    .map(|service| service.to_json(&service.id))
                    .collect(),
            ),
        ] {
            if !values.is_empty() {
                out.insert(name.to_owned(), Value::Array(values));
            }
        }
        Value::Object(out)
    }

    /// The key with this id: absolute or relative; for did:peer also under the names of the
    /// older libraries (`did#6LS…`: the key's own text without `z`, whole or its first eight
    /// characters), and under the long or short form of a did:peer:4. Ids of another DID are
    /// never found.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&PublicKey> {
        self.method(id).map(|method| &method.key)
    }

    fn method(&self, id: &str) -> Option<&VerificationMethod> {
        if let Some(found) = self.verification.iter().find(|method| method.id == id) {
            return Some(found);
        }
        let (did, fragment) = id.split_once('#')?;
        if !did.is_empty() && !same_did(did, &self.id) {
            return None;
        }
        let tail = |method: &&VerificationMethod| {
            same_did(&method.id, &self.id)
                && method
                    .id
                    .split_once('#')
                    .is_some_and(|(_, own)| own == fragment)
        };
        if let Some(found) = self.verification.iter().find(tail) {
            return Some(found);
        }
        if !self.id.starts_with("did:peer:") {
            return None;
        }
        let text = fragment.strip_prefix('z').unwrap_or(fragment);
        let mut matches = self.verification.iter().filter(|method| {
            let own = method.key.to_multikey();
            let own = own.strip_prefix('z').unwrap_or(&own);
            own == text || (text.len() == OLD_NAME && own.starts_with(text))
        });
        let found = matches.next()?;
        // A cut name that fits two keys names neither.
        let unclear = matches.any(|other| other.key != found.key);
        (!unclear).then_some(found)
    }

    /// Whether this id names a key that may agree (`keyAgreement`); aliases as [`Self::key`].
    #[must_use]
    pub fn may_agree(&self, id: &str) -> bool {
        self.method(id)
            .is_some_and(|method| self.key_agreement.contains(&method.id))
    }

    /// Whether this id names a key that may sign (`authentication`); aliases as [`Self::key`].
    #[must_use]
    pub fn may_authenticate(&self, id: &str) -> bool {
        self.method(id)
            .is_some_and(|method| self.authentication.contains(&method.id))
    }

    /// Ids and keys of `keyAgreement`, on curves that can agree.
    pub fn agreement_keys(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.listed(&self.key_agreement)
            .filter(|(_, key)| key.curve().can_agree())
    }

    /// Ids and keys of `authentication`, on curves that can sign.
    pub fn authentication_keys(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.listed(&self.authentication)
            .filter(|(_, key)| key.curve().can_sign())
    }

    fn listed<'a>(&'a self, ids: &'a [String]) -> impl Iterator<Item = (&'a str, &'a PublicKey)> {
        ids.iter()
            .filter_map(|id| Some((id.as_str(), self.key(id)?)))
    }

    /// Takes one verification method in and gives its absolute id; a key that we cannot read
    /// is no reason to refuse the others. A key under another DID's name is left out: this
    /// document has no say about it, and that DID's own document is where such a kid leads.
    fn read_method(&mut self, method: &Value) -> Option<String> {
        let id = absolute(&self.id, method.get("id")?.as_str()?);
        if !same_did(&id, &self.id) {
            return None;
        }
        let key = read_key(method).ok()?;
        if self.verification.len() >= MAX_METHODS {
            return None;
        }
        if !self.verification.iter().any(|known| known.id == id) {
            self.verification.push(VerificationMethod {
                id: id.clone(),
                key,
            });
        }
        Some(id)
    }

    fn read_relation(&mut self, raw: &Value, name: &'static str) -> Result<Vec<String>, DidError> {
        let mut ids = Vec::new();
        for entry in list(raw, name, MAX_METHODS)? {
            let id = match entry {
                Value::String(id) => Some(absolute(&self.id, id)),
                Value::Object(_) => self.read_method(entry),
                _ => None,
            };
            ids.extend(id.filter(|id| self.verification.iter().any(|known| known.id == *id)));
        }
        Ok(ids)
    }
}

/// A relative id (`#key-1`, and of careless writers `key-1`) made absolute.
pub(super) fn absolute(did: &str, id: &str) -> String {
    if id.starts_with("did:") {
        id.to_owned()
    } else {
        format!("{}#{}", did_of(did), id.strip_prefix('#').unwrap_or(id))
    }
}

/// The key of a verification method, whatever form it is in.
fn read_key(method: &Value) -> Result<PublicKey, KeyError> {
    if let Some(jwk) = method.get("publicKeyJwk") {
        return PublicKey::from_jwk(jwk);
    }
    let bare = |digits: &str| {
        let kind = method
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        super::key::from_bare(kind, digits)
    };
    if let Some(text) = method.get("publicKeyMultibase").and_then(Value::as_str) {
        return PublicKey::from_multikey(text)
            .or_else(|error| text.strip_prefix('z').map_or(Err(error), bare));
    }
    let digits = method.get("publicKeyBase58").and_then(Value::as_str);
    bare(digits.ok_or(KeyError::Member("publicKeyJwk"))?)
}

/// The entries of a list that may be absent; one entry without its list is taken too.
fn list<'a>(raw: &'a Value, name: &'static str, most: usize) -> Result<&'a [Value], DidError> {
    let entries = match raw.get(name) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    if entries.len() > most {
        return Err(DidError::Document("too many entries in a list"));
    }
    Ok(entries)
}

/// Whether nesting stays within `depth`; itself bounded by it.
fn shallow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| shallow(item, depth - 1)),
        Value::Object(map) => depth > 0 && map.values().all(|item| shallow(item, depth - 1)),
        _ => true,
    }
}
