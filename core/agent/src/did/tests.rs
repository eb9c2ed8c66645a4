//! DIDs of others, resolved as others resolve them; DIDs of ours; and mallory's.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::keys::{Curve, PublicKey, SecretKey};
use crate::resolve::{ResolveError, resolve_offline};

const KEY: &str = include_str!("../../../../fixtures/did/key.json");
const JWK: &str = include_str!("../../../../fixtures/did/jwk.json");
const PEER2: &str = include_str!("../../../../fixtures/did/peer2.json");
const PEER2_OLD: &str = include_str!("../../../../fixtures/did/peer2-old.json");
const PEER4: &str = include_str!("../../../../fixtures/did/peer4.json");

const AGREE: &str = "z6LSg8zQom395jKLrGiBNruB9MM6V8PWuf2FpEy4uRFiqQBR";
const SIGN: &str = "z6Mkj3PUd1WjvaDhNZhhhXQdz5UnZXmS7ehtx8bsPpD47kKc";

fn vectors(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

/// did:peer:3 names are theirs to add.
fn without_other_names(mut doc: Value) -> Value {
    doc.as_object_mut().unwrap().shift_remove("alsoKnownAs");
    doc
}

fn peer2_with(service: &str) -> String {
    let service = base64_simd::URL_SAFE_NO_PAD.encode_to_string(service);
    format!("did:peer:2.E{AGREE}.V{SIGN}.S{service}")
}

fn owned<'a>(keys: impl Iterator<Item = (&'a str, &'a PublicKey)>) -> Vec<(String, PublicKey)> {
    keys.map(|(id, key)| (id.to_owned(), key.clone())).collect()
}

#[test]
fn the_vectors_of_did_key_resolve_to_the_keys_they_give() {
    let mut seen = Vec::new();
    for vector in vectors(KEY) {
        let ours = resolve_offline(text(&vector, "did")).unwrap();
        let theirs = DidDoc::from_json(&vector["doc"]).unwrap();
        assert_eq!(ours.verification, theirs.verification, "{}", ours.id);
        assert_eq!(
            owned(ours.agreement_keys()),
            owned(theirs.agreement_keys()),
            "{}",
            ours.id
        );
        // Theirs list every curve for everything; ours only for what DIDComm has it do.
        assert_eq!(
            owned(ours.authentication_keys()),
            owned(theirs.authentication_keys()),
            "{}",
            ours.id
        );
        if ours.authentication_keys().count() > 0 {
            for name in ["authentication", "assertionMethod", "capabilityDelegation"] {
                assert_eq!(ours.to_json()[name], vector["doc"][name], "{name}");
            }
        }
        for (kid, jwk) in vector["secrets"].as_object().unwrap() {
            let secret = SecretKey::from_jwk(jwk).unwrap();
            assert_eq!(ours.key(kid), Some(secret.public()), "{kid}");
        }
        seen.extend(ours.verification.iter().map(|method| method.key.curve()));
    }
    assert!(Curve::ALL.iter().all(|curve| seen.contains(curve)));
}

#[test]
fn the_vectors_of_did_jwk_resolve_to_the_documents_they_give() {
    for vector in vectors(JWK) {
        let ours = resolve_offline(text(&vector, "did")).unwrap();
        assert_eq!(ours.to_json(), vector["doc"]);
        assert_eq!(DidDoc::from_json(&vector["doc"]).unwrap(), ours);
    }
}

