//! packmule's documents and keys in the crate's words.

use async_trait::async_trait;
use didcomm::did::{
    DIDDoc, DIDResolver, VerificationMaterial, VerificationMethod, VerificationMethodType,
};
use didcomm::error::{ErrorKind, Result, err_msg};
use didcomm::secrets::{Secret, SecretMaterial, SecretType, SecretsResolver};
use packmule_agent::did::DidDoc;
use packmule_agent::keys::Keyring;
use packmule_agent::resolve::{ResolveError, Resolver};

/// A [`Resolver`] as the crate's `DIDResolver`.
pub(crate) struct Docs<'a>(pub(crate) &'a dyn Resolver);

#[async_trait]
impl DIDResolver for Docs<'_> {
    async fn resolve(&self, did: &str) -> Result<Option<DIDDoc>> {
        match self.0.resolve(did) {
            Ok(doc) => Ok(Some(translate(&doc))),
            Err(ResolveError::Unknown { .. }) => Ok(None),
            Err(error) => Err(err_msg(ErrorKind::DIDNotResolved, error.to_string())),
        }
    }
}

/// Keys as JWKs, whatever form the document had. Services are left out: packing never
/// forwards here, and the crate fails on forms of them that are allowed.
fn translate(doc: &DidDoc) -> DIDDoc {
    DIDDoc {
        id: doc.id.clone(),
        key_agreement: doc.key_agreement.clone(),
        authentication: doc.authentication.clone(),
        verification_method: doc
            .verification
            .iter()
            .map(|method| VerificationMethod {
                id: method.id.clone(),
                type_: VerificationMethodType::JsonWebKey2020,
                controller: doc.id.clone(),
                verification_material: VerificationMaterial::JWK {
                    public_key_jwk: method.key.to_jwk(),
                },
            })
            .collect(),
        service: Vec::new(),
    }
}

/// A [`Keyring`] as the crate's `SecretsResolver`. The crate takes secrets as JSON values
/// and does not wipe them.
pub(crate) struct Secrets<'a>(pub(crate) &'a Keyring);

#[async_trait]
impl SecretsResolver for Secrets<'_> {
    async fn get_secret(&self, kid: &str) -> Result<Option<Secret>> {
        let Some(key) = self.0.get(kid) else {
            return Ok(None);
        };
        let jwk = serde_json::from_str(&key.to_jwk())
            .map_err(|_| err_msg(ErrorKind::InvalidState, "a key that is no JWK"))?;
        Ok(Some(Secret {
            id: kid.to_owned(),
            type_: SecretType::JsonWebKey2020,
            secret_material: SecretMaterial::JWK {
                private_key_jwk: jwk,
            },
        }))
    }

    async fn find_secrets<'b>(&self, kids: &'b [&'b str]) -> Result<Vec<&'b str>> {
        Ok(kids
            .iter()
            .filter(|kid| self.0.get(kid).is_some())
            .copied()
            .collect())
    }
}
