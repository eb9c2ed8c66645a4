//! Bob reads what Alice, strangers' libraries and Mallory write.

use serde_json::json;

use super::*;

mod properties;

fn letter(more: Value) -> Value {
    let mut letter = json!({
        "id": "1234567890",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "body": { "content": "noon" },
    });
    for (name, value) in more.as_object().unwrap() {
        letter[name] = value.clone();
    }
    letter
}

fn read(more: Value) -> Result<Message, MessageError> {
    Message::parse(letter(more).to_string().as_bytes())
}

/// Every header of §3.1, of §5.3, §6.1.2, §10, and of the extensions; and two of nobody's.
fn everything() -> Value {
    letter(json!({
        "typ": "application/didcomm-plain+json",
        "from": "did:example:alice", "to": ["did:example:bob", "did:example:carol?x=y"],
        "thid": "t", "pthid": "p", "created_time": 1_516_269_022, "expires_time": 1_516_385_931,
        "from_prior": "a.b.c", "please_ack": [""], "ack": ["x", "y"],
        "lang": "fr", "accept-lang": ["fr", "en"], "return_route": "thread", "return_route_thread": "t",
        "sender_order": 3, "sent_count": 2,
        "received_orders": [{ "id": "did:example:bob", "last": 4, "gaps": [2, 3] }],
        "l10n": { "inline": [["es", "content", "mediodía"]], "service": "https://x" },
        "trace": "https://trace.example", "kiosk-mood": { "deep": [null, 1.5, "é"] }, "X-1": null,
        "attachments": [{
            "id": "a", "description": "d", "filename": "f", "media_type": "text/plain", "format": "g",
            "lastmod_time": 1, "byte_count": 3, "odd": 1,
            "data": { "base64": "AAAA", "hash": "z", "links": ["l"], "jws": { "signatures": [] }, "json": null, "odd": 2 },
        }],
    }))
}

#[test]
fn alices_message_keeps_every_header() {
    let message = Message::from_value(everything()).unwrap();
    assert_eq!(message.to_value(), everything());
    assert_eq!(Message::parse(&message.to_json()).unwrap(), message);
    assert_eq!(message.thread(), "t");
    assert_eq!(message.created_time, Some(1_516_269_022));
    assert_eq!(message.accept_lang, ["fr", "en"]);
    assert_eq!(
        (message.sender_order, message.sent_count),
        (Some(3), Some(2))
    );
    assert_eq!(
        message.attachment("#a").unwrap().filename.as_deref(),
        Some("f")
    );
    assert!(message.attachment("b").is_none());
    let named: Vec<_> = message.extra.keys().map(String::as_str).collect();
    assert_eq!(
        named,
        ["received_orders", "l10n", "trace", "kiosk-mood", "X-1"]
    );
}

/// Notes' rows B1, B2, B5 to B9: what other libraries write, and some refuse.
#[test]
fn what_others_write_is_read() {
    let mut bare = letter(json!({}));
    bare.as_object_mut().unwrap().remove("body");
    assert_eq!(Message::from_value(bare.clone()).unwrap().body, None);
    assert_eq!(Message::from_value(bare.clone()).unwrap().to_value(), bare);
    assert_eq!(
        read(json!({ "typ": "didcomm-plain+json" }))
            .unwrap()
            .typ
            .as_deref(),
        Some("didcomm-plain+json")
    );
    assert_eq!(
        read(json!({ "created_time": 1_516_269_022.0 }))
            .unwrap()
            .created_time,
        Some(1_516_269_022)
    );
    for time in ["2018-01-18T09:50:22.000Z", "1516269022"] {
        let read = read(json!({ "created_time": time, "expires_time": time })).unwrap();
        assert_eq!(read.created_time, Some(1_516_269_022), "{time}");
        assert_eq!(read.to_value()["expires_time"], json!(1_516_269_022));
    }
    assert_eq!(
        read(json!({ "to": "did:example:bob" })).unwrap().to,
        ["did:example:bob"]
    );
    assert_eq!(
        read(json!({ "id": "x".repeat(200) })).unwrap().id.len(),
        200
    );
    for more in [
        json!({ "attachments": [{ "data": { "jws": { "protected": "x" }, "base64": "AA" } }] }),
        json!({ "attachments": [{ "data": { "jws": "a..b", "base64": "AA" } }] }),
        json!({ "attachments": [{ "data": { "links": ["https://x"] } }] }),
        json!({ "please_ack": ["", "x"], "accept-lang": ["de"], "return_route": "all", "whatever": [1] }),
    ] {
        assert_eq!(read(more.clone()).unwrap().to_value(), letter(more));
    }
}

/// Some writers put null, or an empty list, for what they do not say; it must come out again
/// as it went in, since signatures and hashes of others may cover it.
#[test]
fn what_is_empty_stays_as_it_was() {
    let empty = json!({
        "typ": null, "from": null, "to": [], "thid": null, "pthid": null, "created_time": null,
        "expires_time": null, "from_prior": null, "please_ack": [], "ack": null, "lang": null,
        "accept-lang": [], "return_route": null, "sender_order": null, "body": null, "l10n": null,
        "attachments": [],
    });
    let message = read(empty.clone()).unwrap();
    assert_eq!(
        (&message.to, &message.thid, &message.body),
        (&vec![], &None, &None)
    );
    assert_eq!(message.to_value(), letter(empty));
    let hollow = json!({ "attachments": [
        { "id": null, "byte_count": null, "data": null },
        { "data": { "base64": null, "links": [], "hash": null, "jws": null } },
    ]});
    assert_eq!(read(hollow.clone()).unwrap().to_value(), letter(hollow));
    // What is set afterwards wins.
    let mut message = message;
    message.thid = Some("t".to_owned());
    message.to = vec!["did:example:bob".to_owned()];
    let written = message.to_value();
    assert_eq!(
        (&written["thid"], &written["to"]),
        (&json!("t"), &json!(["did:example:bob"]))
    );
}

