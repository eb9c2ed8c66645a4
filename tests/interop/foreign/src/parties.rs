//! The people of the cross-tests, from `fixtures/didcomm/foreign/parties`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// DID documents and secret keys of alice, bob, kiosk and mule. All of them are public.
#[derive(Debug, Clone)]
pub struct Parties {
    docs: Vec<Value>,
    secrets: Map<String, Value>,
}

impl Parties {
    /// Reads `docs.json` (array of documents) and `secrets.json` (JWKs by key id) of this
    /// repository's fixtures.
    ///
    /// # Panics
    /// If the repository is incomplete: no test could mean anything then.
    #[must_use]
    pub fn of_fixtures() -> Self {
        let folder = Self::fixtures().join("parties");
        let read = |name: &str| -> Value {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let docs = read("docs.json").as_array().cloned().unwrap_or_default();
        let secrets = read("secrets.json")
            .as_object()
            .cloned()
            .unwrap_or_default();
        assert!(
            docs.len() >= 4 && !secrets.is_empty(),
            "parties are incomplete"
        );
        Self { docs, secrets }
    }

    /// `fixtures/didcomm/foreign` of this repository.
    #[must_use]
    pub fn fixtures() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/didcomm/foreign")
    }

    /// From a job file's own documents and secrets.
    #[must_use]
    pub fn new(docs: Vec<Value>, secrets: Map<String, Value>) -> Self {
        Self { docs, secrets }
    }

    /// All documents, in the plain shape with absolute ids.
    #[must_use]
    pub fn docs(&self) -> &[Value] {
        &self.docs
    }

    /// Secret JWKs by key id.
    #[must_use]
    pub fn secrets(&self) -> &Map<String, Value> {
        &self.secrets
    }

    /// The document of `did`.
    #[must_use]
    pub fn doc(&self, did: &str) -> Option<&Value> {
        self.docs.iter().find(|doc| doc["id"] == did)
    }

    /// The public JWK of a key, by its DID URL.
    #[must_use]
    pub fn public(&self, kid: &str) -> Option<&Value> {
        let doc = self.doc(kid.split('#').next()?)?;
        doc["verificationMethod"]
            .as_array()?
            .iter()
            .find(|method| method["id"] == kid)
            .map(|method| &method["publicKeyJwk"])
    }

    /// The key ids under `relation` (`keyAgreement` or `authentication`) of `did`.
    #[must_use]
    pub fn kids(&self, did: &str, relation: &str) -> Vec<String> {
        self.doc(did)
            .and_then(|doc| doc[relation].as_array())
            .map(|ids| {
                ids.iter()
                    .filter_map(|id| id.as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The DID of the one party that uses `method` (`did:key`, `did:peer:2`).
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn by_method(&self, method: &str) -> String {
        self.docs
            .iter()
            .filter_map(|doc| doc["id"].as_str())
            .find(|did| did.starts_with(method))
            .unwrap_or_else(|| panic!("no party has a {method}"))
            .to_owned()
    }
}
