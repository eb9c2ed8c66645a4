//! Two that show and scan at the same time, each with a camera in memory: alice and bob.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use camera::{Rng, Trouble, flat, object, photograph};
use packmule_bus::Envelope;
use packmule_qr::{
    Ack, Found, Heard, Picture, Profile, Reader, Swap, scan_quickly, scan_rxing, show_within,
};

/// One of the two.
struct Side {
    swap: Swap,
    reader: Reader,
    got: Vec<Envelope>,
    /// Codes of messages shown, and those after the other side had all.
    shown: u32,
    acked: u32,
}

impl Side {
    fn with(letters: &[&Envelope]) -> Self {
        let mut swap = Swap::new(Profile::Robust);
        for letter in letters {
            swap.offer(letter).expect("a letter to show");
        }
        Self {
            swap,
            reader: Reader::default(),
            got: Vec::new(),
            shown: 0,
            acked: 0,
        }
    }

    fn show(&mut self) -> Option<Picture> {
        self.swap.answer(self.reader.acks());
        let picture = self.swap.next_code().expect("a code");
        self.shown = self
            .swap
            .going()
            .map(|g| g.shown)
            .max()
            .unwrap_or(self.shown);
        picture
    }

    fn see(&mut self, codes: &[Vec<u8>]) {
        for found in self.reader.take_picture(codes) {
            match found {
                Found::Envelope(envelope) => self.got.push(envelope),
                Found::Ack(ack) => {
                    if matches!(self.swap.hear(&ack), Heard::Done(_)) {
                        self.acked += 1;
                    }
                }
                Found::Damaged(why) => panic!("{why}"),
                _ => {}
            }
        }
    }
}

fn letter(length: usize, seed: u64) -> Envelope {
    Envelope::from_packed(&object(length, seed)).expect("an envelope")
}

/// Both look at each other until both have everything; how many pictures it took. `sees` is the
/// camera: what it makes of a picture.
fn meet(alice: &mut Side, bob: &mut Side, mut sees: impl FnMut(&Picture) -> Vec<Vec<u8>>) -> u32 {
    for n in 1..2_000 {
        let (from_alice, from_bob) = (alice.show(), bob.show());
        bob.see(&from_alice.map(|p| sees(&p)).unwrap_or_default());
        alice.see(&from_bob.map(|p| sees(&p)).unwrap_or_default());
        if alice.swap.is_done() && bob.swap.is_done() {
            return n;
        }
    }
    panic!("they never finish: {:?}", alice.swap.going().next());
}

#[test]
fn both_get_what_the_other_has_through_real_cameras() {
    let (to_bob, to_alice) = (letter(6_000, 1), letter(3_500, 2));
    let (mut alice, mut bob) = (Side::with(&[&to_bob]), Side::with(&[&to_alice]));
    let mut rng = Rng::new(3);
    let mut lost = 0;
    meet(&mut alice, &mut bob, |picture| {
        let seen = photograph(picture, picture, 4.0, Trouble::Camera, &mut rng);
        let codes = scan_quickly(&seen);
        lost += u32::from(codes.is_empty());
        codes
    });
    assert_eq!((alice.got, bob.got), (vec![to_alice], vec![to_bob]));
    assert_eq!((alice.acked, bob.acked), (1, 1));
    // K is 12 and 7: no more is shown than was needed, but for what a camera missed and what
    // was on the screen when the ack came.
    assert!(
        alice.shown <= 12 + lost + 4,
        "{} of 12, {lost} lost",
        alice.shown
    );
    assert!(bob.shown <= 7 + lost + 4, "{} of 7, {lost} lost", bob.shown);
}

#[test]
fn the_more_is_lost_the_slower_they_get_and_both_arrive() {
    for (percent, seed) in [(10, 1), (30, 2), (50, 3), (70, 4)] {
        let (to_bob, to_alice) = (letter(12_000, seed), letter(9_000, seed + 9));
        let (mut alice, mut bob) = (Side::with(&[&to_bob]), Side::with(&[&to_alice]));
        let mut rng = Rng::new(seed);
        meet(&mut alice, &mut bob, |picture| {
            if rng.between(0.0, 100.0) < f64::from(percent) {
                return Vec::new();
            }
            scan_rxing(&flat(picture, 2))
        });
        assert_eq!((&alice.got, &bob.got), (&vec![to_alice], &vec![to_bob]));
        let most = 24.0 / (1.0 - f64::from(percent) / 100.0);
        let shown = f64::from(alice.shown);
        assert!(shown <= 1.6 * most + 12.0, "{percent} %: {shown} of {most}");
        match percent {
            10 => assert!(alice.swap.speed() >= 10, "{}", alice.swap.speed()),
            70 => assert!(alice.swap.speed() < 10, "{}", alice.swap.speed()),
            _ => {}
        }
    }
}

