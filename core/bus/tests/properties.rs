//! Laws of envelopes, tried on many messages: nothing is lost, nothing panics, a message has
//! one name.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests may stop where a fixture fails"
)]
#[path = "../benches/samples/mod.rs"]
#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use packmule_bus::{Envelope, Kind, inspect};
use proptest::prelude::*;
use samples::b64;
use serde_json::{Map, Value, json};

/// A value that an unprotected header may hold and that has one exact form.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Key ids, foreign ones among them.
fn kid() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("did:example:bob#key-x25519-1".to_owned()),
        Just("did:key:z6MktRF99WmKnxFyhmu71MuBerarcVzkA2TTRMAWW5X6Rvtw#z6LSc93GdQ3eKvTTL4gXKCvPYw9r4kS8k9T6pQzBMMQHG1fX".to_owned()),
        Just("did:peer:2.Ez6LSteFmLDzkekN1MwbCbGwm6Fw1NdxsgvFBq7vJWi4aTtKx.Vz6Mksie3dok5bhhV3hXyusg8vYUceREFkwU433FTjM2Vdg3F.SeyJ0IjoiZG0iLCJzIjp7InVyaSI6ImZpbGU6Ly8vbWVkaWEvbXVsZSIsImEiOlsiZGlkY29tbS92MiJdLCJyIjpbXX19#key-1".to_owned()),
        Just("did:peer:2.Ez6LSteFmLDzkekN1MwbCbGwm6Fw1NdxsgvFBq7vJWi4aTtKx.Vz6Mksie3dok5bhhV3hXyusg8vYUceREFkwU433FTjM2Vdg3F#6LSteFmLDzkekN1MwbCbGwm6Fw1NdxsgvFBq7vJWi4aTtKx".to_owned()),
        Just("did:jwk:eyJrdHkiOiJPS1AiLCJjcnYiOiJYMjU1MTkiLCJ4IjoiR0RUckk2NkswcEZmTzU0dGxDU3ZmampOYXBJczQ0ZHpwbmVCZ3l4MFMzRSJ9#0".to_owned()),
        "did:(key|peer|jwk):[24]?[.:]?[EVSz6]{0,3}[A-Za-z0-9.]{0,60}(#[a-z0-9-]{0,9})?",
        ".{0,20}",
    ]
}

fn header() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        4 => kid().prop_map(|kid| Some(json!({ "kid": kid }))),
        1 => Just(None),
        1 => kid().prop_map(|kid| Some(json!({ "kid": kid, "epk": {"crv": "X25519", "kty": "OKP", "x": "j3fec11M0cSoqELRzjbElalyaV2iPiqvLy648HO7SEU"} }))),
        1 => prop::collection::btree_map("[a-z]{1,6}", value(), 0..4)
            .prop_map(|map| Some(Value::Object(map.into_iter().collect()))),
    ]
}

