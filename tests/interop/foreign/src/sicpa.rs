//! The `didcomm` crate, 0.4.1 (sicpa).

use async_trait::async_trait;
use didcomm::algorithms::AnonCryptAlg;
use didcomm::did::{DIDDoc, DIDResolver};
use didcomm::secrets::{Secret, SecretMaterial, SecretType, SecretsResolver};
use didcomm::{Message, PackEncryptedOptions, UnpackMetadata, UnpackOptions};
use serde_json::Value;

use crate::{Parties, Peer, Plan, Read, Refusal};

/// The crate, with everybody's documents and secrets parsed once.
pub struct Sicpa {
    docs: Docs,
    secrets: Secrets,
}

impl Sicpa {
    /// Prepares the crate for `parties`; documents that it cannot represent are left out, and
    /// fail as unresolvable later.
    #[must_use]
    pub fn new(parties: &Parties) -> Self {
        let docs = parties
            .docs()
            .iter()
            .filter_map(|doc| serde_json::from_value(doc.clone()).ok())
            .collect();
        let secrets = parties
            .secrets()
            .iter()
            .map(|(kid, jwk)| Secret {
                id: kid.clone(),
                type_: SecretType::JsonWebKey2020,
                secret_material: SecretMaterial::JWK {
                    private_key_jwk: jwk.clone(),
                },
            })
            .collect();
        Self {
            docs: Docs(docs),
            secrets: Secrets(secrets),
        }
    }
}

impl Peer for Sicpa {
    fn pack(&self, message: &Value, plan: &Plan) -> Result<String, Refusal> {
        self.pack_message(&Self::message(message)?, plan)
    }

    fn unpack(&self, packed: &str) -> Result<Read, Refusal> {
        let (message, meta) = self.unpack_message(packed)?;
        Ok(Read {
            message: serde_json::to_value(message).map_err(Refusal::from_error)?,
            sender_kid: meta.encrypted_from_kid,
            signer_kid: meta.sign_from,
        })
    }
}

impl Sicpa {
    /// The crate's own form of a message.
    ///
    /// # Errors
    /// The crate's words.
    pub fn message(message: &Value) -> Result<Message, Refusal> {
        serde_json::from_value(message.clone()).map_err(Refusal::from_error)
    }

    /// As [`Peer::pack`], from the crate's own form.
    ///
    /// # Errors
    /// The crate's words.
    pub fn pack_message(&self, message: &Message, plan: &Plan) -> Result<String, Refusal> {
        let Some(to) = &plan.to else {
            let by = plan
                .sign
                .as_deref()
                .ok_or_else(|| Refusal("nothing to do".into()))?;
            return pollster::block_on(message.pack_signed(by, &self.docs, &self.secrets))
                .map(|(packed, _)| packed)
                .map_err(Refusal::from_error);
        };
        let options = PackEncryptedOptions {
            forward: false,
            protect_sender: plan.hide_sender,
            enc_alg_anon: anon_alg(plan.enc.as_deref())?,
            ..PackEncryptedOptions::default()
        };
        pollster::block_on(message.pack_encrypted(
            to,
            plan.from.as_deref(),
            plan.sign.as_deref(),
            &self.docs,
            &self.secrets,
            &options,
        ))
        .map(|(packed, _)| packed)
        .map_err(Refusal::from_error)
    }

    /// As [`Peer::unpack`], to the crate's own form.
    ///
    /// # Errors
    /// The crate's words.
    pub fn unpack_message(&self, packed: &str) -> Result<(Message, UnpackMetadata), Refusal> {
        let options = UnpackOptions::default();
        pollster::block_on(Message::unpack(packed, &self.docs, &self.secrets, &options))
            .map_err(Refusal::from_error)
    }
}

fn anon_alg(enc: Option<&str>) -> Result<AnonCryptAlg, Refusal> {
    match enc {
        None | Some("A256CBC-HS512") => Ok(AnonCryptAlg::A256cbcHs512EcdhEsA256kw),
        Some("A256GCM") => Ok(AnonCryptAlg::A256gcmEcdhEsA256kw),
        Some("XC20P") => Ok(AnonCryptAlg::Xc20pEcdhEsA256kw),
        Some(other) => Err(Refusal(format!("unsupported by the library: {other}"))),
    }
}

struct Docs(Vec<DIDDoc>);

#[async_trait]
impl DIDResolver for Docs {
    async fn resolve(&self, did: &str) -> didcomm::error::Result<Option<DIDDoc>> {
        Ok(self.0.iter().find(|doc| doc.id == did).cloned())
    }
}

struct Secrets(Vec<Secret>);

#[async_trait]
impl SecretsResolver for Secrets {
    async fn get_secret(&self, kid: &str) -> didcomm::error::Result<Option<Secret>> {
        Ok(self.0.iter().find(|secret| secret.id == kid).cloned())
    }

    async fn find_secrets<'a>(&self, kids: &'a [&'a str]) -> didcomm::error::Result<Vec<&'a str>> {
        let known = |kid: &&&str| self.0.iter().any(|secret| secret.id == **kid);
        Ok(kids.iter().filter(known).copied().collect())
    }
}
