//! Putting the layers on: strict in what is emitted.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::lookup::secret;
use super::{PackError, PackPlan};
use crate::did::{DidDoc, did_of, same_did};
use crate::jose::{self, ContentEncryption, Encryption};
use crate::keys::{Curve, Keyring, PublicKey, SecretKey};
use crate::resolve::Resolver;

/// Curves for agreement, the best first (§5.1.3; X25519 is fastest and smallest).
const PREFERENCE: [Curve; 4] = [Curve::X25519, Curve::P256, Curve::P384, Curve::P521];

/// What addressing needs of a plaintext; the rest is skipped, not parsed.
#[derive(Deserialize)]
struct Addressing<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    type_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Vec<Cow<'a, str>>>,
}

pub(super) fn pack(
    plaintext: &[u8],
    plan: &PackPlan,
    keys: &Keyring,
    docs: &dyn Resolver,
) -> Result<Vec<Vec<u8>>, PackError> {
    // Checked as a whole: what serde skips it does not check for UTF-8.
    let text = std::str::from_utf8(plaintext).map_err(|_| PackError::Plaintext("not UTF-8"))?;
    let message: Addressing<'_> = serde_json::from_str(text)
        .map_err(|_| PackError::Plaintext("not a JSON object, or from and to are no DIDs"))?;
    check(&message, plan)?;

    let signed = match &plan.sign {
        Some(signer) => {
            let doc = resolve(docs, signer)?;
            let (kid, key) = signing_key(signer, &doc, keys)?;
            Some(jose::sign(plaintext, kid, key)?)
        }
        None => None,
    };
    let inside = signed.as_deref().unwrap_or(plaintext);
    if plan.to.is_empty() {
        return Ok(vec![inside.to_vec()]);
    }

    let sender = match &plan.from {
        Some(from) => Some((from, resolve(docs, from)?)),
        None => None,
    };
    let mut packed = Vec::with_capacity(plan.to.len());
    for did in &plan.to {
        let doc = resolve(docs, did)?;
        packed.push(match &sender {
            None => anoncrypt(inside, plan.enc_anon, did, &doc)?,
            Some((from, own)) => {
                let secrets = secrets(own, keys);
                let (kid, key, recipients) =
                    common(&secrets, &doc).ok_or_else(|| no_common_key(from, did, &doc))?;
                let plan_auth = Encryption {
                    enc: ContentEncryption::A256CbcHs512,
                    sender: Some((kid, key)),
                    recipients,
                };
                let authcrypt = jose::encrypt(inside, plan_auth)?;
                if plan.hide_sender {
                    anoncrypt(&authcrypt, plan.enc_anon, did, &doc)?
                } else {
                    authcrypt
                }
            }
        });
    }
    Ok(packed)
}

/// §2.1 and §3.2, before any key is touched.
fn check(message: &Addressing<'_>, plan: &PackPlan) -> Result<(), PackError> {
    if message.id.as_deref().unwrap_or_default().is_empty() {
        return Err(PackError::Plaintext("no id"));
    }
    if message.type_uri.as_deref().unwrap_or_default().is_empty() {
        return Err(PackError::Plaintext("no type"));
    }
    if plan.hide_sender && plan.from.is_none() {
        return Err(PackError::Combination("hiding a sender needs a sender"));
    }
    if plan.hide_sender && plan.sign.is_some() {
        return Err(PackError::Combination(
            "anoncrypt(authcrypt(signed)) must not be emitted",
        ));
    }
    if plan.to.is_empty() && plan.from.is_some() {
        return Err(PackError::Combination("authcrypt needs a recipient"));
    }
    for own in plan.from.iter().chain(&plan.sign) {
        if !message
            .from
            .as_deref()
            .is_some_and(|from| same_did(from, own))
        {
            return Err(PackError::From(own.clone()));
        }
    }
    for did in &plan.to {
        let named = match &message.to {
            Some(to) => to.iter().any(|one| same_did(one, did)),
            // A signed message inside encryption must say whom it is for (§5.2).
            None => plan.sign.is_none(),
        };
        if !named {
            return Err(PackError::To(did.clone()));
        }
    }
    Ok(())
}

fn anoncrypt(
    inside: &[u8],
    enc: ContentEncryption,
    did: &str,
    doc: &DidDoc,
) -> Result<Vec<u8>, PackError> {
    let recipients = PREFERENCE
        .into_iter()
        .map(|curve| keys_on(doc, curve))
        .find(|keys| !keys.is_empty())
        .ok_or_else(|| PackError::NoRecipientKey(did.to_owned()))?;
    Ok(jose::encrypt(
        inside,
        Encryption {
            enc,
            sender: None,
            recipients,
        },
    )?)
}

/// Our secrets among the sender's agreement keys, under the ids that its document gives.
fn secrets<'a>(own: &'a DidDoc, keys: &'a Keyring) -> Vec<(&'a str, &'a SecretKey)> {
    own.agreement_keys()
        .filter_map(|(kid, public)| {
            let (_, key) = secret(keys, kid)?;
            (key.public() == public).then_some((kid, key))
        })
        .collect()
}

type Common<'a> = (&'a str, &'a SecretKey, Vec<(&'a str, &'a PublicKey)>);

/// The best curve that both have: our key on it, and all of the recipient's.
fn common<'a>(secrets: &[(&'a str, &'a SecretKey)], doc: &'a DidDoc) -> Option<Common<'a>> {
    PREFERENCE.into_iter().find_map(|curve| {
        let (kid, key) = secrets.iter().find(|(_, key)| key.curve() == curve)?;
        let recipients = keys_on(doc, curve);
        (!recipients.is_empty()).then_some((*kid, *key, recipients))
    })
}

fn keys_on(doc: &DidDoc, curve: Curve) -> Vec<(&str, &PublicKey)> {
    doc.agreement_keys()
        .filter(|(_, key)| key.curve() == curve)
        .collect()
}

fn no_common_key(from: &str, did: &str, doc: &DidDoc) -> PackError {
    if doc.agreement_keys().next().is_none() {
        PackError::NoRecipientKey(did.to_owned())
    } else {
        PackError::NoSenderKey(from.to_owned())
    }
}

/// The signing key: the one named, or the first of the DID's that we hold.
fn signing_key<'a>(
    signer: &str,
    doc: &'a DidDoc,
    keys: &'a Keyring,
) -> Result<(&'a str, &'a SecretKey), PackError> {
    let wanted = doc.key(signer).filter(|_| signer.contains('#'));
    doc.authentication_keys()
        .filter(|(_, public)| !signer.contains('#') || wanted == Some(*public))
        .find_map(|(kid, public)| {
            let (_, key) = secret(keys, kid)?;
            (key.public() == public).then_some((kid, key))
        })
        .ok_or_else(|| PackError::NoSigningKey(signer.to_owned()))
}

fn resolve(docs: &dyn Resolver, id: &str) -> Result<Arc<DidDoc>, PackError> {
    let did = did_of(id);
    docs.resolve(did).map_err(|source| PackError::Resolve {
        did: did.to_owned(),
        source,
    })
}
