//! From a DID to its document, without a network.
//!
//! What is it: [`resolve_offline`] for methods whose DID says all; [`DocBook`], which also
//! knows documents given by hand, long forms of did:peer:4 and cached did:web documents; the
//! traits [`Resolver`] and [`Fetch`]. Who calls it: `pack` while opening and packing; the
//! node and the command line fill the book. What can go wrong: [`ResolveError`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::did::{self, Did, DidDoc, DidError, did_of, short_form, web_url};

mod recent;
#[cfg(test)]
mod tests;

use recent::Recent;

/// Methods understood here, for messages to people.
pub const SUPPORTED: &str = "did:key, did:peer:2, did:peer:4, did:jwk, did:web";

/// Largest did:web document we read, in bytes.
pub const MAX_WEB_DOC: usize = 256 * 1024;

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A method that we do not know.
    #[error("the DID method \"{method}\" is not supported (supported: {SUPPORTED})")]
    UnknownMethod {
        /// As it stands in the DID, e.g. `did:ion`.
        method: String,
    },
    /// A known method, but the document is not here: a did:peer:4 whose long form was never
    /// seen, a did:web that was never fetched.
    #[error("no document for {did} is known: {hint}")]
    Unknown {
        /// The DID.
        did: String,
        /// What would help.
        hint: &'static str,
    },
    /// A cached did:web document is older than allowed.
    #[error("the document of {did} was fetched {age} s ago and must be fetched again")]
    Stale {
        /// The DID.
        did: String,
        /// Seconds since it was fetched.
        age: u64,
    },
    /// The DID or its document is broken.
    #[error(transparent)]
    Did(#[from] DidError),
    /// Fetching failed; the text is the fetcher's.
    #[error("could not fetch the document of {did}: {why}")]
    Fetch {
        /// The DID.
        did: String,
        /// The fetcher's reason.
        why: String,
    },
}

/// Whoever knows documents. Synchronous: what needs a network is fetched before, between
/// `peek` and `open`.
pub trait Resolver: Send + Sync {
    /// The document of a DID; query and fragment are ignored.
    ///
    /// # Errors
    /// Any [`ResolveError`].
    fn resolve(&self, did: &str) -> Result<Arc<DidDoc>, ResolveError>;
}

/// Whoever can GET an `https:` address (an adapter with a network).
pub trait Fetch {
    /// The body of a 2xx answer, no longer than `limit` bytes.
    ///
    /// # Errors
    /// A reason for people.
    fn fetch(&self, url: &str, limit: usize) -> Result<Vec<u8>, String>;
}

/// Resolves a DID that carries its own document: did:key, did:peer:2, did:peer:4 (long form),
/// did:jwk.
///
/// # Errors
/// [`ResolveError::UnknownMethod`], [`ResolveError::Unknown`], or [`ResolveError::Did`].
pub fn resolve_offline(did: &str) -> Result<DidDoc, ResolveError> {
    let did = Did::parse(did_of(did))?;
    let (text, id) = (did.as_str(), did.specific_id());
    let missing = |hint| {
        Err(ResolveError::Unknown {
            did: text.to_owned(),
            hint,
        })
    };
    match (did.method(), id.as_bytes().first()) {
        ("key", _) => Ok(did::key::resolve(text, id)?),
        ("jwk", _) => Ok(did::jwk::resolve(text, id)?),
        ("peer", Some(b'2')) => Ok(did::resolve_peer2(text)?),
        ("peer", Some(b'4')) if short_form(text) == Some(text) => {
            missing("only the long form of a did:peer:4 carries it; ask its owner for that")
        }
        ("peer", Some(b'4')) => Ok(did::resolve_peer4(text, text)?),
        ("peer", Some(numalgo)) => Err(ResolveError::UnknownMethod {
            method: format!("did:peer:{}", char::from(*numalgo)),
        }),
        ("web", _) => missing("fetch it once while online"),
        (method, _) => Err(ResolveError::UnknownMethod {
            method: format!("did:{method}"),
        }),
    }
}

/// A resolver that works without a network.
///
/// Documents given by hand come first: whoever put them in vouches for them. Then the DID's
/// own content, then long forms learned earlier, then the cache of did:web.
#[derive(Debug, Clone, Default)]
pub struct DocBook {
    docs: BTreeMap<String, Arc<DidDoc>>,
    long_forms: BTreeMap<String, String>,
    web: BTreeMap<String, Cached>,
    freshness: Option<Freshness>,
    recent: Arc<Recent>,
}

