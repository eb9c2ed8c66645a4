//! The address book.

use packmule_agent::did::{Method, create};
use packmule_node::{Change, PeerError};
use tempfile::tempdir;

use crate::{NOW, home_in, peer};

#[test]
fn bob_is_found_by_name_did_and_former_did() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    home.add_peer(&peer("bob", "did:peer:4long")).unwrap();
    home.add_peer(&peer("Anna", "did:example:anna")).unwrap();
    for known_as in ["bob", "BOB", "did:peer:4long"] {
        let found = home.find_peer(known_as).unwrap().unwrap();
        assert_eq!(found.did, "did:peer:4long", "{known_as}");
    }
    assert_eq!(home.find_peer("mallory").unwrap(), None);
    let names: Vec<String> = home.peers().unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["Anna", "bob"]);

    // Bob rotates to a new DID; a late message under the old one is still his.
    home.update_peer("bob", &peer("robert", "did:example:new"))
        .unwrap();
    assert_eq!(home.find_peer("bob").unwrap(), None);
    for known_as in ["robert", "did:example:new", "did:peer:4long"] {
        let found = home.find_peer(known_as).unwrap().unwrap();
        assert_eq!(found.did, "did:example:new", "{known_as}");
    }
}

#[test]
fn nobody_can_take_anothers_name_or_did() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    home.add_peer(&peer("bob", "did:example:bob")).unwrap();
    home.add_peer(&peer("mallory", "did:example:mallory"))
        .unwrap();
    let before = home.peers().unwrap();

    let taken = home.add_peer(&peer("Bob", "did:example:x")).unwrap_err();
    assert!(matches!(taken, PeerError::NameTaken(_)), "{taken}");
    let taken = home.add_peer(&peer("x", "did:example:bob")).unwrap_err();
    assert!(matches!(taken, PeerError::DidTaken(_)), "{taken}");
    let rotated = peer("mallory", "did:example:bob");
    let taken = home.update_peer("mallory", &rotated).unwrap_err();
    assert!(matches!(taken, PeerError::DidTaken(_)), "{taken}");
    let renamed = peer("bob", "did:example:mallory");
    let taken = home.update_peer("mallory", &renamed).unwrap_err();
    assert!(matches!(taken, PeerError::NameTaken(_)), "{taken}");
    let unknown = home.update_peer("carol", &renamed).unwrap_err();
    assert!(matches!(unknown, PeerError::Unknown(_)), "{unknown}");
    for name in ["", "  ", "did:example:bob", "a\nb", &"n".repeat(101)] {
        let bad = home.add_peer(&peer(name, "did:example:y")).unwrap_err();
        assert!(matches!(bad, PeerError::BadName(_)), "{bad}");
    }
    assert_eq!(home.peers().unwrap(), before);
}

#[test]
fn a_forgotten_peer_leaves_its_names_free() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    home.add_peer(&peer("bob", "did:example:bob")).unwrap();
    home.remove_peer("did:example:bob").unwrap();
    assert!(home.remove_peer("bob").is_err());
    assert_eq!(home.find_peer("did:example:bob").unwrap(), None);
    home.add_peer(&peer("robert", "did:example:bob")).unwrap();
}

#[test]
fn documents_and_notes_are_kept() {
    let place = tempdir().unwrap();
    let dir = place.path().join("alice");
    let home = home_in(&dir);
    let cloud = create(Method::Key, &[]).unwrap();
    home.keep_doc("did:web:cloud.example", &cloud.doc, NOW - 5)
        .unwrap();
    home.keep_doc("did:web:cloud.example", &cloud.doc, NOW)
        .unwrap();
    for form in ["long", "short"] {
        let note = Change::Note {
            topic: "own-form".into(),
            key: "did:example:bob".into(),
            value: Some(form.into()),
        };
        home.apply(&[note]).unwrap();
    }
    drop(home);
    let home = packmule_node::Home::open(&dir).unwrap();
    let kept = home.kept_docs().unwrap();
    assert_eq!(
        kept,
        [("did:web:cloud.example".into(), cloud.doc.to_json(), NOW)]
    );
    let note = home.note("own-form", "did:example:bob").unwrap();
    assert_eq!(note.as_deref(), Some("short"));
    assert_eq!(home.note("own-form", "did:example:carol").unwrap(), None);
}
