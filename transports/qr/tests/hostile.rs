//! Mallory sends pictures: none may cost much, end a transfer or bring bob down.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use std::time::{Duration, Instant};

use camera::object;
use packmule_bus::Envelope;
use packmule_qr::{
    Found, Grey, PictureError, Profile, Reader, Show, TextError, frame_of_text, show, text_of_frame,
};
use proptest::prelude::*;

/// A PNG that claims these dimensions and has hardly any data.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let mut body = name.to_vec();
        body.extend(data);
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    };
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([8, 6, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x01, 0x01, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[test]
fn huge_dimensions_are_refused_by_the_header() {
    for (width, height) in [
        (60_000, 60_000),
        (12_001, 1),
        (1, u32::MAX >> 1),
        (12_000, 12_000),
    ] {
        let started = Instant::now();
        let outcome = Reader::default().read_bytes(&png_claiming(width, height));
        assert!(outcome.is_err(), "{width} × {height}");
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "{width} × {height}"
        );
    }
    let mut gif = b"GIF89a".to_vec();
    gif.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
    let outcome = Reader::default().read_bytes(&gif);
    assert!(
        matches!(
            outcome,
            Err(PictureError::TooLarge { .. } | PictureError::Damaged(_))
        ),
        "{outcome:?}"
    );
}

#[test]
fn what_is_no_picture_is_named_so() {
    for file in [
        &b""[..],
        b"hello",
        b"BM\0\0\0\0",
        b"<svg/>",
        b"RIFF\0\0\0\0WEBPVP8 ",
    ] {
        let outcome = Reader::default().read_bytes(file);
        assert!(
            matches!(outcome, Err(PictureError::NotAPicture)),
            "{file:?}: {outcome:?}"
        );
    }
}

#[test]
fn files_cut_short_or_scratched_anywhere_are_errors_at_most() {
    let envelope = Envelope::from_packed(&object(700, 1)).expect("envelope");
    let shown = show(&envelope, Profile::Robust).expect("show");
    let picture = shown.pictures().next().expect("one").expect("picture");
    let mut gif = Vec::new();
    shown.save_gif(&mut gif, 1, 10).expect("gif");
    let mut jpeg = Vec::new();
    let grey = camera::flat(&picture, 2);
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(
            grey.pixels(),
            grey.width() as u32,
            grey.height() as u32,
            image::ExtendedColorType::L8,
        )
        .expect("jpeg");
    for file in [picture.png(2).expect("png"), jpeg, gif] {
        for step in 0..40 {
            let at = file.len() * step / 40;
            let _ = Reader::default().read_bytes(file.get(..at).expect("cut"));
            let mut scratched = file.clone();
            if let Some(byte) = scratched.get_mut(at) {
                *byte ^= 0xff;
            }
            for found in Reader::default().read_bytes(&scratched).unwrap_or_default() {
                if let Found::Envelope(got) = found {
                    assert_eq!(got, envelope);
                }
            }
        }
    }
}

#[test]
fn a_carpet_of_finder_patterns_costs_seconds_at_most() {
    // 1 px a module, 7 × 7 rings on a pitch of 9: ten thousand corners of codes.
    let side = 900usize;
    let dark = |x: usize, y: usize| {
        let (x, y) = (x % 9, y % 9);
        let ring = x.min(6 - x.min(6)).min(y.min(6 - y.min(6)));
        x < 7 && y < 7 && ring != 1
    };
    let pixels = (0..side * side)
        .map(|i| if dark(i % side, i / side) { 0 } else { 255 })
        .collect();
    let carpet = Grey::new(side as u32, side as u32, pixels).expect("grey");
    let started = Instant::now();
    let found = Reader::default().feed(&carpet);
    assert!(found.iter().all(|f| !matches!(f, Found::Envelope(_))));
    println!("carpet: {:?}", started.elapsed());
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn noise_and_stripes_hold_no_codes() {
    let mut rng = camera::Rng::new(3);
    let noise = (0..500 * 400)
        .map(|_| rng.between(0.0, 256.0) as u8)
        .collect();
    let stripes = (0..500 * 400)
        .map(|i| if i / 3 % 2 == 0 { 0 } else { 255 })
        .collect();
    for pixels in [noise, stripes, vec![0; 200_000], vec![255; 200_000]] {
        let mut bob = Reader::default();
        assert!(
            bob.feed(&Grey::new(500, 400, pixels).expect("grey"))
                .is_empty()
        );
        assert_eq!((bob.tally().pictures, bob.tally().blank), (1, 1));
    }
}

#[test]
fn damaged_and_foreign_codes_are_counted_and_end_nothing() {
    let sent = Envelope::from_packed(&object(2_000, 2)).expect("envelope");
    let Show::Frames(frames) = show(&sent, Profile::Robust).expect("show") else {
        panic!("frames");
    };
    let said = |n| {
        let codes = packmule_qr::scan(&camera::flat(&frames.picture(n).expect("picture"), 3));
        String::from_utf8(codes.into_iter().next().expect("a code")).expect("text")
    };
    let mut bob = Reader::default();
    assert!(matches!(bob.take(said(0).as_bytes()), Found::Fresh(p) if p.received == 1));
    let mut torn = frame_of_text(&said(1)).expect("frame");
    if let Some(byte) = torn.get_mut(100) {
        *byte ^= 4;
    }
    for (code, damaged) in [
        (text_of_frame(&torn), true),
        ("DCQ1lower".to_owned(), true),
        ("DCQ1".to_owned(), true),
        ("DCQ2".to_owned(), true),
        ("DCQ2AAAA".to_owned(), true),
        ("DCQ3ABC".to_owned(), false),
        ("WIFI:S:cafe;;".to_owned(), false),
        ("B$2H0100".to_owned(), false),
        (String::new(), false),
    ] {
        match bob.take(code.as_bytes()) {
            Found::Damaged(_) => assert!(damaged, "{code}"),
            Found::Foreign(text) => assert!(!damaged && text == code, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
    assert_eq!((bob.tally().damaged, bob.tally().foreign), (5, 4));
    let mut last = None;
    for n in 1..frames.needed() {
        last = Some(bob.take(said(n).as_bytes()));
    }
    assert_eq!(last, Some(Found::Envelope(sent)));
    assert!(matches!(bob.take(said(1).as_bytes()), Found::Again(_)));
}

#[test]
fn a_frame_in_byte_mode_counts_as_one_in_text() {
    let sent = Envelope::from_packed(&object(300, 3)).expect("envelope");
    let Show::Single(picture) = show(&sent, Profile::Robust).expect("show") else {
        panic!("one code");
    };
    let text = packmule_qr::scan(&camera::flat(&picture, 3)).remove(0);
    let frame = frame_of_text(std::str::from_utf8(&text).expect("text")).expect("frame");
    assert_eq!(
        Reader::default().take(&frame),
        Found::Envelope(sent.clone())
    );
    assert_eq!(
        Reader::default().take(&sent.to_wire()),
        Found::Envelope(sent)
    );
}

#[test]
fn an_object_that_is_no_envelope_is_damage() {
    let fountain =
        packmule_bus::fountain::Fountain::new(b"{\"not\":\"ours\"}", 16).expect("sender");
    let mut bob = Reader::default();
    let text = text_of_frame(&fountain.frame(0).expect("frame"));
    assert!(matches!(bob.take(text.as_bytes()), Found::Damaged(_)));
}

#[test]
fn texts_that_are_no_frames_say_why() {
    assert_eq!(frame_of_text("https://a.example"), Err(TextError::NotOurs));
    assert_eq!(frame_of_text("dcq2AB"), Err(TextError::NotOurs));
    assert_eq!(frame_of_text("DCQ1a"), Err(TextError::Base45));
    assert_eq!(frame_of_text("DCQ20"), Err(TextError::Base45));
    assert!(matches!(frame_of_text("DCQ100"), Err(TextError::Frame(_))));
    assert!(matches!(frame_of_text("DCQ200"), Err(TextError::Frame(_))));
}

proptest! {
    #[test]
    fn no_code_makes_the_reader_panic(codes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..10)) {
        let mut bob = Reader::default();
        for code in &codes {
            bob.take(code);
            for prefix in [b"DCQ1", b"DCQ2"] {
                let mut ours = prefix.to_vec();
                ours.extend(code);
                bob.take(&ours);
            }
        }
        prop_assert_eq!(bob.tally().codes as usize, 3 * codes.len());
    }

    #[test]
    fn no_file_makes_the_reader_panic(head in 0usize..3, body in prop::collection::vec(any::<u8>(), 0..400)) {
        let heads: [&[u8]; 3] = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"GIF89a"];
        let mut file = heads[head].to_vec();
        file.extend(body);
        let _ = Reader::default().read_bytes(&file);
    }
}

#[test]
fn a_code_torn_between_two_frames_is_none_or_one_of_them() {
    let sent = Envelope::from_packed(&object(4_000, 8)).expect("envelope");
    let Show::Frames(frames) = show(&sent, Profile::Robust).expect("show") else {
        panic!("frames");
    };
    let [first, second] = [3, 4].map(|n| camera::flat(&frames.picture(n).expect("picture"), 3));
    let said = [&first, &second].map(|seen| packmule_qr::scan(seen).remove(0));
    let rows = first.height();
    let mut read = 0;
    for step in 0..=20 {
        // The upper part still shows the first, the lower one the second already.
        let at = rows * step / 20 * first.width();
        let mut pixels = first.pixels()[..at].to_vec();
        pixels.extend(&second.pixels()[at..]);
        // And all of it blended, as a long exposure does.
        let blend = |(a, b): (&u8, &u8)| {
            ((usize::from(*a) * step + usize::from(*b) * (20 - step)) / 20) as u8
        };
        let both = first.pixels().iter().zip(second.pixels());
        for pixels in [pixels, both.map(blend).collect()] {
            let seen = Grey::new(first.width() as u32, rows as u32, pixels).expect("grey");
            for code in packmule_qr::scan(&seen) {
                assert!(said.contains(&code), "step {step}");
                read += 1;
            }
        }
    }
    assert!(read >= 4, "{read} of the ends and near them");
}

#[test]
fn foreign_rows_of_codes_bring_a_message_among_strangers_codes() {
    let message = br#"{"payload":"eyJhIjoxfQ","signatures":[{"protected":"eyJhbGciOiJFZERTQSJ9","signature":"AAAA","header":{"kid":"did:example:a#1"}}]}"#;
    let sent = Envelope::from_packed(message).expect("envelope");
    let ur = packmule_qr::Ur::of(message, 30).expect("a UR");
    let mut bob = Reader::default();
    let mut got = Vec::new();
    for number in 3..3 + 4 * ur.count() {
        // Every second part is lost; between them, a wallet's, a torn one and a forged frame.
        if number % 2 == 0 {
            continue;
        }
        let text = ur.part(number);
        for code in [
            "UR:CRYPTO-PSBT/AEAE",
            "ur:bytes/1-2/aeae",
            "B$2J0102AA",
            "DCQ2A",
        ] {
            assert!(!matches!(bob.take(code.as_bytes()), Found::Envelope(_)));
        }
        let found = bob.take(text.as_bytes());
        if let Found::Part(count) = &found {
            assert!(count.received < count.needed, "{count:?}");
        }
        if matches!(found, Found::Envelope(_)) {
            got.push(found);
            break;
        }
    }
    assert_eq!(got, [Found::Envelope(sent)]);
    assert!(bob.foreign_progress().is_empty());
}

#[test]
fn a_foreign_row_that_holds_no_message_is_foreign() {
    let mut bob = Reader::default();
    let seed = packmule_qr::Ur::of(b"abandon abandon about", 100).expect("a UR");
    assert!(matches!(
        bob.take(seed.part(1).as_bytes()),
        Found::Foreign(_)
    ));
    assert!(matches!(bob.take(b"B$2U0100MFRGG"), Found::Foreign(t) if t == "abc"));
    assert!(
        matches!(bob.take(b"UR:CRYPTO-SEED/AE"), Found::Foreign(t) if t == "UR:CRYPTO-SEED/AE")
    );
    assert_eq!((bob.tally().foreign, bob.tally().damaged), (3, 0));
}
