//! `affinidi-messaging-didcomm` 0.15.11.
//!
//! The crate works on raw keys and one layer at a time; nesting, finding one's own key among the
//! recipients and looking up the sender's are the caller's, and done here.

use std::collections::HashMap;

use affinidi_crypto::jose::key_agreement::{Curve, PrivateKeyAgreement, PublicKeyAgreement};
use affinidi_messaging_didcomm::jwe::{decrypt, encrypt};
use affinidi_messaging_didcomm::jws::sign::{JwsSigner, sign_multi};
use affinidi_messaging_didcomm::jws::verify::{VerifyKey, parse_jws, verify_bound};
use affinidi_messaging_didcomm::{SenderKey, SignerKey};
use serde_json::Value;

use crate::{Parties, Peer, Plan, Read, Refusal};

/// More layers than any combination that the specification allows.
const MOST_LAYERS: usize = 4;

/// The crate, with everybody's keys parsed once.
pub struct Affinidi {
    parties: Parties,
    publics: HashMap<String, PublicKeyAgreement>,
    secrets: HashMap<String, PrivateKeyAgreement>,
    signing: HashMap<String, Signing>,
    verifying: HashMap<String, VerifyKey>,
}

enum Signing {
    Ed25519([u8; 32]),
    P256([u8; 32]),
    Secp256k1([u8; 32]),
}

impl Affinidi {
    /// Prepares the crate for `parties`; keys of kinds that it does not know are left out.
    #[must_use]
    pub fn new(parties: &Parties) -> Self {
        let mut made = Self {
            parties: parties.clone(),
            publics: HashMap::new(),
            secrets: HashMap::new(),
            signing: HashMap::new(),
            verifying: HashMap::new(),
        };
        for doc in parties.docs() {
            let did = doc["id"].as_str().unwrap_or_default();
            for kid in parties.kids(did, "keyAgreement") {
                let public = parties
                    .public(&kid)
                    .and_then(|jwk| PublicKeyAgreement::from_jwk(jwk).ok());
                made.publics.extend(public.map(|key| (kid.clone(), key)));
                let secret = parties.secrets().get(&kid).and_then(agreement_secret);
                made.secrets.extend(secret.map(|key| (kid, key)));
            }
            for kid in parties.kids(did, "authentication") {
                let public = parties.public(&kid).and_then(verify_key);
                made.verifying.extend(public.map(|key| (kid.clone(), key)));
                let secret = parties.secrets().get(&kid).and_then(signing_secret);
                made.signing.extend(secret.map(|key| (kid, key)));
            }
        }
        made
    }

    /// Signs `payload` with the key `kid`.
    ///
    /// # Errors
    /// The library's words, or that the key is not there.
    pub fn sign(&self, payload: &[u8], kid: &str) -> Result<String, Refusal> {
        let signer = match self.signing.get(kid).ok_or_else(|| lacks(kid))? {
            Signing::Ed25519(private) => JwsSigner::Ed25519 { kid, private },
            Signing::P256(private) => JwsSigner::P256 { kid, private },
            Signing::Secp256k1(private) => JwsSigner::Secp256k1 { kid, private },
        };
        sign_multi(payload, &[signer]).map_err(Refusal::from_error)
    }

