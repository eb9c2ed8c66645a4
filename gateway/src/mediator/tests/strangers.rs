//! Bob, whom cloud does not know: what he may ask, and what he is told.

use packmule_agent::did::{DIDCOMM_V2, Method};
use packmule_agent::message::Message;
use packmule_agent::protocol::discover_features::{self, PROTOCOL};
use packmule_agent::protocol::mediation::{self, Version as Mediation};
use packmule_agent::protocol::{
    basic_message, empty, out_of_band, pickup, report_problem, trust_ping,
};

use super::stage::{Cloud, NOON, Person};
use crate::mediator::{Admits, Count, Policy};
use crate::store::Limits;

#[tokio::test]
async fn bob_is_invited_pings_and_learns_what_cloud_does() {
    let (cloud, bob) = (Cloud::new(), Person::new(Method::Key));
    let invitation = cloud.mediator.invitation();
    let url = out_of_band::to_url(&invitation, "https://cloud.example/").unwrap();
    let read = out_of_band::parse(&url).unwrap();
    assert_eq!(read.body_text("goal_code"), Some("request-mediate"));
    assert_eq!(read.from.as_deref(), Some(cloud.did()));
    assert_eq!(read.body.unwrap()["accept"][0], DIDCOMM_V2);

    let ping = trust_ping::ping(true);
    let answer = cloud.asked(&bob, ping.clone()).await;
    assert!(answer.is(trust_ping::PIURI, "ping-response"));
    assert_eq!(answer.thid, Some(ping.id));
    let quiet = bob.pack(trust_ping::ping(false), cloud.did());
    assert!(cloud.hears(&quiet).await.replies.is_empty());

    let ask = discover_features::queries(&[(PROTOCOL, "https://didcomm.org/*")]);
    let told = discover_features::disclosed(&cloud.asked(&bob, ask).await).unwrap();
    for piuri in [
        mediation::PIURI,
        mediation::PIURI_2,
        pickup::PIURI,
        pickup::PIURI_3,
    ] {
        let one = told.iter().find(|one| one.id == piuri).expect(piuri);
        assert_eq!(one.roles, ["mediator"]);
    }
}

#[tokio::test]
async fn what_is_for_the_desk_is_left_to_it_and_what_nobody_knows_is_told() {
    let (cloud, bob) = (Cloud::new(), Person::new(Method::Key));
    let about = trust_ping::ping(true);
    for message in [
        basic_message::message("is the kiosk open?"),
        empty::message(),
        about.reply("https://didcomm.org/trust-ping/2.0/ping-response"),
        mediation::grant(&about, Mediation::V3, &["did:example:upstream"]),
    ] {
        let heard = cloud.hears(&bob.pack(message.clone(), cloud.did())).await;
        assert_eq!(heard.for_us.unwrap().message.id, message.id);
        assert!(heard.replies.is_empty());
    }
    let unknown = Message::new("https://example.org/shop/1.0/buy");
    assert_eq!(
        cloud.problem(&bob, unknown.clone()).await,
        "e.p.msg.unsupported"
    );
    let answer = cloud.asked(&bob, unknown.clone()).await;
    assert_eq!(answer.pthid, Some(unknown.id));
    let text = report_problem::parse(&answer).unwrap().text();
    assert!(text.contains("https://example.org/shop/1.0/buy"), "{text}");
}

#[tokio::test]
async fn bob_without_an_account_is_told_what_to_do_first() {
    let (cloud, bob) = (Cloud::new(), Person::new(Method::Key));
    for ask in [
        pickup::status_request(pickup::Version::V3, None),
        pickup::delivery_request(pickup::Version::V4, 10, None),
        pickup::received(pickup::Version::V3, &["x".to_owned()]),
        mediation::query(Mediation::V3, None),
        mediation::update(Mediation::V2, &[]),
    ] {
        assert_eq!(cloud.problem(&bob, ask).await, "e.m.req.no-account");
    }
}

#[tokio::test]
async fn what_makes_no_sense_or_came_late_is_told_to_who_is_known() {
    let (cloud, bob) = (Cloud::new(), Person::new(Method::Key));
    cloud.grants(&bob).await;
    let mut late = trust_ping::ping(true);
    late.expires_time = Some(NOON.as_secs());
    assert_eq!(cloud.problem(&bob, late).await, "e.m.req.time");
    let mut broken = mediation::update(Mediation::V3, &[]);
    broken.body = None;
    assert_eq!(cloud.problem(&bob, broken).await, "e.m.msg");
    let mut broken = pickup::live(pickup::Version::V3, true);
    broken.body = None;
    assert_eq!(cloud.problem(&bob, broken).await, "e.m.msg");
    let bare = Message::new("https://didcomm.org/routing/2.0/forward");
    assert_eq!(cloud.problem(&bob, bare).await, "e.m.msg");
    let mut asked = trust_ping::ping(true);
    asked.please_ack = vec![String::new()];
    let answer = cloud.asked(&bob, asked.clone()).await;
    assert_eq!(answer.ack, [asked.id]);
}

#[tokio::test]
async fn a_closed_cloud_lets_in_who_is_on_its_list() {
    let (alice, bob) = (Person::new(Method::Key), Person::new(Method::Key));
    let policy = Policy {
        admits: Admits::Only([alice.did.clone(), bob.did.clone()].into()),
        denied: [bob.did.clone()].into(),
        ..Policy::default()
    };
    let cloud = Cloud::with(Limits::default(), policy);
    cloud.grants(&alice).await;
    for who in [&bob, &Person::new(Method::Key)] {
        let answer = cloud.asked(who, mediation::request(Mediation::V3)).await;
        assert_eq!(
            mediation::read_answer(&answer),
            Some(mediation::Answer::Denied)
        );
    }
    assert_eq!(cloud.mediator.counts().of(Count::Denied), 2);
}

#[tokio::test]
async fn answers_go_back_only_where_they_were_asked_for() {
    let (cloud, bob) = (Cloud::new(), Person::new(Method::Key));
    for (route, thread, back) in [
        (None, None, false),
        (Some("none"), None, false),
        (Some("all"), None, true),
        (Some("thread"), Some("T"), true),
        (Some("thread"), Some("other"), false),
        (Some("thread"), None, true),
        (Some("maybe"), None, false),
    ] {
        let mut ping = trust_ping::ping(true);
        ping.thid = Some("t".to_owned());
        ping.return_route = route.map(str::to_owned);
        ping.return_route_thread = thread.map(str::to_owned);
        let heard = cloud.hears(&bob.pack(ping, cloud.did())).await;
        assert_eq!(heard.back, back, "{route:?} {thread:?}");
        assert_eq!(heard.replies.len(), 1);
    }
}
