//! Alice attaches a timetable; Mallory attaches what she likes.

use super::*;
use crate::jose::sign;
use crate::keys::{Curve, PublicKey, SecretKey};
use crate::message::{Message, MessageWarning};

const TEXT: &[u8] = b"noon: the mule; dusk: the boat \xff";

fn read(data: Value) -> Attachment {
    Attachment::from_value(json!({ "id": "1", "data": data })).unwrap()
}

fn sha256_multihash(content: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    [&[0x12, 0x20], Sha256::digest(content).as_slice()].concat()
}

#[test]
fn bytes_survive_in_every_spelling_of_base64() {
    let attached = Attachment::base64(TEXT);
    assert_eq!(attached.bytes().unwrap().unwrap(), TEXT);
    assert_eq!(attached.byte_count, Some(TEXT.len() as u64));
    for (spelled, content) in [
        ("_-8", &b"\xff\xef"[..]),
        ("_-8=", b"\xff\xef"),
        ("/+8=", b"\xff\xef"),
        ("/+8", b"\xff\xef"),
        ("_w==", b"\xff"),
        ("", b""),
    ] {
        let attached = read(json!({ "base64": spelled }));
        assert_eq!(attached.bytes(), Ok(Some(content.to_vec())), "{spelled}");
        assert_eq!(attached.size(), Some(content.len() as u64), "{spelled}");
    }
    for wrong in ["_", "a b", "_/-+", "ä", "_-9", "_w==x", "\u{0}"] {
        let told = read(json!({ "base64": wrong })).bytes();
        assert_eq!(told, Err(AttachmentError::Base64), "{wrong:?}");
    }
}

#[test]
fn json_and_its_null_are_content() {
    for value in [
        json!({ "b": [1, 2.5], "a": null }),
        json!(null),
        json!("text"),
    ] {
        let attached = read(json!({ "json": value }));
        assert_eq!(
            attached.bytes().unwrap().unwrap(),
            value.to_string().into_bytes()
        );
        let again = Attachment::from_value(attached.to_value()).unwrap();
        assert_eq!(again, attached);
    }
    assert_eq!(read(json!({})).bytes(), Ok(None));
    assert_eq!(read(json!({ "links": ["https://x"] })).bytes(), Ok(None));
}

#[test]
fn what_a_link_brings_is_checked_by_its_hash() {
    let hash = sha256_multihash(TEXT);
    let hex = data_encoding::HEXLOWER.encode(&hash);
    let base58 = bs58::encode(&hash).into_string();
    for spelled in [
        format!("z{base58}"),
        base58,
        format!("f{hex}"),
        hex,
        format!("u{}", URL_SAFE_NO_PAD.encode_to_string(&hash)),
    ] {
        let linked = read(json!({ "links": ["https://kiosk.example/t"], "hash": spelled }));
        assert_eq!(linked.check(TEXT), Ok(()), "{spelled}");
        assert_eq!(
            linked.check(b"forged"),
            Err(AttachmentError::Mismatch),
            "{spelled}"
        );
    }
    // SHA-1, cut short, nonsense, none at all.
    let sha1 = format!("f1114{}", "00".repeat(20));
    for hash in [
        json!(sha1),
        json!("f1220abcd"),
        json!("?"),
        json!("z".repeat(4000)),
        json!(null),
    ] {
        let linked = read(json!({ "links": ["https://kiosk.example/t"], "hash": hash }));
        assert_eq!(linked.check(TEXT), Err(AttachmentError::Hash), "{hash}");
    }
    let ours = Attachment::links(vec!["ipfs://x".to_owned()], hash[2..].try_into().unwrap());
    assert_eq!(ours.check(TEXT), Ok(()));
}

#[test]
fn a_hash_binds_content_in_the_message_too() {
    let mut attached = Attachment::base64(TEXT);
    attached.data.hash = Some(format!(
        "z{}",
        bs58::encode(sha256_multihash(b"other")).into_string()
    ));
    assert_eq!(attached.bytes(), Err(AttachmentError::Mismatch));
}

