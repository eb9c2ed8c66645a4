//! What must not work: each ends with its exit code, a reason, and nothing lost.

use std::fs;

use super::stage::{self, Done, Stage, packed_by, text};
use packmule_agent::did::{Method, create};
use serde_json::{Value, json};

/// Delivers a file the way a person would: under a name of their own.
fn drop_in(stick: &std::path::Path, name: &str, bytes: &[u8]) {
    let dir = stick.join("DIDCOMM");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), bytes).unwrap();
}

fn refused(bob: &stage::Party) -> Vec<Value> {
    bob.json(["inbox", "--refused"])["refused"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn a_wrong_passphrase_changes_nothing() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "Hello."]);
    alice.ok(["export", text(&stick)]);
    let run = |value: Option<&str>| -> Done {
        let mut command = bob.command(["import", text(&stick), "--json"]);
        match value {
            Some(value) => command.env("PACKMULE_PASSPHRASE", value),
            None => command.env_remove("PACKMULE_PASSPHRASE"),
        };
        let output = command.output().unwrap();
        Done {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    };
    let wrong = run(Some("wrong"));
    assert_eq!(wrong.code, 5, "{}", wrong.stderr);
    assert_eq!(wrong.json()["exit"], 5);
    let none = run(None);
    assert_eq!(none.code, 5);
    assert!(
        none.json()["hint"]
            .as_str()
            .unwrap()
            .contains("--passphrase-file"),
        "{}",
        none.stderr
    );
    assert_eq!(run(Some("")).code, 5);
    // A file works, with the newline that editors add.
    let file = stage.file("passphrase", format!("{}\n", stage::PASSPHRASE).as_bytes());
    let mut command = bob.command(["import", text(&stick), "--passphrase-file", text(&file)]);
    assert!(
        command
            .env_remove("PACKMULE_PASSPHRASE")
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(bob.texts(), ["Hello."]);
}

#[test]
fn bytes_that_were_changed_on_the_way_are_refused() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let alice = create(Method::Peer2, &[]).unwrap();
    let packed = packed_by(&alice, &bob.did(), "1", "Hello.", false);
    let mut jwe: Value = serde_json::from_slice(&packed).unwrap();
    for member in ["ciphertext", "tag", "iv", "protected"] {
        let original = jwe[member].clone();
        let mut value = original.as_str().unwrap().to_owned().into_bytes();
        value[8] = if value[8] == b'A' { b'B' } else { b'A' };
        jwe[member] = json!(String::from_utf8(value).unwrap());
        let stick = stage.folder(member);
        drop_in(&stick, "message.dcem", jwe.to_string().as_bytes());
        let told = bob.run_json(["import", text(&stick)]);
        assert!(
            told.code == 4 || told.code == 6,
            "{member}: {} {}",
            told.code,
            told.out()
        );
        let unpacked = bob.pipe(["unpack", "--json"], jwe.to_string().as_bytes());
        assert_eq!(unpacked.code, 4, "{member}: {}", unpacked.stderr);
        assert!(
            unpacked.json()["problem"]
                .as_str()
                .unwrap()
                .starts_with("e.p."),
            "{member}"
        );
        jwe[member] = original;
    }
    assert!(!refused(&bob).is_empty());
    assert!(bob.texts().is_empty());
}

#[test]
fn a_torn_file_and_rubbish_stay_where_they_are() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let stick = stage.folder("stick");
    alice.ok(["send", "bob", "Whole."]);
    alice.ok(["send", "bob", "Torn."]);
    alice.ok(["export", text(&stick)]);
    let dir = stick.join("DIDCOMM");
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "dcem"))
        .collect();
    files.sort();
    let bytes = fs::read(&files[1]).unwrap();
    fs::write(&files[1], &bytes[..bytes.len() / 2]).unwrap();
    drop_in(&stick, "rubbish.dcem", b"this was never a message");
    drop_in(&stick, "empty.dcem", b"");
    let told = bob.fails(6, ["import", text(&stick)]);
    assert_eq!(told["new"], 1, "{told}");
    assert_eq!(told["left"].as_array().unwrap().len(), 3, "{told}");
    assert!(files[1].exists() && dir.join("rubbish.dcem").exists());
    assert_eq!(bob.texts().len(), 1);
}

