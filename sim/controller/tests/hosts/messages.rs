//! Messages of every size, both ways, with the name that they have on every other channel.

use packmule_bus::link::{Link, Mailbox, Port, Scout, Transport};
use packmule_bus::{Envelope, EnvelopeId, Kind};
use packmule_controller::Room;
use tokio::task::spawn_local;
use tokio::time::{Duration, timeout};

use crate::party::Party;
use crate::radio::Terms;
use crate::{HEAD, L2CAP, Node, story, way};

/// A packed message with so many bytes; nothing else has the same ones.
pub(crate) fn packed(bytes: usize, from: u8) -> Vec<u8> {
    let mut state = u32::from(from) + 1;
    let mut throw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // No packing shortens them.
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| throw()).collect()
}

/// Alice and bob each have a message of every size for the other, and this link.
pub(crate) async fn exchange(near: Link, far: Link) -> Vec<EnvelopeId> {
    let (alice, bob) = (Party::new(1), Party::new(2));
    let sizes = [1, 1_000, 100_000];
    let hers = sizes.map(|size| packed(size, 1));
    let his = sizes.map(|size| packed(size, 2));
    let to_bob = hers.each_ref().map(|one| alice.has(one));
    let to_alice = his.each_ref().map(|one| bob.has(one));
    let stories = async {
        alice.until(Party::is_done).await;
        bob.until(Party::is_done).await;
    };
    tokio::select! {
        () = stories => {}
        why = alice.live(near) => panic!("alice's link ended: {why}"),
        why = bob.live(far) => panic!("bob's link ended: {why}"),
    }
    for (packed, id) in hers.iter().zip(to_bob) {
        assert_eq!(bob.got(&id).expect("it came").to_json(), *packed);
    }
    for (packed, id) in his.iter().zip(to_alice) {
        assert_eq!(alice.got(&id).expect("it came").to_json(), *packed);
    }
    to_bob.into_iter().chain(to_alice).collect()
}

async fn by_radio<const LENGTH: usize>(terms: Terms) -> Vec<EnvelopeId> {
    let room = Room::new(7);
    let bob = Node::new::<LENGTH>(&room, 1, terms);
    let alice = Node::new::<LENGTH>(&room, 2, terms);
    let mut door = bob.listen().await;
    let (near, far) = alice.meet(&mut *door).await;
    let mtu = near.facts.mtu;
    let ids = exchange(near, far).await;
    println!("packets of {LENGTH}: PDUs of {mtu}");
    ids
}

#[test]
fn messages_of_every_size_have_the_same_names_as_by_another_channel() {
    story(async {
        let old = Terms {
            long: false,
            fast: false,
            ..Terms::default()
        };
        let (near, far) = packmule_mem::pair(packmule_mem::FACTS, packmule_mem::ROOM);
        let names = exchange(near, far).await;
        assert_eq!(by_radio::<{ 23 + HEAD }>(old).await, names);
        assert_eq!(by_radio::<{ 185 + HEAD }>(Terms::default()).await, names);
        assert_eq!(by_radio::<{ 247 + HEAD }>(Terms::default()).await, names);
        assert_eq!(by_radio::<{ 517 + HEAD }>(Terms::default()).await, names);
        assert_eq!(by_radio::<L2CAP>(Terms::default()).await, names);
    });
}

