//! The frames of version 1, byte for byte: whatever was printed once must be readable for ever.
//!
//! `PACKMULE_WRITE_FIXTURES=1 cargo test -p packmule-bus --test frames` writes the vectors and the
//! fuzz seeds anew; do that for a new frame version only.

mod fixtures;

use std::fs;

use data_encoding::HEXLOWER;
use packmule_bus::fountain::{Catcher, Caught, Fountain, Frame};

use fixtures::{fixture, writing};

/// Object length, symbol length and the symbol ids recorded.
const CASES: [(usize, usize, &[u32]); 5] = [
    (1, 16, &[0, 1, 2, 0xff_ffff]),
    (16, 16, &[0, 1]),
    (100, 17, &[0, 1, 2, 3, 4, 5, 6, 7, 1000]),
    (
        1000,
        100,
        &[0, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 65_536],
    ),
    (2938, 2938, &[0]),
];

/// Byte n is n² / 7 + n, cut to eight bits: easy to make in any language.
fn object(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * n / 7 + n) as u8).collect()
}

#[test]
fn the_frames_of_version_1_never_change() {
    let mut now = String::new();
    for (length, symbol, esis) in CASES {
        let fountain = Fountain::new(&object(length), symbol).expect("sender");
        for esi in esis {
            let frame = fountain.frame(*esi).expect("frame");
            now.push_str(&format!(
                "{length} {symbol} {esi} {}\n",
                HEXLOWER.encode(&frame)
            ));
            if writing() && length < 2000 {
                let seed = fixture("hostile/frame").join(format!("v1-{length}-{symbol}-{esi}"));
                fs::write(seed, &frame).expect("written");
            }
        }
    }
    let path = fixture("frames/v1.txt");
    if writing() {
        fs::write(&path, &now).expect("written");
    }
    assert_eq!(fs::read_to_string(&path).expect("vectors"), now);
}

#[test]
fn what_was_recorded_is_still_read() {
    let vectors = fs::read_to_string(fixture("frames/v1.txt")).expect("vectors");
    for (length, symbol, esis) in CASES {
        let mut bob = Catcher::default();
        let mut object_read = None;
        for line in vectors.lines() {
            let mut words = line.split(' ');
            let mut number = || {
                words
                    .next()
                    .and_then(|w| w.parse::<usize>().ok())
                    .expect("number")
            };
            let (l, s, esi) = (number(), number(), number());
            if (l, s) != (length, symbol) || object_read.is_some() {
                continue;
            }
            assert!(esis.contains(&(esi as u32)));
            let bytes = words.next().expect("frame").as_bytes();
            let bytes = HEXLOWER.decode(bytes).expect("hex");
            assert_eq!(Frame::parse(&bytes).expect("frame").esi as usize, esi);
            if let Caught::Complete { object, .. } = bob.catch(&bytes).expect("caught") {
                object_read = Some(object);
            }
        }
        assert_eq!(object_read, Some(object(length)), "{length} in {symbol}");
    }
}
