//! Alice and bob write to each other by a folder.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use super::stage::{Stage, noise, text};

#[test]
fn alice_and_bob_meet_by_invitation_and_write_by_folder() {
    for method in ["peer2", "key", "peer4", "jwk"] {
        let stage = Stage::new();
        let (alice, bob) = stage.pair_of(method);
        let stick = stage.folder("stick");
        let sent = alice.json([
            "send",
            "bob",
            "The well at kilometre 40 is dry.",
            "--please-ack",
        ]);
        assert_eq!(sent["state"], "queued", "{method}");
        assert_eq!(
            alice.json(["export", text(&stick)])["written"],
            1,
            "{method}"
        );
        let taken = bob.json(["import", text(&stick)]);
        assert_eq!(taken["new"], 1, "{method}: {taken}");
        assert_eq!(taken["answers"], 1, "{method}: {taken}");
        let inbox = bob.json(["inbox"]);
        let message = &inbox["messages"][0];
        assert_eq!(message["text"], "The well at kilometre 40 is dry.");
        assert_eq!(message["peer"], "alice");
        assert_eq!(message["layers"], serde_json::json!(["authcrypt"]));
        // The acknowledgement travels back by itself.
        bob.ok(["export", text(&stick)]);
        assert_eq!(
            alice.json(["import", text(&stick)])["acknowledged"],
            1,
            "{method}"
        );
        let outbox = alice.json(["outbox", "--all"]);
        assert_eq!(
            outbox["messages"][0]["state"], "acknowledged",
            "{method}: {outbox}"
        );
        // And calls for no acknowledgement of its own.
        assert_eq!(
            alice.json(["export", text(&stick)])["written"],
            0,
            "{method}"
        );
    }
}

#[test]
fn a_five_megabyte_attachment_goes_by_folder() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let photo = noise(1, 5 << 20);
    let path = stage.file("photo.jpg", &photo);
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "Look.", "--attach", text(&path)]);
    alice.ok(["export", text(&stick)]);
    bob.ok(["import", text(&stick)]);
    let inbox = bob.json(["inbox"]);
    let id = inbox["messages"][0]["id"].as_str().unwrap();
    assert_eq!(inbox["messages"][0]["attachments"][0]["bytes"], 5 << 20);
    let got = stage.path("got");
    bob.ok(["inbox", "save", id, text(&got)]);
    assert_eq!(std::fs::read(got.join("photo.jpg")).unwrap(), photo);
    // Again: nothing is replaced.
    bob.ok(["inbox", "save", id, text(&got)]);
    assert_eq!(std::fs::read(got.join("photo-2.jpg")).unwrap(), photo);
}

#[test]
fn a_signed_an_anonymous_and_a_foreign_message_arrive_as_such() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "I promise.", "--sign"]);
    alice.ok(["send", "bob", "Guess who.", "--anon"]);
    alice.ok([
        "send",
        "bob",
        "--type",
        "https://example.org/weather/1.0/report",
        "--body",
        r#"{"rain":false}"#,
    ]);
    alice.ok(["export", text(&stick)]);
    bob.ok(["import", text(&stick)]);
    let inbox = bob.json(["inbox"]);
    let find = |what: &str| {
        let all = inbox["messages"].as_array().unwrap();
        all.iter()
            .find(|m| m["text"] == what || m["type"] == what)
            .unwrap_or_else(|| panic!("{what}: {inbox}"))
    };
    let promise = find("I promise.");
    assert_eq!(promise["peer"], "alice");
    assert!(
        promise["signed_by"]
            .as_str()
            .unwrap()
            .starts_with(&alice.did())
    );
    let guess = find("Guess who.");
    assert!(guess["sender"].is_null() && guess["peer"].is_null());
    let weather = find("https://example.org/weather/1.0/report");
    let shown = bob.json(["inbox", "show", weather["id"].as_str().unwrap()]);
    assert_eq!(shown["message"]["body"]["rain"], false);
}

#[test]
fn an_expired_message_is_not_sent_and_not_believed() {
    // On a busy machine dinner is ready for longer.
    let in_time = [3, 6, 12, 24].into_iter().find(|span| dinner(*span));
    assert!(in_time.is_some(), "two commands take half a minute here");
}

/// Two messages, of which the second expires after so many seconds. `false`: that was before it
/// could be exported.
fn dinner(span: u64) -> bool {
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (stick, late) = (stage.folder("stick"), stage.folder("late"));
    alice.ok(["send", "bob", "Dinner is ready.", "--expires", "1s"]);
    let before = now();
    let still = format!("{span}s");
    alice.ok(["send", "bob", "Dinner is still ready.", "--expires", &still]);
    let expires = now() + span;
    sleep(Duration::from_millis(1500));
    let carried = alice.json(["export", text(&late)]);
    if now() >= before + span {
        return false;
    }
    assert_eq!(
        (&carried["written"], &carried["expired"]),
        (&1.into(), &1.into()),
        "{carried}"
    );
    while now() <= expires {
        sleep(Duration::from_millis(200));
    }
    let refused = bob.fails(4, ["import", text(&late)]);
    assert_eq!(
        refused["refused"][0]["problem"], "e.m.req.time",
        "{refused}"
    );
    assert!(bob.texts().is_empty());
    assert_eq!(
        bob.json(["inbox", "--refused"])["refused"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(alice.json(["export", text(&stick)])["written"], 0);
    true
}

#[test]
fn a_stick_that_was_lost_can_be_written_again_and_nothing_doubles() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (lost, second) = (stage.folder("lost"), stage.folder("second"));
    let id = alice.json(["send", "bob", "Once."])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    alice.ok(["export", text(&lost)]);
    alice.ok(["outbox", "again", &id]);
    alice.ok(["export", text(&second)]);
    bob.ok(["import", text(&second)]);
    // The lost one turns up after all.
    let taken = bob.json(["import", text(&lost)]);
    assert_eq!((&taken["new"], &taken["duplicate"]), (&0.into(), &1.into()));
    assert_eq!(bob.texts(), ["Once."]);
}

#[test]
fn a_shared_stick_serves_carol_too() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let carol = stage.party("carol", "key");
    alice.ok(["accept", &carol.did(), "--name", "carol", "--no-hello"]);
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "For bob."]);
    alice.ok(["send", "carol", "For carol."]);
    alice.ok(["export", text(&stick)]);
    // Bob cannot read carol's message: he says so, and leaves it where it is.
    let taken = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&taken["for_others"], &taken["new"]),
        (&1.into(), &1.into()),
        "{taken}"
    );
    assert_eq!(bob.texts(), ["For bob."]);
    bob.ok(["import", text(&stick)]);
    carol.ok(["import", text(&stick)]);
    assert_eq!(carol.texts(), ["For carol."]);
}

#[test]
fn sealed_custody_needs_no_passphrase() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "Later."]);
    alice.ok(["export", text(&stick)]);
    let mut command = bob.command(["import", "--keep-sealed", text(&stick)]);
    let status = command.env_remove("PACKMULE_PASSPHRASE").status().unwrap();
    assert!(status.success());
    assert_eq!(bob.texts(), ["Later."]);
}