#[test]
fn did_peer_2_resolves_as_the_other_library_and_the_specification_do() {
    let all = vectors(PEER2);
    assert!(all.iter().any(|v| v["name"] == "named before unnamed"));
    for vector in all {
        let ours = resolve_offline(text(&vector, "did")).unwrap();
        assert_eq!(
            without_other_names(ours.to_json()),
            without_other_names(vector["doc"].clone()),
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn keys_of_did_peer_2_are_found_under_their_old_names_too() {
    for vector in vectors(PEER2_OLD) {
        let ours = resolve_offline(text(&vector, "did")).unwrap();
        let theirs = DidDoc::from_json(&vector["doc"]).unwrap();
        assert_eq!(theirs.verification.len(), 2);
        for method in &theirs.verification {
            assert_eq!(ours.key(&method.id), Some(&method.key), "{}", method.id);
        }
        for id in &theirs.key_agreement {
            assert!(ours.may_agree(id) && !ours.may_authenticate(id), "{id}");
        }
        for id in &theirs.authentication {
            assert!(ours.may_authenticate(id) && !ours.may_agree(id), "{id}");
        }
        let uris =
            |doc: &DidDoc| -> Vec<_> { doc.services.iter().map(|s| s.uri.clone()).collect() };
        assert_eq!(uris(&ours), uris(&theirs));
        assert!(!ours.services.is_empty());
        let stranger = SecretKey::generate(Curve::X25519).unwrap();
        let stranger = stranger.public().to_multikey();
        assert_eq!(ours.key(&format!("{}#{stranger}", ours.id)), None);
        for part in ["6LS", "6LSg8zQ", "6LSg8zQom"] {
            assert_eq!(ours.key(&format!("{}#{part}", ours.id)), None, "{part}");
        }
    }
}

#[test]
fn a_service_of_did_peer_2_may_be_a_string_an_object_or_a_list() {
    let first = |service: &str| {
        let doc = resolve_offline(&peer2_with(service)).unwrap();
        doc.services.into_iter().next().unwrap()
    };
    let old = first(
        r#"{"t":"dm","s":"https://kiosk.example","r":["did:example:mule#1"],"a":["didcomm/v2"]}"#,
    );
    let new = first(
        r#"{"t":"dm","s":{"uri":"https://kiosk.example","r":["did:example:mule#1"],"a":["didcomm/v2"]}}"#,
    );
    let list = first(
        r#"[{"t":"dm","s":[{"uri":"https://kiosk.example","routing_keys":["did:example:mule#1"],"a":["didcomm/v2"]}]}]"#,
    );
    for other in [new, list] {
        // The ids differ in the DID, which holds the service's text.
        let id = old.id.clone();
        assert_eq!(old, Service { id, ..other });
    }
    assert_eq!(old.kind, "DIDCommMessaging");
    assert_eq!(old.routing_keys, ["did:example:mule#1"]);
    assert!(old.takes_didcomm_v2());
    assert!(old.id.starts_with("did:peer:2.") && old.id.ends_with("#service"));
}

#[test]
fn ids_may_be_relative_or_absolute_but_not_of_another_did() {
    let doc = |id: &str| {
        json!({ "id": "did:example:bob", "keyAgreement": [id], "authentication": [],
            "verificationMethod": [{ "id": id, "type": "Multikey", "publicKeyMultibase": AGREE }] })
    };
    for id in ["#k", "k", "did:example:bob#k"] {
        let doc = DidDoc::from_json(&doc(id)).unwrap();
        for asked in ["did:example:bob#k", "#k"] {
            assert_eq!(doc.key(asked).unwrap().to_multikey(), AGREE, "{id} {asked}");
            assert!(doc.may_agree(asked));
        }
        assert_eq!(doc.key("did:example:alice#k"), None);
    }
    // Mallory's document cannot say what alice's key is.
    let mallory = DidDoc::from_json(&doc("did:example:alice#k")).unwrap();
    assert_eq!(mallory.key("did:example:alice#k"), None);
    assert_eq!(mallory.agreement_keys().count(), 0);
}

#[test]
fn did_peer_4_resolves_and_is_written_as_the_other_library_does() {
    for vector in vectors(PEER4) {
        let (long, short) = (text(&vector, "did"), text(&vector, "short"));
        assert_eq!(resolve_offline(long).unwrap().to_json(), vector["doc"]);
        let under_short = resolve_peer4(long, short).unwrap();
        assert_eq!(under_short.to_json(), vector["short_doc"]);
        assert_eq!(short_form(long), Some(short));
        assert!(same_did(&format!("{long}#key-1"), short));
        let key = under_short.key(&format!("{long}#key-1")).unwrap();
        assert_eq!(key.to_multikey(), AGREE);
        // Their JSON escapes what is not ASCII; ours does not, and need not.
        if vector["name"] != "not ASCII" {
            assert_eq!(peer4::long_form(&vector["input"]), long);
        }
    }
}

#[test]
fn a_did_peer_4_with_another_document_is_refused() {
    let vectors = vectors(PEER4);
    let (one, two) = (text(&vectors[0], "did"), text(&vectors[1], "did"));
    let document = two.rsplit(':').next().unwrap();
    let forged = format!("{}:{document}", short_form(one).unwrap());
    // The names look alike, which is why only the resolved form counts.
    assert!(same_did(&forged, one));
    assert_eq!(
        resolve_offline(&forged),
        Err(ResolveError::Did(DidError::Hash))
    );
    let short = short_form(one).unwrap();
    assert!(matches!(
        resolve_offline(short),
        Err(ResolveError::Unknown { .. })
    ));
    let mut cut = one.to_owned();
    cut.pop();
    assert_eq!(
        resolve_offline(&cut),
        Err(ResolveError::Did(DidError::Hash))
    );
    let with_id = peer4::long_form(&json!({ "id": "did:example:alice" }));
    assert!(matches!(
        resolve_offline(&with_id),
        Err(ResolveError::Did(DidError::Method { .. }))
    ));
}

#[test]
fn alice_makes_a_did_of_every_method_and_its_secrets_fit_its_document() {
    let services = [
        Service::didcomm("https://kiosk.example"),
        Service {
            id: "#drive".to_owned(),
            ..Service::didcomm("file:///DIDCOMM")
        },
        Service::didcomm("did:example:mule"),
    ];
    for method in Method::ALL {
        let carries = matches!(method, Method::Peer2 | Method::Peer4);
        let given: &[Service] = if carries { &services } else { &[] };
        let new = create(method, given).unwrap();
        assert_eq!(resolve_offline(&new.did).unwrap(), new.doc, "{method}");
        assert_eq!(new.doc.id, new.did);
        assert_eq!(method.name().parse::<Method>(), Ok(method));
        for (kid, secret) in &new.secrets {
            assert!(same_did(kid, &new.did));
            assert_eq!(new.doc.key(kid), Some(secret.public()), "{kid}");
        }
        for (kid, key) in new
            .doc
            .agreement_keys()
            .chain(new.doc.authentication_keys())
        {
            let (_, secret) = new.secrets.iter().find(|(own, _)| own == kid).unwrap();
            assert_eq!(secret.public(), key);
        }
        assert_eq!(new.doc.agreement_keys().count(), 1, "{method}");
        assert_eq!(new.doc.authentication_keys().count(), 1, "{method}");
        let ids: Vec<_> = new.doc.services.iter().map(|s| &s.id).collect();
        if carries {
            let ends = ["#service", "#drive", "#service-1"];
            assert_eq!(ids, ends.map(|end| format!("{}{end}", new.did)).each_ref());
            let uris = new.doc.services.iter().map(|s| &s.uri);
            assert!(uris.eq(services.iter().map(|s| &s.uri)));
        } else {
            let refused = create(method, &services);
            assert!(matches!(refused, Err(DidError::NoServices(_))));
        }
    }
}

#[test]
fn a_did_jwk_with_the_secret_in_it_is_refused() {
    let jwk = SecretKey::generate(Curve::P256).unwrap().to_jwk();
    let did = format!(
        "did:jwk:{}",
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(jwk.as_bytes())
    );
    assert_eq!(
        resolve_offline(&did),
        Err(ResolveError::Did(DidError::PrivateKey))
    );
}

#[test]
fn did_web_names_an_address() {
    for (did, url) in [
        (
            "did:web:kiosk.example",
            "https://kiosk.example/.well-known/did.json",
        ),
        (
            "did:web:kiosk.example:u:bob",
            "https://kiosk.example/u/bob/did.json",
        ),
        (
            "did:web:Kiosk.example%3A8443",
            "https://kiosk.example:8443/.well-known/did.json",
        ),
        (
            "did:web:kiosk.example%3a8443:u",
            "https://kiosk.example:8443/u/did.json",
        ),
    ] {
        assert_eq!(web_url(did).as_deref(), Ok(url));
    }
    for did in [
        "did:web:127.0.0.1",
        "did:web:127.1",
        "did:web:0x7f000001",
        "did:web:kiosk.example%3A",
        "did:web:kiosk.example%3A%2B80",
        "did:web:kiosk.example%3A99999",
        "did:web:kiosk.example%2Fu",
        "did:web:kiosk.example%40mallory.example",
        "did:web:kiosk.example:%2e%2e:u",
        "did:web:kiosk.example:u%2Fbob",
        "did:web:kiosk.example::bob",
        "did:web:kiosk.example:u%3",
        "did:web:kiosk..example",
        "did:key:kiosk.example",
    ] {
        assert!(web_url(did).is_err(), "{did}");
    }
}

#[test]
fn did_urls_come_apart_and_together() {
    let text = "did:example:bob/a/b?version=1#key-1";
    let url = DidUrl::parse(text).unwrap();
    assert_eq!(
        (url.did.method(), url.did.specific_id()),
        ("example", "bob")
    );
    assert_eq!(
        (url.path.as_str(), url.query.as_deref()),
        ("/a/b", Some("version=1"))
    );
    assert_eq!(url.fragment.as_deref(), Some("key-1"));
    assert_eq!(url.to_string(), text);
    assert_eq!(did_of(text), "did:example:bob");
    for wrong in [
        "",
        "did",
        "did:",
        "did:x",
        "did:x:",
        "did:X:y",
        "did:x:y z",
        "DID:x:y",
        "did:x:y:",
        "did:x:ä",
    ] {
        assert!(DidUrl::parse(wrong).is_err(), "{wrong}");
    }
    assert!(same_did("did:example:bob?a=b", "did:example:bob#k"));
    assert!(!same_did("did:example:bob", "did:example:bobby"));
    assert!(!same_did("did:peer:4", "did:peer:4"[..9].as_ref()));
}

/// Mallory's longest DIDs, each with the right hash so that every step is taken.
#[test]
fn the_costliest_did_is_cheap_and_a_longer_one_is_refused() {
    let body = "a".repeat((MAX_DID - 120) * 100 / 137 - 40);
    let long = peer4::long_form(&json!({ "x": body }));
    assert!(
        long.len() > MAX_DID - 300 && long.len() <= MAX_DID,
        "{}",
        long.len()
    );
    let took = (0..5).map(|_| {
        let start = Instant::now();
        resolve_offline(&long).unwrap();
        start.elapsed()
    });
    let took = took.min().unwrap();
    println!("did:peer:4 of {} bytes: {took:?}", long.len());
    assert!(took < Duration::from_secs(2), "{took:?}");

    let huge = format!("did:peer:4z{}", "1".repeat(8 << 20));
    let start = Instant::now();
    assert_eq!(
        resolve_offline(&huge),
        Err(ResolveError::Did(DidError::TooLong))
    );
    assert_eq!(DidUrl::parse(&huge), Err(DidError::TooLong));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_document_that_is_too_much_is_refused() {
    let refused = |name: &str, value: Value| {
        let doc = DidDoc::from_json(&json!({ "id": "did:example:mallory", name: value }));
        assert!(matches!(doc, Err(DidError::Document(_))), "{name}");
    };
    let method = json!({ "id": "#k", "publicKeyMultibase": AGREE });
    refused("verificationMethod", json!(vec![method.clone(); 65]));
    refused("keyAgreement", json!(vec![method; 65]));
    refused("authentication", json!(vec!["#k"; 65]));
    refused("service", json!(vec![json!({}); 33]));
    refused("alsoKnownAs", json!(vec!["x"; 33]));
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    refused("x", deep);
    let elements = format!(".V{SIGN}").repeat(65);
    assert!(resolve_offline(&format!("did:peer:2{elements}")).is_err());
}

fn json_value() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "id",
        "type",
        "service",
        "serviceEndpoint",
        "uri",
        "accept",
        "routingKeys",
        "keyAgreement",
        "authentication",
        "verificationMethod",
        "publicKeyMultibase",
        "publicKeyBase58",
        "publicKeyJwk",
        "alsoKnownAs",
        "kty",
        "crv",
        "x",
        "y",
    ]);
    let texts = prop::sample::select(vec![
        "did:example:bob",
        "did:example:bob#k",
        "#k",
        "k",
        "",
        "#",
        AGREE,
        SIGN,
        "z",
        "EC",
        "OKP",
        "P-256",
        "X25519",
        "Ed25519VerificationKey2018",
        "DIDCommMessaging",
        "didcomm/v2",
        "ä",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(|n| json!(n)),
        texts.prop_map(|t| json!(t)),
        ".{0,12}".prop_map(|t| json!(t)),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..7).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(n, v)| (n.to_owned(), v))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_upsets_the_parser(text in ".{0,200}", tail in "[a-zA-Z0-9.:%=#?/_-]{0,200}") {
        for text in [text, format!("did:{tail}"), format!("did:peer:2.{tail}"), format!("did:peer:4{tail}"),
            format!("did:key:z{tail}"), format!("did:jwk:{tail}"), format!("did:web:{tail}")] {
            if let Ok(url) = DidUrl::parse(&text) {
                prop_assert_eq!(url.to_string(), text.clone());
            }
            if let Ok(doc) = resolve_offline(&text) {
                prop_assert_eq!(doc.id, did_of(&text));
            }
            let _ = (web_url(&text), short_form(&text), same_did(&text, &tail));
        }
    }

    #[test]
    fn no_json_upsets_the_document(value in json_value()) {
        let mut value = value;
        if let Some(map) = value.as_object_mut() {
            map.insert("id".to_owned(), json!("did:example:bob"));
        }
        if let Ok(doc) = DidDoc::from_json(&value) {
            prop_assert!(doc.verification.len() <= 64);
            prop_assert_eq!(doc.to_json(), value);
            for (id, key) in doc.agreement_keys() {
                prop_assert_eq!(doc.key(id), Some(key));
            }
            // Written anew from its fields it says the same.
            let mut plain = doc.clone();
            plain.raw = Value::Null;
            let again = DidDoc::from_json(&plain.to_json()).unwrap();
            prop_assert_eq!(&again.verification, &doc.verification);
            prop_assert_eq!(&again.key_agreement, &doc.key_agreement);
        }
    }

    #[test]
    fn no_input_document_or_service_upsets_did_peer(value in json_value()) {
        let _ = resolve_offline(&peer4::long_form(&value));
        let _ = resolve_offline(&peer2_with(&value.to_string()));
    }
}
