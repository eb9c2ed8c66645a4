use super::*;
use crate::protocol::{Context, respond};

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";

fn ask(asked: &[(&str, &str)]) -> Message {
    queries(asked).between(ALICE, &[BOB])
}

fn bobs() -> Vec<Feature> {
    let mut features = ours();
    features.push(Feature::new(GOAL_CODE, "org.example.kiosk.buy"));
    features.push(Feature::new(GOAL_CODE, "org.example.kiosk.sell"));
    features.push(Feature::max_receive_bytes(65_536));
    features
}

fn ids(answer: &Message) -> Vec<String> {
    let arrived = Message::parse(&answer.to_json()).unwrap();
    let mut ids: Vec<_> = disclosed(&arrived)
        .unwrap()
        .into_iter()
        .map(|feature| feature.id)
        .collect();
    ids.sort();
    ids
}

#[test]
fn alice_learns_what_bob_can_do() {
    let asked = ask(&[
        (PROTOCOL, "https://didcomm.org/trust-ping/2.*"),
        (GOAL_CODE, "org.example.*"),
    ]);
    let context = Context::default().with_features(bobs());
    let answers = respond(&asked, &context);
    assert_eq!(answers.len(), 1);
    let answer = &answers[0];
    assert_eq!(answer.thid.as_deref(), Some(asked.id.as_str()));
    assert_eq!(
        (answer.from.as_deref(), &answer.to),
        (Some(BOB), &vec![ALICE.to_owned()])
    );
    assert_eq!(
        ids(answer),
        [
            "https://didcomm.org/trust-ping/2.0",
            "org.example.kiosk.buy",
            "org.example.kiosk.sell"
        ]
    );
    let ping = disclosed(answer)
        .unwrap()
        .into_iter()
        .find(|feature| feature.feature_type == PROTOCOL)
        .unwrap();
    assert_eq!(ping.roles, ["sender", "receiver"]);
    // A disclosure is not answered.
    assert!(respond(answer, &context).is_empty());
}

#[test]
fn alice_learns_how_long_a_message_the_kiosk_takes() {
    let asked = ask(&[(CONSTRAINT, MAX_RECEIVE_BYTES)]);
    let answer = answer(&asked, &bobs(), 7).unwrap();
    assert_eq!(
        answer.body.as_ref().unwrap()["disclosures"],
        json!([{ "feature-type": "constraint", "id": "max_receive_bytes", "max_receive_bytes": "65536" }])
    );
    assert_eq!(max_receive_bytes(&answer), Some(65_536));
    // Others write numbers, or nonsense.
    for (written, read) in [
        (json!(1024), Some(1024)),
        (json!("1024"), Some(1024)),
        (json!(""), None),
        (json!("many"), None),
        (json!(-1), None),
        (json!(1.5), None),
        (json!("-1"), None),
        (json!(null), None),
    ] {
        let told = disclose(&[]).with_body(json!({ "disclosures": [
            { "feature-type": "constraint", "id": "max_receive_bytes", "max_receive_bytes": written }
        ]}));
        assert_eq!(max_receive_bytes(&told), read, "{written}");
    }
    assert_eq!(max_receive_bytes(&ask(&[])), None);
}

#[test]
fn wildcards_match_anywhere() {
    for (pattern, text, matched) in [
        ("*", "", true),
        ("*", "anything", true),
        ("", "", true),
        ("", "x", false),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "abc", true),
        ("a*c", "abcd", false),
        ("a*b*c", "a-b-b-c", true),
        ("**a**", "a", true),
        ("abc", "abcd", false),
        ("abcd", "abc", false),
        ("TRUST-ping", "trust-PING", true),
        (
            "https://didcomm.org/trust-ping/1.*",
            "https://didcomm.org/trust-ping/2.0",
            false,
        ),
        ("*é", "caf\u{e9}", true),
    ] {
        assert_eq!(matches(pattern, text), matched, "{pattern} on {text}");
    }
    // Mallory's pattern would take a naive matcher longer than the universe.
    let hard = format!("{}b", "*a".repeat(200));
    assert!(!matches(&hard, &"a".repeat(2000)));
}

#[test]
fn unknown_types_and_malformed_queries_are_passed_over() {
    let mut asked = ask(&[("shoe-size", "*"), (HEADER, "please_*")]);
    asked.body.as_mut().unwrap()["queries"]
        .as_array_mut()
        .unwrap()
        .extend([
            json!(null),
            json!("*"),
            json!({ "match": "*" }),
            json!({ "feature-type": "header", "match": 1 }),
        ]);
    assert_eq!(ids(&answer(&asked, &bobs(), 1).unwrap()), ["please_ack"]);
    let nothing = answer(&ask(&[("shoe-size", "*")]), &bobs(), 1).unwrap();
    assert_eq!(nothing.body, Some(json!({ "disclosures": [] })));
    for body in [None, Some(json!({})), Some(json!({ "queries": "*" }))] {
        let mut vague = ask(&[]);
        vague.body = body;
        assert!(ids(&answer(&vague, &bobs(), 1).unwrap()).is_empty());
    }
    assert_eq!(answer(&disclose(&[]), &bobs(), 1), None);
}

#[test]
fn each_feature_is_told_once_in_an_order_that_the_seed_decides() {
    let asked = ask(&[(PROTOCOL, "*"), (PROTOCOL, "https://*"), (HEADER, "*")]);
    let order = |seed| answer(&asked, &bobs(), seed).unwrap().body;
    assert_eq!(order(1), order(1));
    let differ = (2..10).filter(|seed| order(*seed) != order(1)).count();
    assert!(differ >= 7, "{differ} of 8 orders differ");
    assert_eq!(
        ids(&answer(&asked, &bobs(), 5).unwrap()).len(),
        ours().len()
    );
}

#[test]
fn mallorys_thousand_queries_are_not_all_worked_on() {
    let flood = vec![("shoe-size", "*"); MAX_QUERIES];
    let mut late = flood.clone();
    late.push((HEADER, "*"));
    assert!(ids(&answer(&ask(&late), &bobs(), 1).unwrap()).is_empty());
    let long = "*".repeat(MAX_MATCH + 1);
    assert!(ids(&answer(&ask(&[(HEADER, &long)]), &bobs(), 1).unwrap()).is_empty());
}

#[test]
fn by_default_our_protocols_are_told() {
    let answers = respond(&ask(&[(PROTOCOL, "*")]), &Context::default());
    assert!(ids(&answers[0]).contains(&PIURI.to_owned()));
    // Bob fetches from mediators; cloud is one.
    for (features, role) in [(ours(), "recipient"), (ours_as_mediator(), "mediator")] {
        let pickup = "https://didcomm.org/mess*age*pickup/*";
        let told = answer(&ask(&[(PROTOCOL, pickup)]), &features, 1).unwrap();
        let told = disclosed(&told).unwrap();
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|one| one.roles == [role]), "{told:?}");
    }
    // Whoever does not say who asks gets no answer.
    let mut nameless = ask(&[(PROTOCOL, "*")]);
    nameless.from = None;
    assert!(respond(&nameless, &Context::default()).is_empty());
}
