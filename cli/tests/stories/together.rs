//! Several packmules work on one home at the same moment.

use std::collections::BTreeSet;
use std::process::Child;

use packmule_agent::did::{Method, NewDid, create};
use packmule_bus::Kind;
use packmule_node::{Home, PeerRecord};
use packmule_transports::drive::Folder;

use super::stage::{Party, Stage, packed_by, text};

const MESSAGES: usize = 120;
const AT_ONCE: usize = 4;

/// Bob, who knows an author, and a stick with the author's messages, half of which want an answer.
fn scene(stage: &Stage) -> (Party, NewDid) {
    let bob = stage.party("bob", "peer2");
    let author = create(Method::Peer2, &[]).unwrap();
    let peer = PeerRecord {
        name: "alice".into(),
        did: author.did.clone(),
        doc: author.doc.to_json(),
        added: 1,
    };
    Home::open(&bob.home).unwrap().add_peer(&peer).unwrap();
    let folder = Folder::open(stage.folder("stick")).unwrap();
    let to = bob.did();
    for n in 0..MESSAGES {
        let words = format!("m-{n}");
        let packed = packed_by(&author, &to, &words, &words, n % 2 == 0);
        folder.deliver(&packed, Kind::Encrypted, 1).unwrap();
    }
    (bob, author)
}

fn at_once(bob: &Party, args: &[&str]) {
    let children: Vec<Child> = (0..AT_ONCE)
        .map(|_| bob.command(args).spawn().unwrap())
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {told}");
    }
}

fn all_is_there_once(bob: &Party) {
    let texts = bob.texts();
    let different: BTreeSet<&String> = texts.iter().collect();
    assert_eq!(
        (texts.len(), different.len()),
        (MESSAGES, MESSAGES),
        "messages kept"
    );
    let outbox = bob.json(["outbox"]);
    let answers = outbox["messages"].as_array().unwrap().len();
    assert_eq!(answers, MESSAGES / 2, "each question is answered once");
}

#[test]
fn four_that_open_what_came_sealed_lose_nothing() {
    let stage = Stage::new();
    let (bob, _) = scene(&stage);
    let stick = stage.path("stick");
    bob.ok(["import", "--keep-sealed", text(&stick)]);
    at_once(&bob, &["inbox"]);
    all_is_there_once(&bob);
}

#[test]
fn four_that_import_one_stick_lose_nothing() {
    let stage = Stage::new();
    let (bob, _) = scene(&stage);
    let stick = stage.path("stick");
    at_once(&bob, &["import", text(&stick)]);
    all_is_there_once(&bob);
}
