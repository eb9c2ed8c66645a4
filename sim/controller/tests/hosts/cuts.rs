//! Connections that end in the middle of a message, and what is left of it.

use packmule_controller::Room;
use tokio::task::spawn_local;

use crate::messages::packed;
use crate::party::Party;
use crate::radio::Terms;
use crate::{HEAD, L2CAP, Node, story};

const BYTES: usize = 100_000;

/// Alice walks away in the middle of her message to bob and comes back; neither of their hosts is
/// told, and the link layer notices after the supervision time-out.
async fn walks_away<const LENGTH: usize>(seed: u64) {
    let room = Room::new(seed);
    let terms = Terms::default();
    let his = Node::new::<LENGTH>(&room, 1, terms);
    let hers = Node::new::<LENGTH>(&room, 2, terms);
    let (alice, bob) = (Party::new(1), Party::new(2));
    let letter = packed(BYTES, 1);
    let id = alice.has(&letter);
    let mut door = his.listen().await;
    let (near, far) = hers.meet(&mut *door).await;
    let lives = {
        let (alice, bob) = (alice.clone(), bob.clone());
        spawn_local(async move { tokio::join!(alice.live(near), bob.live(far)) })
    };
    bob.until(|bob| bob.bytes() >= 30_000).await;
    room.away(hers.device.controller(), true);
    let ended = lives.await.expect("both links end");
    println!("packets of {LENGTH}: {ended:?} after {} bytes", bob.bytes());
    assert!(bob.got(&id).is_none(), "it was cut in the middle");
    assert_eq!(room.connections(), 0);
    room.away(hers.device.controller(), false);
    let before = bob.bytes();
    let (near, far) = hers.meet(&mut *door).await;
    tokio::select! {
        () = alice.until(Party::is_done) => {}
        why = alice.live(near) => panic!("alice's second link ended: {why}"),
        why = bob.live(far) => panic!("bob's second link ended: {why}"),
    }
    assert_eq!(bob.got(&id).expect("it came").to_json(), letter);
    // It went on where it was cut: nothing that had come came again.
    let wire = packmule_bus::Envelope::from_packed(&letter)
        .expect("a message")
        .to_wire();
    assert!(
        before >= 30_000 && bob.bytes() == wire.len() as u64,
        "{before}, then {}",
        bob.bytes()
    );
}

#[test]
fn a_message_goes_on_where_it_was_cut() {
    story(async {
        walks_away::<{ 23 + HEAD }>(1).await;
        walks_away::<{ 247 + HEAD }>(2).await;
        walks_away::<{ 517 + HEAD }>(3).await;
        walks_away::<L2CAP>(4).await;
    });
}

#[test]
fn a_device_whose_power_is_cut_comes_back_as_another_one() {
    story(async {
        let room = Room::new(9);
        let his = Node::new::<{ 247 + HEAD }>(&room, 1, Terms::default());
        let hers = Node::new::<{ 247 + HEAD }>(&room, 2, Terms::default());
        let (alice, bob) = (Party::new(1), Party::new(2));
        let id = alice.has(&packed(BYTES, 1));
        let mut door = his.listen().await;
        let (near, far) = hers.meet(&mut *door).await;
        let bobs = bob.clone();
        let life = spawn_local(async move { bobs.live(far).await });
        tokio::select! {
            () = bob.until(|bob| bob.bytes() >= 30_000) => {}
            why = alice.live(near) => panic!("{why}"),
        }
        // Her host, her controller and all that they knew.
        drop(hers);
        life.await.expect("bob notices");
        let again = Node::new::<{ 247 + HEAD }>(&room, 3, Terms::default());
        let (near, far) = again.meet(&mut *door).await;
        tokio::select! {
            () = alice.until(Party::is_done) => {}
            why = alice.live(near) => panic!("{why}"),
            why = bob.live(far) => panic!("{why}"),
        }
        assert!(bob.got(&id).is_some());
    });
}
