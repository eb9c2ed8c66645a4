//! What holds of any message at all.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Any JSON, not too deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(name(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A header of ours or of an attachment, or anybody's.
fn name() -> impl Strategy<Value = String> {
    let known: Vec<String> = everything().as_object().unwrap().keys().cloned().collect();
    let parts = [
        "data",
        "links",
        "json",
        "jws",
        "byte_count",
        "inline",
        "gaps",
    ]
    .map(str::to_owned);
    prop_oneof![
        prop::sample::select(known),
        prop::sample::select(parts.to_vec()),
        "[a-z@_-]{1,8}",
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&bytes);
    }

    /// Headers of any name hold anything; whatever is read is written, and read the same.
    #[test]
    fn arbitrary_headers_are_refused_or_kept(headers in prop::collection::hash_map(name(), json_value(), 0..8)) {
        let whole = letter(Value::Object(headers.into_iter().collect()));
        if let Ok(message) = Message::from_value(whole.clone()) {
            let written = message.to_value();
            let (whole, kept) = (whole.as_object().unwrap(), written.as_object().unwrap());
            for (header, value) in whole {
                prop_assert!(kept.contains_key(header), "{} is lost", header);
                if message.extra.contains_key(header) {
                    prop_assert_eq!(&kept[header], value);
                }
            }
            prop_assert_eq!(whole.len(), kept.len());
            prop_assert_eq!(&Message::parse(&message.to_json()).unwrap(), &message);
            let _ = message.warnings();
            let _ = message.translations();
            let _ = message.received_orders();
            let _ = crate::protocol::respond(&message, &crate::protocol::Context::default());
        }
    }

    /// An honest writer's message comes out exactly as it went in.
    #[test]
    fn honest_messages_are_unchanged(
        texts in prop::collection::vec("\\PC{0,20}", 3),
        numbers in prop::collection::vec(0_u64..(1 << 53), 4),
        lists in prop::collection::vec(prop::collection::vec("\\PC{0,20}", 0..4), 3),
        body in prop::collection::hash_map("\\PC{0,8}", json_value(), 0..4),
        unknown in prop::collection::hash_map("x[a-z]{1,6}", json_value(), 0..4),
    ) {
        let mut whole = letter(json!({
            "thid": texts[0], "pthid": texts[1], "lang": texts[2],
            "created_time": numbers[0], "expires_time": numbers[1],
            "sender_order": numbers[2], "sent_count": numbers[3],
            "to": lists[0], "ack": lists[1], "accept-lang": lists[2],
            "body": Value::Object(body.into_iter().collect()),
        }));
        whole.as_object_mut().unwrap().extend(unknown);
        let message = Message::parse(whole.to_string().as_bytes()).unwrap();
        prop_assert_eq!(message.to_value(), whole);
    }
}
