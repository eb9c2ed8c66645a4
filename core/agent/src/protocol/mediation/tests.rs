//! Alice asks cloud to hold her messages, in the words of either version and of several libraries.

use super::*;

const ALICE: &str = "did:example:alice";
const CLOUD: &str = "did:example:cloud";
const BOB: &str = "did:example:bob";

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
    for version in [Version::V2, Version::V3] {
        let asks = sent(request(version));
        assert_eq!(asks.return_route.as_deref(), Some("all"));
        assert_eq!(asked(&asks), (version, Ask::Request));
        let granted = grant(&asks, version, &[CLOUD]);
        assert_eq!(granted.thid.as_deref(), Some(asks.id.as_str()));
        assert_eq!(heard(&granted), Answer::Granted(vec![CLOUD.to_owned()]));
        assert_eq!(heard(&deny(&asks, version)), Answer::Denied);

        let changes = [Change::add(ALICE), Change::remove(BOB)];
        let asks = sent(update(version, &changes));
        assert_eq!(asked(&asks), (version, Ask::Update(changes.to_vec())));
        let all = [
            Outcome::Success,
            Outcome::NoChange,
            Outcome::ClientError,
            Outcome::ServerError,
        ];
        let told: Vec<Updated> = all.map(|one| (Change::add(ALICE), one)).to_vec();
        assert_eq!(
            heard(&updated(&asks, version, &told)),
            Answer::Updated(told)
        );

        let page = Page {
            limit: 2,
            offset: 4,
        };
        let asks = sent(query(version, Some(page)));
        assert_eq!(asked(&asks), (version, Ask::Query(Some(page))));
        let part = Listing {
            dids: vec![ALICE.into(), BOB.into()],
            offset: 4,
            remaining: 3,
        };
        assert_eq!(
            heard(&listed(&asks, version, &part)),
            Answer::Listed(part.clone())
        );
        assert_eq!(
            Page::from(&part),
            Page {
                limit: 2,
                offset: 6
            }
        );
        assert_eq!(
            asked(&sent(query(version, None))),
            (version, Ask::Query(None))
        );
    }
}

#[test]
fn each_version_is_written_in_its_own_words() {
    let types = |version| {
        let about = sent(request(version));
        let listing = Listing::default();
        [
            request(version),
            update(version, &[]),
            query(version, None),
            grant(&about, version, &[CLOUD]),
            updated(&about, version, &[]),
            listed(&about, version, &listing),
        ]
        .map(|message| (message.type_uri, message.body.unwrap()))
    };
    let prefix = "https://didcomm.org/coordinate-mediation";
    let expect = |number: &str, names: [&str; 6], bodies: [Value; 6]| {
        let mut bodies = bodies.into_iter();
        names.map(|name| (format!("{prefix}/{number}/{name}"), bodies.next().unwrap()))
    };
    let (none, updates, done) = (
        json!({}),
        json!({ "updates": [] }),
        json!({ "updated": [] }),
    );
    assert_eq!(
        types(Version::V2),
        expect(
            "2.0",
            [
                "mediate-request",
                "keylist-update",
                "keylist-query",
                "mediate-grant",
                "keylist-update-response",
                "keylist"
            ],
            [
                none.clone(),
                updates.clone(),
                none.clone(),
                json!({ "routing_did": CLOUD }),
                done.clone(),
                json!({ "keys": [] })
            ],
        )
    );
    assert_eq!(
        types(Version::V3),
        expect(
            "3.0",
            [
                "mediate-request",
                "recipient-update",
                "recipient-query",
                "mediate-grant",
                "recipient-update-response",
                "recipient"
            ],
            [
                none.clone(),
                updates,
                none,
                json!({ "routing_did": [CLOUD] }),
                done,
                json!({ "dids": [] })
            ],
        )
    );
    // Numbers of the page only when it is one.
    let whole = listed(
        &sent(query(Version::V3, None)),
        Version::V3,
        &Listing::default(),
    );
    assert_eq!(whole.body.unwrap().get("pagination"), None);
}

