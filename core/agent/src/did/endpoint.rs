//! Service endpoints (DIDComm v2.1 §9.4.9): string, object or array on input, object on
//! output.

use serde_json::{Map, Value, json};

/// The profile of DIDComm v2 in `accept` (§4).
pub const DIDCOMM_V2: &str = "didcomm/v2";

/// No honest document has more of each.
const MAX_LIST: usize = 32;

/// One way to reach a party. A service entry with an array of endpoints becomes several of
/// these with one id, in order of preference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Absolute DID URL in a document; may be empty when given to `create`.
    pub id: String,
    /// `type`: `DIDCommMessaging` for ours.
    pub kind: String,
    /// Where: a URI of any scheme, or a mediator's DID.
    pub uri: String,
    /// Profiles taken, such as `didcomm/v2`; empty means not said.
    pub accept: Vec<String>,
    /// Keys to wrap for, outermost first in delivery (§9.4.8); DID URLs or DIDs.
    pub routing_keys: Vec<String>,
}

impl Service {
    /// A DIDComm v2 service at a URI, without mediators.
    #[must_use]
    pub fn didcomm(uri: &str) -> Self {
        Self {
            kind: "DIDCommMessaging".to_owned(),
            uri: uri.to_owned(),
            accept: vec![DIDCOMM_V2.to_owned()],
            ..Self::default()
        }
    }

    /// Whether it is a DIDComm service whose peer takes DIDComm v2 (or does not say).
    #[must_use]
    pub fn takes_didcomm_v2(&self) -> bool {
        self.kind == "DIDCommMessaging"
            && (self.accept.is_empty() || self.accept.iter().any(|a| a == DIDCOMM_V2))
    }

    /// The entry of a document; `id` as given.
    pub(super) fn to_json(&self, id: &str) -> Value {
        let mut endpoint = Map::new();
        endpoint.insert("uri".to_owned(), json!(self.uri));
        if !self.accept.is_empty() {
            endpoint.insert("accept".to_owned(), json!(self.accept));
        }
        if !self.routing_keys.is_empty() {
            endpoint.insert("routingKeys".to_owned(), json!(self.routing_keys));
        }
        json!({ "id": id, "type": self.kind, "serviceEndpoint": endpoint })
    }

    /// Every endpoint of one `service` entry; what cannot be understood is left out, since an
    /// unknown service must not make a document unusable.
    pub(super) fn read(did: &str, entry: &Value) -> Vec<Self> {
        let kind = match entry.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            // DID Core §5.4 allows a set of types.
            Some(Value::Array(kinds)) => {
                let texts = || kinds.iter().filter_map(Value::as_str);
                texts()
                    .find(|kind| *kind == "DIDCommMessaging")
                    .or_else(|| texts().next())
                    .unwrap_or_default()
                    .to_owned()
            }
            _ => return Vec::new(),
        };
        let id = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        let template = Self {
            id: super::doc::absolute(did, id),
            kind,
            uri: String::new(),
            // Old did:peer:2 services keep these beside a string endpoint.
            accept: strings(entry, &["accept"]),
            routing_keys: strings(entry, &["routingKeys", "routing_keys"]),
        };
        let endpoints = match entry.get("serviceEndpoint") {
            Some(Value::Array(list)) => list.iter().take(MAX_LIST).collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        endpoints
            .into_iter()
            .filter_map(|endpoint| template.with(endpoint))
            .collect()
    }

    fn with(&self, endpoint: &Value) -> Option<Self> {
        let mut service = self.clone();
        match endpoint {
            Value::String(uri) => service.uri.clone_from(uri),
            Value::Object(_) => {
                service.uri = endpoint.get("uri")?.as_str()?.to_owned();
                let accept = strings(endpoint, &["accept"]);
                if !accept.is_empty() {
                    service.accept = accept;
                }
                let keys = strings(endpoint, &["routingKeys", "routing_keys"]);
                if !keys.is_empty() {
                    service.routing_keys = keys;
                }
            }
            _ => return None,
        }
        Some(service)
    }
}

/// The strings of the first of these members that is an array.
fn strings(entry: &Value, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .find_map(|name| entry.get(*name)?.as_array())
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(MAX_LIST)
        .map(str::to_owned)
        .collect()
}