#[test]
fn what_is_held_from_before_is_not_shown_again() {
    let to_bob = letter(20_000, 5);
    let (mut alice, mut bob) = (Side::with(&[&to_bob]), Side::with(&[]));
    // Three quarters came another day, of the same codes.
    let before = show_within(&to_bob, Profile::Robust.version()).expect("codes");
    for picture in before.pictures().take(30) {
        let picture = picture.expect("a picture");
        bob.see(&scan_rxing(&flat(&picture, 2)));
    }
    let needed = alice.swap.going().next().expect("one").needed;
    assert_eq!(needed, 41);
    meet(&mut alice, &mut bob, |p| scan_rxing(&flat(p, 2)));
    assert_eq!(bob.got, [to_bob]);
    // Eleven were missing; one was shown before bob's first word was seen.
    assert!((11..=14).contains(&alice.shown), "{}", alice.shown);
}

#[test]
fn letters_follow_each_other_and_both_ways_are_used() {
    let letters: Vec<Envelope> = (0..4).map(|n| letter(1_500, 20 + n)).collect();
    let alice_has: Vec<&Envelope> = letters.iter().take(3).collect();
    let (mut alice, mut bob) = (Side::with(&alice_has), Side::with(&[&letters[3]]));
    meet(&mut alice, &mut bob, |p| scan_rxing(&flat(p, 2)));
    assert_eq!(bob.got, letters[..3]);
    assert_eq!(alice.got, letters[3..]);
    assert_eq!((alice.acked, bob.acked), (3, 1));
}

#[test]
fn a_strangers_word_ends_nothing() {
    let (ours, other) = (letter(4_000, 6), letter(4_000, 7));
    let mut swap = Swap::new(Profile::Robust);
    swap.offer(&ours).expect("shown");
    // Whole, but of another message; and of this one, by a reader of other bytes.
    let mut reader = Reader::default();
    let codes = show_within(&other, Profile::Robust.version()).expect("codes");
    for picture in codes.pictures() {
        reader.take_picture(&scan_rxing(&flat(&picture.expect("picture"), 2)));
    }
    let whole = *reader.acks().last().expect("an ack");
    assert!(whole.is_whole());
    assert_eq!(swap.hear(&whole), Heard::Nothing);
    let going = swap.going().next().expect("ours");
    let forged = Ack {
        transfer: going.transfer,
        ..whole
    };
    assert_eq!(swap.hear(&forged), Heard::Nothing);
    assert!(!swap.is_done());
}

#[test]
fn who_hears_nothing_lets_every_letter_have_its_turn() {
    let (first, second) = (letter(1_500, 8), letter(1_500, 9));
    let mut swap = Swap::new(Profile::Robust);
    swap.offer(&first).expect("shown");
    swap.offer(&second).expect("shown");
    let mut bob = Reader::default();
    let mut got = Vec::new();
    for _ in 0..60 {
        let picture = swap.next_code().expect("a code").expect("something");
        for found in bob.take_picture(&scan_rxing(&flat(&picture, 2))) {
            if let Found::Envelope(envelope) = found {
                got.push(envelope);
            }
        }
    }
    assert_eq!(got, [first, second]);
    assert!(!swap.is_done());
}

#[test]
fn codes_can_be_made_smaller_while_they_are_shown() {
    let sent = letter(5_000, 10);
    let (mut alice, mut bob) = (Side::with(&[&sent]), Side::with(&[]));
    alice.swap.resize(25).expect("larger");
    // Bob's camera is too far away for large codes.
    let far = |p: &Picture| match p.version() {
        ..=12 => scan_rxing(&flat(p, 2)),
        _ => Vec::new(),
    };
    for _ in 0..20 {
        let picture = alice.show().expect("a code");
        bob.see(&far(&picture));
    }
    assert_eq!(bob.reader.tally().codes, 0);
    alice.swap.resize(12).expect("smaller");
    meet(&mut alice, &mut bob, far);
    assert_eq!(bob.got, [sent]);
    assert!(
        alice.swap.resize(2).is_ok(),
        "nothing is left that would not fit"
    );
}