    /// Encrypts `payload` for the keys `to`; authenticated by `from` if there is one.
    ///
    /// # Errors
    /// The library's words, or that a key is not there.
    pub fn encrypt(
        &self,
        payload: &[u8],
        to: &[String],
        from: Option<&str>,
    ) -> Result<String, Refusal> {
        let recipients = to
            .iter()
            .map(|kid| {
                Ok((
                    kid.as_str(),
                    self.publics.get(kid).ok_or_else(|| lacks(kid))?,
                ))
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        match from {
            Some(kid) => {
                let secret = self.secrets.get(kid).ok_or_else(|| lacks(kid))?;
                encrypt::authcrypt(payload, kid, secret, &recipients)
            }
            None => encrypt::anoncrypt(payload, &recipients),
        }
        .map_err(Refusal::from_error)
    }

    /// Removes one layer of encryption; gives the plaintext and the sender's key.
    ///
    /// # Errors
    /// The library's words, or that no key of ours is among the recipients.
    pub fn decrypt(&self, packed: &str, jwe: &Value) -> Result<(Vec<u8>, Option<String>), Refusal> {
        let own = jwe["recipients"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|recipient| recipient["header"]["kid"].as_str())
            .find_map(|kid| self.secrets.get(kid).map(|secret| (kid, secret)));
        let (kid, _) = own.ok_or_else(|| Refusal("no recipient key of ours".into()))?;
        let sender_kid = decrypt::authcrypt_sender_kid(packed).map_err(Refusal::from_error)?;
        let plaintext = self.decrypt_for(packed, kid, sender_kid.as_deref())?;
        Ok((plaintext, sender_kid))
    }

    /// Removes one layer of encryption with keys that are known already.
    ///
    /// # Errors
    /// The library's words, or that a key is not there.
    pub fn decrypt_for(
        &self,
        packed: &str,
        own: &str,
        sender: Option<&str>,
    ) -> Result<Vec<u8>, Refusal> {
        let secret = self.secrets.get(own).ok_or_else(|| lacks(own))?;
        let sender = match sender {
            Some(kid) => {
                let public = self.publics.get(kid).ok_or_else(|| lacks(kid))?;
                Some(SenderKey::new(kid, public))
            }
            None => None,
        };
        decrypt::decrypt_bound(packed, own, secret, sender)
            .map(|opened| opened.plaintext)
            .map_err(Refusal::from_error)
    }

    /// Verifies a signed message; gives its payload and the signer's key.
    ///
    /// # Errors
    /// The library's words, or that the signer's key is not known.
    pub fn verify(&self, packed: &str) -> Result<(Vec<u8>, String), Refusal> {
        let parsed = parse_jws(packed).map_err(Refusal::from_error)?;
        let kid = parsed
            .signatures
            .iter()
            .find_map(|signature| signature.kid.clone())
            .ok_or_else(|| Refusal("no signature names a key".into()))?;
        let key = self.verifying.get(&kid).ok_or_else(|| lacks(&kid))?;
        let verified =
            verify_bound(packed, SignerKey::new(&kid, key)).map_err(Refusal::from_error)?;
        Ok((verified.payload, kid))
    }

    fn recipients(&self, to: &str, from: Option<&str>) -> Vec<String> {
        if to.contains('#') {
            return vec![to.to_owned()];
        }
        let kids = self.parties.kids(to, "keyAgreement");
        let known = kids
            .into_iter()
            .filter(|kid| self.publics.contains_key(kid));
        let known: Vec<String> = known.collect();
        let wanted = from
            .or(known.first().map(String::as_str))
            .and_then(|kid| self.publics.get(kid));
        let curve = wanted.map(PublicKeyAgreement::curve);
        known
            .iter()
            .filter(|kid| self.publics.get(*kid).map(PublicKeyAgreement::curve) == curve)
            .cloned()
            .collect()
    }
}

impl Peer for Affinidi {
    fn pack(&self, message: &Value, plan: &Plan) -> Result<String, Refusal> {
        let mut payload = message.to_string();
        if let Some(kid) = &plan.sign {
            payload = self.sign(payload.as_bytes(), kid)?;
        }
        let Some(to) = &plan.to else {
            return Ok(payload);
        };
        let has_anon_layer = plan.from.is_none() || plan.hide_sender;
        if let Some(enc) = plan
            .enc
            .as_deref()
            .filter(|enc| has_anon_layer && *enc != "A256CBC-HS512")
        {
            return Err(Refusal(format!("unsupported by the library: {enc}")));
        }
        let to = self.recipients(to, plan.from.as_deref());
        let packed = self.encrypt(payload.as_bytes(), &to, plan.from.as_deref())?;
        if plan.hide_sender && plan.from.is_some() {
            return self.encrypt(packed.as_bytes(), &to, None);
        }
        Ok(packed)
    }

    fn unpack(&self, packed: &str) -> Result<Read, Refusal> {
        let (mut sender_kid, mut signer_kid) = (None, None);
        let mut text = packed.to_owned();
        for _ in 0..MOST_LAYERS {
            let value: Value = serde_json::from_str(&text).map_err(Refusal::from_error)?;
            let inner = if value.get("ciphertext").is_some() {
                let (inner, sender) = self.decrypt(&text, &value)?;
                sender_kid = sender_kid.or(sender);
                inner
            } else if value.get("payload").is_some() {
                let (inner, signer) = self.verify(&text)?;
                signer_kid = Some(signer);
                inner
            } else {
                return Ok(Read {
                    message: value,
                    sender_kid,
                    signer_kid,
                });
            };
            text = String::from_utf8(inner).map_err(Refusal::from_error)?;
        }
        Err(Refusal("too many layers".into()))
    }
}

fn lacks(kid: &str) -> Refusal {
    Refusal(format!(
        "the library has no such key, or not of this kind: {kid}"
    ))
}

fn agreement_secret(jwk: &Value) -> Option<PrivateKeyAgreement> {
    let curve = match jwk["crv"].as_str()? {
        "X25519" => Curve::X25519,
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "P-521" => Curve::P521,
        _ => return None,
    };
    PrivateKeyAgreement::from_raw_bytes(curve, &bytes(&jwk["d"])?).ok()
}

fn signing_secret(jwk: &Value) -> Option<Signing> {
    let secret: [u8; 32] = bytes(&jwk["d"])?.try_into().ok()?;
    match jwk["crv"].as_str()? {
        "Ed25519" => Some(Signing::Ed25519(secret)),
        "P-256" => Some(Signing::P256(secret)),
        "secp256k1" => Some(Signing::Secp256k1(secret)),
        _ => None,
    }
}

fn verify_key(jwk: &Value) -> Option<VerifyKey> {
    let x = bytes(&jwk["x"])?;
    let sec1 = || Some([&[4][..], &x, &bytes(&jwk["y"])?].concat());
    match jwk["crv"].as_str()? {
        "Ed25519" => Some(VerifyKey::Ed25519(x.try_into().ok()?)),
        "P-256" => Some(VerifyKey::P256(sec1()?)),
        "secp256k1" => Some(VerifyKey::Secp256k1(sec1()?)),
        _ => None,
    }
}

fn bytes(member: &Value) -> Option<Vec<u8>> {
    data_encoding::BASE64URL_NOPAD
        .decode(member.as_str()?.as_bytes())
        .ok()
}
