//! One message there, and its receipt back.

use std::time::Duration;

use packmule_bus::bus::io::{Event, HeldState, Key, Record};
use packmule_bus::receipt::{Reason, Rung};

use crate::world::{ALICE, BOB, World};

fn rungs(world: &World, node: usize) -> Vec<Rung> {
    let rung = |event: &Event| match event {
        Event::Progress { rung, .. } => Some(*rung),
        _ => None,
    };
    world.nodes[node].events.iter().filter_map(rung).collect()
}

#[test]
fn a_message_climbs_the_ladder_and_leaves_nothing_behind() {
    let mut world = World::new(2);
    world.join(ALICE, BOB);
    let id = world.send(ALICE, BOB, 1, 2000);
    world.seconds(5);
    assert_eq!(
        rungs(&world, ALICE),
        [Rung::Queued, Rung::Custody, Rung::Delivered]
    );
    assert!(world.nodes[BOB].kept.contains(&id));
    let row = world.nodes[ALICE].disk.records.get(&Key::Held(id));
    let Some(Record::Held(row)) = row else {
        panic!("alice can look it up: {row:?}");
    };
    assert_eq!(row.state, HeldState::Delivered);
    for node in [ALICE, BOB] {
        assert!(world.nodes[node].disk.bodies.is_empty(), "no body is left");
        assert_eq!(world.bus(node).status().arriving, 0);
        assert_eq!(world.bus(node).status().writing_bytes, 0);
    }
}

#[test]
fn a_small_message_needs_one_round_trip_after_the_greeting() {
    let mut world = World::new(2);
    world.join(ALICE, BOB);
    world.seconds(2);
    world.send(ALICE, BOB, 1, 500);
    // Its own commit, the way there, the commit there, the way back, and the commit of the
    // news: a millisecond each.
    world.run(Duration::from_micros(5_100));
    assert_eq!(rungs(&world, ALICE), [Rung::Queued, Rung::Custody]);
}

#[test]
fn a_message_that_waited_goes_when_a_link_comes() {
    let mut world = World::new(2);
    let ids: Vec<_> = (0..50).map(|n| world.send(ALICE, BOB, n, 700)).collect();
    world.seconds(3600);
    assert_eq!(rungs(&world, ALICE), [Rung::Queued; 50]);
    world.join(ALICE, BOB);
    world.seconds(5);
    assert_eq!(world.nodes[BOB].kept, ids.into_iter().collect());
    let delivered = rungs(&world, ALICE);
    let delivered = delivered.iter().filter(|rung| **rung == Rung::Delivered);
    assert_eq!(delivered.count(), 50);
}

#[test]
fn the_agents_refusal_comes_back_with_its_reason() {
    let mut world = World::new(2);
    world.nodes[BOB].rejects = true;
    world.join(ALICE, BOB);
    world.send(ALICE, BOB, 1, 2000);
    world.seconds(5);
    let refused = Rung::Refused(Reason::Rejected);
    assert_eq!(rungs(&world, ALICE).last(), Some(&refused));
}

#[test]
fn what_is_too_large_for_the_receiver_is_refused_with_that_reason() {
    let mut world = World::with(2, |_| {});
    world.nodes[BOB].setup = |config| config.depot.quotas.max_message = 10_000;
    world.kill(BOB);
    world.wake(BOB);
    world.join(ALICE, BOB);
    let id = world.send(ALICE, BOB, 1, 20_000);
    let small = world.send(ALICE, BOB, 2, 2_000);
    world.seconds(5);
    assert_eq!(world.nodes[BOB].kept, [small].into());
    let row = world.nodes[ALICE].disk.records.get(&Key::Held(id));
    let Some(Record::Held(row)) = row else {
        panic!("alice can see what became of it: {row:?}");
    };
    assert_eq!(row.state, HeldState::Dead(Reason::TooLarge));
    let dead = Event::Dead(id, Reason::TooLarge);
    assert_eq!(world.told(ALICE, |e| *e == dead), 1);
}

#[test]
fn many_acknowledgements_share_receipts_and_a_lone_one_does_not_wait() {
    let mut world = World::new(2);
    world.join(ALICE, BOB);
    world.seconds(2);
    for number in 0..500 {
        world.send(ALICE, BOB, number, 300);
    }
    world.seconds(10);
    let receipts = world.nodes[ALICE].disk.records.keys();
    let receipts = receipts
        .filter(|key| matches!(key, Key::Receipt(_)))
        .count();
    assert!(receipts < 200, "{receipts} receipts for 500 messages");
    let delivered = rungs(&world, ALICE);
    let delivered = delivered.iter().filter(|rung| **rung == Rung::Delivered);
    assert_eq!(delivered.count(), 500);
}

#[test]
fn the_same_seed_says_the_same() {
    let tell = || {
        let mut world = World::new(3);
        world.recording = true;
        world.join(ALICE, BOB);
        for number in 0..20 {
            world.send(ALICE, BOB, number, 100 + 997 * number as usize % 9000);
            world.send(BOB, ALICE, 100 + number, 333);
        }
        world.seconds(2);
        world.kill(BOB);
        world.wake(BOB);
        world.join(2, BOB);
        world.join(ALICE, 2);
        world.seconds(20);
        world
            .nodes
            .into_iter()
            .map(|node| node.log)
            .collect::<Vec<_>>()
    };
    let (first, second) = (tell(), tell());
    assert!(first.iter().map(Vec::len).sum::<usize>() > 300);
    assert!(first == second, "two runs differ");
}
