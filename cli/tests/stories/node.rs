//! Nodes as processes: messages and receipts over TCP, mules, questions and answers.

use std::path::Path;

use serde_json::{Value, json};

use super::crew::{Running, knows, pause_until};
use super::stage::{Party, Stage, text};

/// The state of a message in a party's outbox.
fn state(party: &Party, id: &Value) -> Value {
    let outbox = party.json(["outbox", "--all"]);
    let rows = outbox["messages"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == *id).unwrap();
    row["state"].clone()
}

#[test]
fn a_message_and_its_receipt_cross_between_two_nodes() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let bobs = Running::start(&bob, &[]);
    knows(&alice, "bob", &bobs);
    let alices = Running::start(&alice, &[]);
    let sent = alice.json(["send", "bob", "The well is dry."]);
    assert_eq!(sent["state"], "queued");
    pause_until("bob has it", || bob.texts() == ["The well is dry."]);
    pause_until("alice has his receipt", || {
        state(&alice, &sent["id"]) == "acknowledged"
    });
    let status = alice.json(["status"]);
    assert_eq!(status["running"], true, "{status}");
    assert_eq!(status["outbox"]["queued"], 0, "{status}");
    assert_eq!(status["links"][0]["proven"], json!(["bob"]), "{status}");
    let back = bob.json(["send", "alice", "Thank you.", "--please-ack"]);
    pause_until("alice has the answer", || alice.texts() == ["Thank you."]);
    pause_until("bob has hers", || {
        state(&bob, &back["id"]) == "acknowledged"
    });
    assert_eq!(alices.stop(), Some(0));
    assert_eq!(bobs.stop(), Some(0));
    assert_eq!(alice.json(["status"])["running"], false);
}

#[test]
fn what_waits_for_bob_goes_when_he_comes() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    // His door is known, and he is not at home.
    let bobs = Running::start(&bob, &[]);
    let way = bobs.way();
    knows(&alice, "bob", &bobs);
    bobs.stop();
    let _alices = Running::start(&alice, &[]);
    let sent = alice.json(["send", "bob", "Are you there?"]);
    let id = sent["id"].as_str().unwrap();
    pause_until("the node holds it", || {
        alice.json(["why", id])["origin"] == "own" && alice.json(["status"])["count"] == 1
    });
    let why = alice.json(["why", id]);
    assert_eq!(why["rung"], "queued", "{why}");
    assert!(!why["next"].as_array().unwrap().is_empty(), "{why}");
    let words = alice.ok(["why", id]);
    assert!(words.contains("nobody else has one"), "{words}");
    let _bobs = Running::start(&bob, &["--listen", &way]);
    // Not to wait for the next try by itself: that may take a while.
    alice.ok(["peers", "ways", "bob", &way]);
    pause_until("it arrived", || bob.texts() == ["Are you there?"]);
    pause_until("the receipt", || {
        state(&alice, &sent["id"]) == "acknowledged"
    });
}

#[test]
fn a_mule_carries_between_two_who_never_meet() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mule = stage.party("mule", "key");
    alice.ok(["accept", &mule.did(), "--name", "mule", "--no-hello"]);
    bob.ok(["accept", &mule.did(), "--name", "mule", "--no-hello"]);
    let sent = alice.json(["send", "bob", "By mule."]);
    {
        let mules = Running::start(&mule, &[]);
        knows(&alice, "mule", &mules);
        let _alices = Running::start(&alice, &[]);
        // Somebody to write to, so that alice calls there at all.
        alice.ok(["send", "mule", "Please carry."]);
        pause_until("the mule has it", || {
            mule.json(["status"])["count"].as_u64() >= Some(1)
        });
        pause_until("alice knows that it does", || {
            state(&alice, &sent["id"]) == "sent"
        });
        let why = alice.json(["why", sent["id"].as_str().unwrap()]);
        assert_eq!(why["takers"].as_array().unwrap().len(), 1, "{why}");
    }
    assert!(bob.texts().is_empty());
    let mules = Running::start(&mule, &[]);
    knows(&bob, "mule", &mules);
    let _bobs = Running::start(&bob, &[]);
    bob.ok(["send", "mule", "Anything for me?"]);
    pause_until("bob has it", || bob.texts() == ["By mule."]);
}

#[test]
fn send_by_needs_no_running_node_and_tells_how_far_it_came() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let bobs = Running::start(&bob, &[]);
    let way = bobs.way();
    let sent = alice.json(["send", "bob", "Now.", "--by", &way]);
    assert!(
        sent["state"] == "acknowledged" || sent["state"] == "sent",
        "{sent}"
    );
    assert_eq!(sent["sent_by"], "tcp", "{sent}");
    pause_until("bob has it", || bob.texts() == ["Now."]);
    assert_eq!(alice.json(["peers", "ways", "bob"])["ways"], json!([way]));
    bobs.stop();
    // Nobody is there: it waits, and says so.
    let late = alice.run_json(["send", "bob", "Later.", "--by", "tcp", "--wait", "2s"]);
    assert_eq!(late.code, 8, "{}", late.stderr);
    assert_eq!(late.json()["state"], "queued");
    assert_eq!(state(&alice, &late.json()["id"]), "queued");
}

