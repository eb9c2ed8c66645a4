//! A ring of secret keys, by key id.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{KeyError, SecretKey};

/// Secret keys in memory, by key id (a DID URL such as `did:example:bob#key-1`).
#[derive(Clone, Default)]
pub struct Keyring {
    keys: BTreeMap<String, SecretKey>,
}

impl Keyring {
    /// An empty ring.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads secrets as the spec's appendix A has them: an array of private JWKs each with a
    /// `kid`, a JWK set (`{"keys": […]}`), or a map from key id to JWK. Also takes the
    /// `{"id", "type": "JsonWebKey2020", "privateKeyJwk"}` records of other implementations.
    ///
    /// # Errors
    /// [`KeyError::Secrets`] for any other shape, else what is wrong with the first bad key.
    pub fn from_secrets_json(secrets: &Value) -> Result<Self, KeyError> {
        let list = match secrets {
            Value::Object(map) => match map.get("keys") {
                Some(Value::Array(list)) => list,
                _ => return Self::from_map(map),
            },
            Value::Array(list) => list,
            _ => return Err(KeyError::Secrets),
        };
        let mut ring = Self::new();
        for entry in list {
            let jwk = entry.get("privateKeyJwk").unwrap_or(entry);
            let kid = jwk
                .get("kid")
                .or_else(|| entry.get("id"))
                .or_else(|| entry.get("kid"))
                .and_then(Value::as_str)
                .ok_or(KeyError::Secrets)?;
            ring.insert(kid, SecretKey::from_jwk(jwk)?);
        }
        Ok(ring)
    }

    fn from_map(map: &serde_json::Map<String, Value>) -> Result<Self, KeyError> {
        let mut ring = Self::new();
        for (kid, jwk) in map {
            if !jwk.is_object() {
                return Err(KeyError::Secrets);
            }
            ring.insert(
                kid,
                SecretKey::from_jwk(jwk.get("privateKeyJwk").unwrap_or(jwk))?,
            );
        }
        Ok(ring)
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&SecretKey> {
        self.keys.get(kid)
    }

    /// The key with this id, and the ring's own copy of the id.
    #[must_use]
    pub fn get_key_value(&self, kid: &str) -> Option<(&str, &SecretKey)> {
        self.keys
            .get_key_value(kid)
            .map(|(kid, key)| (kid.as_str(), key))
    }

    /// Adds a key; gives back the one that had this id before.
    pub fn insert(&mut self, kid: impl Into<String>, key: SecretKey) -> Option<SecretKey> {
        self.keys.insert(kid.into(), key)
    }

    /// Takes a key out of the ring.
    pub fn remove(&mut self, kid: &str) -> Option<SecretKey> {
        self.keys.remove(kid)
    }

    /// All key ids, in order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// All ids with their keys, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &SecretKey)> {
        self.keys.iter().map(|(kid, key)| (kid.as_str(), key))
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl Extend<(String, SecretKey)> for Keyring {
    fn extend<T: IntoIterator<Item = (String, SecretKey)>>(&mut self, iter: T) {
        self.keys.extend(iter);
    }
}

impl FromIterator<(String, SecretKey)> for Keyring {
    fn from_iter<T: IntoIterator<Item = (String, SecretKey)>>(iter: T) -> Self {
        Self {
            keys: iter.into_iter().collect(),
        }
    }
}
