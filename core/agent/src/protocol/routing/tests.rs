//! Alice writes to bob through cloud and kiosk; mallory through herself, for ever.

use base64_simd::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;
use crate::did::{Method, NewDid, Service, create};
use crate::keys::Keyring;
use crate::pack::{Jose, Limits, Opened, Packer, peek};
use crate::resolve::DocBook;

const BOB: &str = "did:example:bob";
/// What a packed message looks like, with bytes that every alphabet writes differently.
const PACKED: &str =
    r#"{"protected":"e30","recipients":[],"iv":"ÿþ?>","ciphertext":"AA","tag":"AA"}"#;

fn arrived(message: &Message) -> Message {
    Message::parse(&message.to_json()).unwrap()
}

fn with(more: &[(&str, Value)]) -> Message {
    let mut message = forward(BOB, PACKED.as_bytes()).unwrap().to_value();
    for (name, value) in more {
        message[*name] = value.clone();
    }
    Message::from_value(message).unwrap()
}

fn ring(did: &NewDid) -> Keyring {
    let mut ring = Keyring::new();
    for (kid, key) in &did.secrets {
        ring.insert(kid.clone(), key.clone());
    }
    ring
}

fn opened(packed: &[u8], by: &NewDid) -> (Opened, Forward) {
    let opened = Jose
        .open(packed, &ring(by), &DocBook::new(), &Limits::default())
        .unwrap();
    let message = Message::from_value(opened.message.clone()).unwrap();
    let forward = read(&message).unwrap();
    (opened, forward)
}

#[test]
fn what_alice_writes_the_mediator_reads() {
    let written = forward("did:example:bob#key-1", PACKED.as_bytes()).unwrap();
    assert_eq!(written.from, None, "nobody signs a forward");
    assert_eq!(written.attachments.len(), 1);
    assert!(
        written.attachments[0].data.json.is_some(),
        "some read nothing but json"
    );
    assert_eq!(
        read(&arrived(&written)).unwrap(),
        Forward {
            next: BOB.to_owned(),
            packed: vec![PACKED.into()],
            expires: None,
            delay_ms: None,
            hops: 0,
        }
    );
    // A plaintext might be spelled otherwise after a round through JSON: its bytes are kept.
    let plain = br#"{"id":"1","type":"x","body":{"n":1.0e2}}"#;
    let written = forward(BOB, plain).unwrap();
    assert_eq!(read(&arrived(&written)).unwrap().packed, [plain]);
    assert_eq!(forward("bob", b"x"), Err(ForwardError::Next));
    assert_eq!(forward(BOB, b""), Err(ForwardError::Empty));
}

#[test]
fn a_message_is_read_in_every_form_that_somebody_writes() {
    let attachments = [
        json!({ "json": serde_json::from_str::<Value>(PACKED).unwrap() }),
        json!({ "json": PACKED }),
        json!({ "base64": URL_SAFE_NO_PAD.encode_to_string(PACKED) }),
        json!({ "base64": URL_SAFE.encode_to_string(PACKED) }),
        json!({ "base64": STANDARD.encode_to_string(PACKED) }),
        json!({ "base64": STANDARD_NO_PAD.encode_to_string(PACKED) }),
        json!({ "base64": format!("{}\r\n", STANDARD.encode_to_string(PACKED)) }),
    ];
    assert!(attachments[4]["base64"] != attachments[3]["base64"]);
    for data in &attachments {
        let message = with(&[("attachments", json!([{ "data": data }]))]);
        assert_eq!(
            read(&message).unwrap().packed,
            [PACKED.as_bytes()],
            "{data}"
        );
    }
    let all: Vec<Value> = attachments
        .iter()
        .map(|data| json!({ "data": data }))
        .collect();
    assert_eq!(
        read(&with(&[("attachments", json!(all))]))
            .unwrap()
            .packed
            .len(),
        7
    );
}

