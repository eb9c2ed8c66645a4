//! By way of a carrier, who may know nothing and prove everything.

use packmule_bus::Envelope;
use packmule_bus::bus::io::{Event, Key, Record};
use packmule_bus::receipt::Rung;

use crate::party::{message, receipt, sign};
use crate::world::{ALICE, BOB, DAWN, MULE, World};

const MALLORY: usize = 4;

fn delivered(event: &Event) -> bool {
    matches!(
        event,
        Event::Progress {
            rung: Rung::Delivered,
            ..
        }
    )
}

#[test]
fn a_mule_carries_a_message_there_and_its_receipt_back() {
    let mut world = World::new(3);
    let id = world.send(ALICE, BOB, 1, 5000);
    let first = world.join(ALICE, MULE);
    world.seconds(5);
    world.part(first);
    assert_eq!(world.told(MULE, |e| matches!(e, Event::Carrying(_))), 1);
    world.seconds(3600);
    let second = world.join(MULE, BOB);
    world.seconds(5);
    world.part(second);
    assert!(world.nodes[BOB].kept.contains(&id));
    assert_eq!(world.told(ALICE, delivered), 0);
    world.seconds(3600);
    world.join(MULE, ALICE);
    world.seconds(5);
    assert_eq!(world.told(ALICE, delivered), 1);
    for node in [ALICE, BOB, MULE] {
        assert!(
            world.nodes[node].disk.bodies.is_empty(),
            "{node} has a body"
        );
    }
}

/// The same by three ways at once, one of them a mailbox: it is told once.
#[test]
fn a_message_that_comes_by_every_channel_counts_once() {
    let mut world = World::new(3);
    let id = world.send(ALICE, BOB, 1, 30_000);
    world.join(ALICE, MULE);
    world.seconds(5);
    world.join(ALICE, BOB);
    world.join_by(ALICE, BOB, "ble", 244);
    world.join(MULE, BOB);
    let (same, submission) = message(1, 30_000, world.nodes[BOB].tag());
    assert_eq!(same, id);
    let whole = |settle| packmule_bus::bus::io::Input::Whole {
        transport: "drive".to_owned(),
        envelope: Envelope::decode(&submission.wire).expect("a wire form"),
        to: vec![submission.label.to],
        settle: packmule_bus::bus::io::SettleId(settle),
    };
    world.run(std::time::Duration::from_millis(8));
    world.give(BOB, whole(1));
    world.seconds(5);
    world.give(BOB, whole(2));
    world.seconds(5);
    assert_eq!(world.told(BOB, |e| matches!(e, Event::Received(_))), 1);
    assert_eq!(world.nodes[BOB].settled, [1, 2]);
    assert_eq!(world.told(ALICE, delivered), 1);
}

/// A mailbox is not told to let go before the message is on the disk.
#[test]
fn a_mailbox_is_settled_after_the_commit_and_not_before() {
    let mut world = World::new(2);
    let (id, submission) = message(1, 3000, world.nodes[BOB].tag());
    let whole = || packmule_bus::bus::io::Input::Whole {
        transport: "drive".to_owned(),
        envelope: Envelope::decode(&submission.wire).expect("a wire form"),
        to: vec![submission.label.to],
        settle: packmule_bus::bus::io::SettleId(7),
    };
    world.nodes[BOB].disk.slow = true;
    world.give(BOB, whole());
    // The same again while the first is being written: it has to wait as well.
    world.give(BOB, whole());
    world.seconds(5);
    assert!(world.nodes[BOB].settled.is_empty());
    world.land_all(BOB);
    assert_eq!(world.nodes[BOB].settled, [7, 7]);
    assert!(world.nodes[BOB].kept.contains(&id));
}

