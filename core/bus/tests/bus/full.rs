//! Disks that are full, floods, and what it costs.

use std::time::Duration;

use packmule_bus::bus::io::{DiskFault, Event, Input, Key, LinkId, Op, Output, WireHash};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::receipt::{Reason, Rung};
use packmule_bus::session::{Bodies, Offer, Session, SessionConfig};
use packmule_bus::time::{Now, Time};
use packmule_bus::{Envelope, EnvelopeId};

use crate::party::message;
use crate::world::{ALICE, BOB, DAWN, MULE, World};

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let mut world = World::new(2);
    world.nodes[BOB].disk.full = true;
    world.join(ALICE, BOB);
    let ids: Vec<_> = (0..10).map(|n| world.send(ALICE, BOB, n, 900)).collect();
    world.seconds(20);
    assert_eq!(world.told(BOB, |e| *e == Event::DiskFull), 1, "said once");
    assert!(world.nodes[BOB].kept.is_empty());
    assert_eq!(world.bus(BOB).status().disk, Some(Reason::Full));
    let custody = |e: &Event| matches!(e, Event::Progress { rung, .. } if *rung >= Rung::Custody);
    assert_eq!(world.told(ALICE, custody), 0, "nobody was told a lie");
    let reserved = world.bus(BOB).status().totals.reserved_bytes;
    assert_eq!(reserved, 0, "no room is kept for what was refused");

    world.nodes[BOB].disk.full = false;
    world.seconds(4000);
    assert_eq!(world.told(BOB, |e| *e == Event::DiskRoom), 1);
    assert_eq!(world.nodes[BOB].kept, ids.into_iter().collect());
}

#[test]
fn a_submission_on_a_full_disk_is_not_taken_and_not_forgotten_in_silence() {
    let mut world = World::new(2);
    world.nodes[ALICE].disk.full = true;
    let id = world.send(ALICE, BOB, 1, 900);
    world.seconds(1);
    let not_taken = Event::NotTaken(id, Reason::Full);
    assert_eq!(world.told(ALICE, |e| *e == not_taken), 1);
    // While it is known to be full: at once.
    let second = world.send(ALICE, BOB, 2, 900);
    let not_taken = Event::NotTaken(second, Reason::Full);
    assert_eq!(world.told(ALICE, |e| *e == not_taken), 1);
    world.nodes[ALICE].disk.full = false;
    world.seconds(200);
    world.join(ALICE, BOB);
    world.send(ALICE, BOB, 1, 900);
    world.seconds(5);
    assert_eq!(world.nodes[BOB].kept, [id].into());
}

/// What changed while the disk was broken is written when it is mended.
#[test]
fn changes_that_failed_are_written_later() {
    let mut world = World::new(2);
    world.join(ALICE, BOB);
    let id = world.send(ALICE, BOB, 1, 900);
    // Alice's disk goes full after the message is on it: its delivery cannot be noted.
    world.run(Duration::from_millis(2));
    world.nodes[ALICE].disk.full = true;
    world.seconds(30);
    assert!(world.nodes[BOB].kept.contains(&id));
    let delivered = |e: &Event| {
        matches!(
            e,
            Event::Progress {
                rung: Rung::Delivered,
                ..
            }
        )
    };
    assert_eq!(world.told(ALICE, delivered), 0, "not durable, not told");
    world.nodes[ALICE].disk.full = false;
    world.seconds(200);
    assert_eq!(world.told(ALICE, delivered), 1);
    assert!(world.nodes[ALICE].disk.bodies.is_empty());
}

/// A stranger's share is a stranger's share.
#[test]
fn a_mule_whose_quota_is_used_up_refuses_with_that_reason() {
    let mut world = World::new(3);
    world.nodes[MULE].setup = |config| config.depot.quotas.per_stranger_count = 3;
    world.kill(MULE);
    world.wake(MULE);
    for number in 0..10 {
        world.send(ALICE, BOB, number, 500);
    }
    world.join(ALICE, MULE);
    world.seconds(10);
    assert_eq!(world.nodes[MULE].disk.bodies.len(), 3);
}

