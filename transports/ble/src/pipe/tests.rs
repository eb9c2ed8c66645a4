//! Two ends and what a radio does between them.

use std::collections::VecDeque;

use packmule_conformance::Dice;

use super::*;
use crate::value::opens;

const TAG: Tag = *b"kiosk by";

/// Values under way in one direction, over so many bearers that each keep their order.
struct Bearers(Vec<VecDeque<Vec<u8>>>);

impl Bearers {
    fn new(count: usize) -> Self {
        Self(vec![VecDeque::new(); count])
    }

    fn send(&mut self, dice: &mut Dice, value: Vec<u8>) {
        let at = dice.below(self.0.len());
        self.0[at].push_back(value);
    }

    /// The next one of any bearer.
    fn arrive(&mut self, dice: &mut Dice) -> Option<Vec<u8>> {
        let start = dice.below(self.0.len());
        let count = self.0.len();
        (0..count).find_map(|n| self.0[(start + n) % count].pop_front())
    }
}

fn pair(near: usize, far: usize) -> (Pipe, Pipe) {
    let alice = Pipe::new(Role::Dialer, near, TAG).expect("long enough");
    let kiosk = Pipe::new(Role::Listener, far, [0; 8]).expect("long enough");
    (alice, kiosk)
}

fn opened(near: usize, far: usize) -> (Pipe, Pipe) {
    let (mut alice, mut kiosk) = pair(near, far);
    kiosk
        .heard(&alice.say().expect("an opening"))
        .expect("good");
    alice
        .heard(&kiosk.say().expect("an opening"))
        .expect("good");
    assert!(alice.is_open() && kiosk.is_open());
    (alice, kiosk)
}

fn pdus(dice: &mut Dice, mtu: usize, count: usize) -> VecDeque<Vec<u8>> {
    let length = |dice: &mut Dice| match dice.below(4) {
        0 => mtu,
        1 => 1 + dice.below(mtu.min(4)),
        2 => mtu.min(19),
        _ => 1 + dice.below(mtu),
    };
    (0..count)
        .map(|_| {
            let length = length(dice);
            dice.bytes(length)
        })
        .collect()
}

#[test]
fn both_sides_say_much_over_bearers_that_overtake_one_another() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let near = [20, 21, 182, 244, 495][dice.below(5)];
        let far = [20, 182, 495][dice.below(3)];
        let (mut alice, mut kiosk) = pair(near, far);
        let bearers = 1 + dice.below(5);
        let mut air = [Bearers::new(bearers), Bearers::new(bearers)];
        let mtu = (near.min(far) - 1) * if near.min(far) == 20 { 2 } else { 1 };
        let sent = [pdus(&mut dice, mtu, 300), pdus(&mut dice, mtu, 300)];
        let mut waiting = sent.clone();
        let mut got = [VecDeque::new(), VecDeque::new()];
        let mut quiet = 0;
        while quiet < 2_000 {
            quiet += 1;
            let side = dice.below(2);
            let end = if side == 0 { &mut alice } else { &mut kiosk };
            match dice.below(4) {
                0 if end.is_open() && end.has_room() => {
                    if let Some(pdu) = waiting[side].pop_front() {
                        assert!(end.give(pdu), "seed {seed}");
                    }
                }
                1 => {
                    while let Some(value) = end.say() {
                        assert!(value.len() <= near.min(far).max(14), "seed {seed}");
                        air[side].send(&mut dice, value);
                        quiet = 0;
                    }
                }
                2 => {
                    if let Some(value) = air[1 - side].arrive(&mut dice) {
                        end.heard(&value).expect("an honest value");
                        quiet = 0;
                    }
                }
                _ => {
                    if let Some(pdu) = end.take() {
                        got[side].push_back(pdu);
                        quiet = 0;
                    }
                }
            }
        }
        assert_eq!(alice.facts(), kiosk.facts());
        assert_eq!(alice.facts().mtu, mtu);
        assert_eq!(kiosk.tag(), Some(TAG));
        assert_eq!(alice.tag(), Some([0; 8]));
        assert!(got[1] == sent[0] && got[0] == sent[1], "seed {seed}");
    }
}

#[test]
fn a_reader_who_does_not_read_stops_the_writer_within_the_window() {
    for longest in [20, 182, 495] {
        let (mut alice, mut kiosk) = opened(longest, longest);
        let mtu = alice.facts().mtu;
        let mut went = 0;
        for _ in 0..1_000 {
            if alice.has_room() {
                assert!(alice.give(vec![7; mtu]));
            }
            while let Some(value) = alice.say() {
                kiosk.heard(&value).expect("room");
                went += 1;
            }
        }
        assert_eq!(went, u64::from(window(longest)), "{longest}");
        assert!(
            kiosk.say().is_none(),
            "nothing was read, nothing is granted"
        );
        while kiosk.take().is_some() {}
        let grant = kiosk.say().expect("a grant");
        assert_eq!(grant.len(), 1);
        alice.heard(&grant).expect("good");
        assert!(alice.say().is_some(), "it goes on");
    }
}