/// What is not taken goes back: a mailbox gives only so many at a time.
#[test]
fn what_a_mailbox_brought_and_was_refused_is_put_back() {
    let mut world = World::with(2, |config| config.depot.quotas.max_message = 5_000);
    let whole = |number, bytes, settle| {
        let (_, submission) = message(
            number,
            bytes,
            packmule_bus::label::DidTag::of("did:example:bob"),
        );
        packmule_bus::bus::io::Input::Whole {
            transport: "drive".to_owned(),
            envelope: Envelope::decode(&submission.wire).expect("a wire form"),
            to: vec![submission.label.to],
            settle: packmule_bus::bus::io::SettleId(settle),
        }
    };
    // Too long for bob's policy.
    world.give(BOB, whole(1, 9_000, 1));
    assert_eq!(world.nodes[BOB].unsettled, [1]);
    // A disk that turns out to be full, and one that is known to be.
    world.nodes[BOB].disk.full = true;
    world.give(BOB, whole(2, 3_000, 2));
    assert_eq!(world.nodes[BOB].unsettled, [1], "it is being written");
    world.seconds(1);
    assert_eq!(world.nodes[BOB].unsettled, [1, 2]);
    world.give(BOB, whole(2, 3_000, 3));
    assert_eq!(world.nodes[BOB].unsettled, [1, 2, 3]);
    world.nodes[BOB].disk.full = false;
    world.seconds(200);
    world.give(BOB, whole(2, 3_000, 4));
    world.seconds(1);
    assert_eq!(world.nodes[BOB].unsettled, [1, 2, 3]);
    assert_eq!(world.nodes[BOB].settled, [4]);
    assert_eq!(world.nodes[BOB].kept.len(), 1);
}

/// One copy only: it goes to whoever proves to be bob, and to nobody else.
#[test]
fn only_who_proves_the_did_collects() {
    let mut world = World::new(5);
    let (id, mut submission) = message(1, 3000, world.nodes[BOB].tag());
    submission.label.copies = 1;
    world.give(ALICE, packmule_bus::bus::io::Input::Submit(submission));
    // Mallory says that she is bob, and signs with her own key.
    world.nodes[MALLORY].claims_to_be = Some(world.nodes[BOB].did());
    world.join(ALICE, MALLORY);
    world.seconds(10);
    let proved = |e: &Event| matches!(e, Event::Proved(..));
    assert_eq!(world.told(ALICE, proved), 0);
    assert!(world.nodes[MALLORY].disk.bodies.is_empty());
    world.join(ALICE, BOB);
    world.seconds(10);
    assert_eq!(world.told(ALICE, proved), 1);
    assert!(world.nodes[BOB].kept.contains(&id));
}

/// Neither a receipt that bob never signed nor one that somebody else truly signed ends
/// anything.
#[test]
fn a_forged_receipt_changes_nothing() {
    let mut world = World::new(5);
    let id = world.send(ALICE, BOB, 1, 3000);
    let (bob, mallory) = (world.nodes[BOB].did(), world.nodes[MALLORY].did());
    let mut forged = receipt(&bob, vec![id], None, DAWN);
    forged.signature = sign(&mallory, &forged.statement());
    let foreign = receipt(&mallory, vec![id], None, DAWN);
    world.kill(MALLORY);
    for receipt in [forged, foreign] {
        let key = Key::Receipt(receipt.signature.clone());
        let disk = &mut world.nodes[MALLORY].disk.records;
        disk.insert(key, Record::Receipt(receipt));
    }
    world.wake(MALLORY);
    let link = world.join(ALICE, MALLORY);
    world.seconds(10);
    world.part(link);
    assert!(world.verified > 0, "alice looked at them");
    assert_eq!(world.told(ALICE, delivered), 0);
    assert!(world.nodes[ALICE].disk.bodies.contains_key(&id));
    world.join(ALICE, BOB);
    world.seconds(10);
    assert_eq!(world.told(ALICE, delivered), 1);
}

/// Mallory's copy has other bytes. Bob does not take it, and takes the mule's.
#[test]
fn a_carrier_with_damaged_bytes_harms_nobody() {
    for together in [false, true] {
        let mut world = World::new(5);
        let id = world.send(ALICE, BOB, 1, 90_000);
        for carrier in [MULE, MALLORY] {
            let link = world.join(ALICE, carrier);
            world.seconds(10);
            world.part(link);
        }
        let body = world.nodes[MALLORY].disk.bodies.get_mut(&id);
        for byte in body.expect("she carries it").iter_mut().skip(50_000) {
            *byte ^= 1;
        }
        // So that her bus has to ask the disk.
        world.kill(MALLORY);
        world.wake(MALLORY);
        world.join(MALLORY, BOB);
        if !together {
            world.seconds(10);
            assert!(world.nodes[BOB].kept.is_empty());
        }
        world.join(MULE, BOB);
        world.seconds(30);
        assert!(world.nodes[BOB].kept.contains(&id), "together: {together}");
        let partials = world.nodes[BOB].disk.records.keys();
        let partials = partials.filter(|key| matches!(key, Key::Partial(_)));
        assert_eq!(partials.count(), 0, "together: {together}");
        assert_eq!(world.bus(BOB).status().arriving, 0, "together: {together}");
    }
}
