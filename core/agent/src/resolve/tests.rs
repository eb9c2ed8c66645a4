//! The DocBook at the kiosk: what it knows without a network, and in which order.

use std::cell::RefCell;

use serde_json::json;

use super::*;
use crate::did::{Method, Service, create};

const WEB: &str = "did:web:kiosk.example:u:bob";

fn web_doc(uri: &str) -> Vec<u8> {
    json!({ "id": WEB, "service": [{
        "id": "#s", "type": "DIDCommMessaging", "serviceEndpoint": { "uri": uri },
    }] })
    .to_string()
    .into_bytes()
}

fn by_hand(did: &str, uri: &str) -> DidDoc {
    let service = json!({ "id": "#hand", "type": "DIDCommMessaging", "serviceEndpoint": uri });
    DidDoc::from_json(&json!({ "id": did, "service": [service] })).unwrap()
}

fn uri(book: &DocBook, did: &str) -> String {
    book.resolve(did).unwrap().services[0].uri.clone()
}

/// The network, as a test has it.
struct Net {
    answer: Result<Vec<u8>, String>,
    asked: RefCell<Vec<String>>,
}

impl Net {
    fn new(answer: Result<Vec<u8>, String>) -> Self {
        let asked = RefCell::default();
        Self { answer, asked }
    }
}

impl Fetch for Net {
    fn fetch(&self, url: &str, limit: usize) -> Result<Vec<u8>, String> {
        assert_eq!(limit, MAX_WEB_DOC);
        self.asked.borrow_mut().push(url.to_owned());
        self.answer.clone()
    }
}

#[test]
fn an_unknown_method_is_told_which_are_known() {
    for (did, method) in [
        ("did:ion:abc", "did:ion"),
        ("did:peer:0z6Mk", "did:peer:0"),
        ("did:peer:3zQm", "did:peer:3"),
    ] {
        let error = DocBook::new().resolve(did).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ResolveError::UnknownMethod { .. }),
            "{text}"
        );
        assert!(text.contains(&format!("\"{method}\"")), "{text}");
        for known in ["did:key", "did:peer:2", "did:peer:4", "did:jwk", "did:web"] {
            assert!(text.contains(known), "{text}");
        }
    }
}

#[test]
fn a_short_form_resolves_only_after_its_long_form_was_learned() {
    let bob = create(Method::Peer4, &[Service::didcomm("https://kiosk.example")]).unwrap();
    let short = short_form(&bob.did).unwrap();
    let mut book = DocBook::new();
    let unknown = book.resolve(short);
    assert!(
        matches!(unknown, Err(ResolveError::Unknown { .. })),
        "{unknown:?}"
    );

    // Mallory's document under bob's hash teaches nothing.
    let mallory = create(Method::Peer4, &[]).unwrap();
    let forged = format!("{short}:{}", mallory.did.rsplit(':').next().unwrap());
    assert_eq!(book.learn(&forged), Err(DidError::Hash.into()));
    assert_eq!(book.resolve(&forged), Err(DidError::Hash.into()));
    assert_eq!(book.long_form(short), None);
    assert!(book.resolve(short).is_err());

    assert_eq!(book.learn(short), Ok(false));
    assert_eq!(book.learn(&format!("{}#key-1", bob.did)), Ok(true));
    assert_eq!(book.long_form(short), Some(bob.did.as_str()));
    let doc = book.resolve(&format!("{short}?x#key-1")).unwrap();
    assert_eq!(doc.id, short);
    for (kid, secret) in &bob.secrets {
        assert_eq!(doc.key(kid), Some(secret.public()), "{kid}");
    }
    // Known or not, the forgery still fails, and does not displace what was learned.
    assert_eq!(book.learn(&forged), Err(DidError::Hash.into()));
    assert_eq!(book.resolve(&forged), Err(DidError::Hash.into()));
    assert_eq!(book.long_form(short), Some(bob.did.as_str()));
}

#[test]
fn other_dids_need_no_learning() {
    for method in [Method::Key, Method::Peer2, Method::Jwk] {
        let new = create(method, &[]).unwrap();
        let mut book = DocBook::new();
        assert_eq!(book.learn(&new.did), Ok(false));
        assert_eq!(book.resolve(&new.did), Ok(new.doc.into()));
    }
}

#[test]
fn documents_given_by_hand_come_first() {
    let bob = create(Method::Peer2, &[Service::didcomm("https://own.example")]).unwrap();
    let mut book = DocBook::new();
    assert_eq!(uri(&book, &bob.did), "https://own.example");
    assert!(book.insert(by_hand(&bob.did, "file:///hand")).is_none());
    assert_eq!(uri(&book, &format!("{}#key-1", bob.did)), "file:///hand");

    book.cache(WEB, &web_doc("https://cached.example"), 1)
        .unwrap();
    assert_eq!(uri(&book, WEB), "https://cached.example");
    book.insert(by_hand(WEB, "file:///hand"));
    assert_eq!(uri(&book, WEB), "file:///hand");

    // Also of a short form whose long form is known.
    let carol = create(Method::Peer4, &[Service::didcomm("https://own.example")]).unwrap();
    let short = short_form(&carol.did).unwrap();
    book.learn(&carol.did).unwrap();
    assert_eq!(uri(&book, short), "https://own.example");
    book.insert(by_hand(short, "file:///hand"));
    assert_eq!(uri(&book, short), "file:///hand");
}

#[test]
fn a_cached_document_grows_old() {
    let mut book = DocBook::new();
    assert!(matches!(
        book.resolve(WEB),
        Err(ResolveError::Unknown { .. })
    ));
    book.cache(WEB, &web_doc("https://a.example"), 1_000)
        .unwrap();
    assert_eq!(
        book.cached()
            .map(|(doc, at)| (doc.id.as_str(), at))
            .collect::<Vec<_>>(),
        [(WEB, 1_000)]
    );
    assert!(book.resolve(WEB).is_ok(), "without freshness it never does");
    let at = |now| book.clone().with_freshness(now, 60).resolve(WEB);
    assert!(at(1_060).is_ok());
    assert!(
        at(900).is_ok(),
        "a clock that ran ahead is no reason to refuse"
    );
    let stale = ResolveError::Stale {
        did: WEB.to_owned(),
        age: 61,
    };
    assert_eq!(at(1_061), Err(stale));
}

#[test]
fn a_fetched_document_must_be_about_the_did_asked_for() {
    let mut book = DocBook::new();
    let other = br#"{"id":"did:web:mallory.example"}"#;
    assert!(book.cache(WEB, other, 1).is_err());
    assert!(book.cache(WEB, b"<html>", 1).is_err());
    assert!(book.cache(WEB, &vec![b' '; MAX_WEB_DOC + 1], 1).is_err());
    assert!(book.cache("did:key:z6Mk", &web_doc("x"), 1).is_err());
    assert!(book.resolve(WEB).is_err());
}

#[test]
fn a_refresh_that_fails_keeps_the_older_copy() {
    let mut book = DocBook::new();
    let net = Net::new(Ok(web_doc("https://a.example")));
    book.refresh(&format!("{WEB}#k"), &net, 5).unwrap();
    assert_eq!(
        *net.asked.borrow(),
        ["https://kiosk.example/u/bob/did.json"]
    );
    assert_eq!(uri(&book, WEB), "https://a.example");
    for answer in [Err("no route".to_owned()), Ok(b"not JSON".to_vec())] {
        assert!(book.refresh(WEB, &Net::new(answer), 9).is_err());
        assert_eq!(uri(&book, WEB), "https://a.example");
        assert_eq!(book.cached().next().unwrap().1, 5);
    }
}