#[test]
fn a_value_that_the_radio_loses_lets_nothing_behind_it_through() {
    let (mut alice, mut kiosk) = opened(182, 182);
    let mut lost = 0;
    for n in 0..1_000_u32 {
        if alice.has_room() {
            assert!(alice.give(n.to_be_bytes().to_vec()));
        }
        if let Some(value) = alice.say() {
            if n == 17 {
                lost = n;
                continue;
            }
            kiosk.heard(&value).expect("good");
        }
        if let Some(pdu) = kiosk.take() {
            assert!(
                lost == 0 && pdu == n.to_be_bytes(),
                "{n} came after {lost} was lost"
            );
        }
        if let Some(grant) = kiosk.say() {
            alice.heard(&grant).expect("good");
        }
    }
    assert_eq!(lost, 17);
    assert!(
        !alice.has_room(),
        "and the writer hears of it by being stopped"
    );
}

#[test]
fn at_the_least_mtu_a_byte_in_twenty_is_ours_and_grants_are_rare() {
    let (mut alice, mut kiosk) = opened(20, 20);
    let (mut there, mut back, mut freight) = (0, 0, 0);
    for _ in 0..1_000 {
        let mtu = alice.facts().mtu;
        assert_eq!(mtu, 38);
        assert!(alice.give(vec![9; mtu]));
        while let Some(value) = alice.say() {
            assert_eq!(value.len(), 20);
            there += value.len();
            kiosk.heard(&value).expect("good");
        }
        freight += kiosk.take().expect("whole").len();
        while let Some(value) = kiosk.say() {
            back += value.len();
            alice.heard(&value).expect("good");
        }
    }
    println!("{freight} bytes in {there}, and {back} bytes of grants back");
    assert_eq!(freight * 20, there * 19);
    assert!(back * 30 <= 2_000, "a grant for 31 pieces");
}

#[test]
fn whoever_leaves_is_heard_out() {
    for late in [false, true] {
        let (mut alice, mut kiosk) = opened(20, 20);
        assert!(alice.give(vec![1; 30]));
        let pieces = [alice.say().expect("one"), alice.say().expect("two")];
        alice.leave();
        assert!(!alice.give(vec![2]));
        let farewell = alice.say().expect("a farewell");
        assert!(alice.has_left() && alice.say().is_none());
        let order = if late { [2, 1, 0] } else { [0, 1, 2] };
        let values = [&pieces[0], &pieces[1], &farewell];
        for at in order {
            assert!(!kiosk.is_over());
            kiosk.heard(values[at]).expect("good");
        }
        assert!(kiosk.is_over());
        assert_eq!(kiosk.take(), Some(vec![1; 30]));
        assert_eq!(kiosk.heard(b"\x02more"), Err(PipeError::Farewell));
    }
}

#[test]
fn half_a_pdu_is_not_finished_after_leaving() {
    let (mut alice, mut kiosk) = opened(20, 20);
    assert!(alice.give(vec![1; 30]));
    kiosk.heard(&alice.say().expect("half")).expect("good");
    alice.leave();
    kiosk
        .heard(&alice.say().expect("a farewell"))
        .expect("good");
    assert!(kiosk.is_over() && kiosk.take().is_none());
}

#[test]
fn what_a_peripheral_says_may_overtake_its_opening() {
    let (mut alice, mut kiosk) = pair(182, 244);
    kiosk
        .heard(&alice.say().expect("an opening"))
        .expect("good");
    let opening = kiosk.say().expect("an opening");
    assert!(kiosk.give(b"hello".to_vec()));
    let hello = kiosk.say().expect("hello");
    alice.heard(&hello).expect("kept");
    assert!(alice.take().is_none());
    alice.heard(&opening).expect("good");
    assert_eq!(alice.take(), Some(b"hello".to_vec()));
}

#[test]
fn mallory_ends_the_link_and_nothing_else() {
    let fault = |values: &[&[u8]]| {
        let (_, mut kiosk) = opened(182, 182);
        let outcomes: Vec<_> = values.iter().map(|value| kiosk.heard(value)).collect();
        outcomes.into_iter().find_map(Result::err)
    };
    assert_eq!(fault(&[b"\x05a", b"\x05b"]), Some(PipeError::Twice));
    assert_eq!(fault(&[b"\x7fa"]), Some(PipeError::NoRoom));
    assert_eq!(fault(&[b"\x00"]), Some(PipeError::Length(0)));
    assert_eq!(fault(&[&[0; 183]]), Some(PipeError::Length(182)));
    assert_eq!(fault(&[b"\xff"]), Some(PipeError::TooGenerous));
    assert_eq!(
        fault(&[b"\x03a", b"\x80\x02\x02"]),
        Some(PipeError::Farewell)
    );
    assert_eq!(
        fault(&[b"\x80\x02\x00", b"\x80\x02\x00"]),
        Some(PipeError::Farewell)
    );
    assert_eq!(fault(&[b""]), Some(PipeError::Value(ValueError::Short)));
    assert_eq!(fault(&[b"\x80\x77"]), None, "of a later version");

    let (mut alice, mut kiosk) = pair(182, 182);
    assert_eq!(kiosk.heard(b"\x00early"), Err(PipeError::TooEarly));
    assert_eq!(alice.heard(b"\x00early"), Err(PipeError::TooEarly));
    let opening = alice.say().expect("an opening");
    kiosk.heard(&opening).expect("good");
    assert_eq!(kiosk.heard(b"\x00early"), Err(PipeError::TooEarly));
    let answer = kiosk.say().expect("an opening");
    // A central that left without a word, and the next one writes to the same place.
    assert!(opens(&opening));
    assert_eq!(kiosk.heard(&opening), Err(PipeError::Reopened));
    alice.heard(&answer).expect("good");
    assert_eq!(alice.heard(&answer), Err(PipeError::Reopened));
    assert!(Pipe::new(Role::Dialer, 19, TAG).is_none());
}