#[test]
fn mallorys_messages_are_refused_by_name() {
    use MessageError::*;
    for (text, why) in [
        ("", NotJson),
        ("{", NotJson),
        ("\u{feff}{}", NotJson),
        ("[]", NotAnObject),
        ("null", NotAnObject),
        ("{}", Missing("id")),
        (r#"{"id":null,"type":"x"}"#, Missing("id")),
        (r#"{"id":"1"}"#, Missing("type")),
        (r#"{"@id":"1","@type":"x"}"#, Version1),
        (&"[".repeat(200_000), NotJson),
    ] {
        assert_eq!(
            Message::parse(text.as_bytes()),
            Err(why),
            "{}",
            &text[..text.len().min(40)]
        );
    }
    for (header, value) in [
        ("id", json!(1)),
        ("type", json!(["x"])),
        ("to", json!([1])),
        ("to", json!({})),
        ("from", json!(["did:example:alice"])),
        ("created_time", json!(-1)),
        ("created_time", json!(1.5)),
        ("created_time", json!("now")),
        ("expires_time", json!(1e300)),
        ("body", json!("text")),
        ("body", json!([])),
        ("attachments", json!({})),
        ("attachments", json!([1])),
        ("ack", json!(7)),
        ("sender_order", json!(-1)),
    ] {
        let told = read(json!({ header: value }));
        if header == "body" && value == json!([]) {
            assert_eq!(told.unwrap().body, None);
        } else {
            assert!(
                matches!(told, Err(Header { header: named, .. }) if named == header),
                "{header}: {value}"
            );
        }
    }
    assert_eq!(read(json!({ "to": vec!["x"; 5000] })), Err(TooMany("to")));
    assert_eq!(
        read(json!({ "attachments": vec![json!({}); 2000] })),
        Err(TooMany("attachments"))
    );
}

#[test]
fn odd_ids_and_types_are_told() {
    let odd = read(json!({ "id": "a b", "type": "letter" })).unwrap();
    assert_eq!(
        odd.warnings(),
        [MessageWarning::UnusualId, MessageWarning::UnusualType]
    );
    assert_eq!(read(json!({})).unwrap().warnings(), []);
    assert!(same_id("ABC-1", "abc-1") && !same_id("abc", "abd"));
}

#[test]
fn a_message_expires_at_its_second() {
    let message = read(json!({ "expires_time": 100 })).unwrap();
    assert_eq!(
        [99, 100, 101].map(|now| message.expired(now)),
        [false, true, true]
    );
    assert!(!read(json!({})).unwrap().expired(u64::MAX));
}

#[test]
fn an_answer_stays_in_the_thread_and_turns_round() {
    let asked = read(
        json!({ "from": "did:example:alice", "to": ["did:example:bob", "did:example:carol"] }),
    )
    .unwrap();
    let answer = asked.reply("https://didcomm.org/basicmessage/2.0/message");
    assert_eq!(answer.thid.as_deref(), Some("1234567890"));
    assert_eq!(
        (answer.from.as_deref(), answer.to.as_slice()),
        (
            Some("did:example:bob"),
            ["did:example:alice".to_owned()].as_slice()
        )
    );
    assert_ne!(answer.id, asked.id);
    assert_eq!(answer.reply("x").thid.as_deref(), Some("1234567890"));
}

#[test]
fn bob_reads_in_his_language() {
    let message = read(json!({ "lang": "en", "l10n": { "inline": [
        ["fr-CA", "content", "midi"], ["es", "content", "mediodía"], ["es", "other", "x"], ["de"], 7
    ]}}))
    .unwrap();
    assert_eq!(message.translations().len(), 3);
    let shown = |wanted: &[&str]| message.localized("content", wanted).unwrap();
    assert_eq!(shown(&["fr"]), "midi");
    assert_eq!(shown(&["ES", "fr"]), "mediodía");
    assert_eq!(shown(&["en", "fr"]), "noon");
    assert_eq!(shown(&["f", "de"]), "noon");
    assert_eq!(message.localized("nothing", &["fr"]), None);
    let mut message = message;
    let more = Translation {
        lang: "de".into(),
        field: "content".into(),
        text: "Mittag".into(),
    };
    message.translate(std::slice::from_ref(&more));
    let arrived = Message::parse(&message.to_json()).unwrap();
    assert_eq!(arrived.translations().last(), Some(&more));
    // What was malformed is kept too.
    assert_eq!(arrived.extra["l10n"]["inline"].as_array().unwrap().len(), 6);
}

#[test]
fn the_auctioneer_tells_which_bids_came() {
    let mut message = Message::new("https://didcomm.org/auction/1.0/state");
    let seen = [
        ReceivedOrder {
            id: "did:example:bob".into(),
            last: 2,
            gaps: vec![],
        },
        ReceivedOrder {
            id: "did:example:alice".into(),
            last: 4,
            gaps: vec![2, 3],
        },
    ];
    message.set_received_orders(&seen);
    let arrived = Message::parse(&message.to_json()).unwrap();
    assert_eq!(arrived.received_orders(), seen);
    assert_eq!(
        arrived.extra["received_orders"][1],
        json!({ "id": "did:example:alice", "last": 4, "gaps": [2, 3] })
    );
    let odd =
        read(json!({ "received_orders": [{ "id": "x" }, 1, { "id": "y", "last": 1 }] })).unwrap();
    assert_eq!(odd.received_orders().len(), 1);
}
