//! Taps that nobody times: two sessions, the bytes carried by hand, and the field cut anywhere.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that goes wrong must fail the test"
)]

mod hostile;
mod world;

use packmule_bus::{Envelope, EnvelopeError};
use packmule_nfc::field::Lost;
use packmule_sim::dice::Dice;
use packmule_sim::nfc::air::Rate;
use world::World;

/// Sizes around every limit of an exchange, and the two that the figures are about. No envelope
/// is empty: a session refuses to carry one.
fn sizes() -> Vec<usize> {
    let around = 244..=263;
    [1, 2]
        .into_iter()
        .chain(around)
        .chain([4096, 65_536])
        .collect()
}

#[test]
fn messages_of_every_size_one_way_and_both() {
    for size in sizes() {
        for (there, back) in ways(size) {
            let mut world = World::new(there, back);
            assert!(world.run(2_000, |_| None), "{there:?} {back:?}");
            world.assert_whole();
        }
    }
}

#[test]
fn an_empty_packed_message_is_refused_by_name_before_it_gets_near_a_radio() {
    assert_eq!(Envelope::from_packed(b""), Err(EnvelopeError::Empty));
}

/// Who has something of this size to say: she, the kiosk, both.
fn ways(size: usize) -> [(Option<usize>, Option<usize>); 3] {
    let some = Some(size);
    [(some, None), (None, some), (some, some)]
}

#[test]
fn a_field_cut_at_every_exchange_costs_one_exchange() {
    for (there, back) in sizes().into_iter().flat_map(ways) {
        let mut clean = World::new(there, back);
        assert!(clean.run(2_000, |_| None));
        for at in 0..clean.exchanges {
            for lost in [Lost::Command, Lost::Answer] {
                let mut world = World::new(there, back);
                let name = format!("{there:?} {back:?} {at} {lost:?}");
                assert!(world.run(2_000, |n| (n == at).then_some(lost)), "{name}");
                world.assert_whole();
                assert_eq!(world.sessions, 2, "{name}: the link went on");
                assert!(world.turns <= clean.turns + 1, "{name}: {}", world.turns);
            }
        }
    }
}

#[test]
fn a_hand_that_shakes_by_the_dice() {
    let mut clean = World::new(Some(8192), Some(8192));
    assert!(clean.run(400, |_| None));
    for seed in 0..200 {
        let mut dice = Dice::new(seed, "hand", "flap");
        let most = if seed % 2 == 0 { 30 } else { 12 };
        let mut next = dice.between(1, most);
        let mut world = World::new(Some(8192), Some(8192));
        let flap = |n: u64| {
            if n < next {
                return None;
            }
            next = n + dice.between(1, most);
            Some(if dice.chance(0.5) {
                Lost::Command
            } else {
                Lost::Answer
            })
        };
        assert!(world.run(4_000, flap), "seed {seed}");
        world.assert_whole();
        assert!(world.turns <= clean.turns + world.breaks, "seed {seed}");
    }
}

#[test]
fn either_side_killed_at_every_exchange() {
    let mut worst = 0;
    for (there, back) in [1, 253, 4096, 65_536].into_iter().flat_map(ways) {
        let mut clean = World::new(there, back);
        assert!(clean.run(2_000, |_| None));
        for at in 0..clean.exchanges {
            for alice in [true, false] {
                let mut world = World::new(there, back);
                world.kill = Some((at, alice));
                assert!(
                    world.run(2_000, |_| None),
                    "{there:?} {back:?} {at} {alice}"
                );
                world.assert_whole();
                worst = worst.max(world.turns.saturating_sub(clean.turns));
            }
        }
    }
    println!("a restart costs {worst} turns at most");
    // A handshake anew; of what had come nothing is said again.
    assert!(worst <= 2, "{worst} turns more");
}

#[test]
fn four_kibibytes_each_way_in_one_touch() {
    let mut world = World::new(Some(4096), Some(4096));
    assert!(world.run(200, |_| None));
    for (rate, most) in [(Rate::Kbit106, 1350), (Rate::Kbit424, 750)] {
        let took = world.air_time(rate).as_millis();
        println!(
            "4 KiB each way, sealed: {took} ms at {rate:?}, {} exchanges",
            world.exchanges
        );
        assert!(took <= most, "{rate:?}: {took} ms, not {most}");
    }
}
