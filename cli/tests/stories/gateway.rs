//! A gateway as a process, and people who use it with nothing but HTTP and WebSocket.

mod backup;
mod client;
mod crowd;
mod far;
mod guests;
mod keeper;
mod kill;
mod limits;
mod near;
mod page;
mod post;
mod service;
mod several;
mod upstream;

use std::time::Instant;

use packmule_agent::protocol::mediation::{self, Answer as Mediated, Change, Outcome};
use packmule_agent::protocol::pickup::{self, Answer, LIVE_NOT_SUPPORTED};
use packmule_agent::protocol::{discover_features, trust_ping};
use serde_json::Value;

use super::stage::{Stage, text};
use client::{Client, Socket, post};
use service::Gateway;

#[test]
fn a_fresh_home_serves_within_a_second_and_in_little_memory() {
    let stage = Stage::new();
    let began = Instant::now();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let took = began.elapsed();
    let (status, card) = gateway.get("/");
    assert_eq!(status, 200);
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["did"], gateway.did);
    assert!(gateway.did.starts_with("did:peer:2"));
    assert!(card["invitation"].as_str().unwrap().contains("_oob="));
    assert_eq!(gateway.get("/healthz").0, 200);
    assert_eq!(gateway.get("/readyz").0, 200);
    assert_eq!(gateway.get("/elsewhere").0, 404);
    let memory = gateway.memory();
    println!("ready after {took:?}; idle memory {} kB", memory);
    // A debug build on a busy machine; the release is measured by the gateway part of ./check.
    assert!(memory < 60_000, "{memory} kB");
    assert_eq!(gateway.stop(), Some(0));
    // The home opens itself, and is the same.
    let again = Gateway::start(&stage, "kiosk", &[]);
    assert_eq!(card["did"], again.did);
}

#[test]
fn alice_gets_what_a_stranger_sent_while_she_was_away() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    for version in [mediation::Version::V2, mediation::Version::V3] {
        let (alice, stranger) = (Client::of(&gateway), Client::of(&gateway));
        let alias = Client::of(&gateway);
        let granted = alice.ask(mediation::request(version));
        let Some(Mediated::Granted(routing)) = mediation::read_answer(&granted) else {
            panic!("{granted:?}");
        };
        assert_eq!(routing, [gateway.did.as_str()]);
        let updated = alice.ask(mediation::update(version, &[Change::add(alias.did())]));
        let Some(Mediated::Updated(updated)) = mediation::read_answer(&updated) else {
            panic!("{updated:?}");
        };
        assert_eq!(updated[0].1, Outcome::Success);
        let listed = alice.ask(mediation::query(version, None));
        let Some(Mediated::Listed(listing)) = mediation::read_answer(&listed) else {
            panic!("{listed:?}");
        };
        assert!(listing.dids.iter().any(|did| did == alias.did()));

        assert_eq!(
            stranger.forward(alice.did(), &stranger.letter(&alice, "one")),
            202
        );
        assert_eq!(
            stranger.forward(alias.did(), &stranger.letter(&alias, "two")),
            202
        );
        // Somebody sends straight to where alice's document points.
        assert_eq!(stranger.post(&stranger.letter(&alice, "three")), 202);
        let packed = stranger.letter(&alice, "four");
        for _ in 0..3 {
            assert_eq!(stranger.forward(alice.did(), &packed), 202);
        }
        for pickup in [pickup::Version::V3, pickup::Version::V4] {
            let status = alice.ask(pickup::status_request(pickup, None));
            let Some(Answer::Status(status)) = pickup::read_answer(&status) else {
                panic!("{status:?}");
            };
            assert_eq!(status.count, 4, "the fourth came once");
        }
        let delivered = alice.ask(pickup::delivery_request(pickup::Version::V3, 10, None));
        let mut letters = client::letters(&delivered);
        let ids: Vec<String> = letters.iter().map(|(id, _)| id.clone()).collect();
        let mut texts: Vec<String> = letters
            .drain(..)
            .map(|(_, packed)| {
                let read = alice.read(&packed).or_else(|| alias.read(&packed));
                read.expect("it is for one of alice's DIDs")
            })
            .collect();
        texts.sort();
        assert_eq!(texts, ["four", "one", "three", "two"]);
        let left = alice.ask(pickup::received(pickup::Version::V3, &ids));
        let Some(Answer::Status(left)) = pickup::read_answer(&left) else {
            panic!("{left:?}");
        };
        assert_eq!(left.count, 0);
    }
    let metrics = gateway.get("/metrics").1;
    assert!(
        metrics.contains("packmule_mediator_total{what=\"acked\"} 8"),
        "{metrics}"
    );
    assert!(!metrics.contains("did:"), "no DID is a label");
}

