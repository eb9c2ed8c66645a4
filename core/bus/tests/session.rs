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
use proptest::prelude::*;

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

/// A link, and what goes wrong on it.
fn any_line() -> impl Strategy<Value = Line> {
    let mtus = prop_oneof![Just(20_usize), 20..300_usize, Just(1200), Just(65535)];
    let faults = (0.0..0.35_f64, 0.0..0.2_f64, 0.0..0.05_f64, 0..60_000_u64);
    let times = (1_000..200_000_u64, 20_000..2_000_000_u64);
    (mtus, any::<[bool; 3]>(), faults, times).prop_map(
        |(mtu, [reliable, ordered, sealed], (loss, doubled, damaged, jitter), (latency, rate))| {
            let perfect = reliable && ordered;
            let chance = |p| if reliable { 0.0 } else { p };
            Line {
                facts: facts(mtu, reliable, ordered, sealed),
                latency,
                rate,
                loss: chance(loss),
                doubled: if perfect { 0.0 } else { doubled },
                damaged: chance(damaged),
                jitter: if ordered { 0 } else { jitter },
            }
        },
    )
}

/// In how many seconds all must have arrived: a bound for deadlocks, not for speed. What a link
/// carries follows from the share of packets that come through, every piece of them; so does how
/// often a question and its answer both do.
fn bound(line: &Line) -> u64 {
    let pieces = if line.facts.mtu < 64 { 4 } else { 1 };
    let share = ((1.0 - line.loss) * (1.0 - line.damaged)).powi(pieces);
    let bytes = 4.0 * 100_000.0;
    (100.0 / (share * share) + bytes / (line.rate as f64 * share)) as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_weather_everything_arrives_once(
        line in any_line(),
        sizes in prop::collection::vec((0..2_usize, 1..9_000_usize), 1..12),
        crashes in prop::collection::vec((0..2_usize, 50..3_000_u64, any::<bool>()), 0..4),
        seed: u64,
    ) {
        let mut world = World::new(line, seed);
        for (side, bytes) in sizes {
            world.offer(side, bytes, Priority::Normal);
        }
        for (side, after, reborn) in crashes {
            world.run(after);
            if line.facts.reliable && line.facts.ordered {
                // Such a link goes down with either end.
                world.lose_air();
                world.restart(1 - side, false);
                world.offer_again(1 - side);
            }
            world.restart(side, reborn);
            world.offer_again(side);
        }
        let done = world.until(bound(&line), |w| w.has_all(ALICE) && w.has_all(BOB));
        for end in &world.ends {
            let broken = end.log.iter().find(|(_, e)| matches!(e, Event::Broken(_)));
            prop_assert_eq!(broken, None);
        }
        prop_assert!(done, "{:?}", world.ends.each_ref().map(|e| e.log.last()));
    }
}