/// Texts of protected headers: by members in any order and style, or anything.
fn protected() -> impl Strategy<Value = Vec<u8>> {
    let members = (kid(), any::<[u8; 32]>(), any::<bool>()).prop_map(|(kid, x, plain)| {
        let epk = json!({"kty": "OKP", "crv": "X25519", "x": b64(x)});
        vec![
            ("typ", json!("application/didcomm-encrypted+json")),
            ("alg", json!("ECDH-1PU+A256KW")),
            (
                "enc",
                json!(if plain { "A256CBC-HS512" } else { "A256GCMKW" }),
            ),
            ("skid", json!(kid)),
            ("apu", json!(if plain { b64(&kid) } else { kid })),
            ("apv", json!(b64(x))),
            ("epk", epk),
        ]
    });
    let listed = members
        .prop_flat_map(|members| (Just(members).prop_shuffle(), 0..8_usize, any::<bool>()))
        .prop_map(|(members, count, spaced)| {
            let object: Map<String, Value> = members
                .into_iter()
                .take(count)
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            let text = Value::Object(object).to_string();
            if spaced {
                text.replace("\":", "\": ").replace(",\"", ", \"")
            } else {
                text
            }
        });
    prop_oneof![
        8 => listed.prop_map(String::into_bytes),
        1 => ".{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn blob(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u8>(), 0..most).prop_map(b64)
}

fn entry(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Map<String, Value> {
    fields
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .collect()
}

fn jwe() -> impl Strategy<Value = Value> {
    let recipient = (header(), prop::option::of(blob(80)));
    let members = (
        prop::option::of(protected()),
        prop::option::of(blob(30)),
        blob(300),
        prop::option::of(blob(40)),
        prop::option::of(blob(20)),
        header(),
    );
    (
        prop::collection::vec(recipient, 0..4),
        members,
        any::<bool>(),
    )
        .prop_map(
            |(recipients, (protected, iv, ciphertext, tag, aad, unprotected), flat)| {
                let mut message = entry([
                    ("protected", protected.map(|p| json!(b64(p)))),
                    ("iv", iv.map(Value::from)),
                    ("ciphertext", Some(Value::from(ciphertext))),
                    ("tag", tag.map(Value::from)),
                    ("aad", aad.map(Value::from)),
                    ("unprotected", unprotected),
                ]);
                let mut entries = recipients.into_iter().map(|(header, key)| {
                    entry([("header", header), ("encrypted_key", key.map(Value::from))])
                });
                match entries.next() {
                    Some(only) if flat => message.extend(only),
                    first => {
                        let all = first.into_iter().chain(entries).map(Value::Object);
                        message.insert("recipients".to_owned(), all.collect());
                    }
                }
                Value::Object(message)
            },
        )
}

fn jws() -> impl Strategy<Value = Value> {
    let payload = prop_oneof![
        kid().prop_map(|kid| json!({"id": "1", "type": "x", "from": kid})
            .to_string()
            .into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    ];
    let signature = (prop::option::of(protected()), header(), blob(80));
    (
        prop::option::of(payload),
        prop::collection::vec(signature, 0..4),
        any::<bool>(),
    )
        .prop_map(|(payload, signatures, flat)| {
            let mut message = entry([("payload", payload.map(|p| json!(b64(p))))]);
            let mut entries = signatures
                .into_iter()
                .map(|(protected, header, signature)| {
                    entry([
                        ("protected", protected.map(|p| json!(b64(p)))),
                        ("header", header),
                        ("signature", Some(Value::from(signature))),
                    ])
                });
            match entries.next() {
                Some(only) if flat => message.extend(only),
                first => {
                    let all = first.into_iter().chain(entries).map(Value::Object);
                    message.insert("signatures".to_owned(), all.collect());
                }
            }
            Value::Object(message)
        })
}

/// The same JSON as another library would write it: members in another order, white space,
/// and escapes that need not be.
fn reserialised(value: &Value, turn: usize) -> String {
    match value {
        Value::String(text) => {
            let mut out = String::from("\"");
            for (place, unit) in text.encode_utf16().enumerate() {
                match char::from_u32(u32::from(unit)) {
                    Some('/') if turn.is_multiple_of(2) => out.push_str("\\/"),
                    Some(c) if c.is_ascii_alphanumeric() && !(place + turn).is_multiple_of(5) => {
                        out.push(c);
                    }
                    _ => out.push_str(&format!("\\u{unit:04X}")),
                }
            }
            out.push('"');
            out
        }
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| reserialised(item, turn + 1))
                .collect();
            format!("[ {} ]", items.join("\n,\t"))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    let name = reserialised(&json!(name), turn + 2);
                    format!("{name} :\r\n{}", reserialised(value, turn + 1))
                })
                .collect();
            let places = members.len().max(1);
            members.rotate_left(turn % places);
            format!(" {{{}}} ", members.join(" , "))
        }
        other => other.to_string(),
    }
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Everything that must hold for any packed message; its envelope.
fn lawful(packed: &[u8]) -> Result<Envelope, TestCaseError> {
    let envelope = Envelope::from_packed(packed).expect("bytes that can be carried");
    let wire = envelope.to_wire();
    prop_assert_eq!(&wire, &envelope.to_wire());
    prop_assert!(wire.len() <= envelope.identity().len());
    prop_assert_eq!(&Envelope::decode(&wire).expect("wire form"), &envelope);
    prop_assert_eq!(
        &Envelope::decode(envelope.identity()).expect("identity form"),
        &envelope
    );
    prop_assert_eq!(
        &Envelope::from_packed(&envelope.to_json()).expect("JSON"),
        &envelope
    );
    // What begins like one of our forms is explained as one, which it need not be.
    let looks_like_ours = packed.starts_with(&[0xD9, 0xDC]);
    let explained = inspect(if looks_like_ours { &wire } else { packed }).expect("an explanation");
    prop_assert_eq!(explained.compact_bytes, wire.len());
    let mut next = 0;
    for part in explained.parts.iter() {
        let Some(offset) = part.offset else { continue };
        prop_assert_eq!(offset, next, "a gap before {:?}", part);
        next = offset + part.bytes;
    }
    prop_assert_eq!(next, wire.len());
    Ok(envelope)
}

