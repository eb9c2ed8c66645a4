//! DIDs: names that carry or lead to keys, and the documents behind them.
//!
//! What is it: the syntax of DIDs and DID URLs (W3C DID Core §3), DID documents read
//! generously (§5), and the methods that need no network: did:key, did:peer:2, did:peer:4,
//! did:jwk; for did:web the mapping to an address. Who calls it: `resolve` (look-up), `pack`
//! (keys of a kid), the command line (new identities). What can go wrong: [`DidError`].
//! DIDs come from strangers, so length, depth and counts are bounded here, before any work
//! that grows with them.

mod create;
mod doc;
mod endpoint;
pub(crate) mod jwk;
pub(crate) mod key;
mod peer2;
mod peer4;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod web;

pub use create::{Method, NewDid, create};
pub use doc::{DidDoc, VerificationMethod};
pub use endpoint::{DIDCOMM_V2, Service};
pub use peer4::short_form;
pub use syntax::{Did, DidUrl, MAX_DID, did_of, same_did};
pub use web::web_url;

pub(crate) use peer2::resolve as resolve_peer2;
pub(crate) use peer4::resolve as resolve_peer4;

use serde_json::Value;

use crate::keys::KeyError;

/// Why a text is no DID, or a document no DID document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DidError {
    /// Not `did:method:id` (DID Core §3.1). The text is cut to a readable length.
    #[error("\"{0}\" is not a DID")]
    Syntax(String),
    /// Longer than [`MAX_DID`] bytes.
    #[error("the DID is longer than {MAX_DID} bytes")]
    TooLong,
    /// The method-specific part breaks the rules of its method.
    #[error("not a valid {method} DID: {why}")]
    Method {
        /// Which method's rules.
        method: &'static str,
        /// Which rule.
        why: &'static str,
    },
    /// A key inside the DID or document is broken.
    #[error("a key in the DID is not usable")]
    Key(#[from] KeyError),
    /// The document breaks DID Core or one of our bounds.
    #[error("not a usable DID document: {0}")]
    Document(&'static str),
    /// A did:peer:4's hash is not that of its document.
    #[error("the hash in this did:peer:4 does not match its document")]
    Hash,
    /// A did:jwk with the secret in it: whoever sees the DID owns it.
    #[error("this did:jwk contains a private key; it must not be used")]
    PrivateKey,
    /// The method cannot carry service endpoints in the DID itself.
    #[error("{0} cannot carry service endpoints; use did:peer:2 or did:peer:4")]
    NoServices(&'static str),
}

/// did:key and did:jwk list a key that signs in every relationship that signs.
fn add_signing_relations(raw: &mut Value) {
    let Some(map) = raw.as_object_mut() else {
        return;
    };
    if let Some(ids) = map.get("authentication").cloned() {
        for name in [
            "assertionMethod",
            "capabilityInvocation",
            "capabilityDelegation",
        ] {
            map.insert(name.to_owned(), ids.clone());
        }
    }
}
