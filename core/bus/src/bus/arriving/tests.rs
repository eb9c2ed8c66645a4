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

fn body(range: Range<u64>) -> Vec<u8> {
    range.map(|n| (n % 251) as u8).collect()
}

fn bring(arriving: &mut Arriving, link: LinkId, range: Range<u64>) -> Took {
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

/// What codes brought of a wire form, and its name.
fn scanned(wire: &[u8], symbol: usize, symbols: &[u32]) -> (Name, Fragment) {
    let fountain = crate::fountain::Fountain::new(wire, symbol).expect("a shape");
    let mut catcher = crate::fountain::Catcher::default();
    for esi in symbols {
        let frame = fountain.frame(*esi).expect("a frame");
        catcher.catch(&frame).expect("it is one");
    }
    let partial = catcher.partials().remove(0);
    let name = (EnvelopeId::from_bytes([1; 32]), WireHash::of(wire));
    (name, Fragment::of_frames(&partial))
}

#[test]
fn what_codes_began_a_link_finishes() {
    let wire = body(0..1000);
    // Two symbols of the object's own, and one of repair, which is no bytes.
    let (name, fragment) = scanned(&wire, 100, &[0, 3, 17]);
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.know(vec![fragment.clone()]);
    // Another length, or another name, is another message.
    arriving.joined(at(0), BLE, (name.0, WireHash([9; 16])), 1000, label());
    arriving.joined(at(0), BLE, name, 1000, label());
    let missing: Vec<_> = arriving.missing(&name).iter().collect();
    assert_eq!(missing, [100..300, 400..1000]);
    assert_eq!(arriving.left(at(1), BLE, &name), Left::Save);
    arriving.joined(at(2), TCP, name, 1000, label());
    let bring = |arriving: &mut Arriving, range: Range<u64>| {
        arriving.data(at(2), TCP, &name, range.start, body(range))
    };
    assert!(matches!(bring(&mut arriving, 100..300), Took::More));
    let Took::Whole(whole) = bring(&mut arriving, 400..1000) else {
        panic!("it is whole");
    };
    assert_eq!(whole, wire);
    arriving.over(&name);
    assert_eq!(arriving.cost(), 0);
}

#[test]
fn a_link_begins_codes_go_on_and_a_link_finishes() {
    let wire = body(0..1000);
    let (name, fragment) = scanned(&wire, 100, &[0, 1, 5]);
    let mut arriving = Arriving::new(1 << 20, 1 << 20);
    arriving.joined(at(0), BLE, name, 1000, label());
    let took = arriving.data(at(0), BLE, &name, 0, body(0..250));
    assert!(matches!(took, Took::More));
    // While a link brings it nothing is mixed in; afterwards it is.
    arriving.know(vec![fragment]);
    arriving.joined(at(0), TCP, name, 1000, label());
    let missing = |arriving: &Arriving| arriving.missing(&name).iter().collect::<Vec<_>>();
    assert_eq!(missing(&arriving).len(), 1);
    arriving.left(at(1), BLE, &name);
    arriving.left(at(1), TCP, &name);
    arriving.joined(at(2), TCP, name, 1000, label());
    assert_eq!(missing(&arriving), [250..500, 600..1000]);
    arriving.left(at(3), TCP, &name);
    let (_, rest) = scanned(&wire, 100, &[2, 3, 4, 6, 7, 8]);
    let (_, last) = scanned(&wire, 100, &[9]);
    arriving.know(vec![rest]);
    arriving.joined(at(4), TCP, name, 1000, label());
    arriving.left(at(4), TCP, &name);
    // Codes have brought all the rest: something stays for the link to end it with.
    arriving.know(vec![last]);
    arriving.joined(at(5), TCP, name, 1000, label());
    assert_eq!(missing(&arriving), vec![900..1000]);
    let took = arriving.data(at(5), TCP, &name, 900, body(900..1000));
    assert!(matches!(took, Took::Whole(whole) if whole == wire));
}

#[test]
fn codes_that_lied_cost_that_all_comes_again() {
    let wire = body(0..1000);
    let (name, _) = scanned(&wire, 100, &[0]);
    let mut lies = wire.clone();
    lies[5] ^= 1;
    let (_, fragment) = scanned(&lies, 100, &[0]);
    // Mallory gave her frames alice's name.
    let mut frames = Arriving::new(1 << 20, 1 << 20);
    let forged = Partial {
        wire: name.1,
        id: name.0,
        bytes: 1000,
        label: label(),
        pieces: fragment.into_pieces().collect(),
        at: 0,
    };
    frames.know(vec![Fragment::of_links(forged)]);
    frames.joined(at(0), BLE, name, 1000, label());
    let took = frames.data(at(0), BLE, &name, 100, body(100..1000));
    assert!(matches!(took, Took::Whole(whole) if whole != wire));
    assert_eq!(frames.wrong(&name), Blame::Again(BLE));
    assert_eq!(frames.missing(&name).iter().collect::<Vec<_>>().len(), 1);
    let took = frames.data(at(0), BLE, &name, 0, wire.clone());
    assert!(matches!(took, Took::Whole(whole) if whole == wire));
}

#[test]
fn nothing_is_taken_up_beyond_the_budget_or_that_leaves_nothing_to_bring() {
    let wire = body(0..1000);
    let (name, fragment) = scanned(&wire, 100, &[0, 1, 2]);
    let mut small = Arriving::new(100, 1 << 20);
    small.know(vec![fragment]);
    small.joined(at(0), BLE, name, 1000, label());
    assert_eq!(small.here(&name).map(|(_, bytes)| bytes), Some(0));
    let whole = Partial {
        wire: name.1,
        id: name.0,
        bytes: 1000,
        label: label(),
        pieces: vec![(0..1000, wire)],
        at: 0,
    };
    let mut all = Arriving::new(1 << 20, 1 << 20);
    all.know(vec![Fragment::of_links(whole)]);
    all.joined(at(0), BLE, name, 1000, label());
    assert_eq!(all.here(&name).map(|(_, bytes)| bytes), Some(0));
}