struct Signer(&'static str, SecretKey);

impl Signer {
    fn new(kid: &'static str, curve: Curve) -> Self {
        Self(kid, SecretKey::generate(curve).unwrap())
    }

    fn known(&self, kid: &str) -> Option<PublicKey> {
        (kid == self.0).then(|| self.1.public().clone())
    }
}

fn alice() -> Signer {
    Signer::new("did:example:alice#1", Curve::Ed25519)
}

#[test]
fn several_people_sign_one_attachment() {
    let (alice, bob) = (alice(), Signer::new("did:example:bob#1", Curve::P256));
    let mut attached = Attachment::base64(TEXT);
    attached.sign(alice.0, &alice.1).unwrap();
    attached.sign(bob.0, &bob.1).unwrap();
    // As it comes.
    let mut arrived = Attachment::from_value(attached.to_value()).unwrap();
    let both = |kid: &str| alice.known(kid).or_else(|| bob.known(kid));
    assert_eq!(arrived.verify(both).unwrap(), [alice.0, bob.0]);
    // Whoever knows only Bob has Bob's word; whoever knows nobody has none.
    assert_eq!(arrived.verify(|kid| bob.known(kid)).unwrap(), [bob.0]);
    assert_eq!(arrived.verify(|_| None), Err(AttachmentError::Signature));
    // Mallory changes the content, or one signature of the two.
    let mut forged = arrived.clone();
    forged.data.base64 = Attachment::base64(b"midnight").data.base64;
    assert_eq!(forged.verify(both), Err(AttachmentError::Signature));
    let signatures = arrived.data.jws.as_mut().unwrap()["signatures"]
        .as_array_mut()
        .unwrap();
    let alices = signatures[0]["signature"].clone();
    signatures[1]["signature"] = alices;
    assert_eq!(arrived.verify(both), Err(AttachmentError::Signature));
    assert_eq!(arrived.verify(|kid| alice.known(kid)).unwrap(), [alice.0]);
}

#[test]
fn every_form_of_a_detached_signature_is_read() {
    let alice = alice();
    for curve in [Curve::Ed25519, Curve::P256, Curve::Secp256k1] {
        let alice = Signer::new("did:example:alice#1", curve);
        let whole: Value = serde_json::from_slice(&sign(TEXT, alice.0, &alice.1).unwrap()).unwrap();
        let one = &whole["signatures"][0];
        let (protected, signature) = (&one["protected"], &one["signature"]);
        let compact = format!(
            "{}..{}",
            protected.as_str().unwrap(),
            signature.as_str().unwrap()
        );
        let flat =
            json!({ "protected": protected, "signature": signature, "header": { "kid": alice.0 } });
        for jws in [
            json!(compact),
            flat.clone(),
            json!(flat.to_string()),
            whole.clone(),
            json!({ "signatures": [one] }),
        ] {
            let mut attached = Attachment::base64(TEXT);
            attached.data.jws = Some(jws.clone());
            let arrived = Attachment::from_value(attached.to_value()).unwrap();
            assert_eq!(
                arrived.verify(|kid| alice.known(kid)).unwrap(),
                [alice.0],
                "{jws}"
            );
        }
        for jws in [
            json!(format!("{compact}.x")),
            json!(compact.replace("..", ".eA.")),
            json!("a.b"),
            json!(""),
            json!("{"),
            json!(7),
            json!({}),
            json!([]),
            json!({ "signatures": [] }),
            json!({ "signatures": vec![one.clone(); 17] }),
            json!({ "signatures": "x" }),
        ] {
            let mut attached = Attachment::base64(TEXT);
            attached.data.jws = Some(jws.clone());
            assert_eq!(
                attached.verify(|kid| alice.known(kid)),
                Err(AttachmentError::Signature),
                "{jws}"
            );
        }
    }
    // Not signed; nothing to sign; a key that cannot.
    assert_eq!(
        Attachment::base64(TEXT).verify(|kid| alice.known(kid)),
        Err(AttachmentError::Signature)
    );
    let mut linked = Attachment::links(vec![], [0; 32]);
    assert_eq!(linked.sign(alice.0, &alice.1), Err(AttachmentError::Empty));
    assert_eq!(
        linked.verify(|kid| alice.known(kid)),
        Err(AttachmentError::Empty)
    );
    let agrees = SecretKey::generate(Curve::X25519).unwrap();
    assert_eq!(
        Attachment::base64(TEXT).sign("k", &agrees),
        Err(AttachmentError::Signature)
    );
}

#[test]
fn json_can_be_signed_between_us() {
    let alice = alice();
    let mut attached = Attachment::json(json!({ "z": 1, "a": [true, null] }));
    attached.sign(alice.0, &alice.1).unwrap();
    let message = Message {
        attachments: vec![attached],
        ..Message::new("https://didcomm.org/x/1.0/y")
    };
    let arrived = Message::parse(&message.to_json()).unwrap();
    assert_eq!(
        arrived.attachments[0]
            .verify(|kid| alice.known(kid))
            .unwrap(),
        [alice.0]
    );
}

#[test]
fn what_is_odd_is_told_and_not_refused() {
    let odd = json!({ "id": "1", "type": "https://didcomm.org/x/1.0/y", "attachments": [
        { "data": { "links": ["https://x"] } },
        { "data": {} },
        { "byte_count": 9, "data": { "base64": "AAAA" } },
        { "byte_count": 3, "data": { "base64": "AAAA" } },
        {},
    ]});
    let message = Message::from_value(odd.clone()).unwrap();
    assert_eq!(
        message.warnings(),
        [
            MessageWarning::LinksWithoutHash(0),
            MessageWarning::EmptyAttachment(1),
            MessageWarning::ByteCount(2),
            MessageWarning::EmptyAttachment(4),
        ]
    );
    assert_eq!(message.to_value(), odd);
}
