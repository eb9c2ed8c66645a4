//! A stranger's bytes as a DID, as a DID URL, and as a DID document.
//!
//! Whatever parses is written as it was read, and whatever resolves is about the DID asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_agent::did::{DidDoc, DidUrl, MAX_DID, did_of, same_did, short_form, web_url};
use packmule_agent::resolve::{DocBook, Resolver, resolve_offline};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(url) = DidUrl::parse(text) {
            assert!(text.len() <= MAX_DID);
            assert_eq!(url.to_string(), text);
        }
        if let Ok(doc) = resolve_offline(text) {
            assert_eq!(doc.id, did_of(text));
            check(&doc);
        }
        let mut book = DocBook::new();
        if book.learn(text) == Ok(true) {
            let short = short_form(did_of(text)).expect("it was learned");
            let doc = book.resolve(short).expect("it was learned");
            assert_eq!(doc.id, short);
            assert!(same_did(short, text));
        }
        let _ = web_url(text);
    }
    if let Ok(value) = serde_json::from_slice(data) {
        if let Ok(doc) = DidDoc::from_json(&value) {
            assert_eq!(doc.to_json(), value);
            check(&doc);
        }
    }
});

/// Every listed key is one of the document's own.
fn check(doc: &DidDoc) {
    for (id, key) in doc.agreement_keys().chain(doc.authentication_keys()) {
        assert!(same_did(id, &doc.id), "{id}");
        assert_eq!(doc.key(id), Some(key));
    }
}
