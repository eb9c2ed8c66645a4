//! Alice fetches from cloud what bob sent, in both versions and in the words of other libraries.

use super::*;

const ALICE: &str = "did:example:alice";
const CLOUD: &str = "did:example:cloud";

fn sent(message: Message) -> Message {
    Message::parse(&message.between(ALICE, &[CLOUD]).to_json()).unwrap()
}

fn written(kind: &str, body: Value) -> Message {
    sent(Message::new(&format!("https://didcomm.org/{kind}")).with_body(body))
}

fn asked(message: &Message) -> (Version, Ask) {
    read_ask(message).unwrap().unwrap()
}

fn heard(message: &Message) -> Answer {
    read_answer(&Message::parse(&message.to_json()).unwrap()).unwrap()
}

#[test]
fn both_sides_understand_each_other_in_both_versions() {
    for version in [Version::V3, Version::V4] {
        for recipient in [None, Some(ALICE)] {
            let named = recipient.map(str::to_owned);
            let asks = sent(status_request(version, recipient));
            assert_eq!(asks.return_route.as_deref(), Some("all"));
            assert_eq!(
                asked(&asks),
                (
                    version,
                    Ask::Status {
                        recipient: named.clone()
                    }
                )
            );
            let wants = sent(delivery_request(version, 7, recipient));
            let ask = Ask::Delivery {
                limit: 7,
                recipient: named.clone(),
            };
            assert_eq!(asked(&wants), (version, ask));

            let told = Status {
                count: 2,
                recipient: named.clone(),
                bytes: Some(2048),
                oldest: Some(1_700_000_000_000),
                newest: Some(1_700_000_060_000),
                waited: (version == Version::V3).then_some(61),
                live: Some(false),
            };
            let answer = status(&asks, version, &told);
            assert_eq!(answer.thid.as_deref(), Some(asks.id.as_str()));
            assert_eq!(heard(&answer), Answer::Status(told));

            let messages = [
                ("a".to_owned(), b"{}".to_vec()),
                ("b".to_owned(), vec![0xff, 0xfe]),
            ];
            let answer = delivery(&wants, version, recipient, &messages);
            assert_eq!(answer.thid.as_deref(), Some(wants.id.as_str()));
            let items = messages.map(|(id, packed)| Item {
                id: Some(id),
                packed: Some(packed),
            });
            assert_eq!(
                heard(&answer),
                Answer::Delivery {
                    recipient: named,
                    items: items.to_vec()
                }
            );
        }
        let ids = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(
            asked(&sent(received(version, &ids))),
            (version, Ask::Received(ids))
        );
        for wanted in [true, false] {
            assert_eq!(
                asked(&sent(live(version, wanted))),
                (version, Ask::Live(wanted))
            );
        }
        let none = delivery(&sent(live(version, true)), version, None, &[]);
        assert_eq!(
            heard(&none),
            Answer::Delivery {
                recipient: None,
                items: vec![]
            }
        );
    }
}

#[test]
fn the_versions_differ_in_name_limit_and_times() {
    let body = |message: Message| (message.type_uri, message.body.unwrap());
    assert_eq!(
        body(delivery_request(Version::V3, 5, Some(ALICE))),
        (
            "https://didcomm.org/messagepickup/3.0/delivery-request".to_owned(),
            json!({ "limit": 5, "recipient_did": ALICE })
        )
    );
    assert_eq!(
        body(delivery_request(Version::V4, 5, None)),
        (
            "https://didcomm.org/message-pickup/4.0/delivery-request".to_owned(),
            json!({ "message_count_limit": 5 })
        )
    );
    let told = Status {
        count: 1,
        oldest: Some(1_700_000_000_999),
        waited: Some(3),
        ..Status::default()
    };
    let about = sent(status_request(Version::V3, None));
    assert_eq!(
        body(status(&about, Version::V3, &told)).1,
        json!({ "message_count": 1, "longest_waited_seconds": 3, "oldest_received_time": 1_700_000_000 })
    );
    assert_eq!(
        body(status(&about, Version::V4, &told)).1,
        json!({ "message_count": 1, "oldest_received_time": 1_700_000_000_999_u64 })
    );
}