#[test]
fn what_only_begins_like_an_envelope_is_carried_all_the_same() {
    for version in [0, 1, 2, 225] {
        let bytes = [0xD9, 0xDC, version, 0x42];
        let envelope = lawful(&bytes).expect("bytes that can be carried");
        assert_eq!(envelope.to_json(), bytes);
        assert!(
            inspect(&bytes).is_err(),
            "it is no form of ours, version {version}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_encrypted_message_keeps_every_member(message in jwe(), turn in 0..7_usize) {
        let packed = message.to_string();
        let envelope = lawful(packed.as_bytes())?;
        prop_assert_eq!(parse(&envelope.to_json()), message.clone());
        prop_assert_eq!(envelope.kind(), Kind::Encrypted);
        prop_assert_ne!(envelope.to_json(), b"");
        let other = reserialised(&message, turn);
        prop_assert_eq!(parse(other.as_bytes()), message);
        prop_assert_eq!(Envelope::from_packed(other.as_bytes()).expect("JSON").id(), envelope.id());
    }

    #[test]
    fn a_signed_message_keeps_every_member(message in jws(), turn in 0..7_usize) {
        let packed = message.to_string();
        let envelope = lawful(packed.as_bytes())?;
        prop_assert_eq!(parse(&envelope.to_json()), message.clone());
        let other = reserialised(&message, turn);
        prop_assert_eq!(Envelope::from_packed(other.as_bytes()).expect("JSON").id(), envelope.id());
    }

    #[test]
    fn an_independent_decoder_reads_identity_forms(message in prop_oneof![jwe(), jws()]) {
        let envelope = Envelope::from_packed(message.to_string().as_bytes()).expect("JSON");
        let read: serde_cbor::Value = serde_cbor::from_slice(envelope.identity()).expect("CBOR");
        prop_assert!(matches!(&read, serde_cbor::Value::Array(items) if items.len() == 2));
        // It does not show the tag; all else it writes back in the same canonical order.
        let again = serde_cbor::to_vec(&read).expect("CBOR");
        prop_assert_eq!(&envelope.identity()[..3], &[0xD9, 0xDC, 0x00]);
        prop_assert_eq!(&envelope.identity()[3..], &again);
    }

    #[test]
    fn any_bytes_come_back_exactly(bytes in prop::collection::vec(any::<u8>(), 1..400)) {
        let envelope = lawful(&bytes)?;
        prop_assert_eq!(envelope.to_json(), bytes);
    }

    #[test]
    fn a_bare_message_comes_back_exactly(body in value(), extra in ".{0,200}", blanks in "[ \t\n]{0,5}") {
        let packed = format!("{blanks}{}{blanks}", json!({"id": extra, "type": "https://example.org/p/1.0/x", "body": body}));
        let envelope = lawful(packed.as_bytes())?;
        prop_assert_eq!(envelope.kind(), Kind::Plaintext);
        prop_assert_eq!(envelope.to_json(), packed.into_bytes());
    }

    #[test]
    fn mallorys_bytes_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        version in 0..3_u8,
    ) {
        let _ = Envelope::decode(&bytes);
        bytes.splice(0..0, [0xD9, 0xDC, version]);
        if let Ok(envelope) = Envelope::decode(&bytes) {
            lawful(&envelope.to_json())?;
        }
        let _ = inspect(&bytes);
    }

    #[test]
    fn mallorys_changes_never_panic(
        message in prop_oneof![jwe(), jws()],
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
        identity in any::<bool>(),
    ) {
        let envelope = Envelope::from_packed(message.to_string().as_bytes()).expect("JSON");
        let mut form = if identity { envelope.identity().to_vec() } else { envelope.to_wire() };
        for (place, byte, kind) in edits {
            if form.len() < 5 {
                break;
            }
            let at = place.index(form.len());
            match kind {
                0 => form[at] = byte,
                1 => form[at] ^= 1 << (byte % 8),
                2 => { form.remove(at); }
                _ => form.insert(at, byte),
            }
        }
        // Whatever is accepted is a message like any other, with the one identity it has.
        if let Ok(changed) = Envelope::decode(&form) {
            let again = lawful(&changed.to_json())?;
            prop_assert_eq!(again.id(), changed.id());
        }
        let _ = inspect(&form);
    }
}