#[test]
fn the_mule_takes_it_from_alice_and_brings_it_to_bob() {
    story(async {
        let room = Room::new(3);
        let terms = Terms::default();
        let [alice, bob, mule] = [1, 2, 3].map(Party::new);
        let hers = Node::new::<{ 247 + HEAD }>(&room, 1, terms);
        let his = Node::new::<{ 185 + HEAD }>(&room, 2, terms);
        let carrier = Node::new::<{ 517 + HEAD }>(&room, 3, terms);
        let letter = packed(20_000, 1);
        let id = alice.has(&letter);
        // Alice dials the mule, which then dials bob: a peripheral once, and a central.
        let mut door = carrier.listen().await;
        let (near, far) = hers.meet(&mut *door).await;
        tokio::select! {
            () = alice.until(Party::is_done) => {}
            why = alice.live(near) => panic!("{why}"),
            why = mule.live(far) => panic!("{why}"),
        }
        let carried = mule.got(&id).expect("the mule has it");
        mule.has(&carried.to_json());
        let mut door = his.listen().await;
        let (near, far) = carrier.meet(&mut *door).await;
        tokio::select! {
            () = mule.until(Party::is_done) => {}
            why = mule.live(near) => panic!("{why}"),
            why = bob.live(far) => panic!("{why}"),
        }
        assert_eq!(bob.got(&id).expect("it came").to_json(), letter);
    });
}

#[test]
fn whole_messages_by_the_difs_profile_have_the_same_names_too() {
    story(async {
        let room = Room::new(5);
        let kiosk = Node::new::<{ 247 + HEAD }>(&room, 1, Terms::default());
        let alice = Node::new::<{ 247 + HEAD }>(&room, 2, Terms::default());
        let door = kiosk.ble.listen(&way("ble:any?didcomm")).await;
        let mut door = door.expect("listens");
        let to = way(&format!("{}?didcomm", door.way()));
        let (Ok(Port::Mailbox(near)), Ok(Port::Mailbox(far))) =
            tokio::join!(alice.ble.open(&to), door.accept())
        else {
            panic!("they did not meet");
        };
        for size in [1, 244, 1_000, 100_000] {
            for (from, to, salt) in [(&near, &far, 1), (&far, &near, 2)] {
                passes(&**from, &**to, &packed(size, salt)).await;
            }
        }
    });
}

async fn passes(from: &dyn Mailbox, to: &dyn Mailbox, letter: &[u8]) {
    let (given, came) = tokio::join!(from.deliver(letter.to_vec(), Kind::Encrypted), to.collect());
    given.expect("goes");
    let came = Envelope::from_packed(&came.expect("comes").bytes).expect("a message");
    let sent = Envelope::from_packed(letter).expect("a message");
    assert_eq!(came.id(), sent.id());
}

/// What a node's driver does: lets in who comes and dials who is seen, until there is a link.
async fn finds(node: &Node) -> Link {
    let mut door = node.listen().await;
    let mut scout = node.ble.scout(&[door.way()]).expect("it listens");
    loop {
        tokio::select! {
            Ok(Port::Link(link)) = door.accept() => return kept(node, link, door, scout),
            seen = scout.next() => {
                let seen = seen.expect("looks");
                if let Ok(Port::Link(link)) = node.ble.open(&seen).await {
                    return kept(node, link, door, scout);
                }
            }
        }
    }
}

/// The door stays open and the scout looks around for as long as the story goes on.
fn kept(
    _: &Node,
    link: Link,
    mut door: Box<dyn packmule_bus::link::Listener>,
    mut scout: Box<dyn Scout>,
) -> Link {
    spawn_local(async move {
        loop {
            tokio::select! {
                more = door.accept() => assert!(more.is_err(), "a second link to the same device"),
                seen = scout.next() => panic!("it would dial again: {seen:?}"),
            }
        }
    });
    link
}

#[test]
fn two_who_know_nothing_of_one_another_meet_by_what_they_advertise() {
    story(async {
        let room = Room::new(11);
        let alice = Node::new::<{ 247 + HEAD }>(&room, 1, Terms::default());
        let bob = Node::new::<{ 247 + HEAD }>(&room, 2, Terms::default());
        let met = timeout(Duration::from_secs(120), async {
            tokio::join!(finds(&alice), finds(&bob))
        });
        let (near, far) = met.await.expect("they meet");
        exchange(near, far).await;
        assert_eq!(room.connections(), 1);
    });
}