#[test]
fn alice_hears_at_once_what_comes_while_she_listens() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (alice, stranger) = (Client::of(&gateway), Client::of(&gateway));
    alice.ask(mediation::request(mediation::Version::V3));
    assert_eq!(
        stranger.forward(alice.did(), &stranger.letter(&alice, "before")),
        202
    );

    let refused = alice.ask(pickup::live(pickup::Version::V3, true));
    assert_eq!(
        refused.body_text("code"),
        Some(LIVE_NOT_SUPPORTED),
        "over HTTP"
    );

    let mut socket = Socket::open(&gateway);
    let status = socket.ask(&alice, pickup::live(pickup::Version::V3, true));
    let Some(Answer::Status(status)) = pickup::read_answer(&status) else {
        panic!("{status:?}");
    };
    assert_eq!((status.count, status.live), (1, Some(true)));
    for words in ["first", "second"] {
        let began = Instant::now();
        assert_eq!(
            stranger.forward(alice.did(), &stranger.letter(&alice, words)),
            202
        );
        let pushed = client::letters(&socket.next(&alice));
        println!("pushed after {:?}", began.elapsed());
        assert_eq!(pushed.len(), 1);
        assert_eq!(alice.read(&pushed[0].1).as_deref(), Some(words));
        let left = socket.ask(
            &alice,
            pickup::received(pickup::Version::V3, &[pushed[0].0.clone()]),
        );
        let Some(Answer::Status(left)) = pickup::read_answer(&left) else {
            panic!("{left:?}");
        };
        assert_eq!(left.count, 1, "what came before she listened still waits");
    }
    // Kept until acknowledged: she goes without a word about the third.
    assert_eq!(
        stranger.forward(alice.did(), &stranger.letter(&alice, "third")),
        202
    );
    assert_eq!(client::letters(&socket.next(&alice)).len(), 1);
    drop(socket);
    let status = alice.ask(pickup::status_request(pickup::Version::V3, None));
    let Some(Answer::Status(status)) = pickup::read_answer(&status) else {
        panic!("{status:?}");
    };
    assert_eq!(status.count, 2);
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (alice, mallory) = (Client::of(&gateway), Client::of(&gateway));
    alice.ask(mediation::request(mediation::Version::V3));
    mallory.ask(mediation::request(mediation::Version::V3));
    let kind = "application/didcomm-encrypted+json";

    let pong = alice.ask(trust_ping::ping(true));
    assert!(pong.type_uri.ends_with("ping-response"));
    let told = alice.ask(discover_features::queries(&[("protocol", "*")]));
    assert!(format!("{told:?}").contains("messagepickup/3.0"));

    assert_eq!(post(&gateway.address, kind, b"not an envelope").0, 400);
    assert_eq!(post(&gateway.address, "text/plain", b"x").0, 415);
    let letter = alice.letter(&mallory, "x");
    let parameter = format!("{kind}; charset=utf-8");
    assert_eq!(post(&gateway.address, &parameter, &letter).0, 202);

    // To somebody who has no mailbox: a forward is silent about it, what is sent here is not ours.
    let nobody = Client::of(&gateway);
    assert_eq!(
        alice.forward(nobody.did(), &alice.letter(&nobody, "x")),
        202
    );
    // What was not wrapped for the gateway may be a mule's only copy: it is not accepted.
    assert_eq!(alice.post(&alice.letter(&nobody, "x")), 404);

    // Another's queue, another's DID, a forged sender.
    let other = mallory.ask(pickup::status_request(
        pickup::Version::V3,
        Some(alice.did()),
    ));
    assert!(other.type_uri.ends_with("problem-report"), "{other:?}");
    let stolen = mallory.ask(mediation::update(
        mediation::Version::V3,
        &[Change::add(alice.did())],
    ));
    let Some(Mediated::Updated(stolen)) = mediation::read_answer(&stolen) else {
        panic!("{stolen:?}");
    };
    assert_eq!(stolen[0].1, Outcome::ClientError);
    assert_eq!(mallory.post(&mallory.forged(&alice)), 400);
    // From nobody: nothing is answered.
    assert_eq!(
        mallory.post_anonymous(pickup::status_request(pickup::Version::V3, None)),
        202
    );

    let unknown = alice.ask(packmule_agent::Message::new(
        "https://didcomm.org/nonsense/1.0/x",
    ));
    assert_eq!(unknown.body_text("code"), Some("e.p.msg.unsupported"));
    // Without return_route nothing comes back, and the status goes nowhere.
    let quiet = packmule_agent::Message {
        return_route: None,
        ..pickup::status_request(pickup::Version::V3, None)
    };
    assert_eq!(alice.post(&alice.pack(quiet)), 202);
    let status = alice.ask(pickup::status_request(pickup::Version::V3, None));
    let Some(Answer::Status(status)) = pickup::read_answer(&status) else {
        panic!("{status:?}");
    };
    assert_eq!(status.count, 0);
    assert_eq!(gateway.get("/metrics").0, 200);
}

#[test]
fn a_configuration_is_checked_before_anything_is_opened() {
    let stage = Stage::new();
    let nobody = super::stage::Party {
        home: stage.path("none"),
    };
    let file = stage.file(
        "gateway.toml",
        b"listen = \"127.0.0.1:0\"\n\n[limits]\nburts = 1\n",
    );
    let fault = nobody.fails(2, ["gateway", "check-config", text(&file)]);
    let told = fault["error"].as_str().unwrap();
    assert!(told.contains("line 4") && told.contains("burts"), "{told}");
    nobody.fails(2, ["gateway", "--config", text(&file)]);
    assert!(!stage.path("none").exists());
    let file = stage.file("good.toml", b"public-url = \"https://k.example/\"\n");
    assert_eq!(
        nobody.json(["gateway", "check-config", text(&file)])["ok"],
        true
    );
    assert_eq!(
        nobody.json(["gateway", "check-config"])["listen"],
        "127.0.0.1:8080"
    );
}
