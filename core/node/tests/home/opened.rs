//! What opening messages leads to: all of it, or none.

use packmule_node::Change;
use tempfile::tempdir;

use crate::{by_drive, envelope, home_in, peer, to_bob};

#[test]
fn the_consequences_of_a_message_land_together() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    home.queue(&to_bob(1)).unwrap();
    home.accept(&envelope(9), &by_drive()).unwrap();
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
    assert!(home.holds_message("m9", "did:example:bob").unwrap());
    assert!(!home.holds_message("m9", "did:example:mallory").unwrap());

    // Killed before it heard of the commit, the caller applies the same again.
    let once = home.outbox(None, 0, 10).unwrap();
    home.apply(&changes).unwrap();
    assert_eq!(home.outbox(None, 0, 10).unwrap().len(), once.len());
    assert_eq!(home.peers().unwrap().len(), 1);
}