/// Room that was made, but not on the disk, is not room: what is stored next makes it too.
#[test]
fn what_is_stored_takes_along_the_change_that_made_room_for_it() {
    const QUOTA: u64 = 30_000;
    let mut world = World::with(3, |config| config.depot.quotas.total_bytes = QUOTA);
    let first = world.send(BOB, MULE, 1, 20_000);
    world.seconds(1);
    world.nodes[BOB].disk.slow = true;
    world.give(BOB, Input::Forget(first));
    world.join_by(ALICE, BOB, "ble", 244);
    world.send(ALICE, BOB, 2, 20_000);
    world.run(Duration::from_millis(60));
    assert!(world.bus(BOB).status().arriving_bytes > 0, "it is coming");
    let (forgets, _) = world.nodes[BOB].disk.pending.pop_front().expect("a batch");
    world.give(BOB, Input::Failed(forgets, DiskFault::Broken));
    world.run(Duration::from_millis(700));
    assert_eq!(world.nodes[BOB].disk.pending.len(), 1, "before any trial");
    world.land_all(BOB);
    let bodies = &world.nodes[BOB].disk.bodies;
    let bytes: usize = bodies.values().map(Vec::len).sum();
    assert_eq!(world.told(BOB, |e| matches!(e, Event::Received(_))), 1);
    assert!(bytes as u64 <= QUOTA, "{bytes} bytes are held");
}

/// The trial of the disk lands, and a batch from before it failed meanwhile: nothing else would
/// write its changes again.
#[test]
fn what_failed_while_the_trial_was_on_its_way_is_written_after_it() {
    let mut now = Now {
        time: Time::from_micros(1),
        wall: DAWN,
    };
    let mut bus = Bus::restore([], Config::new([1; 32], [2; 32]), now);
    let mut give = |now: Now, input: Input| bus.handle(now, input).collect::<Vec<Output>>();
    let batch_of = |outputs: &[Output]| {
        let batches = outputs.iter().filter_map(|output| match output {
            Output::Persist(batch, ops) => Some((*batch, ops.clone())),
            _ => None,
        });
        let batches: Vec<_> = batches.collect();
        assert_eq!(batches.len(), 1, "{outputs:?}");
        batches.into_iter().next().expect("one batch")
    };
    let bob = DidTag::of("did:example:bob");
    let [first, second] = [1, 2].map(|number| {
        let (id, submission) = message(number, 300, bob);
        let (batch, _) = batch_of(&give(now, Input::Submit(submission)));
        give(now, Input::Committed(batch));
        id
    });
    let (forgets_first, _) = batch_of(&give(now, Input::Forget(first)));
    let (forgets_second, _) = batch_of(&give(now, Input::Forget(second)));
    let fault = DiskFault::Broken;
    give(now, Input::Failed(forgets_first, fault));
    now.time = now.time + Duration::from_secs(2);
    let (trial, ops) = batch_of(&give(now, Input::Timeout));
    assert!(ops.contains(&Op::Drop(Key::Held(first))));
    give(now, Input::Failed(forgets_second, fault));

    let forgotten = |outputs: &[Output], of: EnvelopeId| {
        let mut outputs = outputs.iter();
        outputs.any(|output| {
            let Output::Event(Event::Progress { id, rung, .. }) = output else {
                return false;
            };
            *id == of && *rung == Rung::Refused(Reason::Forgotten)
        })
    };
    let mended = give(now, Input::Committed(trial));
    assert!(forgotten(&mended, first), "{mended:?}");
    assert!(!forgotten(&mended, second), "not durable, not told");
    let again = mended.iter().filter_map(|output| match output {
        Output::Persist(batch, ops) => ops.contains(&Op::Drop(Key::Held(second))).then_some(*batch),
        _ => None,
    });
    let again: Vec<_> = again.collect();
    assert_eq!(again.len(), 1, "{mended:?}");
    let told = give(now, Input::Committed(again[0]));
    assert!(forgotten(&told, second), "{told:?}");
}

struct Nothing;

impl Bodies for Nothing {
    fn body(&mut self, _: &EnvelopeId) -> Option<&[u8]> {
        None
    }
}