#[test]
fn wishes_are_read_wherever_they_stand() {
    let read = |more: &[(&str, Value)]| read(&with(more)).unwrap();
    assert_eq!(read(&[("expires_time", json!(99))]).expires, Some(99));
    for (written, meant) in [
        (json!(250), Some(250)),
        (json!(-1000), Some(-1000)),
        (json!("250"), Some(250)),
        (json!(250.0), Some(250)),
        (json!("soon"), None),
        (json!(null), None),
        (json!([1]), None),
    ] {
        assert_eq!(
            read(&[("delay_milli", written.clone())]).delay_ms,
            meant,
            "{written}"
        );
        let body = json!({ "next": BOB, "delay_milli": written });
        assert_eq!(read(&[("body", body)]).delay_ms, meant, "{written}");
    }
    assert_eq!(read(&[("hop_count", json!(3))]).hops, 3);
    assert_eq!(read(&[("hop_count", json!("many"))]).hops, 0);
}

#[test]
fn the_pause_is_what_was_asked_for_or_drawn_up_to_it() {
    let pause = |delay| Forward {
        delay_ms: delay,
        ..read(&with(&[])).unwrap()
    };
    assert_eq!(pause(None).wait(7), 0);
    assert_eq!(pause(Some(250)).wait(7), 250);
    let drawn: Vec<u64> = (0..=4).map(|draw| pause(Some(-3)).wait(draw)).collect();
    assert_eq!(drawn, [0, 1, 2, 3, 0]);
    assert!(pause(Some(i64::MIN)).wait(u64::MAX) <= i64::MIN.unsigned_abs());
}

#[test]
fn what_nobody_can_follow_is_named() {
    let none: Vec<Value> = vec![];
    let many = vec![json!({ "data": { "base64": "e30" } }); MAX_PACKED + 1];
    let data = |data: Value| {
        (
            "attachments",
            json!([{ "data": { "base64": "e30" } }, { "data": data }]),
        )
    };
    for (more, why) in [
        (
            ("type", json!("https://didcomm.org/routing/2.0/other")),
            ForwardError::Type,
        ),
        (
            ("type", json!("https://didcomm.org/routing/1.0/forward")),
            ForwardError::Type,
        ),
        (("body", json!({})), ForwardError::Next),
        (("body", json!(null)), ForwardError::Next),
        (("body", json!({ "next": "bob" })), ForwardError::Next),
        (("body", json!({ "next": [BOB] })), ForwardError::Next),
        (
            (
                "body",
                json!({ "next": format!("did:x:{}", "y".repeat(9000)) }),
            ),
            ForwardError::Next,
        ),
        (("attachments", json!(none)), ForwardError::Empty),
        (("attachments", json!(many)), ForwardError::TooMany),
        (
            data(json!({ "links": ["http://169.254.169.254/"] })),
            ForwardError::Attachment(1),
        ),
        (data(json!({ "base64": "A" })), ForwardError::Attachment(1)),
        (data(json!({ "base64": "" })), ForwardError::Attachment(1)),
        (data(json!({ "json": [1] })), ForwardError::Attachment(1)),
        (data(json!({})), ForwardError::Attachment(1)),
        (("hop_count", json!(10)), ForwardError::Hops),
        (("hop_count", json!(u64::MAX)), ForwardError::Type),
    ] {
        let told = read(&with(std::slice::from_ref(&more)));
        if more.1 == json!(u64::MAX) {
            // More than any counter holds is no count.
            assert_eq!(told.map(|forward| forward.hops), Ok(0));
        } else {
            assert_eq!(told, Err(why), "{more:?}");
        }
    }
    for name in ["Forward", "for-ward", "forward"] {
        let odd = format!("https://didcomm.org/routing/2.1/{name}");
        assert!(read(&with(&[("type", json!(odd))])).is_ok());
    }
}

