//! A keeper who changes the configuration while the gateway runs, and asks how it stands.

use std::fs;
use std::time::{Duration, Instant};

use packmule_agent::protocol::mediation::{self, Answer};
use packmule_agent::protocol::{pickup, trust_ping};

use super::client::Client;
use super::service::Gateway;
use crate::stage::{Party, Stage};

/// Waits until a ping of this client is answered so.
fn until(client: &Client, status: u16) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let told = client.post(&client.pack(trust_ping::ping(false)));
        if told == status {
            return;
        }
        assert!(Instant::now() < end, "{told} and not {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_configuration_that_is_gone_opens_nothing() {
    let stage = Stage::new();
    assert_eq!(Gateway::start(&stage, "kiosk", &[]).stop(), Some(0));
    let file = stage.path("kiosk").join("gateway.toml");
    fs::write(&file, "[accounts]\nopen = false\n").unwrap();
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    fs::remove_file(&file).unwrap();
    gateway.hangup();
    let end = Instant::now() + Duration::from_secs(60);
    while !gateway.log(&stage, "kiosk").contains("not-reloaded") {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(50));
    }
    let request = mediation::request(mediation::Version::V3);
    let denied = Client::of(&gateway).ask(request);
    assert_eq!(mediation::read_answer(&denied), Some(Answer::Denied));
}

#[test]
fn sighup_changes_what_may_change_and_nonsense_changes_nothing() {
    let stage = Stage::new();
    let file = stage.path("gateway.toml");
    fs::write(&file, "[accounts]\nopen = true\n").unwrap();
    let flags = ["--config", file.to_str().unwrap()];
    let gateway = Gateway::with(&stage, "kiosk", "127.0.0.1:0", &[], &flags);
    let (alice, bob, mallory) = (
        Client::of(&gateway),
        Client::of(&gateway),
        Client::of(&gateway),
    );
    let request = || mediation::request(mediation::Version::V3);
    alice.ask(request());
    assert_eq!(gateway.get("/metrics").0, 200);
    until(&mallory, 202);

    let did = mallory.did();
    let changed = format!(
        "metrics = false\n[accounts]\nopen = false\ndeny = [\"{did}\"]\n\
         [mailboxes]\naccount-messages = 5\n"
    );
    fs::write(&file, changed).unwrap();
    gateway.hangup();
    until(&mallory, 403);
    assert_ne!(gateway.get("/metrics").0, 200);
    let denied = bob.ask(request());
    assert_eq!(mediation::read_answer(&denied), Some(Answer::Denied));
    // Who has a mailbox keeps it, and it holds as many as it did at the start.
    for number in 0..6 {
        let letter = bob.letter(&alice, &number.to_string());
        assert_eq!(bob.forward(alice.did(), &letter), 202);
    }
    let log = gateway.log(&stage, "kiosk");
    assert!(log.contains("holds-from-the-next-start"), "{log}");
    assert!(log.contains("[mailboxes]"), "{log}");

    fs::write(&file, "[accounts]\nopen = \"perhaps\"\n").unwrap();
    gateway.hangup();
    let end = Instant::now() + Duration::from_secs(60);
    while !gateway.log(&stage, "kiosk").contains("not-reloaded") {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(50));
    }
    until(&mallory, 403);

    fs::write(&file, "").unwrap();
    gateway.hangup();
    until(&mallory, 202);
    let granted = bob.ask(request());
    assert!(matches!(
        mediation::read_answer(&granted),
        Some(Answer::Granted(_))
    ));
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_keeper_lists_accounts_what_waits_and_what_nobody_collected() {
    let stage = Stage::new();
    let keeper = Party {
        home: stage.path("kiosk"),
    };
    let gateway = Gateway::start(&stage, "kiosk", &[]);
    let (alice, bob) = (Client::of(&gateway), Client::of(&gateway));
    let none = keeper.json(["gateway", "accounts"]);
    assert_eq!(none["accounts"].as_array().unwrap().len(), 0);
    for one in [&alice, &bob] {
        one.ask(mediation::request(mediation::Version::V3));
    }
    for words in ["one", "two"] {
        let letter = bob.letter(&alice, words);
        assert_eq!(bob.forward(alice.did(), &letter), 202);
    }
    let accounts = keeper.json(["gateway", "accounts"]);
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 2);
    let queues = keeper.json(["gateway", "queues"]);
    let queues = queues["queues"].as_array().unwrap();
    assert_eq!(queues.len(), 1);
    assert_eq!(queues[0]["did"], alice.did());
    assert_eq!(queues[0]["messages"], 2);
    assert!(keeper.ok(["gateway", "queues"]).contains(alice.did()));
    let dead = keeper.json(["gateway", "dead-letters"]);
    assert_eq!(dead["mailboxes"].as_array().unwrap().len(), 0);
    assert!(
        keeper
            .ok(["gateway", "dead-letters"])
            .contains("no dead letters")
    );
    alice.ask(pickup::status_request(pickup::Version::V3, None));

    // A home that nobody serves.
    assert_eq!(gateway.stop(), Some(0));
    let told = keeper.run(["gateway", "accounts"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
}