/// Ten thousand offers of a megabyte from a stranger who sends none of them.
#[test]
fn a_flood_of_offers_takes_little_memory_and_others_are_served() {
    let now = Now {
        time: Time::from_micros(1),
        wall: DAWN,
    };
    let mut bus = Bus::restore([], Config::new([1; 32], [2; 32]), now);
    let facts = LinkFacts {
        mtu: 1200,
        ordered: true,
        reliable: true,
        half_duplex: false,
        sealed: false,
        rate: None,
    };
    let mut mallory = Session::new(
        now.time,
        facts,
        Role::Dialer,
        &[9; 32],
        [9; 32],
        SessionConfig::default(),
    );
    let up = Input::LinkUp {
        link: LinkId(1),
        facts,
        role: Role::Listener,
        transport: "mem".to_owned(),
        way: None,
    };
    drop(drain(&mut bus, now, up));
    drop(drain(&mut bus, now, Input::Room(LinkId(1), 1_000_000)));
    for number in 0..10_000_u32 {
        let mut id = [7; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        mallory.offer(Offer {
            id: EnvelopeId::from_bytes(id),
            wire: WireHash([1; 16]),
            bytes: 1 << 20,
            label: Label {
                to: DidTag::of("did:example:nobody"),
                expires: None,
                priority: Priority::Normal,
                hops: 3,
                copies: 2,
            },
            age: 0,
        });
    }
    let mut most = 0;
    for _ in 0..3_000 {
        let Some(pdu) = mallory.transmit(now.time, &mut Nothing) else {
            break;
        };
        let pdus = drain(&mut bus, now, Input::Pdu(LinkId(1), pdu));
        for pdu in pdus {
            mallory.receive(now.time, &pdu);
        }
        most = most.max(bus.memory());
    }
    assert!(bus.status().links[0].incoming > 10, "she did offer");
    assert!(most < 2 << 20, "{most} bytes");
    let reserved = bus.status().totals.strangers_bytes;
    assert!(reserved <= 64 << 20, "{reserved} bytes are kept for her");
    // Our own are taken all the same.
    let (id, submission) = message(1, 3000, DidTag::of("did:example:bob"));
    let mut persisted = false;
    for output in bus.handle(now, Input::Submit(submission)) {
        persisted |= matches!(output, Output::Persist(..));
    }
    assert!(persisted, "{id}");
}

fn drain(bus: &mut Bus, now: Now, input: Input) -> Vec<Vec<u8>> {
    let mut pdus = Vec::new();
    for output in bus.handle(now, input) {
        if let Output::Transmit(_, pdu) = output {
            pdus.push(pdu);
        }
    }
    pdus
}

/// A batch that is reported twice, or was never given, changes nothing.
#[test]
fn answers_to_questions_never_asked_mean_nothing() {
    let now = Now::default();
    let mut bus = Bus::restore([], Config::new([1; 32], [2; 32]), now);
    let id = Envelope::from_packed(b"x").expect("a letter").id();
    for input in [
        Input::Committed(packmule_bus::bus::io::BatchId(7)),
        Input::Failed(packmule_bus::bus::io::BatchId(7), DiskFault::Broken),
        Input::Fetched(id, Some(vec![1, 2, 3])),
        Input::Verified(packmule_bus::bus::io::AskId(3), true),
        Input::Signed(packmule_bus::bus::io::AskId(3), None),
        Input::Pdu(LinkId(3), vec![1, 2, 3]),
        Input::LinkDown(LinkId(3)),
        Input::Acknowledge(id, None),
        Input::Forget(id),
        Input::Retry(id),
    ] {
        assert_eq!(bus.handle(now, input).count(), 0);
    }
    assert_eq!(bus.memory(), 0);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "were not carried out")]
fn outputs_that_are_left_are_noticed() {
    let now = Now::default();
    let mut bus = Bus::restore([], Config::new([1; 32], [2; 32]), now);
    let (_, submission) = message(1, 30, DidTag::of("did:example:bob"));
    drop(bus.handle(now, Input::Submit(submission)));
}
