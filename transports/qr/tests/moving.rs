//! What is saved as one moving file is whole: each kind is read back by our own reader, and videos
//! by way of the machine's `ffmpeg`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use std::ops::ControlFlow;
use std::path::Path;

use camera::object;
use packmule_bus::Envelope;
use packmule_qr::{
    Found, Hints, Profile, Reader, Seen, Show, open, scan_rqrr, scan_rxing, show, show_ur,
    show_within, watch,
};

const SPEED: u16 = 15;

fn message(length: usize) -> (Envelope, Show) {
    let sent = Envelope::from_packed(&object(length, 77)).expect("an envelope");
    let shown = show(&sent, Profile::Normal).expect("show");
    (sent, shown)
}

/// Scans a file; the pictures that were there, and the envelopes.
fn scanned(path: &Path) -> (u32, Vec<Envelope>) {
    let mut reader = Reader::default();
    let mut whole = Vec::new();
    let mut source = open(path, Hints::default()).expect("a source");
    watch(source.as_mut(), &mut reader, 0, |_, seen| {
        let Seen::Picture(found) = seen else {
            return ControlFlow::Break(());
        };
        whole.extend(found.into_iter().filter_map(|one| match one {
            Found::Envelope(envelope) => Some(envelope),
            _ => None,
        }));
        ControlFlow::Continue(())
    });
    (reader.tally().pictures, whole)
}

#[test]
fn every_kind_of_file_holds_every_frame() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(4000);
    let count = shown.count();
    let path = |name: &str| dir.path().join(name);
    for px in [3, 4] {
        let mut gif = Vec::new();
        assert_eq!(shown.save_gif(&mut gif, px, SPEED).expect("gif"), count);
        std::fs::write(path("x.gif"), &gif).expect("written");
        let mut png = Vec::new();
        assert_eq!(shown.save_apng(&mut png, px, SPEED).expect("apng"), count);
        std::fs::write(path("x.png"), &png).expect("written");
        let y4m = std::fs::File::create(path("x.y4m")).expect("a file");
        assert_eq!(shown.save_y4m(y4m, px, SPEED).expect("y4m"), count);
        for name in ["x.mp4", "-x.webm", "x.avi"] {
            let film = path(name);
            assert_eq!(shown.save_film(&film, px, SPEED).expect("a film"), count);
        }
        for name in ["x.gif", "x.png", "x.y4m", "x.mp4", "-x.webm", "x.avi"] {
            let (pictures, whole) = scanned(&path(name));
            assert_eq!(whole, std::slice::from_ref(&sent), "{name}, {px} px");
            assert_eq!(pictures, count, "{name}, {px} px");
        }
    }
}

#[test]
fn one_code_is_a_still_png_and_any_other_file_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(300);
    let mut png = Vec::new();
    assert_eq!(shown.save_apng(&mut png, 4, SPEED).expect("png"), 1);
    assert!(!png.windows(4).any(|w| w == b"acTL"), "it is animated");
    let mut gif = Vec::new();
    assert_eq!(shown.save_gif(&mut gif, 4, SPEED).expect("gif"), 1);
    for (name, bytes) in [("x.png", png), ("x.gif", gif)] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(scanned(&path), (1, vec![sent.clone()]), "{name}");
    }
}

#[test]
fn a_format_that_nobody_knows_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let (_, shown) = message(300);
    let outcome = shown.save_film(&dir.path().join("x.packmule"), 4, SPEED);
    let told = outcome.expect_err("no such format").to_string();
    assert!(told.starts_with("ffmpeg: ") && told.len() > 12, "{told}");
}

#[test]
fn every_version_a_screen_has_room_for_is_filled_and_read_by_both_decoders() {
    let sent = Envelope::from_packed(&object(6000, 5)).expect("an envelope");
    assert!(show_within(&sent, 2).is_err());
    for version in 3..=40u8 {
        let shown = show_within(&sent, version).expect("show");
        let Show::Frames(frames) = shown else {
            continue;
        };
        assert!(6000 > Profile::symbol_bytes_of(version));
        for n in [0, frames.needed(), frames.needed() + 1] {
            let picture = frames.picture(n).expect("picture");
            assert!(picture.version() <= version);
            let seen = camera::flat(&picture, 3);
            let codes = scan_rxing(&seen);
            assert_eq!(codes.len(), 1, "version {version}, code {n}");
            assert_eq!(codes, scan_rqrr(&seen), "version {version}, code {n}");
        }
    }
}

#[test]
fn codes_are_drawn_as_fast_as_they_are_shown() {
    let sent = Envelope::from_packed(&object(100_000, 6)).expect("an envelope");
    for profile in Profile::ALL {
        let Show::Frames(frames) = show(&sent, profile).expect("show") else {
            continue;
        };
        let began = std::time::Instant::now();
        for n in 0..30 {
            frames.picture(n).expect("picture");
        }
        let each = began.elapsed() / 30;
        println!("{profile}: {each:?} a code");
        // Of the time a code is shown, on a busy machine and without optimisation.
        let shown = std::time::Duration::from_secs(1) / u32::from(profile.codes_per_second());
        assert!(each < shown, "{profile}: {each:?} a code of {shown:?}");
    }
}

#[test]
fn urs_in_a_looped_file_are_read_with_every_third_lost() {
    let sent = Envelope::from_packed(&signed(3000)).expect("an envelope");
    for largest in [5, 15, 25, 40] {
        let shown = show_ur(&sent, largest).expect("show");
        let mut bob = Reader::default();
        let mut got = Vec::new();
        let mut parts = 0;
        for (n, picture) in shown.pictures().enumerate() {
            let picture = picture.expect("picture");
            assert!(picture.version() <= largest);
            // In the middle they begin to come.
            if n % 3 == 1 || n < shown.needed() as usize / 2 {
                continue;
            }
            parts += 1;
            got.extend(bob.feed(&camera::flat(&picture, 3)));
            if got.contains(&Found::Envelope(sent.clone())) {
                break;
            }
        }
        assert!(
            got.contains(&Found::Envelope(sent.clone())),
            "{largest}: {parts} of {}, {:?}",
            shown.needed(),
            bob.tally()
        );
    }
    assert!(show_ur(&sent, 1).is_err());
}

/// A signed message with a payload of this many bytes: JSON, so surely a message in any code.
fn signed(length: usize) -> Vec<u8> {
    let payload: String = (0..length)
        .map(|n| char::from(b'a' + (n * n % 26) as u8))
        .collect();
    format!(
        r#"{{"payload":"{payload}","signatures":[{{"protected":"eyJhbGciOiJFZERTQSJ9","signature":"AAAA","header":{{"kid":"did:example:a#1"}}}}]}}"#
    )
    .into_bytes()
}