#[derive(Debug, Clone)]
struct Cached {
    doc: Arc<DidDoc>,
    fetched: u64,
}

#[derive(Debug, Clone, Copy)]
struct Freshness {
    now: u64,
    max_age: u64,
}

impl DocBook {
    /// An empty book, which still resolves all DIDs that carry their documents. Without
    /// [`Self::with_freshness`] cached did:web documents never grow stale.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses cached did:web documents older than `max_age` seconds at `now` (POSIX seconds).
    #[must_use]
    pub fn with_freshness(mut self, now: u64, max_age: u64) -> Self {
        self.freshness = Some(Freshness { now, max_age });
        self
    }

    /// Puts a document in by hand; gives back the one it replaces.
    pub fn insert(&mut self, doc: impl Into<Arc<DidDoc>>) -> Option<Arc<DidDoc>> {
        let doc = doc.into();
        self.docs.insert(doc.id.clone(), doc)
    }

    /// Remembers the long form of a did:peer:4 (checked), so that its short form resolves.
    /// Any other DID is left alone: `Ok(false)`.
    ///
    /// # Errors
    /// [`ResolveError::Did`] when the hash or document is broken.
    pub fn learn(&mut self, did: &str) -> Result<bool, ResolveError> {
        let long = did_of(did);
        let Some(short) = short_form(long).filter(|short| *short != long) else {
            return Ok(false);
        };
        did::resolve_peer4(Did::parse(long)?.as_str(), short)?;
        self.long_forms.insert(short.to_owned(), long.to_owned());
        Ok(true)
    }

    /// The long form of a did:peer:4 we learned, by either form.
    #[must_use]
    pub fn long_form(&self, did: &str) -> Option<&str> {
        self.long_forms
            .get(short_form(did_of(did))?)
            .map(String::as_str)
    }

    /// Puts a fetched did:web document into the cache; `fetched` in POSIX seconds.
    ///
    /// # Errors
    /// [`ResolveError::Did`] when the document is broken or about somebody else.
    pub fn cache(&mut self, did: &str, json: &[u8], fetched: u64) -> Result<(), ResolveError> {
        let did = did_of(did);
        web_url(did)?;
        if json.len() > MAX_WEB_DOC {
            return Err(DidError::Document("larger than we read").into());
        }
        let json: Value = serde_json::from_slice(json)
            .map_err(|_| DidError::Document("the fetched bytes are not JSON"))?;
        let doc = DidDoc::from_json(&json)?;
        if doc.id != did {
            return Err(DidError::Document("the fetched document is about another DID").into());
        }
        let doc = Arc::new(doc);
        self.web.insert(did.to_owned(), Cached { doc, fetched });
        Ok(())
    }

    /// Fetches a did:web document into the cache. An older copy stays when that fails.
    ///
    /// # Errors
    /// [`ResolveError::Fetch`], and those of [`Self::cache`].
    pub fn refresh(&mut self, did: &str, net: &dyn Fetch, now: u64) -> Result<(), ResolveError> {
        let url = web_url(did_of(did))?;
        let json = net
            .fetch(&url, MAX_WEB_DOC)
            .map_err(|why| ResolveError::Fetch {
                did: did_of(did).to_owned(),
                why,
            })?;
        self.cache(did, &json, now)
    }

    /// Every cached did:web document with the time it was fetched, for keeping on disk.
    pub fn cached(&self) -> impl Iterator<Item = (&DidDoc, u64)> {
        self.web.values().map(|entry| (&*entry.doc, entry.fetched))
    }

    fn cached_web(&self, did: &str) -> Option<Result<Arc<DidDoc>, ResolveError>> {
        let entry = self.web.get(did)?;
        let age = self
            .freshness
            .map(|fresh| (fresh.now.saturating_sub(entry.fetched), fresh.max_age));
        Some(match age {
            Some((age, max_age)) if age > max_age => Err(ResolveError::Stale {
                did: did.to_owned(),
                age,
            }),
            _ => Ok(Arc::clone(&entry.doc)),
        })
    }
}

impl Resolver for DocBook {
    fn resolve(&self, did: &str) -> Result<Arc<DidDoc>, ResolveError> {
        let did = did_of(did);
        if let Some(doc) = self.docs.get(did) {
            return Ok(Arc::clone(doc));
        }
        if let Some(long) = self.long_forms.get(did) {
            let work = || Ok(did::resolve_peer4(long, did)?);
            return self.recent.or_resolve(did, work);
        }
        if let Some(found) = self.cached_web(did) {
            return found;
        }
        self.recent.or_resolve(did, || resolve_offline(did))
    }
}
