use super::*;
use crate::label::{DidTag, Priority};

const NAME: Name = (EnvelopeId::from_bytes([1; 32]), WireHash([2; 16]));
const BLE: LinkId = LinkId(1);
const TCP: LinkId = LinkId(2);

fn label() -> Label {
    Label {
        to: DidTag::of("did:example:bob"),
        expires: None,
        priority: Priority::Normal,
        hops: 8,
        copies: 1,
    }
}

fn at(seconds: u64) -> Now {
    Now {
        time: Time::from_micros(seconds * 1_000_000),
        wall: 1_000_000 + seconds,
    }
}

fn body(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|n| (n % 251) as u8).collect()
}

fn bring(arriving: &mut Arriving, link: LinkId, range: std::ops::Range<u64>) -> Took {
    arriving.data(at(0), link, &NAME, range.start, body(range))
}

#[test]
fn what_one_link_began_another_one_finishes() {
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 1000, label());
    assert!(matches!(bring(&mut arriving, BLE, 0..300), Took::More));
    assert!(matches!(bring(&mut arriving, BLE, 500..600), Took::More));
    assert_eq!(arriving.left(at(1), BLE, &NAME), Left::Save);
    let partial = arriving.save(at(1), &NAME).expect("400 bytes");

    let mut reborn = Arriving::new(1 << 20, 1 << 20);
    assert!(reborn.restore(partial, at(2)));
    reborn.joined(at(2), TCP, NAME, 1000, label());
    let missing = reborn.missing(&NAME);
    assert_eq!(missing.iter().collect::<Vec<_>>(), [300..500, 600..1000]);
    assert!(matches!(bring(&mut reborn, TCP, 300..500), Took::More));
    let Took::Whole(whole) = bring(&mut reborn, TCP, 600..1000) else {
        panic!("it is whole");
    };
    assert_eq!(whole, body(0..1000));
    assert!(reborn.over(&NAME).on_disk);
    assert_eq!(reborn.cost(), 0);
    assert_eq!(reborn.count(), 0);
}

#[test]
fn bytes_in_any_order_and_twice_make_one_whole() {
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 1000, label());
    for start in [900, 100, 850, 50, 300, 100, 0] {
        assert!(matches!(
            bring(&mut arriving, BLE, start..start + 100),
            Took::More
        ));
    }
    assert!(matches!(bring(&mut arriving, BLE, 150..310), Took::More));
    let Took::Whole(whole) = bring(&mut arriving, BLE, 0..1000) else {
        panic!("it is whole");
    };
    assert_eq!(whole, body(0..1000));
    assert_eq!(arriving.cost(), 0);
}

#[test]
fn a_second_bringer_is_told_apart_and_takes_over() {
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 1000, label());
    arriving.joined(at(0), TCP, NAME, 1000, label());
    assert_eq!(arriving.bringers(&NAME).collect::<Vec<_>>(), [BLE, TCP]);
    bring(&mut arriving, BLE, 0..10);
    assert_eq!(arriving.left(at(0), BLE, &NAME), Left::Next(TCP));
    assert_eq!(arriving.left(at(0), TCP, &NAME), Left::Save);
}

#[test]
fn wrong_bytes_cost_only_the_one_who_sent_them() {
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 100, label());
    arriving.joined(at(0), TCP, NAME, 100, label());
    arriving.data(at(0), BLE, &NAME, 0, vec![9; 50]);
    assert!(matches!(bring(&mut arriving, TCP, 50..100), Took::Whole(_)));
    // Two sources: all of it again, from one, and nobody else is heard.
    assert_eq!(arriving.wrong(&NAME), Blame::Again(BLE));
    assert!(matches!(bring(&mut arriving, TCP, 0..100), Took::Unwanted));
    let whole = arriving.data(at(0), BLE, &NAME, 0, vec![9; 100]);
    assert!(matches!(whole, Took::Whole(_)));
    assert_eq!(arriving.wrong(&NAME), Blame::One(BLE));
    assert_eq!(arriving.left(at(0), BLE, &NAME), Left::Next(TCP));
    assert!(matches!(bring(&mut arriving, TCP, 0..100), Took::Whole(_)));
}

#[test]
fn crumbs_and_floods_are_bounded() {
    let mut arriving = Arriving::new(100_000, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 1 << 20, label());
    let full = (0..200_000).find(|crumb| {
        matches!(
            bring(&mut arriving, BLE, crumb * 2..crumb * 2 + 1),
            Took::Full
        )
    });
    assert!(full.is_some_and(|at| at < 10_000), "{full:?}");
    assert!(arriving.cost() < 400_000);
    assert_eq!(arriving.gives_way(at(0)), None, "somebody brings it");
    arriving.left(at(0), BLE, &NAME);
    arriving.save(at(0), &NAME);
    assert_eq!(arriving.gives_way(at(KEPT + 1)), Some(NAME), "too old");
}

#[test]
fn checkpoints_are_worth_their_bytes() {
    let mut arriving = Arriving::new(1 << 30, 1000);
    arriving.joined(at(0), BLE, NAME, 1 << 20, label());
    let mut came = 0;
    let mut checkpoint = |seconds: u64, bytes: u64, arriving: &mut Arriving| {
        let took = arriving.data(at(seconds), BLE, &NAME, came, body(0..bytes));
        came += bytes;
        if matches!(took, Took::Checkpoint) {
            arriving.save(at(seconds), &NAME);
            return true;
        }
        false
    };
    assert!(!checkpoint(0, 5000, &mut arriving), "too soon");
    assert!(checkpoint(3, 10, &mut arriving));
    assert!(!checkpoint(6, 10, &mut arriving), "too little");
    assert!(!checkpoint(8, 1000, &mut arriving), "too little of so much");
    assert!(checkpoint(10, 1000, &mut arriving));
}

#[test]
fn a_link_that_brings_nothing_is_helped() {
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, NAME, 1000, label());
    assert_eq!(arriving.deadline(), None, "nobody could help");
    arriving.joined(at(0), TCP, NAME, 1000, label());
    arriving.data(at(3), BLE, &NAME, 0, body(0..10));
    assert_eq!(arriving.stalled(at(5).time), []);
    assert_eq!(arriving.stalled(at(10).time), [(NAME, vec![BLE, TCP])]);
    arriving.left(at(11), BLE, &NAME);
    assert_eq!(arriving.stalled(at(15).time), []);
    assert_eq!(arriving.deadline(), None, "nothing is contested");
}
