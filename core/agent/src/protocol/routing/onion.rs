//! The layers around a message that goes through mediators (§9.4.8).
//!
//! Who calls it: whoever sends to a DID whose document names mediators. What can go wrong:
//! [`WrapError`]; a document that sends in circles has no route.

use super::{ForwardError, forward};
use crate::did::{DidDoc, Service, did_of};
use crate::jose::{self, ContentEncryption, Encryption};
use crate::keys::Keyring;
use crate::message::Message;
use crate::pack::{Jose, PackError, PackPlan, Packer};
use crate::resolve::{ResolveError, Resolver};

/// Most mediators in a row that we wrap for: each makes the message a third larger.
pub const MAX_ROUTING_KEYS: usize = 8;

/// Why a message could not be wrapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// `next`, or the message itself.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// More routing keys than we follow.
    #[error("more than {MAX_ROUTING_KEYS} mediators in a row")]
    TooMany,
    /// The routing key is not in its document, or not for key agreement.
    #[error("{0} is no key agreement key in its DID document")]
    Key(String),
    /// A mediator's document, or the encryption.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// One way to a party, as its document tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Where the outermost layer goes: never a DID.
    pub uri: String,
    /// For whom to wrap, in the order of the way; see [`wrap`].
    pub keys: Vec<String>,
}

/// The ways to a party, the one it likes best first. An endpoint that is a mediator's DID stands
/// for that mediator's endpoints, with the DID before the routing keys; a mediator behind a
/// mediator's endpoint is not followed (§9.4.8 forbids it).
///
/// # Errors
/// The [`ResolveError`] of `did` itself. A mediator that is not known only gives no way.
pub fn routes(did: &str, docs: &dyn Resolver) -> Result<Vec<Route>, ResolveError> {
    let doc = docs.resolve(did_of(did))?;
    Ok(routes_of(&doc, docs))
}

/// The same, of a party whose document is at hand.
#[must_use]
pub fn routes_of(doc: &DidDoc, docs: &dyn Resolver) -> Vec<Route> {
    let mut routes = Vec::new();
    for service in doc.services.iter().filter(|one| one.takes_didcomm_v2()) {
        if !service.uri.starts_with("did:") {
            routes.push(Route {
                uri: service.uri.clone(),
                keys: service.routing_keys.clone(),
            });
            continue;
        }
        let Ok(mediator) = docs.resolve(did_of(&service.uri)) else {
            continue;
        };
        let open = |one: &&Service| one.takes_didcomm_v2() && !one.uri.starts_with("did:");
        routes.extend(mediator.services.iter().filter(open).map(|one| {
            let mut keys = one.routing_keys.clone();
            keys.push(service.uri.clone());
            keys.extend(service.routing_keys.iter().cloned());
            Route {
                uri: one.uri.clone(),
                keys,
            }
        }));
    }
    routes
}

/// Wraps a message packed for `next` in a forward for each routing key, the last one innermost,
/// so that each mediator in turn learns who is next. Keys are DIDs, or DID URLs of one key.
///
/// # Errors
/// Any [`WrapError`].
pub fn wrap(
    packed: &[u8],
    next: &str,
    routing_keys: &[String],
    docs: &dyn Resolver,
) -> Result<Vec<u8>, WrapError> {
    if routing_keys.len() > MAX_ROUTING_KEYS {
        return Err(WrapError::TooMany);
    }
    let (mut packed, mut next) = (packed.to_vec(), next);
    for key in routing_keys.iter().rev() {
        packed = seal(&forward(next, &packed)?, key, docs)?;
        next = key;
    }
    Ok(packed)
}

/// Anoncrypt for one hop: A256CBC-HS512 is what every mediator reads.
fn seal(forward: &Message, key: &str, docs: &dyn Resolver) -> Result<Vec<u8>, WrapError> {
    let enc = ContentEncryption::A256CbcHs512;
    let plaintext = forward.to_json();
    if !key.contains('#') {
        let plan = PackPlan {
            to: vec![key.to_owned()],
            enc_anon: enc,
            ..PackPlan::default()
        };
        let mut packed = Jose.pack(&plaintext, &plan, &Keyring::new(), docs)?;
        return packed.pop().ok_or_else(|| WrapError::Key(key.to_owned()));
    }
    let doc = docs
        .resolve(did_of(key))
        .map_err(|source| PackError::Resolve {
            did: did_of(key).to_owned(),
            source,
        })?;
    let public = doc.key(key).filter(|_| doc.may_agree(key));
    let public = public.ok_or_else(|| WrapError::Key(key.to_owned()))?;
    let one = Encryption {
        enc,
        sender: None,
        recipients: vec![(key, public)],
    };
    Ok(jose::encrypt(&plaintext, one).map_err(PackError::from)?)
}
