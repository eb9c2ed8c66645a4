//! What opening messages leads to: all of it, or none.

use packmule_bus::EnvelopeId;
use packmule_node::{Change, Home};
use serde_json::json;
use tempfile::tempdir;

use crate::{accept, by_drive, envelope, home_in, peer, queue, to_bob};

#[test]
fn the_consequences_of_a_message_land_together() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    queue(&home, &to_bob(1));
    accept(&home, &envelope(9), &by_drive());
    assert_eq!(home.unopened(0, 10).unwrap().len(), 1);

    let opened = |message: &str| Change::Opened {
        id: envelope(9).id(),
        message_id: message.into(),
        sender: Some("did:example:bob".into()),
    };
    let mut empty = to_bob(2);
    empty.packed.clear();
    let refused = home.apply(&[opened("m9"), Change::Queue(empty)]);
    assert!(refused.is_err());
    assert_eq!(home.unopened(0, 10).unwrap().len(), 1, "none of it landed");

    let changes = [
        opened("m9"),
        Change::AddPeer(peer("bob", "did:example:bob")),
        Change::Acknowledge {
            message_id: "message-1".into(),
            peers: vec!["did:example:bob".into()],
        },
        Change::Queue(to_bob(3)),
    ];
    home.apply(&changes).unwrap();
    assert!(home.unopened(0, 10).unwrap().is_empty());
    let id = envelope(9).id();
    let held = |sender: &str, but: &EnvelopeId| home.held("m9", sender, but).unwrap();
    assert_eq!(held("did:example:bob", &envelope(1).id()), Some(id));
    assert_eq!(held("did:example:bob", &id), None, "that is itself");
    assert_eq!(held("did:example:mallory", &envelope(1).id()), None);

    // Killed before it heard of the commit, the caller applies the same again.
    let once = home.outbox(None, 0, 10).unwrap();
    home.apply(&changes).unwrap();
    assert_eq!(home.outbox(None, 0, 10).unwrap().len(), once.len());
    assert_eq!(home.peers().unwrap().len(), 1);
}

#[test]
fn what_one_judge_opened_another_cannot_undo() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("bob"));
    accept(&home, &envelope(1), &by_drive());
    let id = envelope(1).id();
    let opened = |message: &str| Change::Opened {
        id,
        message_id: message.into(),
        sender: Some("did:example:alice".into()),
    };
    home.apply(&[opened("m1")]).unwrap();
    let refuse = Change::Refuse {
        id,
        problem: "e.p.msg".into(),
        detail: "a second look".into(),
    };
    home.apply(&[Change::Discard(id), refuse, opened("m2")])
        .unwrap();
    assert!(home.envelope(&id).unwrap().is_some(), "its bytes are here");
    assert!(home.refused(0, 10).unwrap().is_empty());
    let held = |message: &str| home.held(message, "did:example:alice", &envelope(2).id());
    assert_eq!(held("m1").unwrap(), Some(id));
    assert_eq!(held("m2").unwrap(), None);
}

#[test]
fn one_judges_at_a_time() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("bob"));
    let other = Home::open(home.dir()).unwrap();
    let lock = home.judging().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _lock = other.judging().unwrap();
            tell.send(()).unwrap();
        });
        let early = told.recv_timeout(std::time::Duration::from_millis(200));
        assert!(early.is_err(), "two held the lock");
        drop(lock);
        told.recv().unwrap();
    });
}

#[test]
fn the_store_tells_which_names_it_gave() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    let add = |name: &str, who: &str| {
        let did = format!("did:example:{who}");
        let change = Change::AddPeer(peer(name, &did));
        let mut added = home.apply(&[change]).unwrap().added;
        let name = added.pop().unwrap();
        assert_eq!(home.find_peer(&did).unwrap().unwrap().name, name);
        name
    };
    assert_eq!(add("", "bob"), "peer-1");
    assert_eq!(add("", "carol"), "peer-2");
    assert_eq!(add("Carol", "kiosk"), "Carol");
    assert_eq!(add("carol", "mule"), "carol-2");
    home.remove_peer("peer-1").unwrap();
    assert_eq!(add("peer-5", "cloud"), "peer-5");
    assert_eq!(add("", "dave"), "peer-6", "no name is given twice");
    home.remove_peer("peer-6").unwrap();
    assert_eq!(add("", "erin"), "peer-7");
    let again = Change::AddPeer(peer("x", "did:example:carol"));
    assert!(home.apply(&[again]).unwrap().added.is_empty());
    for bad in ["did:example:bob", "a\nb", " "] {
        let change = Change::AddPeer(peer(bad, "did:example:frank"));
        assert!(home.apply(&[change]).is_err(), "{bad:?}");
    }
}

#[test]
fn only_the_present_did_names_the_next_and_all_of_them_acknowledge() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    home.add_peer(&peer("bob", "did:example:bob")).unwrap();
    home.add_peer(&peer("carol", "did:example:carol")).unwrap();
    queue(&home, &to_bob(1));
    let moves = |from: &str, to: &str| {
        let change = Change::MovePeer {
            from: from.into(),
            did: to.into(),
            doc: json!({ "id": to }),
        };
        home.apply(&[change]).unwrap().moved
    };
    let acks = |did: &str| {
        let change = Change::Acknowledge {
            message_id: "message-1".into(),
            peers: vec![did.into()],
        };
        home.apply(&[change]).unwrap().acknowledged
    };
    assert_eq!(moves("did:example:bob", "did:example:bob-2"), ["bob"]);
    assert!(moves("did:example:bob", "did:example:mallory").is_empty());
    assert!(moves("did:example:bob-2", "did:example:carol").is_empty());
    assert!(moves("did:example:nobody", "did:example:x").is_empty());
    let bob = home.find_peer("bob").unwrap().unwrap();
    assert_eq!(bob.did, "did:example:bob-2");
    assert_eq!(bob.doc, json!({ "id": "did:example:bob-2" }));
    let mut dids = home.dids_of("bob").unwrap();
    dids.sort();
    assert_eq!(dids, ["did:example:bob", "did:example:bob-2"]);
    assert_eq!(home.dids_of("did:example:bob").unwrap().len(), 2);
    assert!(home.dids_of("mallory").unwrap().is_empty());

    assert_eq!(acks("did:example:carol"), 0);
    assert_eq!(acks("did:example:bob-2"), 1);
    assert_eq!(acks("did:example:bob"), 0, "counted once");
}
