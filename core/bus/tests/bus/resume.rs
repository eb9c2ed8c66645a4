//! Large messages on links that do not last.

use std::time::Duration;

use packmule_bus::bus::io::{Event, Key};
use packmule_bus::link::LinkFacts;

use crate::world::{ALICE, BOB, World};

const LARGE: usize = 600_000;
const LITTLE: usize = 8_000;

fn received(event: &Event) -> bool {
    matches!(event, Event::Received(_))
}

/// What Bluetooth began, TCP finishes: no byte comes twice.
#[test]
fn another_medium_goes_on_where_the_first_one_broke() {
    let mut world = World::new(2);
    let ble = world.join_by(ALICE, BOB, "ble", 244);
    world.send(ALICE, BOB, 1, LARGE);
    world.run(Duration::from_millis(2_000));
    let (moved, there) = (world.bytes_moved, world.bus(BOB).status().arriving_bytes);
    assert!((100_000..500_000).contains(&there), "{there} bytes");
    world.part(ble);
    world.run(Duration::from_millis(100));
    world.join(ALICE, BOB);
    world.seconds(10);
    assert_eq!(world.told(BOB, received), 1);
    let rest = world.bytes_moved - moved;
    assert!(rest < LARGE - there + 80_000, "{rest} bytes for the rest");
}

/// The same with a power cut at the receiver after the link broke.
#[test]
fn what_came_outlives_a_restart() {
    let mut world = World::new(2);
    let ble = world.join_by(ALICE, BOB, "ble", 244);
    world.send(ALICE, BOB, 1, LARGE);
    world.run(Duration::from_millis(2_000));
    world.part(ble);
    world.run(Duration::from_millis(100));
    let there = world.bus(BOB).status().arriving_bytes;
    world.kill(BOB);
    world.wake(BOB);
    assert_eq!(world.bus(BOB).status().arriving_bytes, there);
    let moved = world.bytes_moved;
    world.join(ALICE, BOB);
    world.seconds(10);
    assert_eq!(world.told(BOB, received), 1);
    let rest = world.bytes_moved - moved;
    assert!(rest < LARGE - there + 80_000, "{rest} bytes for the rest");
    let partials = world.nodes[BOB].disk.records.keys();
    let partials = partials.filter(|key| matches!(key, Key::Partial(_)));
    assert_eq!(partials.count(), 0, "the checkpoint is gone");
}

/// And with a power cut in the middle of the transfer: no more is lost than came since the last
/// checkpoint.
#[test]
fn a_slow_transfer_is_written_down_while_it_runs() {
    let mut world = World::with(2, |config| config.partial_checkpoint = 64 << 10);
    world.join_by(ALICE, BOB, "ble", 244);
    world.send(ALICE, BOB, 1, 3 * LARGE);
    world.run(Duration::from_millis(7_000));
    let there = world.bus(BOB).status().arriving_bytes;
    world.kill(BOB);
    world.wake(BOB);
    let kept = world.bus(BOB).status().arriving_bytes;
    assert!(kept > there / 2, "{kept} of {there} bytes");
    world.join(ALICE, BOB);
    world.seconds(10);
    assert_eq!(world.told(BOB, received), 1);
}

/// In a touch every PDU is written down: whoever dies at any moment has lost what was under way.
#[test]
fn a_death_in_a_touch_costs_what_was_under_way() {
    let touch = LinkFacts {
        mtu: 253,
        ordered: true,
        reliable: true,
        half_duplex: true,
        sealed: false,
        rate: Some(7_900),
    };
    // A handshake, claims, and nothing to carry.
    let nothing = {
        let mut world = World::new(2);
        world.join_as(ALICE, BOB, "nfc", touch);
        world.run(Duration::from_millis(2_000));
        world.bytes_moved
    };
    for (dies, at) in (1..=80).flat_map(|at| [(ALICE, at), (BOB, at)]) {
        let mut world = World::new(2);
        world.join_as(ALICE, BOB, "nfc", touch);
        world.send(ALICE, BOB, 1, LITTLE);
        world.run(Duration::from_millis(at));
        if world.told(BOB, received) > 0 {
            break;
        }
        let there = world.bus(BOB).status().arriving_bytes;
        world.kill(dies);
        world.run(Duration::from_millis(100));
        world.wake(dies);
        let kept = world.bus(BOB).status().arriving_bytes;
        // One PDU on its way to the disk, another on its heels, and what it costs to hold them.
        let lost = there.saturating_sub(kept);
        assert!(lost <= 2 * 253 + 64, "{at} {dies}: {kept} of {there} bytes");
        let moved = world.bytes_moved;
        world.join_as(ALICE, BOB, "nfc", touch);
        world.seconds(10);
        assert!(world.nodes[BOB].kept.len() == 1, "{at} {dies}");
        // In full PDUs; an offer, its answer and a receipt besides.
        let rest = world.bytes_moved - moved;
        let most = LITTLE.saturating_sub(kept) * 253 / 225 + nothing + 3 * 253;
        assert!(rest <= most, "{at} {dies}: {rest} of {most} bytes");
    }
}

/// The second link waits while the first one brings it, and takes over when that one goes.
#[test]
fn two_links_do_not_bring_the_same_bytes() {
    let mut world = World::new(2);
    let first = world.join_by(ALICE, BOB, "ble", 244);
    world.join_by(ALICE, BOB, "ble", 244);
    world.send(ALICE, BOB, 1, LARGE);
    world.run(Duration::from_millis(1_500));
    world.part(first);
    world.seconds(10);
    assert_eq!(world.told(BOB, received), 1);
    let moved = world.bytes_moved;
    assert!(moved < LARGE + 250_000, "{moved} bytes for {LARGE}");
}

/// Small messages do not wait behind a large one.
#[test]
fn a_small_message_overtakes_a_large_one() {
    let mut world = World::new(2);
    world.join_by(ALICE, BOB, "ble", 244);
    let large = world.send(ALICE, BOB, 1, LARGE);
    world.run(Duration::from_millis(500));
    let (small, mut submission) = crate::party::message(2, 400, world.nodes[BOB].tag());
    submission.label.priority = packmule_bus::label::Priority::Urgent;
    world.give(ALICE, packmule_bus::bus::io::Input::Submit(submission));
    world.run(Duration::from_millis(500));
    assert!(world.nodes[BOB].kept.contains(&small));
    assert!(!world.nodes[BOB].kept.contains(&large));
    world.seconds(10);
    assert!(world.nodes[BOB].kept.contains(&large));
}
