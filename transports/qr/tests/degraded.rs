//! Bob's camera is bad: how many of a seeded set of spoiled pictures are read all the same.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use std::collections::BTreeMap;

use camera::{Rng, Trouble, object, photograph};
use packmule_bus::Envelope;
use packmule_qr::{Found, Picture, Profile, Reader, Show, scan_rqrr, scan_rxing, show};

/// A code of exactly this version that holds an envelope of ours, and the envelope.
fn code(version: u8, seed: u64) -> (Picture, Envelope) {
    // Alphanumeric capacity at level L of versions 10, 15, 20 and 25, as bytes of symbol.
    let length = match version {
        10 => 225,
        15 => 465,
        20 => 790,
        _ => 1190,
    };
    let envelope = Envelope::from_packed(&object(length, seed)).expect("an envelope");
    match show(&envelope, Profile::Max).expect("show") {
        Show::Single(picture) => {
            assert_eq!(picture.version(), version);
            (picture, envelope)
        }
        Show::Frames(_) => panic!("one code"),
    }
}

#[test]
fn most_spoiled_pictures_are_read_exactly() {
    let mut read: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    for version in [10, 20] {
        for seed in 0..3 {
            let (picture, sent) = code(version, seed);
            let (before, _) = code(version, seed + 100);
            for trouble in Trouble::ALL {
                let mut rng = Rng::new(seed * 1000 + u64::from(version) * 10 + trouble as u64);
                let seen = photograph(&picture, &before, 4.0, trouble, &mut rng);
                let found = Reader::default().feed(&seen);
                let score = read.entry(format!("{trouble:?}")).or_default();
                score[1] += 1;
                match found.as_slice() {
                    [] => {}
                    [Found::Envelope(got)] if *got == sent => score[0] += 1,
                    other => panic!("{trouble:?}, version {version}: {other:?}"),
                }
            }
        }
    }
    println!("{read:?}");
    let total: u32 = read.values().map(|[good, _]| good).sum();
    for must in [
        "Clean", "Camera", "Ghost", "Jpeg", "Light", "Slanted", "Blur",
    ] {
        let [good, all] = read[must];
        assert_eq!(good, all, "{must}: {read:?}");
    }
    assert!(total >= 50, "{total} of 54: {read:?}");
}

#[test]
fn both_decoders_agree_on_clean_pictures() {
    for version in [10, 15, 20, 25] {
        for px in [3, 4, 6] {
            for seed in 0..2 {
                let (picture, _) = code(version, seed);
                let grey = camera::flat(&picture, px);
                let first = scan_rxing(&grey);
                assert_eq!(first.len(), 1, "rxing, version {version}, {px} px");
                assert_eq!(
                    first,
                    scan_rqrr(&grey),
                    "version {version}, {px} px, seed {seed}"
                );
            }
        }
    }
}

#[test]
fn no_decoder_reads_a_wrong_thing_from_a_spoiled_picture() {
    for seed in 0..2 {
        let (picture, sent) = code(10, seed);
        let (before, _) = code(10, seed + 100);
        for trouble in Trouble::ALL {
            let mut rng = Rng::new(seed * 77 + trouble as u64);
            let seen = photograph(&picture, &before, 3.0, trouble, &mut rng);
            for bytes in scan_rxing(&seen).iter().chain(&scan_rqrr(&seen)) {
                let found = Reader::default().take(bytes);
                assert_eq!(found, Found::Envelope(sent.clone()), "{trouble:?}");
            }
        }
    }
}

#[test]
fn a_shaky_photograph_of_every_frame_brings_the_message() {
    let sent = Envelope::from_packed(&object(3_000, 42)).expect("an envelope");
    let shown = show(&sent, Profile::Robust).expect("show");
    let pictures: Vec<_> = shown.pictures().map(|p| p.expect("picture")).collect();
    let mut rng = Rng::new(5);
    let mut bob = Reader::default();
    let mut got = Vec::new();
    for (n, picture) in pictures.iter().enumerate().skip(2) {
        // Every second one is caught while the screen changes.
        let trouble = if n % 2 == 0 {
            Trouble::Ghost
        } else {
            Trouble::Camera
        };
        let seen = photograph(picture, &pictures[n - 1], 3.0, trouble, &mut rng);
        got.extend(bob.feed(&seen));
    }
    assert!(got.contains(&Found::Envelope(sent)), "{:?}", bob.tally());
    assert!(
        got.iter()
            .all(|f| !matches!(f, Found::Mismatch(_) | Found::Damaged(_))),
        "{got:?}"
    );
}
