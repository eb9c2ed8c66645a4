//! Finding keys: ours in the ring, a signer's in its document.

use super::OpenError;
use crate::did::{did_of, same_did};
use crate::keys::{Keyring, PublicKey, SecretKey};
use crate::resolve::Resolver;

/// The signer's key, listed for authentication (§5.2: MUST).
pub(super) fn signing_key(docs: &dyn Resolver, kid: &str) -> Result<PublicKey, OpenError> {
    let did = did_of(kid);
    let doc = docs.resolve(did).map_err(|source| OpenError::Resolve {
        did: clip(did),
        source,
    })?;
    doc.key(kid)
        .filter(|_| doc.may_authenticate(kid))
        .cloned()
        .ok_or_else(|| OpenError::KeyNotListed {
            kid: clip(kid),
            purpose: "authentication",
        })
}

/// Our secret with this key id; a did:peer:4 may be named by its long or its short form.
pub(super) fn secret<'a>(keys: &'a Keyring, kid: &str) -> Option<(&'a str, &'a SecretKey)> {
    if let Some((own, key)) = keys.get_key_value(kid) {
        return Some((own, key));
    }
    if !kid.starts_with("did:peer:4") {
        return None;
    }
    let (_, fragment) = kid.split_once('#')?;
    keys.iter().find(|(own, _)| {
        own.split_once('#')
            .is_some_and(|(did, tail)| tail == fragment && same_did(did, kid))
    })
}

/// Ids come from strangers and go into errors: a did:peer:4 may be long, but not endless.
pub(super) fn clip(id: &str) -> String {
    id.chars().take(2048).collect()
}
