//! A kiosk behind cloud: two gateways as processes, and people at either end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use packmule_agent::protocol::mediation::{self, Answer as Mediated, Change};
use packmule_agent::protocol::pickup::{self, Version};
use packmule_agent::resolve_offline;

use super::client::{Client, letters};
use super::service::Gateway;
use crate::crew::{Running, pause_until};
use crate::stage::Stage;

const UP: &str = "packmule_upstream_up{upstream=\"1\"} 1";

/// A kiosk whose upstream is cloud: new letters come live, or not within these tests.
fn behind(stage: &Stage, cloud: &Gateway, at: &str) -> Gateway {
    how(stage, cloud, at, "poll = \"1h\"", &[])
}

/// In a hurry when cloud does not answer.
fn how(stage: &Stage, cloud: &Gateway, at: &str, how: &str, more: &[(&str, &str)]) -> Gateway {
    let upstream = format!("[{{ did = \"{}\", retry = \"1s\", {how} }}]", cloud.did);
    let mut environment = vec![("PACKMULE_GATEWAY_UPSTREAM", upstream.as_str())];
    environment.extend(more);
    Gateway::at(stage, "kiosk", at, &environment)
}

/// Takes what waits for alice until so many different letters were seen; each with its count.
fn collect(alice: &Client, got: &mut BTreeMap<String, usize>, until: usize) {
    let end = Instant::now() + Duration::from_secs(60);
    while got.len() < until {
        assert!(Instant::now() < end, "{} of {until}: {got:?}", got.len());
        let delivered = alice.ask(pickup::delivery_request(Version::V3, 50, None));
        let came = letters(&delivered);
        if came.is_empty() {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        for (_, packed) in &came {
            *got.entry(alice.read(packed).expect("it is for alice"))
                .or_default() += 1;
        }
        let ids: Vec<String> = came.into_iter().map(|(id, _)| id).collect();
        alice.ask(pickup::received(Version::V3, &ids));
    }
}

#[test]
fn a_stranger_far_away_reaches_alice_at_the_kiosk() {
    let stage = Stage::new();
    let cloud = Gateway::start(&stage, "cloud", &[]);
    let kiosk = behind(&stage, &cloud, "127.0.0.1:0");
    // Who resolves the kiosk is led to cloud.
    let doc = resolve_offline(&kiosk.did).unwrap();
    assert_eq!(doc.services[0].uri, cloud.did);
    let alice = Client::of(&kiosk);
    let granted = alice.ask(mediation::request(mediation::Version::V3));
    assert_eq!(
        mediation::read_answer(&granted),
        Some(Mediated::Granted(vec![
            cloud.did.clone(),
            kiosk.did.clone()
        ]))
    );
    // The older version has room for the endpoint alone.
    let granted = alice.ask(mediation::request(mediation::Version::V2));
    assert_eq!(
        mediation::read_answer(&granted),
        Some(Mediated::Granted(vec![cloud.did.clone()]))
    );
    let alias = Client::of(&kiosk);
    alice.ask(mediation::update(
        mediation::Version::V3,
        &[Change::add(alias.did())],
    ));

    // By the keys that alice publishes: cloud first, then the kiosk.
    kiosk.until(UP);
    let stranger = Client::of(&cloud);
    let onion = stranger.wrapped(&alice, "through both", &[&cloud.did, &kiosk.did]);
    assert_eq!(stranger.post(&onion), 202);
    // By cloud alone, which was told whom the kiosk serves.
    kiosk.until("packmule_upstream_registered{upstream=\"1\"} 2");
    let letter = stranger.letter(&alice, "through cloud");
    assert_eq!(stranger.forward(alice.did(), &letter), 202);
    // Something for the kiosk that makes no sense does not stop what comes behind it.
    assert_eq!(stranger.forward(&kiosk.did, b"{\"ciphertext\":\"x\"}"), 202);
    let onion = stranger.wrapped(&alice, "behind nonsense", &[&cloud.did, &kiosk.did]);
    assert_eq!(stranger.post(&onion), 202);

    let mut got = BTreeMap::new();
    collect(&alice, &mut got, 3);
    let words: Vec<&str> = got.keys().map(String::as_str).collect();
    assert_eq!(words, ["behind nonsense", "through both", "through cloud"]);

    // Who leaves is not held for any longer.
    alice.ask(mediation::update(
        mediation::Version::V3,
        &[Change::remove(alias.did())],
    ));
    kiosk.until("packmule_upstream_registered{upstream=\"1\"} 1");
    let metrics = kiosk.get("/metrics").1;
    assert!(!metrics.contains("did:"), "no DID is a label");
    assert_eq!(kiosk.stop(), Some(0));
}

#[test]
fn cloud_and_kiosk_are_killed_in_turn_and_alice_gets_each_letter_once() {
    let stage = Stage::new();
    let mut cloud = Gateway::start(&stage, "cloud", &[]);
    let at_cloud = cloud.address.clone();
    let mut kiosk = behind(&stage, &cloud, "127.0.0.1:0");
    let at_kiosk = kiosk.address.clone();
    let alice = Client::of(&kiosk);
    alice.ask(mediation::request(mediation::Version::V3));
    kiosk.until(UP);
    let stranger = Client::of(&cloud);
    let by = [cloud.did.clone(), kiosk.did.clone()];
    let mut sent = Vec::new();
    for life in 0..6_u64 {
        for number in 0..12 {
            let words = format!("{life}-{number}");
            let onion = stranger.wrapped(&alice, &words, &[&by[0], &by[1]]);
            assert_eq!(stranger.post(&onion), 202);
            sent.push(words);
        }
        // In the middle of whatever goes on then.
        std::thread::sleep(Duration::from_millis(53 * life));
        if life % 2 == 0 {
            kiosk.kill();
            kiosk = behind(&stage, &cloud, &at_kiosk);
        } else {
            cloud.kill();
            cloud = Gateway::at(&stage, "cloud", &at_cloud, &[]);
        }
    }
    let mut got = BTreeMap::new();
    collect(&alice, &mut got, sent.len());
    for words in &sent {
        assert_eq!(got.get(words), Some(&1), "{words}");
    }
    assert_eq!(kiosk.stop(), Some(0));
    assert_eq!(cloud.stop(), Some(0));
}

#[test]
fn what_has_no_room_at_the_kiosk_waits_at_cloud() {
    let stage = Stage::new();
    let cloud = Gateway::start(&stage, "cloud", &[]);
    let small = [("PACKMULE_GATEWAY_MAILBOXES__ACCOUNT_MESSAGES", "5")];
    let polling = "live = false, poll = \"1s\"";
    let kiosk = how(&stage, &cloud, "127.0.0.1:0", polling, &small);
    let (alice, bob) = (Client::of(&kiosk), Client::of(&kiosk));
    for one in [&alice, &bob] {
        one.ask(mediation::request(mediation::Version::V3));
    }
    kiosk.until(UP);
    let stranger = Client::of(&cloud);
    let by = [cloud.did.as_str(), kiosk.did.as_str()];
    for number in 0..17 {
        let onion = stranger.wrapped(&alice, &format!("for alice {number}"), &by);
        assert_eq!(stranger.post(&onion), 202);
    }
    let onion = stranger.wrapped(&bob, "for bob", &by);
    assert_eq!(stranger.post(&onion), 202);
    // Alice's mailbox is full, and bob's letter, which came last, comes all the same.
    let mut bobs = BTreeMap::new();
    collect(&bob, &mut bobs, 1);
    let mut got = BTreeMap::new();
    collect(&alice, &mut got, 17);
    assert!(got.values().all(|count| *count == 1), "{got:?}");
}

#[test]
fn a_node_without_mailboxes_collects_what_waits_for_it() {
    let stage = Stage::new();
    let cloud = Gateway::start(&stage, "cloud", &[]);
    let alice = stage.party("alice", "peer2");
    let stranger = Client::of(&cloud);
    let flags = ["--upstream", cloud.did.as_str()];
    let node = Running::start(&alice, &flags);
    cloud.until("packmule_accounts 1");
    let did = alice.did();
    let letter = stranger.letter_to(&did, "while she is there");
    assert_eq!(stranger.forward(&did, &letter), 202);
    pause_until("it came", || alice.texts().len() == 1);
    assert_eq!(node.stop(), Some(0));
    let letter = stranger.letter_to(&did, "while she is away");
    assert_eq!(stranger.forward(&did, &letter), 202);
    let _node = Running::start(&alice, &flags);
    pause_until("it came too", || alice.texts().len() == 2);
    let mut texts = alice.texts();
    texts.sort();
    assert_eq!(texts, ["while she is away", "while she is there"]);
}

#[test]
fn an_upstream_is_named_by_its_invitation_and_told_when_it_is_none() {
    let stage = Stage::new();
    let cloud = Gateway::start(&stage, "cloud", &[]);
    let card: serde_json::Value = serde_json::from_str(&cloud.get("/").1).unwrap();
    let invitation = card["invitation"].as_str().unwrap();
    let kiosk = Gateway::with(
        &stage,
        "kiosk",
        "127.0.0.1:0",
        &[],
        &["--upstream", invitation],
    );
    assert_eq!(
        resolve_offline(&kiosk.did).unwrap().services[0].uri,
        cloud.did
    );
    kiosk.until(UP);
    let nobody = crate::stage::Party {
        home: stage.path("none"),
    };
    for wrong in ["cloud", "https://cloud.example/", "did:"] {
        let fault = nobody.fails(2, ["gateway", "--upstream", wrong]);
        assert!(
            fault["error"].as_str().unwrap().contains("upstream.did"),
            "{fault}"
        );
    }
    assert!(!stage.path("none").exists());
}