#[test]
fn mediators_that_pass_in_circles_stop() {
    let mut message = forward(BOB, PACKED.as_bytes()).unwrap();
    message.expires_time = Some(99);
    let mut passed = 0;
    let stopped = loop {
        let forward = read(&arrived(&message)).unwrap();
        assert_eq!(forward.expires, Some(99));
        match forward.onward("did:example:kiosk", &forward.packed[0]) {
            Ok(next) => message = next,
            Err(why) => break why,
        }
        passed += 1;
    };
    assert_eq!((stopped, passed), (ForwardError::Hops, MAX_HOPS - 1));
}

#[test]
fn the_onion_shows_each_mediator_the_next() {
    let cloud = create(Method::Peer2, &[Service::didcomm("https://cloud.example/")]).unwrap();
    let kiosk = create(Method::Key, &[]).unwrap();
    // One by its DID, one by a key of its own.
    let key = kiosk.doc.agreement_keys().next().unwrap().0.to_owned();
    let keys = [cloud.did.clone(), key.clone()];
    let packed = wrap(PACKED.as_bytes(), BOB, &keys, &DocBook::new()).unwrap();

    let (layers, outer) = opened(&packed, &cloud);
    assert_eq!(layers.sender, None);
    let crate::pack::Layer::Encrypted { enc, .. } = &layers.layers[0] else {
        panic!("anoncrypt");
    };
    assert_eq!(enc.name(), "A256CBC-HS512", "all that every mediator reads");
    assert_eq!(
        outer.next, kiosk.did,
        "without fragment: mediators compare texts"
    );
    assert_eq!(
        peek(&outer.packed[0], &Limits::default())
            .unwrap()
            .recipient_kids,
        [key]
    );
    let (_, inner) = opened(&outer.packed[0], &kiosk);
    assert_eq!(
        (inner.next.as_str(), &inner.packed[0][..]),
        (BOB, PACKED.as_bytes())
    );

    assert_eq!(
        wrap(PACKED.as_bytes(), BOB, &[], &DocBook::new()).unwrap(),
        PACKED.as_bytes()
    );
    let signing = kiosk.doc.authentication_keys().next().unwrap().0.to_owned();
    assert_eq!(
        wrap(b"x", BOB, std::slice::from_ref(&signing), &DocBook::new()),
        Err(WrapError::Key(signing))
    );
    assert_eq!(
        wrap(b"x", BOB, &vec![cloud.did.clone(); 9], &DocBook::new()),
        Err(WrapError::TooMany)
    );
    assert!(matches!(
        wrap(
            b"x",
            BOB,
            &["did:example:nobody".to_owned()],
            &DocBook::new()
        ),
        Err(WrapError::Pack(_))
    ));
}

#[test]
fn bobs_document_tells_the_ways_to_him() {
    let docs = DocBook::new();
    let cloud = create(Method::Peer2, &[Service::didcomm("https://cloud.example/")]).unwrap();
    let mut behind = Service::didcomm(&cloud.did);
    behind.routing_keys = vec!["did:example:kiosk#1".to_owned()];
    let direct = Service::didcomm("tcp://192.168.1.7:4460");
    let mut odd = Service::didcomm("https://v1.example");
    odd.accept = vec!["didcomm/aip1".to_owned()];
    let bob = create(Method::Peer2, &[behind, odd, direct]).unwrap();
    let found = routes(&bob.did, &docs).unwrap();
    assert_eq!(
        found,
        [
            Route {
                uri: "https://cloud.example/".to_owned(),
                keys: vec![cloud.did.clone(), "did:example:kiosk#1".to_owned()],
            },
            Route {
                uri: "tcp://192.168.1.7:4460".to_owned(),
                keys: vec![],
            },
        ]
    );
    // A mediator behind a mediator's endpoint, and one that nobody knows.
    let loops = create(Method::Peer2, &[Service::didcomm(&bob.did)]).unwrap();
    let lost = create(Method::Peer2, &[Service::didcomm("did:example:lost")]).unwrap();
    let ways = routes(&loops.did, &docs).unwrap();
    assert_eq!(ways.len(), 1, "only bob's direct one: {ways:?}");
    assert_eq!(routes(&lost.did, &docs), Ok(vec![]));
    assert!(routes("did:example:bob", &docs).is_err());
}
