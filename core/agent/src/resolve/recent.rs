//! Documents that were worked out a moment ago.
//!
//! What is it: a small memory for DIDs that carry their own documents, which never change: whoever
//! answers a message needs the same one three or four times. Who calls it: [`super::DocBook`],
//! whose copies share one. What can go wrong: nothing; what is not here is worked out again.
//! Strangers choose the DIDs, so it holds [`MOST`] bytes of them at most, twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::ResolveError;
use crate::did::DidDoc;

/// Bytes of DIDs in the younger half. A document takes some ten times its DID.
const MOST: usize = 64 << 10;

/// Two halves: what is asked for moves into the younger; once that is full the older is let go.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<String, Arc<DidDoc>>,
    old: HashMap<String, Arc<DidDoc>>,
    bytes: usize,
}

impl Recent {
    /// The document of a DID, as `work` makes it the first time.
    pub(super) fn or_resolve(
        &self,
        did: &str,
        work: impl FnOnce() -> Result<DidDoc, ResolveError>,
    ) -> Result<Arc<DidDoc>, ResolveError> {
        if let Some(doc) = self.with(|halves| halves.find(did)) {
            return Ok(doc);
        }
        let doc = Arc::new(work()?);
        self.with(|halves| halves.put(did.to_owned(), Arc::clone(&doc)));
        Ok(doc)
    }

    /// Whoever panicked here left whole documents, or fewer.
    fn with<T>(&self, work: impl FnOnce(&mut Halves) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Halves {
    fn find(&mut self, did: &str) -> Option<Arc<DidDoc>> {
        if let Some(doc) = self.young.get(did) {
            return Some(Arc::clone(doc));
        }
        let (did, doc) = self.old.remove_entry(did)?;
        self.put(did, Arc::clone(&doc));
        Some(doc)
    }

    fn put(&mut self, did: String, doc: Arc<DidDoc>) {
        if self.bytes + did.len() > MOST {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += did.len();
        self.young.insert(did, doc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::resolve_offline;

    fn key(number: usize) -> String {
        format!("did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH#{number}")
    }

    #[test]
    fn a_document_is_worked_out_once() {
        let recent = Recent::default();
        let did = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH";
        let first = recent.or_resolve(did, || resolve_offline(did)).unwrap();
        let again = recent.or_resolve(did, || resolve_offline("did:key:never-asked"));
        assert!(Arc::ptr_eq(&first, &again.unwrap()));
    }

    #[test]
    fn what_fails_is_asked_again() {
        let recent = Recent::default();
        let did = "did:key:nonsense";
        assert!(recent.or_resolve(did, || resolve_offline(did)).is_err());
        let mut asked = false;
        let again = recent.or_resolve(did, || {
            asked = true;
            resolve_offline(did)
        });
        assert!(again.is_err() && asked);
    }

    #[test]
    fn strangers_fill_no_memory_and_what_is_used_stays() {
        let recent = Recent::default();
        let used = key(0);
        let resolve = |did: &str| recent.or_resolve(did, || resolve_offline(did)).unwrap();
        let first = resolve(&used);
        for number in 1..10_000 {
            resolve(&key(number));
            if number % 100 == 0 {
                assert!(Arc::ptr_eq(&first, &resolve(&used)), "{number}");
            }
        }
        let bytes = recent.with(|halves| {
            let all = halves.young.keys().chain(halves.old.keys());
            all.map(String::len).sum::<usize>()
        });
        assert!(bytes <= 2 * MOST, "{bytes}");
    }
}
