//! Alice shows, mule carries pictures, bob reads; mallory and bad luck interfere.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use camera::{Rng, object};
use packmule_bus::Envelope;
use packmule_qr::{
    Background, Found, Grey, Picture, Profile, Reader, Show, is_invitation, picture_files, show,
    show_text,
};

/// A message of this size that knows no DID: the bus carries any bytes.
fn envelope(length: usize) -> Envelope {
    Envelope::from_packed(&object(length, length as u64)).expect("an envelope")
}

/// The envelopes among what was found.
fn envelopes(found: Vec<Found>) -> Vec<Envelope> {
    let whole = |f| match f {
        Found::Envelope(e) => Some(e),
        _ => None,
    };
    found.into_iter().filter_map(whole).collect()
}

fn read_all(reader: &mut Reader, files: &[Vec<u8>]) -> Vec<Found> {
    files
        .iter()
        .flat_map(|file| reader.read_bytes(file).expect("a picture"))
        .collect()
}

#[test]
fn a_short_message_is_one_code() {
    let sent = envelope(300);
    let Show::Single(picture) = show(&sent, Profile::Robust).expect("show") else {
        panic!("300 bytes fit one robust code");
    };
    let mut bob = Reader::default();
    let found = bob
        .read_bytes(&picture.png(4).expect("png"))
        .expect("picture");
    assert_eq!(envelopes(found), [sent]);
    assert!(bob.progress().is_empty());
}

#[test]
fn the_largest_single_code_of_each_profile_fits_its_version() {
    for profile in Profile::ALL {
        let show = |wire: usize| {
            let mut length = wire;
            loop {
                let envelope = envelope(length);
                if envelope.to_wire().len() <= wire {
                    return show(&envelope, profile).expect("show");
                }
                length -= 1;
            }
        };
        match show(profile.symbol_bytes()) {
            Show::Single(picture) => assert_eq!(picture.version(), profile.version()),
            Show::Frames(frames) => panic!("{profile}: {} frames", frames.needed()),
        }
        assert!(matches!(show(profile.symbol_bytes() + 20), Show::Frames(f) if f.needed() == 2));
    }
}

#[test]
fn twenty_kilobytes_arrive_with_a_third_of_the_pictures_missing() {
    let sent = envelope(20_000);
    let shown = show(&sent, Profile::Normal).expect("show");
    let folder = tempfile::tempdir().expect("folder");
    let mut files = shown.save_pngs(folder.path(), 3, |_| {}).expect("saved");
    assert_eq!(files.len(), shown.count() as usize);
    assert_eq!(picture_files(folder.path()).expect("listed"), files);

    let mut rng = Rng::new(7);
    rng.shuffle(&mut files);
    files.truncate(files.len() * 7 / 10);

    // Among them: a shop's code, one torn in half, an empty wall, and a frame of another transfer.
    let stray = folder.path().join("stray.png");
    let other = show(&envelope(3_000), Profile::Robust).expect("show");
    let pictures = [
        show_text("https://shop.example/menu").expect("code"),
        other.pictures().next().expect("one").expect("picture"),
    ];
    for (n, picture) in pictures.iter().enumerate() {
        let path = folder.path().join(format!("stray-{n}.png"));
        std::fs::write(&path, picture.png(4).expect("png")).expect("written");
        files.insert(n * 5, path);
    }
    let first = std::fs::read(files.last().expect("a file")).expect("read");
    std::fs::write(&stray, first.get(..first.len() / 2).expect("half")).expect("written");
    files.insert(3, stray);

    let mut bob = Reader::default();
    let mut unreadable = 0;
    let mut got = Vec::new();
    for file in &files {
        match bob.read_file(file) {
            Ok(found) => got.extend(envelopes(found)),
            Err(error) => {
                assert!(error.to_string().contains("stray.png"), "{error}");
                unreadable += 1;
            }
        }
    }
    assert_eq!(got, [sent]);
    assert_eq!(unreadable, 1);
    assert_eq!(bob.tally().foreign, 1);
    let left: Vec<_> = bob
        .progress()
        .iter()
        .map(|p| (p.received, p.needed))
        .collect();
    assert_eq!(left, [(1, 7)]);
}

#[test]
fn a_gif_read_from_any_frame_on_is_enough() {
    let sent = envelope(5_000);
    let shown = show(&sent, Profile::Normal).expect("show");
    let mut gif = Vec::new();
    assert_eq!(
        shown.save_gif(&mut gif, 3, 15).expect("saved"),
        shown.count()
    );
    let mut bob = Reader::default();
    assert_eq!(
        envelopes(bob.read_bytes(&gif).expect("gif")),
        std::slice::from_ref(&sent)
    );
    assert_eq!(bob.tally().pictures, shown.count());

    // Broken off in the middle: what was read counts, and the rest is reported.
    let mut bob = Reader::default();
    let found = bob
        .read_bytes(gif.get(..gif.len() / 4).expect("cut"))
        .expect("gif");
    assert!(matches!(found.last(), Some(Found::Damaged(_))), "{found:?}");
    let held = bob.progress().first().map_or(0, |p| p.received);
    assert!(held >= 2, "{held} frames held");
}

#[test]
fn bob_goes_on_tomorrow_with_what_he_kept() {
    let sent = envelope(6_000);
    let shown = show(&sent, Profile::Robust).expect("show");
    let pngs: Vec<_> = shown
        .pictures()
        .map(|p| p.expect("picture").png(3).expect("png"))
        .collect();
    let (today, tomorrow) = pngs.split_at(8);
    let mut bob = Reader::default();
    assert!(envelopes(read_all(&mut bob, today)).is_empty());
    let kept = bob.partials();

    let mut bob = Reader::default();
    for partial in &kept {
        assert!(matches!(bob.resume(partial), Found::Fresh(p) if p.received == 8));
    }
    let needed = shown.needed() as usize - 8;
    let got = read_all(&mut bob, tomorrow.get(..needed + 1).expect("enough"));
    assert_eq!(envelopes(got), [sent]);
}

