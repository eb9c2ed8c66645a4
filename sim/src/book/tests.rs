//! What the checkers say to batches that land together.

use packmule_bus::bus::io::{BatchId, Held, HeldState, Key, Op, Origin, Record, WireHash};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::{Envelope, EnvelopeId};

use super::Book;
use crate::dice::Dice;
use crate::disk::{Disk, Write};
use crate::marks::Fired;
use crate::plan::Plan;

fn held(id: EnvelopeId, state: HeldState) -> Op {
    Op::Put(Record::Held(Held {
        id,
        wire: WireHash([1; 16]),
        bytes: 3,
        label: Label {
            to: DidTag::of("did:sim:bob"),
            expires: None,
            priority: Priority::Normal,
            hops: 8,
            copies: 1,
        },
        origin: Origin::Own,
        since: 0,
        by: Vec::new(),
        takers: Vec::new(),
        state,
    }))
}

/// What the checkers say to these batches, which a crash let through together.
fn after_a_crash(batches: Vec<Vec<Op>>) -> Vec<String> {
    let scenario = Plan::built_in("mixed").unwrap().scenario(1);
    let mut book = Book::new(&scenario, false);
    for seed in 0.. {
        let dice = Dice::new(seed, "alice", "disk");
        let (mut disk, mut fired) = (Disk::new(1_000_000, 1_000, dice), Fired::default());
        for (number, ops) in (1..).zip(&batches) {
            disk.write(0, Write::Batch(BatchId(number), ops.clone()), &mut fired);
        }
        let made_it = disk.crash(1, &mut fired);
        if made_it.len() < batches.len() {
            continue;
        }
        for write in made_it {
            book.landed(1, 0, &scenario.nodes[0].quota, &write, &[Some(&disk)]);
        }
        break;
    }
    let violations = book.violations().iter();
    violations.map(|found| found.kind.clone()).collect()
}

#[test]
fn a_message_that_is_delivered_by_the_time_of_the_crash_needs_no_body() {
    let id = Envelope::from_packed(b"x").unwrap().id();
    let stored = vec![held(id, HeldState::Waiting), Op::Body(id, vec![1; 3])];
    let delivered = vec![Op::Drop(Key::Held(id)), held(id, HeldState::Delivered)];
    let found = after_a_crash(vec![stored.clone(), delivered.clone()]);
    assert_eq!(found, [] as [String; 0]);
    // And one that waits does; every change of it is judged.
    let again = vec![held(id, HeldState::Waiting)];
    let found = after_a_crash(vec![stored, delivered, again]);
    assert!(!found.is_empty() && found.iter().all(|kind| kind == "lost"));
}