#[test]
fn a_second_node_on_a_home_is_refused_and_the_first_goes_on() {
    let stage = Stage::new();
    let alice = stage.party("alice", "key");
    let first = Running::start(&alice, &[]);
    let refused = alice.fails(9, ["run", "--no-discover", "--listen", "tcp://127.0.0.1:0"]);
    assert!(
        refused["error"].as_str().unwrap().contains("already"),
        "{refused}"
    );
    assert_eq!(alice.json(["status"])["pid"], first.pid());
    assert_eq!(first.stop(), Some(0));
}

#[test]
fn watch_tells_what_happens() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let bobs = Running::start(&bob, &[]);
    knows(&alice, "bob", &bobs);
    assert_eq!(alice.fails(3, ["watch"])["exit"], 3);
    let _alices = Running::start(&alice, &[]);
    let mut watch = alice.command(["watch", "--json", "--for", "60s"]);
    let mut watch = super::crew::Lines::of(watch.spawn().unwrap());
    // The watcher is connected once it has seen something of which we know the time.
    pause_until("something was seen", || {
        alice.ok(["send", "bob", "Once more."]);
        watch.until(|line| line["event"] == "progress" && line["rung"] == "delivered")
    });
}

#[test]
fn what_is_taken_back_goes_nowhere() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let sent = alice.json(["send", "bob", "Forget it."]);
    let id = sent["id"].as_str().unwrap();
    assert_eq!(alice.json(["forget", id])["forgotten"], true);
    assert_eq!(state(&alice, &sent["id"]), "refused");
    assert_eq!(alice.fails(2, ["forget", id])["exit"], 2);
    let bobs = Running::start(&bob, &[]);
    knows(&alice, "bob", &bobs);
    let alices = Running::start(&alice, &[]);
    // One that the node holds already, and that waits for a channel which is not there.
    let held = alice.run_json(["send", "bob", "This too.", "--by", "ws", "--wait", "1s"]);
    assert_eq!(held.code, 8, "{}", held.stderr);
    let id = held.json()["id"].clone();
    alice.ok(["forget", id.as_str().unwrap()]);
    pause_until("it is forgotten", || state(&alice, &id) == "refused");
    assert_eq!(alices.stop(), Some(0));
    let _alices = Running::start(&alice, &[]);
    let told = alice.json(["send", "bob", "But this."]);
    pause_until("the last arrived", || {
        state(&alice, &told["id"]) == "acknowledged"
    });
    assert_eq!(bob.texts(), ["But this."]);
}

#[test]
fn a_dead_letter_is_listed_exported_and_tries_again() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let alices = Running::start(&alice, &[]);
    let sent = alice.json(["send", "bob", "Short-lived.", "--expires", "10s"]);
    pause_until("it is dead", || {
        !alice.json(["dead-letters"])["dead_letters"]
            .as_array()
            .unwrap()
            .is_empty()
    });
    let dead = alice.json(["dead-letters"]);
    assert_eq!(dead["dead_letters"][0]["id"], sent["id"], "{dead}");
    let dir = stage.path("exported");
    let exported = alice.json(["dead-letters", "export", text(&dir)]);
    let file = exported["exported"][0]["file"].as_str().unwrap();
    assert!(
        Path::new(file)
            .extension()
            .is_some_and(|ending| ending == "dcem")
    );
    assert!(bob.run(["unpack", file]).code == 0);
    assert_eq!(
        alice.json(["dead-letters", "retry"])["retried"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    alices.stop();
}

#[test]
fn what_is_too_large_is_refused_for_good_and_what_arrived_is_not_taken_back() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let bobs = Running::start(&bob, &[]);
    knows(&alice, "bob", &bobs);
    let alices = Running::start(&alice, &["--max-message", "2KB"]);
    let long = alice.json(["send", "bob", "mules ".repeat(2_000).as_str()]);
    let long = long["id"].as_str().unwrap();
    pause_until("it is refused", || state(&alice, &long.into()) == "refused");
    let why = alice.json(["why", long]);
    assert_eq!(why["reason"], "it is too large", "{why}");
    let next = why["next"][0].as_str().unwrap();
    assert!(next.contains("for good"), "{why}");
    assert!(!next.contains("dead-letters"), "nothing could be retried");

    let short = alice.json(["send", "bob", "Short."]);
    pause_until("the receipt", || {
        state(&alice, &short["id"]) == "acknowledged"
    });
    let words = alice.ok(["outbox", "--all"]);
    let line = words.lines().find(|line| line.starts_with("acknowledged"));
    assert!(line.is_some_and(|line| !line.contains('(')), "{words}");
    let told = alice.fails(2, ["forget", short["id"].as_str().unwrap()]);
    assert!(told.to_string().contains("acknowledged already"), "{told}");
    alices.stop();
    bobs.stop();
}