#[test]
fn strangers_of_every_kind_are_refused_with_a_code() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    // A sender whose DID method nobody here knows: authcrypt from did:ion.
    let alice = create(Method::Peer2, &[]).unwrap();
    let mut doc = alice.doc.to_json();
    let renamed = doc.to_string().replace(&alice.did, "did:ion:alice");
    doc = serde_json::from_str(&renamed).unwrap();
    let secrets: Vec<Value> = alice
        .secrets
        .iter()
        .map(|(kid, key)| {
            let mut jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
            jwk["kid"] = json!(kid.replace(&alice.did, "did:ion:alice"));
            jwk
        })
        .collect();
    let doc = stage.file("ion.json", doc.to_string().as_bytes());
    let secrets = stage.file("secrets.json", json!(secrets).to_string().as_bytes());
    let plain = json!({
        "id": "1", "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": "did:ion:alice", "to": [bob.did()], "body": { "content": "Hello." },
    });
    let packed = bob.pipe(
        [
            "pack",
            "--to",
            &bob.did(),
            "--secrets",
            text(&secrets),
            "--did-doc",
            text(&doc),
        ],
        plain.to_string().as_bytes(),
    );
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let ion = bob.pipe(["unpack", "--json"], &packed.stdout);
    assert_eq!(ion.code, 4);
    assert_eq!(ion.json()["problem"], "e.p.did.unresolved");
    assert!(ion.stderr.contains("did:ion"), "{}", ion.stderr);
    // Such a peer is refused as well.
    let told = bob.run_json(["accept", "did:ion:alice"]);
    assert_eq!(told.code, 3, "{}", told.stderr);
    assert!(
        told.json()["error"]
            .as_str()
            .unwrap()
            .contains("not supported")
    );

    // A message of DIDComm v1: its protected header has typ JWM/1.0.
    let protected = "eyJlbmMiOiJ4Y2hhY2hhMjBwb2x5MTMwNV9pZXRmIiwidHlwIjoiSldNLzEuMCIsImFsZyI6IkF1dGhjcnlwdCIsInJlY2lwaWVudHMiOltdfQ";
    let v1 = json!({ "protected": protected, "iv": "AAAAAAAAAAAAAAAA", "ciphertext": "AAAA", "tag": "AAAAAAAAAAAAAAAAAAAAAA" });
    let stick = stage.folder("v1");
    drop_in(&stick, "old.dcem", v1.to_string().as_bytes());
    // Nobody can tell for whom: it stays, and is listed.
    let told = bob.fails(6, ["import", text(&stick)]);
    assert_eq!(told["left"][0]["file"], "old.dcem", "{told}");
    assert!(stick.join("DIDCOMM/old.dcem").exists());
    fs::remove_file(stick.join("DIDCOMM/old.dcem")).unwrap();
    // This one names bob.
    let mut named = v1;
    named["recipients"] =
        json!([{ "header": { "kid": format!("{}#key-1", bob.did()) }, "encrypted_key": "AAAA" }]);
    drop_in(&stick, "named.dcem", named.to_string().as_bytes());
    let told = bob.fails(4, ["import", text(&stick)]);
    assert_eq!(told["refused"][0]["problem"], "e.p.msg.version-1", "{told}");

    // For somebody else.
    let carol = stage.party("carol", "key");
    let hers = packed_by(&alice, &carol.did(), "2", "For carol.", false);
    let told = bob.pipe(["unpack", "--json"], &hers);
    assert_eq!(
        (told.code, &told.json()["problem"]),
        (4, &json!("e.p.trust.crypto.not-for-us"))
    );

    assert!(bob.texts().is_empty());
    assert_eq!(refused(&bob).len(), 1);
    let id = refused(&bob)[0]["envelope"].as_str().unwrap().to_owned();
    // Trying again does not help, and says so.
    let again = bob.fails(4, ["inbox", "retry", &id]);
    assert_eq!(again["problem"], "e.p.msg.version-1");
    assert_eq!(refused(&bob).len(), 1);
}

#[test]
fn a_stranger_gets_no_automatic_answer() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let mallory = create(Method::Key, &[]).unwrap();
    let stick = stage.folder("stick");
    drop_in(
        &stick,
        "m.dcem",
        &packed_by(&mallory, &bob.did(), "1", "Answer me.", true),
    );
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&told["opened"], &told["answers"]),
        (&json!(1), &json!(0)),
        "{told}"
    );
    let inbox = bob.json(["inbox"]);
    assert!(inbox["messages"][0]["peer"].is_null());
    assert_eq!(inbox["messages"][0]["sender"], json!(mallory.did));
    assert!(
        bob.json(["outbox"])["messages"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_damaged_home_is_told_and_not_used() {
    let stage = Stage::new();
    let bob = stage.party("bob", "key");
    assert_eq!(bob.json(["doctor"])["ok"], true);
    let keys = bob.home.join("keys.sealed");
    let good = fs::read(&keys).unwrap();
    fs::write(&keys, &good[..good.len() - 9]).unwrap();
    bob.fails(6, ["inbox"]);
    fs::write(&keys, &good).unwrap();
    fs::write(
        bob.home.join("store.sqlite"),
        b"not a store at all, whatever it was",
    )
    .unwrap();
    bob.fails(6, ["outbox"]);
    assert_eq!(bob.fails(6, ["doctor"])["ok"], false);
    // No home at all: doctor is calm, other verbs say what to do.
    let nobody = stage::Party {
        home: stage.path("nowhere"),
    };
    assert_eq!(nobody.json(["doctor"])["ok"], true);
    let told = nobody.fails(3, ["inbox"]);
    assert!(told["hint"].as_str().unwrap().contains("packmule init"));
    // Init does not overwrite.
    bob.fails(9, ["init"]);
}

#[test]
fn a_channel_that_does_not_exist_is_told_at_once() {
    let stage = Stage::new();
    let (alice, _) = stage.pair();
    for wrong in ["mail", "mail://bob", "carrier-pigeon"] {
        let done = alice.run(["send", "bob", "Hello", "--by", wrong]);
        assert_eq!(done.code, 2, "{wrong}: {}", done.stderr);
        assert!(done.stderr.contains("tcp"), "{}", done.stderr);
    }
    // Nothing was queued.
    let waits = alice.json(["outbox"])["messages"].as_array().unwrap().len();
    assert_eq!(waits, 0);
}
