//! What the crate leaves out: that the addresses in the plaintext are those that the keys prove
//! (specification §3.2), and that sender and signer are one (§2.1).

use didcomm::algorithms::AnonCryptAlg;
use didcomm::{Message, UnpackMetadata};
use packmule_agent::did::{did_of, same_did};
use packmule_agent::jose::ContentEncryption;
use packmule_agent::pack::{FromPrior, Layer, OpenError, Opened, Warning};

/// Checks a message that the crate has opened and reports it in packmule's words. `outer_kid`
/// and `inner_kid` are our keys that opened the outermost and innermost encryption.
///
/// # Errors
/// The [`OpenError`]s about `from`, `to` and signers.
pub(crate) fn opened(
    message: &Message,
    meta: &UnpackMetadata,
    outer_kid: Option<String>,
    inner_kid: Option<String>,
) -> Result<Opened, OpenError> {
    let sender_kid = meta.encrypted_from_kid.clone();
    let signed_by = meta.sign_from.clone();
    for kid in sender_kid.iter().chain(&signed_by) {
        let from = message.from.as_deref().ok_or(OpenError::NoFrom)?;
        if !same_did(from, kid) {
            let (from, kid) = (from.to_owned(), kid.clone());
            return Err(OpenError::FromMismatch { from, kid });
        }
    }
    if signed_by.is_some() && message.to.is_none() && meta.encrypted {
        return Err(OpenError::NoTo);
    }
    for kid in outer_kid.iter().chain(&inner_kid) {
        let named = message
            .to
            .as_ref()
            .is_none_or(|to| to.iter().any(|did| same_did(did, kid)));
        if !named {
            return Err(OpenError::NotInTo { kid: kid.clone() });
        }
    }
    let value = serde_json::to_value(message).map_err(|_| OpenError::Malformed("no JSON"))?;
    let sender = sender_kid.as_deref().or(signed_by.as_deref());
    Ok(Opened {
        plaintext: value.to_string().into_bytes(),
        layers: layers(meta, outer_kid.as_deref(), inner_kid.as_deref()),
        sender: sender.map(|kid| did_of(kid).to_owned()),
        recipient_kid: inner_kid.or(outer_kid),
        from_prior: meta.from_prior.as_ref().map(|prior| FromPrior {
            iss: prior.iss.clone(),
            sub: Some(prior.sub.clone()),
            iat: prior.iat,
        }),
        warnings: warnings(message, &sender_kid, &signed_by),
        message: value,
        sender_kid,
        signed_by,
    })
}

fn layers(meta: &UnpackMetadata, outer: Option<&str>, inner: Option<&str>) -> Vec<Layer> {
    let kid = |kid: Option<&str>| kid.unwrap_or_default().to_owned();
    let mut layers = Vec::new();
    if let Some(enc) = &meta.enc_alg_anon {
        layers.push(Layer::Encrypted {
            sender_kid: None,
            recipient_kid: kid(outer),
            enc: match enc {
                AnonCryptAlg::A256cbcHs512EcdhEsA256kw => ContentEncryption::A256CbcHs512,
                AnonCryptAlg::A256gcmEcdhEsA256kw => ContentEncryption::A256Gcm,
                AnonCryptAlg::Xc20pEcdhEsA256kw => ContentEncryption::Xc20p,
            },
        });
    }
    if meta.enc_alg_auth.is_some() {
        layers.push(Layer::Encrypted {
            sender_kid: meta.encrypted_from_kid.clone(),
            recipient_kid: kid(inner.or(outer)),
            enc: ContentEncryption::A256CbcHs512,
        });
    }
    if let Some(signer) = &meta.sign_from {
        layers.push(Layer::Signed {
            kids: vec![signer.clone()],
        });
    }
    layers.push(Layer::Plaintext);
    layers
}

fn warnings(
    message: &Message,
    sender_kid: &Option<String>,
    signed_by: &Option<String>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if signed_by.is_some() && message.to.is_none() {
        warnings.push(Warning::SignedWithoutTo);
    }
    if signed_by.is_some() && sender_kid.is_some() {
        warnings.push(Warning::SignedInsideAuthcrypt);
    }
    warnings
}
