//! Receipts of others, many at once, past a link that is slow.

use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Key, Record};

use crate::party::receipt;
use crate::world::{ALICE, BOB, DAWN, MULE, World};

const MANY: u16 = 3_000;

/// The simulator found 8 MB of them, waiting for one link.
#[test]
fn what_one_link_brings_faster_than_another_takes_it_does_not_pile_up() {
    let mut world = World::new(3);
    for n in 0..MANY {
        let mut id = [9; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let signer = format!("did:example:signer-{}", n % 10);
        let word = receipt(&signer, vec![EnvelopeId::from_bytes(id)], None, DAWN);
        let record = Record::Receipt(word);
        let disk = &mut world.nodes[ALICE].disk;
        disk.records.insert(record.key(), record);
    }
    world.kill(ALICE);
    world.wake(ALICE);
    let slow = world.join_by(MULE, BOB, "ble", 60);
    world.seconds(2);
    world.join(ALICE, MULE);
    let mut most = 0;
    for _ in 0..100 {
        world.run(Duration::from_millis(20));
        most = most.max(world.bus(MULE).memory());
    }
    let has = |world: &World, node: usize| {
        let records = world.nodes[node].disk.records.keys();
        records.filter(|key| matches!(key, Key::Receipt(_))).count()
    };
    assert_eq!(has(&world, MULE), usize::from(MANY));
    assert!(has(&world, BOB) < 1_000, "the link is slow");
    assert!(most < 300_000, "{most} bytes");
    // What is told later is told; a new link takes up where this one ends.
    world.part(slow);
    world.join(MULE, BOB);
    world.seconds(20);
    assert_eq!(has(&world, BOB), usize::from(MANY));
}
