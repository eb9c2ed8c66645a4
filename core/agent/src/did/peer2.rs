//! did:peer:2 (peer DID method specification, "Method 2"): keys and services in the DID.
//!
//! Keys are named `#key-1`, `#key-2` … in order of appearance, as the specification has it
//! since 2023; look-up also knows the older names (see [`DidDoc::key`]).

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{DidDoc, DidError, Service};
use crate::keys::PublicKey;

const MAX_ELEMENTS: usize = 64;

/// The document of a did:peer:2.
pub(crate) fn resolve(did: &str) -> Result<DidDoc, DidError> {
    let mut doc = Map::new();
    doc.insert(
        "@context".to_owned(),
        json!([
            "https://www.w3.org/ns/did/v1",
            "https://w3id.org/security/multikey/v1"
        ]),
    );
    doc.insert("id".to_owned(), json!(did));
    let elements = did
        .strip_prefix("did:peer:2.")
        .ok_or_else(|| wrong("no elements"))?;
    let (mut keys, mut services) = (0, Services::default());
    for (count, element) in elements.split('.').enumerate() {
        if count >= MAX_ELEMENTS {
            return Err(wrong("too many elements"));
        }
        let mut chars = element.chars();
        let purpose = chars.next().ok_or_else(|| wrong("an empty element"))?;
        let value = chars.as_str();
        let relation = match purpose {
            'E' => "keyAgreement",
            'V' => "authentication",
            'A' => "assertionMethod",
            'I' => "capabilityInvocation",
            'D' => "capabilityDelegation",
            'S' => {
                services.read(value)?;
                continue;
            }
            _ => return Err(wrong("an element of unknown purpose")),
        };
        PublicKey::from_multikey(value)?;
        keys += 1;
        let id = format!("#key-{keys}");
        push(&mut doc, relation, json!(id));
        push(
            &mut doc,
            "verificationMethod",
            json!({ "id": id, "type": "Multikey", "controller": did, "publicKeyMultibase": value }),
        );
    }
    if !services.entries.is_empty() {
        doc.insert("service".to_owned(), Value::Array(services.entries));
    }
    DidDoc::from_json(&Value::Object(doc))
}

/// The DID of keys (purpose and key, in order) and services.
pub(super) fn did(keys: &[(char, &PublicKey)], services: &[Service]) -> String {
    let mut did = "did:peer:2".to_owned();
    for (purpose, key) in keys {
        did.push_str(&format!(".{purpose}{}", key.to_multikey()));
    }
    for service in services {
        let mut entry = service.to_json(&service.id);
        if let Some(entry) = entry.as_object_mut() {
            // A service without an id of its own gets `#service` from the method. The order
            // of the rest is type, endpoint; shift_remove keeps it.
            if service.id.is_empty() {
                entry.shift_remove("id");
            }
        }
        let text = abbreviate(&entry, 0).to_string();
        did.push_str(&format!(".S{}", URL_SAFE_NO_PAD.encode_to_string(text)));
    }
    did
}

/// The services read so far.
#[derive(Default)]
struct Services {
    entries: Vec<Value>,
    /// How many came without an id.
    unnamed: usize,
}

impl Services {
    /// One `.S` element: a service, or (older writers) an array of them. Those without an id
    /// become `#service`, `#service-1` … ("Resolving a did:peer:2"); named ones do not count.
    fn read(&mut self, value: &str) -> Result<(), DidError> {
        let bytes = URL_SAFE_NO_PAD
            .decode_to_vec(value.trim_end_matches('='))
            .map_err(|_| wrong("a service is not base64url"))?;
        let found: Value =
            serde_json::from_slice(&bytes).map_err(|_| wrong("a service is not JSON"))?;
        let list = match found {
            Value::Array(list) => list,
            one => vec![one],
        };
        for entry in list {
            let Value::Object(mut entry) = expand(entry, 0) else {
                return Err(wrong("a service is no object"));
            };
            if !entry.contains_key("id") {
                entry.shift_insert(0, "id".to_owned(), json!(unnamed_id(self.unnamed)));
                self.unnamed += 1;
            }
            self.entries.push(Value::Object(entry));
        }
        Ok(())
    }
}

/// The id of a service that came without one, after `before` others like it.
pub(super) fn unnamed_id(before: usize) -> String {
    match before {
        0 => "#service".to_owned(),
        _ => format!("#service-{before}"),
    }
}

/// "Common String Abbreviations" of the method.
const SHORT: [(&str, &str); 4] = [
    ("t", "type"),
    ("s", "serviceEndpoint"),
    ("r", "routingKeys"),
    ("a", "accept"),
];
const DIDCOMM: (&str, &str) = ("dm", "DIDCommMessaging");
/// serde_json nests no deeper than 128; services need three levels.
const MAX_DEPTH: usize = 16;

fn expand(value: Value, depth: usize) -> Value {
    map_names(
        value,
        depth,
        &|name| pick(name, |(short, long)| (short, long)),
        &|kind| if kind == DIDCOMM.0 { DIDCOMM.1 } else { kind }.to_owned(),
    )
}

fn abbreviate(value: &Value, depth: usize) -> Value {
    map_names(
        value.clone(),
        depth,
        &|name| pick(name, |(short, long)| (long, short)),
        &|kind| if kind == DIDCOMM.1 { DIDCOMM.0 } else { kind }.to_owned(),
    )
}

type Pair = (&'static str, &'static str);

fn pick(name: &str, order: impl Fn(Pair) -> Pair) -> String {
    let found = SHORT.into_iter().map(order).find(|(from, _)| *from == name);
    found.map_or(name, |(_, to)| to).to_owned()
}

fn map_names(
    value: Value,
    depth: usize,
    name: &dyn Fn(&str) -> String,
    kind: &dyn Fn(&str) -> String,
) -> Value {
    if depth > MAX_DEPTH {
        return value;
    }
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) if key == "t" || key == "type" => json!(kind(&text)),
                        other => map_names(other, depth + 1, name, kind),
                    };
                    (name(&key), value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| map_names(item, depth + 1, name, kind))
                .collect(),
        ),
        other => other,
    }
}

fn push(doc: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(list) = doc.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(value);
    }
}

fn wrong(why: &'static str) -> DidError {
    DidError::Method {
        method: "did:peer:2",
        why,
    }
}
