//! The `didcomm` crate as a second implementation of packmule's [`Packer`].
//!
//! **What it is.** [`DidcommCrate`]: packing and opening by `didcomm` 0.4.1, with the limits and
//! the addressing checks of the specification's §3.2 done here, because the crate accepts a
//! forged `from`. The README says why it is the second and what it lacks.
//!
//! **Who calls it.** Cross-checks of the agent's own implementation; anyone who wants the crate.
//!
//! **What can go wrong.** [`PackError`] and [`OpenError`], as with the agent's own; what the
//! crate reports in its own words is reduced to the nearest of them.

mod check;
mod docs;

use didcomm::algorithms::AnonCryptAlg;
use didcomm::error::ErrorKind;
use didcomm::{Message, PackEncryptedOptions, UnpackOptions};
use packmule_agent::did::same_did;
use packmule_agent::jose::ContentEncryption;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{
    Limits, OpenError, Opened, PackError, PackPlan, PackedKind, Packer, peek,
};
use packmule_agent::resolve::Resolver;

use docs::{Docs, Secrets};

/// The crate behind packmule's trait. It packs one message a recipient DID, for the keys of
/// one kind only, and re-serialises the plaintext that it opens.
#[derive(Debug, Clone, Copy, Default)]
pub struct DidcommCrate;

impl Packer for DidcommCrate {
    fn pack(
        &self,
        plaintext: &[u8],
        plan: &PackPlan,
        keys: &Keyring,
        docs: &dyn Resolver,
    ) -> Result<Vec<Vec<u8>>, PackError> {
        let message: Message = serde_json::from_slice(plaintext)
            .map_err(|_| PackError::Plaintext("the didcomm crate cannot read it"))?;
        addressed(&message, plan)?;
        let (docs, secrets) = (Docs(docs), Secrets(keys));
        if plan.to.is_empty() {
            let Some(by) = &plan.sign else {
                return Err(PackError::Combination("neither recipients nor a signature"));
            };
            let signed = pollster::block_on(message.pack_signed(by, &docs, &secrets));
            let (packed, _) = signed.map_err(|error| pack_error(&error, by, plan))?;
            return Ok(vec![packed.into_bytes()]);
        }
        let options = PackEncryptedOptions {
            // Forwarding is the caller's: it knows the route.
            forward: false,
            protect_sender: plan.hide_sender,
            enc_alg_anon: match plan.enc_anon {
                ContentEncryption::A256CbcHs512 => AnonCryptAlg::A256cbcHs512EcdhEsA256kw,
                ContentEncryption::A256Gcm => AnonCryptAlg::A256gcmEcdhEsA256kw,
                ContentEncryption::Xc20p => AnonCryptAlg::Xc20pEcdhEsA256kw,
            },
            ..PackEncryptedOptions::default()
        };
        let (from, sign) = (plan.from.as_deref(), plan.sign.as_deref());
        plan.to
            .iter()
            .map(|to| {
                pollster::block_on(
                    message.pack_encrypted(to, from, sign, &docs, &secrets, &options),
                )
                .map(|(packed, _)| packed.into_bytes())
                .map_err(|error| pack_error(&error, to, plan))
            })
            .collect()
    }

    fn open(
        &self,
        packed: &[u8],
        keys: &Keyring,
        docs: &dyn Resolver,
        limits: &Limits,
    ) -> Result<Opened, OpenError> {
        // The size and number limits, and that it is a packed message, before the crate sees it.
        let outside = peek(packed, limits)?;
        let ours = |kids: &[String]| kids.iter().find(|kid| keys.get(kid).is_some()).cloned();
        let outer_kid = ours(&outside.recipient_kids);
        if outside.kind == PackedKind::Encrypted && outer_kid.is_none() {
            return Err(OpenError::NotForUs {
                kids: outside.recipient_kids,
            });
        }
        for did in &outside.needs {
            let missing = |source| OpenError::Resolve {
                did: did.clone(),
                source,
            };
            docs.resolve(did).map_err(missing)?;
        }
        let text = std::str::from_utf8(packed).map_err(|_| OpenError::Malformed("no text"))?;
        let options = UnpackOptions {
            unwrap_re_wrapping_forward: false,
            ..UnpackOptions::default()
        };
        let (message, meta) =
            pollster::block_on(Message::unpack(text, &Docs(docs), &Secrets(keys), &options))
                .map_err(|error| open_error(&error))?;
        let inner_kid = ours(meta.encrypted_to_kids.as_deref().unwrap_or_default());
        check::opened(&message, &meta, outer_kid, inner_kid)
    }
}

/// The message's own addresses must be the plan's (§3.2).
fn addressed(message: &Message, plan: &PackPlan) -> Result<(), PackError> {
    let from = message.from.as_deref();
    for who in plan.from.iter().chain(&plan.sign) {
        if !from.is_some_and(|from| same_did(from, who)) {
            return Err(PackError::From(who.clone()));
        }
    }
    for recipient in &plan.to {
        let mut named = message.to.iter().flatten();
        if message.to.is_some() && !named.any(|to| same_did(to, recipient)) {
            return Err(PackError::To(recipient.clone()));
        }
    }
    Ok(())
}

fn pack_error(error: &didcomm::error::Error, who: &str, plan: &PackPlan) -> PackError {
    match error.kind() {
        ErrorKind::SecretNotFound if plan.to.is_empty() => PackError::NoSigningKey(who.to_owned()),
        ErrorKind::SecretNotFound | ErrorKind::NoCompatibleCrypto => {
            PackError::NoSenderKey(plan.from.as_deref().unwrap_or(who).to_owned())
        }
        ErrorKind::DIDNotResolved
        | ErrorKind::DIDUrlNotFound
        | ErrorKind::InvalidState
        | ErrorKind::Unsupported => PackError::NoRecipientKey(who.to_owned()),
        _ => PackError::Plaintext("the didcomm crate refuses it"),
    }
}

fn open_error(error: &didcomm::error::Error) -> OpenError {
    match error.kind() {
        ErrorKind::SecretNotFound => OpenError::NotForUs { kids: Vec::new() },
        ErrorKind::Unsupported => OpenError::Unsupported {
            what: "crypto",
            name: error.to_string().chars().take(120).collect(),
        },
        ErrorKind::DIDUrlNotFound | ErrorKind::DIDNotResolved => OpenError::KeyNotListed {
            kid: error.to_string().chars().take(120).collect(),
            purpose: "known",
        },
        // The crate calls a failed decryption or signature malformed too.
        ErrorKind::Malformed | ErrorKind::NoCompatibleCrypto => OpenError::Crypto,
        _ => OpenError::Malformed("the didcomm crate refuses it"),
    }
}
