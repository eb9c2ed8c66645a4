//! Alice writes, Bob's agent answers by itself.

use serde_json::json;

use super::*;
use crate::message::Attachment;
use out_of_band::InvitationError;

const ALICE: &str = "did:example:alice";
const BOB: &str = "did:example:bob";

fn answers(message: &Message) -> Vec<Message> {
    // Through JSON, as they come.
    let arrived = Message::parse(&message.to_json()).unwrap();
    respond(&arrived, &Context::default())
}

#[test]
fn bob_answers_a_ping_in_its_thread() {
    let ping = trust_ping::ping(true).between(ALICE, &[BOB]);
    let answers = answers(&ping);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].is(trust_ping::PIURI, "ping-response"));
    assert_eq!(answers[0].thid.as_deref(), Some(ping.id.as_str()));
    assert_eq!(answers[0].to, [ALICE]);
    assert!(respond(&answers[0], &Context::default()).is_empty());
}

#[test]
fn a_ping_that_wants_nothing_gets_nothing() {
    let ping = trust_ping::ping(false).between(ALICE, &[BOB]);
    assert!(answers(&ping).is_empty());
    // The default is that a response is wanted, also without body (2.1).
    let mut bare = ping;
    bare.body = None;
    assert_eq!(answers(&bare).len(), 1);
}

#[test]
fn an_acknowledgement_rides_on_the_answer_if_there_is_one() {
    let mut ping = trust_ping::ping(true).between(ALICE, &[BOB]);
    ping.please_ack = vec![String::new(), "earlier".to_owned(), ping.id.clone()];
    let held = Context::default().with_held(vec!["earlier".to_owned()]);
    let told = respond(&ping, &held);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].ack, [ping.id.as_str(), "earlier"]);

    let mut letter = basic_message::message("noon?").between(ALICE, &[BOB]);
    letter.please_ack = vec![String::new()];
    let told = answers(&letter);
    assert_eq!(told.len(), 1);
    assert!(told[0].is_pure_ack());
    assert_eq!(told[0].ack, [letter.id.as_str()]);
    assert_eq!(told[0].thid.as_deref(), Some(letter.id.as_str()));
}

#[test]
fn bob_acknowledges_nothing_that_never_came() {
    let mut letter = basic_message::message("noon?").between(ALICE, &[BOB]);
    letter.please_ack = vec!["never-sent".to_owned()];
    assert!(answers(&letter).is_empty());
    letter.please_ack.push(String::new());
    assert_eq!(answers(&letter)[0].ack, [letter.id.as_str()]);
    let mut ping = trust_ping::ping(true).between(ALICE, &[BOB]);
    ping.please_ack = vec!["never-sent".to_owned()];
    assert!(answers(&ping)[0].ack.is_empty());
}

#[test]
fn two_agents_do_not_acknowledge_for_ever() {
    let letter = basic_message::message("noon?").between(ALICE, &[BOB]);
    let mut ack = empty::acknowledge(&letter, vec![letter.id.clone()]);
    ack.please_ack = vec![String::new()];
    assert!(answers(&ack).is_empty());
    // An empty message that acknowledges nothing is no pure ACK.
    ack.ack.clear();
    assert_eq!(answers(&ack).len(), 1);
}

#[test]
fn a_mediator_does_not_acknowledge_a_forward() {
    let mut forward = Message::new("https://didcomm.org/routing/2.0/forward")
        .with_body(json!({ "next": "did:example:carol" }))
        .between(ALICE, &[BOB]);
    forward.please_ack = vec![String::new()];
    assert!(answers(&forward).is_empty());
}

#[test]
fn mallory_does_not_get_an_answer_larger_than_her_question() {
    let mut flood = basic_message::message("hello").between("did:example:mallory", &[BOB]);
    flood.please_ack = (0..4000).map(|n| n.to_string()).collect();
    let held = Context::default().with_held(flood.please_ack.clone());
    assert_eq!(respond(&flood, &held)[0].ack.len(), 256);
    let mut nameless = trust_ping::ping(true);
    nameless.please_ack = vec![String::new()];
    assert!(answers(&nameless).is_empty());
}

#[test]
fn an_invitation_survives_its_url() {
    let mut invitation = out_of_band::invitation(ALICE, Some("meet"), Some("Grüße → kiosk"));
    invitation.attachments = vec![Attachment::json(json!({ "any": 1 }))];
    for base in [
        "https://example.org/i",
        "http://example.org/?a=b",
        "https://example.org",
    ] {
        let url = out_of_band::to_url(&invitation, base).unwrap();
        assert_eq!(out_of_band::parse(&url).unwrap(), invitation, "{url}");
        assert_eq!(
            out_of_band::parse(&format!(" {url}#frag\n")).unwrap(),
            invitation
        );
    }
    let json = String::from_utf8(invitation.to_json()).unwrap();
    assert_eq!(out_of_band::parse(&json).unwrap(), invitation);
    for base in ["ftp://x", "https://x/#y", "https://x y", "kiosk"] {
        assert_eq!(
            out_of_band::to_url(&invitation, base),
            Err(InvitationError::Base)
        );
    }
}

#[test]
fn what_is_no_invitation_is_told_apart() {
    use InvitationError as E;
    let letter = String::from_utf8(basic_message::message("x").to_json()).unwrap();
    let mut nameless = out_of_band::invitation(ALICE, None, None);
    nameless.from = None;
    let mut v1 = out_of_band::invitation(ALICE, None, None);
    v1.body = Some(json!({ "accept": ["didcomm/aip1"] }));
    let stranger = out_of_band::invitation("Alice", None, None);
    let text = |message: &Message| String::from_utf8(message.to_json()).unwrap();
    for (shown, why) in [
        ("", E::None),
        ("hello", E::None),
        ("https://x?y=z", E::None),
        ("https://x?_oobid=5f0e3ffb", E::ShortLink),
        ("https://x?_oob=%%%", E::Damaged),
        ("https://x?_oob=%", E::Damaged),
        ("https://x?_oob=*", E::Damaged),
        (
            "https://x?_oob=AAAA",
            E::Message(crate::message::MessageError::NotJson),
        ),
        (&letter, E::Type),
        (&text(&nameless), E::From),
        (&text(&stranger), E::From),
        (&text(&v1), E::Accept),
        (&"x".repeat(300 * 1024), E::TooLarge),
    ] {
        assert_eq!(
            out_of_band::parse(shown),
            Err(why),
            "{}",
            &shown[..shown.len().min(80)]
        );
    }
}
