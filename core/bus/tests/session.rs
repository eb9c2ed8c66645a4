//! Stories of two sessions over a link: whatever it does, messages arrive once and whole.

#[path = "../benches/joined/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "this user needs a part of it, and shares it"
)]
mod joined;

use joined::{ALICE, BOB, Line, World, facts};
use packmule_bus::label::Priority;
use packmule_bus::session::Event;

const MTUS: [usize; 6] = [20, 23, 185, 244, 517, 65535];

#[test]
fn messages_cross_on_links_that_lose_nothing() {
    for sealed in [false, true] {
        for mtu in MTUS {
            let mut line = Line::clean(mtu);
            line.facts = facts(mtu, true, true, sealed);
            line.rate = 1_000_000;
            let mut world = World::new(line, mtu as u64);
            for side in [ALICE, BOB] {
                for bytes in [1, 20, 700, 2_000, 70_000] {
                    world.offer(side, bytes, Priority::Normal);
                }
            }
            assert!(
                world.until(60, |w| w.has_all(ALICE) && w.has_all(BOB)),
                "mtu {mtu}, sealed {sealed}"
            );
            world.run(1000);
            for side in [ALICE, BOB] {
                assert_eq!(world.happened(side, |e| matches!(e, Event::Custody(_))), 5);
                assert_eq!(world.happened(side, |e| matches!(e, Event::Broken(_))), 0);
            }
            let [alice, bob] = &world.ends;
            assert_ne!(alice.session.peer(), bob.session.peer());
        }
    }
}

#[test]
fn messages_cross_on_links_that_lose_double_damage_and_reorder() {
    for sealed in [false, true] {
        for mtu in MTUS {
            for seed in 0..2 {
                let mut line = Line::wild(mtu);
                line.facts = facts(mtu, false, false, sealed);
                // Whether a packet is cut in pieces matters, not how many of them there are.
                let longest = if mtu < 64 { 5_000 } else { 70_000 };
                let mut world = World::new(line, seed);
                for side in [ALICE, BOB] {
                    for bytes in [1, 20, 700, 2_000, longest] {
                        world.offer(side, bytes, Priority::Normal);
                    }
                }
                assert!(
                    world.until(100, |w| w.has_all(ALICE) && w.has_all(BOB)),
                    "mtu {mtu}, sealed {sealed}, seed {seed}: {:?}",
                    world.ends.each_ref().map(|e| e.log.last())
                );
                world.until(20, |w| {
                    [ALICE, BOB]
                        .into_iter()
                        .all(|side| w.happened(side, |e| matches!(e, Event::Custody(_))) == 5)
                });
                for side in [ALICE, BOB] {
                    assert_eq!(world.happened(side, |e| matches!(e, Event::Custody(_))), 5);
                    assert_eq!(world.happened(side, |e| matches!(e, Event::Broken(_))), 0);
                    assert_eq!(world.happened(side, |e| matches!(e, Event::Forgot)), 0);
                }
            }
        }
    }
}