#[test]
fn what_recipients_write_is_read() {
    let mine = Ask::Status {
        recipient: Some(ALICE.to_owned()),
    };
    for (kind, version) in [
        ("messagepickup/3.0/status-request", Version::V3),
        ("messagepickup/3.2/status_request", Version::V3),
        ("message-pickup/3.0/status-request", Version::V3),
        ("pickup/3.0/status-request", Version::V3),
        ("message-pickup/4.0/status-request", Version::V4),
        ("messagepickup/4.0/status-request", Version::V4),
    ] {
        for name in ["recipient_did", "recipient_key"] {
            let message = written(kind, json!({ name: ALICE }));
            assert_eq!(asked(&message), (version, mine.clone()), "{kind} {name}");
        }
    }
    let kind = "messagepickup/3.0/delivery-request";
    for (body, limit) in [
        (json!({ "limit": 3 }), 3),
        // The Swift SDK of Identus.
        (json!({ "limit": "3" }), 3),
        (json!({ "message_count_limit": 3 }), 3),
        (json!({ "limit": 3.0, "recipient_key": null }), 3),
        (json!({ "limit": 0 }), 0),
        (json!({ "limit": 1u64 << 40 }), u32::MAX),
        (json!({}), DEFAULT_LIMIT),
        (Value::Null, DEFAULT_LIMIT),
    ] {
        let ask = Ask::Delivery {
            limit,
            recipient: None,
        };
        assert_eq!(asked(&written(kind, body.clone())).1, ask, "{body}");
    }
    let one = Ask::Received(vec!["a".to_owned()]);
    for list in [json!(["a"]), json!("a"), json!(["a", 7, null])] {
        let body = json!({ "message_id_list": list });
        assert_eq!(
            asked(&written("messagepickup/3.0/messages-received", body)).1,
            one
        );
    }
    let live = written(
        "messagepickup/3.0/live-delivery-change",
        json!({ "live_delivery": "true" }),
    );
    assert_eq!(asked(&live).1, Ask::Live(true));
}

#[test]
fn what_cannot_be_read_is_told() {
    for (name, body, why) in [
        (
            "status-request",
            json!({ "recipient_did": [ALICE] }),
            AskError::Body("recipient_did"),
        ),
        (
            "status-request",
            json!({ "recipient_did": "" }),
            AskError::Body("recipient_did"),
        ),
        (
            "delivery-request",
            json!({ "recipient_did": 7 }),
            AskError::Body("recipient_did"),
        ),
        (
            "delivery-request",
            json!({ "limit": -1 }),
            AskError::Body("limit"),
        ),
        (
            "delivery-request",
            json!({ "limit": "all" }),
            AskError::Body("limit"),
        ),
        (
            "messages-received",
            json!({}),
            AskError::Body("message_id_list"),
        ),
        (
            "messages-received",
            json!({ "message_id_list": { "a": 1 } }),
            AskError::Body("message_id_list"),
        ),
        (
            "messages-received",
            json!({ "message_id_list": vec!["a"; 10_001] }),
            AskError::TooMany,
        ),
        (
            "live-delivery-change",
            json!({}),
            AskError::Body("live_delivery"),
        ),
        (
            "live-delivery-change",
            json!({ "live_delivery": 1 }),
            AskError::Body("live_delivery"),
        ),
    ] {
        let message = written(&format!("messagepickup/3.0/{name}"), body);
        assert_eq!(read_ask(&message), Some(Err(why)), "{name}");
    }
    for other in [
        "messagepickup/2.0/status-request",
        "messagepickup/3.0/status",
        "messagepickup/3.0/steal",
        "basicmessage/2.0/message",
    ] {
        assert_eq!(read_ask(&written(other, json!({}))), None, "{other}");
    }
}

#[test]
fn what_mediators_answer_is_read() {
    let times = |oldest: Value| {
        let body =
            json!({ "message_count": "4", "recipient_key": ALICE, "oldest_received_time": oldest });
        let Answer::Status(status) = heard(&written("messagepickup/3.0/status", body)) else {
            panic!()
        };
        assert_eq!(
            (status.count, status.recipient.as_deref()),
            (4, Some(ALICE))
        );
        status.oldest
    };
    let then = Some(1_700_000_000_000);
    for told in [
        json!(1_700_000_000),
        json!(1_700_000_000_000_u64),
        json!("1700000000"),
        json!("2023-11-14T22:13:20Z"),
    ] {
        assert_eq!(times(told.clone()), then, "{told}");
    }
    assert_eq!(times(json!("yesterday")), None);

    let packed = json!({ "protected": "e30", "ciphertext": "AA" });
    let text = packed.to_string();
    let data = [
        json!({ "base64": base64_simd::URL_SAFE_NO_PAD.encode_to_string(&text) }),
        json!({ "base64": base64_simd::STANDARD.encode_to_string(&text) }),
        json!({ "json": packed }),
        // adorsys
        json!({ "json": text }),
    ];
    for data in &data {
        let mut message = written("messagepickup/3.0/delivery", json!({})).to_value();
        message["attachments"] =
            json!([{ "id": "a", "data": data }, { "data": { "base64": "?" } }]);
        let Answer::Delivery { items, .. } = heard(&Message::from_value(message).unwrap()) else {
            panic!()
        };
        assert_eq!(
            items[0],
            Item {
                id: Some("a".into()),
                packed: Some(text.clone().into_bytes())
            },
            "{data}"
        );
        assert_eq!(
            items[1],
            Item {
                id: None,
                packed: None
            }
        );
    }
    assert_eq!(read_answer(&sent(status_request(Version::V3, None))), None);
}
