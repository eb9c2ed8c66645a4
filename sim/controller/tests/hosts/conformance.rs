//! The suite that every transport passes, over hosts and controllers.

use std::cell::RefCell;

use packmule_conformance::links;
use packmule_controller::Room;

use crate::radio::Terms;
use crate::{HEAD, L2CAP, Node, story};

/// Runs the suite; each pair of nodes in a room of its own, where so many exchanges of a thousand
/// are lost.
fn passes<const LENGTH: usize>(terms: Terms, lost: u16) {
    story(async {
        let kept = RefCell::new(Vec::new());
        let fresh = async || {
            let room = Room::new(LENGTH as u64);
            room.lose(lost);
            let kiosk = Node::new::<LENGTH>(&room, 1, terms);
            let alice = Node::new::<LENGTH>(&room, 2, terms);
            let mut door = kiosk.listen().await;
            let pair = alice.meet(&mut *door).await;
            kept.borrow_mut().push((room, kiosk, alice, door));
            pair
        };
        if let Err(broken) = links(fresh).await {
            panic!("packets of {LENGTH}: {broken}");
        }
        assert!(kept.borrow().len() > 10, "the suite is longer");
    });
}

/// As old as 4.0: data PDUs of 27 bytes, 1M.
fn old() -> Terms {
    Terms {
        long: false,
        fast: false,
        ..Terms::default()
    }
}

#[test]
fn links_at_the_least_mtu() {
    passes::<{ 23 + HEAD }>(old(), 0);
}

#[test]
fn links_at_every_usual_mtu() {
    passes::<{ 185 + HEAD }>(Terms::default(), 0);
    passes::<{ 247 + HEAD }>(Terms::default(), 0);
    passes::<{ 247 + HEAD }>(old(), 0);
    passes::<{ 517 + HEAD }>(Terms::default(), 0);
}

#[test]
fn links_over_l2cap() {
    passes::<L2CAP>(Terms::default(), 0);
}

#[test]
fn links_where_a_tenth_is_lost_on_the_air() {
    passes::<{ 23 + HEAD }>(old(), 100);
    passes::<{ 247 + HEAD }>(Terms::default(), 100);
    passes::<L2CAP>(Terms::default(), 100);
}
