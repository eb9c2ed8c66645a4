//! Names and ids that are used twice.

use packmule_agent::did::{Method, NewDid, create};
use packmule_bus::Kind;
use packmule_transports::drive::Folder;
use serde_json::json;

use super::stage::{Party, Stage, packed_by, text};

fn bring(stage: &Stage, bob: &Party, author: &NewDid, words: &str) -> std::path::PathBuf {
    let stick = stage.folder("stick");
    let packed = packed_by(author, &bob.did(), "one-id", words, false);
    let folder = Folder::open(&stick).unwrap();
    folder.deliver(&packed, Kind::Encrypted, 1).unwrap();
    stick
}

#[test]
fn the_name_that_is_told_is_the_name_that_was_given() {
    let stage = Stage::new();
    let alice = stage.party("alice", "key");
    let mut told = Vec::new();
    let mut accept = || {
        let did = create(Method::Key, &[]).unwrap().did;
        let accepted = alice.json(["accept", &did, "--no-hello"]);
        let name = accepted["name"].as_str().unwrap().to_owned();
        let peers = alice.json(["peers"]);
        let peers = peers["peers"].as_array().unwrap();
        let stored = peers.iter().find(|peer| peer["did"] == json!(did)).unwrap();
        assert_eq!(stored["name"], json!(name));
        assert!(!told.contains(&name), "{name} was another's");
        told.push(name);
    };
    accept();
    accept();
    alice.ok(["peers", "remove", "peer-1"]);
    accept();

    // One that answers an invitation gets its name in the same way.
    let bob = stage.party("bob", "key");
    let url = alice.json(["invite"])["url"].as_str().unwrap().to_owned();
    bob.ok(["accept", &url]);
    let stick = stage.folder("stick");
    bob.ok(["export", text(&stick)]);
    let met = alice.json(["import", text(&stick)])["met"][0].clone();
    let found = alice.json(["peers"]);
    let found = found["peers"].as_array().unwrap();
    let stored = found.iter().find(|peer| peer["did"] == json!(bob.did()));
    assert_eq!(stored.unwrap()["name"], met);
}

#[test]
fn a_second_message_under_one_id_is_told_of_whatever_it_says() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let (author, other) = (
        create(Method::Peer2, &[]).unwrap(),
        create(Method::Peer2, &[]).unwrap(),
    );
    let stick = bring(&stage, &bob, &author, "Meet me at six.");
    bob.ok(["import", text(&stick)]);

    // The same again, packed anew, so in another envelope.
    bring(&stage, &bob, &author, "Meet me at six.");
    let told = bob.ok(["import", text(&stick)]);
    assert!(told.contains("1 were here already"), "{told}");

    // Another one under that id, alone and then beside its like.
    bring(&stage, &bob, &author, "Meet me at seven.");
    let told = bob.fails(4, ["import", text(&stick)]);
    assert_eq!(told["refused"][0]["problem"], "e.p.msg.id", "{told}");
    assert_eq!(told["repeated"], 0);

    // Someone else's ids are its own business.
    bring(&stage, &bob, &other, "I am new here.");
    bring(&stage, &bob, &other, "I am new here.");
    bring(&stage, &bob, &other, "I am not.");
    let told = bob.fails(4, ["import", text(&stick)]);
    assert_eq!(told["refused"].as_array().unwrap().len(), 1, "{told}");
    let texts = bob.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert_eq!(texts[0], "Meet me at six.");
    let dead = bob.json(["inbox", "--refused"]);
    assert_eq!(
        dead["refused"].as_array().unwrap().len(),
        2,
        "none vanished"
    );
}
