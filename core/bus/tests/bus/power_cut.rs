//! The first test that was written: the power goes, at every point there is.

use packmule_bus::bus::io::{Event, HeldState, Key, Record};
use packmule_bus::receipt::Rung;

use crate::world::{ALICE, BOB, MULE, World};

/// Between storing and acknowledging: bob has the message, alice does not know. Afterwards he
/// has it once, and she knows.
#[test]
fn power_goes_at_the_receiver_between_storing_and_acknowledging() {
    for written in [false, true] {
        let mut world = World::new(2);
        world.nodes[BOB].disk.slow = true;
        world.land_all(BOB);
        world.join(ALICE, BOB);
        let id = world.send(ALICE, BOB, 1, 500);
        world.seconds(5);
        assert_eq!(world.told(BOB, |e| matches!(e, Event::Received(_))), 0);
        let custody =
            |e: &Event| matches!(e, Event::Progress { rung, .. } if *rung >= Rung::Custody);
        assert_eq!(world.told(ALICE, custody), 0, "nothing is durable at bob's");

        world.cut_keeps_pending = written;
        world.kill(BOB);
        world.nodes[BOB].disk.slow = false;
        assert_eq!(world.nodes[BOB].disk.bodies.contains_key(&id), written);
        world.wake(BOB);
        world.join(ALICE, BOB);
        world.seconds(30);
        delivered_once(&world, &[id], &format!("written: {written}"));
    }
}

/// Plays a story among `nodes` once for each output of `end`, whose power goes at that one.
fn cut_at_every_output(nodes: usize, end: usize, story: fn(&mut World)) {
    for keeps_pending in [false, true] {
        let outputs = {
            let mut world = World::new(nodes);
            story(&mut world);
            world.outputs(end)
        };
        assert!(outputs > 30, "a story of some length: {outputs}");
        for at in 1..=outputs {
            let mut world = World::new(nodes);
            world.cut = Some((end, at));
            world.cut_keeps_pending = keeps_pending;
            world.context = format!("{end} loses power at output {at}, {keeps_pending}");
            story(&mut world);
            assert_eq!(world.cut, None, "the cut was made");
        }
    }
}

/// At every output of either end of an exchange: whatever was lost with it, everything arrives,
/// once, and its sender hears of it.
#[test]
fn power_goes_at_every_output_of_both_ends() {
    for end in [ALICE, BOB] {
        cut_at_every_output(2, end, exchange);
    }
}

/// The same for a mule between them, who holds what neither of them has any more on its way.
#[test]
fn power_goes_at_every_output_of_a_mule() {
    cut_at_every_output(3, MULE, by_mule);
}

/// Two messages there and one back, by a mule that meets both.
fn by_mule(world: &mut World) {
    let there: Vec<_> = [(1, 300), (2, 4000)]
        .map(|(number, bytes)| world.send(ALICE, BOB, number, bytes))
        .into();
    let back = vec![world.send(BOB, ALICE, 3, 700)];
    world.join(ALICE, MULE);
    world.join(MULE, BOB);
    world.seconds(30);
    if world.nodes[MULE].bus.is_none() {
        world.wake(MULE);
        world.join(ALICE, MULE);
        world.join(MULE, BOB);
    }
    world.seconds(300);
    let context = world.context.clone();
    delivered_between(world, ALICE, BOB, &there, &context);
    delivered_between(world, BOB, ALICE, &back, &context);
}

/// Three messages each way, one of them of several PDUs; whoever loses power comes back a
/// second later. A submission that was not said to be queued is made again by its agent.
fn exchange(world: &mut World) {
    world.join(ALICE, BOB);
    let mut ids = Vec::new();
    let mut plans = Vec::new();
    for (number, bytes) in [(1, 200), (2, 6000), (3, 900)] {
        for (from, to) in [(ALICE, BOB), (BOB, ALICE)] {
            let number = number * 10 + from as u32;
            ids.push(world.send(from, to, number, bytes));
            plans.push((from, to, number, bytes));
        }
    }
    for _ in 0..4 {
        world.seconds(20);
        let mut rejoin = false;
        for node in [ALICE, BOB] {
            if world.nodes[node].bus.is_none() {
                world.wake(node);
                rejoin = true;
            }
        }
        if rejoin {
            world.join(ALICE, BOB);
        }
        for ((from, to, number, bytes), id) in plans.iter().zip(&ids) {
            let queued = |e: &Event| matches!(e, Event::Progress { id: of, rung: Rung::Queued, .. } if of == id);
            let stored = world.nodes[*from]
                .disk
                .records
                .values()
                .any(|record| matches!(record, Record::Held(held) if held.id == *id));
            if world.told(*from, queued) == 0 && !stored {
                world.send(*from, *to, *number, *bytes);
            }
        }
    }
    let (to_bob, to_alice): (Vec<_>, Vec<_>) =
        ids.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let context = world.context.clone();
    let all = |side: Vec<(usize, &packmule_bus::EnvelopeId)>| -> Vec<_> {
        side.into_iter().map(|(_, id)| *id).collect()
    };
    delivered_once(world, &all(to_bob), &context);
    delivered_between(world, BOB, ALICE, &all(to_alice), &context);
}

fn delivered_once(world: &World, ids: &[packmule_bus::EnvelopeId], context: &str) {
    delivered_between(world, ALICE, BOB, ids, context);
}

fn delivered_between(
    world: &World,
    from: usize,
    to: usize,
    ids: &[packmule_bus::EnvelopeId],
    context: &str,
) {
    for id in ids {
        assert!(
            world.nodes[to].kept.contains(id),
            "{context}: {id} not kept"
        );
        // The event may have gone with the power; the row stays for whoever asks.
        let row = world.nodes[from].disk.records.get(&Key::Held(*id));
        let delivered =
            matches!(row, Some(Record::Held(held)) if held.state == HeldState::Delivered);
        assert!(delivered, "{context}: {id} is {row:?}");
    }
    let inbox = world.nodes[to].disk.records.values();
    let inbox = inbox.filter(|record| matches!(record, Record::Inbox(_)));
    assert_eq!(inbox.count(), 0, "{context}: all is acknowledged");
}