#[test]
fn what_recipients_write_is_read() {
    for (kind, version) in [
        ("coordinate-mediation/2.0/mediate-request", Version::V2),
        ("coordinate-mediation/3.1/mediate-request", Version::V3),
        ("mediator-coordination/2.0/mediate-request", Version::V2),
        ("mediator-coordination/3.0/mediate_request", Version::V3),
    ] {
        assert_eq!(
            asked(&written(kind, Value::Null)),
            (version, Ask::Request),
            "{kind}"
        );
    }
    let one = json!({ "recipient_did": BOB, "action": "add" });
    let add = Ask::Update(vec![Change::add(BOB)]);
    for (kind, body) in [
        (
            "coordinate-mediation/3.0/recipient-update",
            json!({ "updates": [one] }),
        ),
        (
            "coordinate-mediation/3.0/keylist-update",
            json!({ "updates": [one] }),
        ),
        (
            "coordinate-mediation/2.0/keylist-update",
            json!({ "updates": one }),
        ),
        (
            "coordinate-mediation/2.0/keylist-update",
            json!({ "updates": [{ "recipient_key": BOB, "action": "add" }] }),
        ),
    ] {
        assert_eq!(asked(&written(kind, body)).1, add, "{kind}");
    }
    for (page, meant) in [
        (
            json!({ "limit": 5, "offset": 10 }),
            Some(Page {
                limit: 5,
                offset: 10,
            }),
        ),
        (
            json!({ "limit": "5" }),
            Some(Page {
                limit: 5,
                offset: 0,
            }),
        ),
        (json!({ "limit": u64::MAX }), None),
        (
            json!({ "limit": 1u64 << 40 }),
            Some(Page {
                limit: u32::MAX,
                offset: 0,
            }),
        ),
        (json!({ "offset": 5 }), None),
        (json!("all"), None),
    ] {
        let query = written(
            "coordinate-mediation/2.0/keylist-query",
            json!({ "paginate": page }),
        );
        assert_eq!(asked(&query).1, Ask::Query(meant), "{page}");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_done_in_part() {
    let kind = "coordinate-mediation/3.0/recipient-update";
    let entry = json!({ "recipient_did": BOB, "action": "add" });
    for (body, why) in [
        (json!({}), AskError::Body("updates")),
        (json!(null), AskError::Body("updates")),
        (json!({ "updates": "all" }), AskError::Body("updates")),
        (
            json!({ "updates": [entry, { "action": "add" }] }),
            AskError::Body("recipient_did"),
        ),
        (
            json!({ "updates": [entry, { "recipient_did": [BOB], "action": "add" }] }),
            AskError::Body("recipient_did"),
        ),
        (
            json!({ "updates": [entry, { "recipient_did": BOB }] }),
            AskError::Body("action"),
        ),
        (
            json!({ "updates": vec![&entry; 10_000] }),
            AskError::TooMany,
        ),
    ] {
        assert_eq!(read_ask(&written(kind, body)), Some(Err(why)));
    }
    let odd = json!({ "updates": [{ "recipient_did": BOB, "action": "replace" }] });
    let (_, Ask::Update(changes)) = asked(&written(kind, odd)) else {
        panic!()
    };
    assert_eq!(changes[0].action, Action::Unknown("replace".to_owned()));
    for other in [
        "coordinate-mediation/3.0/mediate-grant",
        "coordinate-mediation/1.0/mediate-request",
        "coordinate-mediation/4.0/mediate-request",
        "trust-ping/2.0/ping",
    ] {
        assert_eq!(read_ask(&written(other, json!({}))), None, "{other}");
    }
}

#[test]
fn what_mediators_answer_is_read() {
    let granted = |body: Value| heard(&written("coordinate-mediation/2.0/mediate-grant", body));
    let cloud = Answer::Granted(vec![CLOUD.to_owned()]);
    assert_eq!(granted(json!({ "routing_did": CLOUD })), cloud);
    assert_eq!(granted(json!({ "routing_did": [CLOUD] })), cloud);
    assert_eq!(granted(json!({ "routing_did": [CLOUD, 1, null] })), cloud);
    assert_eq!(granted(json!({})), Answer::Granted(vec![]));

    let entry = json!({ "recipient_did": BOB, "action": "add", "result": "success" });
    let done = Answer::Updated(vec![(Change::add(BOB), Outcome::Success)]);
    for body in [
        json!({ "updated": [entry] }),
        // Veramo
        json!({ "updates": [entry] }),
        json!({ "updated": [entry, 7, {}, { "action": "add" }] }),
    ] {
        assert_eq!(
            heard(&written(
                "coordinate-mediation/3.0/recipient-update-response",
                body
            )),
            done
        );
    }
    let odd = json!({ "updated": [{ "recipient_did": BOB, "action": "add", "result": "maybe" }] });
    assert_eq!(
        heard(&written(
            "coordinate-mediation/2.0/keylist-update-response",
            odd
        )),
        Answer::Updated(vec![(Change::add(BOB), Outcome::ServerError)]),
        "what is not known to have worked has not"
    );
    let bob = Answer::Listed(Listing {
        dids: vec![BOB.into()],
        ..Listing::default()
    });
    for body in [
        json!({ "keys": [{ "recipient_did": BOB }] }),
        json!({ "dids": [{ "recipient_did": BOB }], "pagination": { "count": 1, "offset": 0, "remaining": 0 } }),
        json!({ "dids": [BOB] }),
        json!({ "keys": [{ "recipient_key": BOB }], "pagination": "none" }),
    ] {
        assert_eq!(
            heard(&written("coordinate-mediation/2.0/keylist", body.clone())),
            bob,
            "{body}"
        );
        assert_eq!(
            heard(&written("coordinate-mediation/3.0/recipient", body)),
            bob
        );
    }
    let flood = json!({ "dids": vec![BOB; 5000] });
    let Answer::Listed(read) = heard(&written("coordinate-mediation/3.0/recipient", flood)) else {
        panic!()
    };
    assert_eq!(read.dids.len(), MAX_ENTRIES);
    assert_eq!(read_answer(&sent(request(Version::V3))), None);
}