#[test]
fn several_codes_in_one_photograph_are_all_read() {
    let sent = envelope(2_500);
    let shown = show(&sent, Profile::Robust).expect("show");
    let pictures: Vec<_> = shown
        .pictures()
        .map(|p| p.expect("picture"))
        .take(6)
        .collect();
    let sheet = camera::sheet(&pictures, 3, 4);
    let mut bob = Reader::default();
    assert_eq!(envelopes(bob.feed(&sheet)), [sent]);
}

#[test]
fn an_invitation_is_one_plain_code_for_any_scanner() {
    let url = format!(
        "https://alice.example/invite?_oob={}",
        "eyJ0eXAiOiJhcHBsaWNhdGlvbi9k".repeat(12)
    );
    let picture = show_text(&url).expect("code");
    assert!(picture.version() <= 25, "version {}", picture.version());
    let mut bob = Reader::default();
    let found = bob
        .read_bytes(&picture.png(3).expect("png"))
        .expect("picture");
    assert_eq!(found, [Found::Invitation(url.clone())]);
    let grey = camera::flat(&picture, 4);
    assert_eq!(packmule_qr::scan_rqrr(&grey), [url.into_bytes()]);
}

#[test]
fn only_urls_with_an_out_of_band_message_are_invitations() {
    for yes in [
        "https://a.example/?_oob=eyJ",
        "didcomm://invite?x=1&_oobid=7",
        "https://a.example?oob=eyJ#frag",
    ] {
        assert!(is_invitation(yes), "{yes}");
    }
    for no in [
        "https://a.example/_oob=eyJ",
        "https://a.example/?_oob=",
        "?_oob=eyJ",
        "https://a.example/?q=1#?_oob=x",
        "hello",
    ] {
        assert!(!is_invitation(no), "{no}");
    }
}

#[test]
fn a_packed_message_as_json_in_a_code_is_an_envelope() {
    let jwm = br#"{"id":"1","typ":"application/didcomm-plain+json","type":"https://didcomm.org/empty/1.0/empty","body":{}}"#;
    let picture = show_text(std::str::from_utf8(jwm).expect("text")).expect("code");
    let mut bob = Reader::default();
    let found = bob
        .read_bytes(&picture.png(3).expect("png"))
        .expect("picture");
    assert_eq!(
        envelopes(found),
        [Envelope::from_packed(jwm).expect("envelope")]
    );
    assert!(matches!(bob.take(br#"["not", "ours"]"#), Found::Foreign(_)));
}

#[test]
fn what_a_terminal_shows_can_be_read() {
    let sent = envelope(120);
    let Show::Single(picture) = show(&sent, Profile::Robust).expect("show") else {
        panic!("one code");
    };
    for (text, ink_is_dark) in [
        (picture.terminal(), true),
        (picture.terminal_plain(Background::Light), true),
        (picture.terminal_plain(Background::Dark), false),
    ] {
        let screen = camera::screen(&text, ink_is_dark, 4);
        let mut bob = Reader::default();
        assert_eq!(envelopes(bob.feed(&screen)), std::slice::from_ref(&sent));
    }
    let lines: Vec<_> = picture.terminal().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), picture.full_width().div_ceil(2));
    assert!(
        lines
            .iter()
            .all(|l| l.starts_with("\x1b[38;5;16;48;5;231m") && l.ends_with("\x1b[0m"))
    );
}

#[test]
fn the_svg_draws_the_same_modules() {
    let picture = show_text("HELLO").expect("code");
    let svg = picture.svg();
    let side = picture.full_width();
    assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
    let mut drawn = vec![false; side * side];
    let path = svg
        .split(" d=\"")
        .nth(1)
        .expect("path")
        .split('"')
        .next()
        .expect("path");
    for run in path.split('M').skip(1) {
        let (x, rest) = run.split_once(' ').expect("x");
        let (y, rest) = rest.split_once('h').expect("y");
        let (length, _) = rest.split_once('v').expect("length");
        let [x, y, length] = [x, y, length].map(|n| n.parse::<usize>().expect("number"));
        drawn[y * side + x..][..length].fill(true);
    }
    let modules: Vec<_> = (0..side * side)
        .map(|i| picture.is_dark(i % side, i / side))
        .collect();
    assert_eq!(drawn, modules);
}

#[test]
fn inverted_codes_are_read_and_mirrored_ones_do_no_harm() {
    let picture: Picture = show_text("https://a.example/?_oob=eyJ").expect("code");
    let plain = camera::flat(&picture, 4);
    let (width, height) = (plain.width() as u32, plain.height() as u32);
    let inverted: Vec<u8> = plain.pixels().iter().map(|p| 255 - p).collect();
    let mirrored: Vec<u8> = plain
        .pixels()
        .chunks(plain.width())
        .flat_map(|row| row.iter().rev().copied().collect::<Vec<_>>())
        .collect();
    let mut bob = Reader::default();
    let found = bob.feed(&Grey::new(width, height, inverted).expect("grey"));
    assert!(
        matches!(found.as_slice(), [Found::Invitation(_)]),
        "{found:?}"
    );
    let found = bob.feed(&Grey::new(width, height, mirrored).expect("grey"));
    assert!(
        matches!(found.as_slice(), [Found::Invitation(_)]),
        "{found:?}"
    );
}
