//! Videos, as a real program writes and reads them: whatever a camera's file is, bob reads it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the test"
)]

mod camera;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use camera::{Rng, Trouble, object, photograph};
use packmule_bus::Envelope;
use packmule_qr::{
    Found, FrameSource, Grey, Hints, Profile, Reader, Seen, Show, SourceError, open, show, watch,
};

/// What a scan of a source came to.
struct Scanned {
    found: Vec<Found>,
    missed: Vec<SourceError>,
    reader: Reader,
}

fn scan_all(source: &mut dyn FrameSource) -> Scanned {
    let mut reader = Reader::default();
    let (mut found, mut missed) = (Vec::new(), Vec::new());
    watch(source, &mut reader, 0, |_, seen| {
        match seen {
            Seen::Picture(codes) => found.extend(codes),
            Seen::Missed(error) => missed.push(error),
        }
        ControlFlow::Continue(())
    });
    Scanned {
        found,
        missed,
        reader,
    }
}

fn scan_path(path: &Path, hints: Hints) -> Scanned {
    scan_all(open(path, hints).expect("a source").as_mut())
}

fn message(length: usize, seed: u64) -> (Envelope, Show) {
    let sent = Envelope::from_packed(&object(length, seed)).expect("an envelope");
    let shown = show(&sent, Profile::Robust).expect("show");
    (sent, shown)
}

/// A y4m stream in grey.
fn y4m(pictures: &[Grey]) -> Vec<u8> {
    let (width, height) = (pictures[0].width(), pictures[0].height());
    let mut stream = format!("YUV4MPEG2 W{width} H{height} F15:1 Ip A1:1 Cmono\n").into_bytes();
    for picture in pictures {
        stream.extend(b"FRAME\n");
        stream.extend(picture.pixels());
    }
    stream
}

fn flat(shown: &Show) -> Vec<Grey> {
    let pictures = shown.pictures().map(|p| p.expect("picture"));
    pictures.map(|p| camera::flat(&p, 4)).collect()
}

/// Runs the machine's `ffmpeg`.
fn ffmpeg(arguments: &[&str]) {
    let ran = Command::new("ffmpeg")
        .args(["-nostdin", "-y", "-loglevel", "error"])
        .args(arguments)
        .stdin(Stdio::null())
        .status();
    let ran = ran.expect("ffmpeg is needed (Debian: ffmpeg)");
    assert!(ran.success(), "ffmpeg {arguments:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in text")
}

#[test]
fn a_y4m_file_brings_the_message() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(1500, 1);
    let film = dir.path().join("film.y4m");
    fs::write(&film, y4m(&flat(&shown))).expect("written");
    let got = scan_path(&film, Hints::default());
    assert!(got.found.contains(&Found::Envelope(sent)));
    assert!(got.missed.is_empty());
}

#[test]
fn a_raw_file_needs_its_size_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(1500, 2);
    let pictures = flat(&shown);
    let film = dir.path().join("film.gray");
    let raw: Vec<u8> = pictures.iter().flat_map(|p| p.pixels().to_vec()).collect();
    fs::write(&film, raw).expect("written");
    let size = |p: &Grey| Some((p.width() as u32, p.height() as u32));
    let hints = Hints {
        raw: size(&pictures[0]),
        ..Hints::default()
    };
    assert!(
        scan_path(&film, hints)
            .found
            .contains(&Found::Envelope(sent))
    );
}

#[test]
fn a_compressed_video_brings_the_message() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(3000, 3);
    let plain = dir.path().join("plain.y4m");
    fs::write(&plain, y4m(&flat(&shown))).expect("written");
    // A name that is an option or a protocol to ffmpeg, given as it is.
    for name in ["film.mp4", "-i.mkv", "tcp:film.webm"] {
        let film = dir.path().join(name);
        let codec = if name.ends_with("webm") {
            "libvpx"
        } else {
            "libx264"
        };
        ffmpeg(&[
            "-i",
            text(&plain),
            "-c:v",
            codec,
            "-b:v",
            "2M",
            "-pix_fmt",
            "yuv420p",
            &format!("file:{}", text(&film)),
        ]);
        let got = scan_path(&film, Hints::default());
        assert!(
            got.found.contains(&Found::Envelope(sent.clone())),
            "{name}: {:?} {:?}",
            got.reader.tally(),
            got.missed
        );
    }
}

#[test]
fn two_transfers_on_one_film_arrive_both() {
    let dir = tempfile::tempdir().expect("a folder");
    let (first, shown) = message(2000, 4);
    let (second, other) = message(2000, 5);
    let film = dir.path().join("film.y4m");
    let mixed: Vec<Grey> = flat(&shown)
        .into_iter()
        .zip(flat(&other))
        .flat_map(|(a, b)| [a, b])
        .collect();
    fs::write(&film, y4m(&mixed)).expect("written");
    let got = scan_path(&film, Hints::default());
    assert!(got.found.contains(&Found::Envelope(first)));
    assert!(got.found.contains(&Found::Envelope(second)));
}

#[test]
fn a_folder_is_read_past_what_is_no_picture() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(1500, 6);
    shown.save_pngs(dir.path(), 3, |_| ()).expect("saved");
    fs::write(dir.path().join("frame-00001-b.png"), b"no picture").expect("written");
    fs::write(dir.path().join("notes.txt"), b"not looked at").expect("written");
    let got = scan_path(dir.path(), Hints::default());
    assert!(got.found.contains(&Found::Envelope(sent)));
    assert!(
        matches!(got.missed.as_slice(), [SourceError::Picture { path, .. }] if path.ends_with("frame-00001-b.png")),
        "{:?}",
        got.missed
    );
}

#[test]
fn what_ffmpeg_does_not_know_is_an_error_with_its_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("letter.mp4");
    fs::write(&file, b"this is no film").expect("written");
    match open(&file, Hints::default()).err() {
        Some(SourceError::Ffmpeg { said, .. }) => assert!(!said.trim().is_empty()),
        other => panic!("{other:?}"),
    }
    // A playlist must not lead to another file, not even one that is a film.
    let (_, shown) = message(500, 7);
    fs::write(dir.path().join("other.y4m"), y4m(&flat(&shown))).expect("written");
    let list = dir.path().join("list.mp4");
    fs::write(
        &list,
        format!("ffconcat version 1.0\nfile '{}'\n", "tcp://127.0.0.1:9/x"),
    )
    .expect("written");
    assert!(open(&list, Hints::default()).is_err());
    assert!(matches!(
        open(&dir.path().join("nothing"), Hints::default()).err(),
        Some(SourceError::File { .. })
    ));
}

#[test]
fn a_shaky_camera_file_brings_the_message() {
    let dir = tempfile::tempdir().expect("a folder");
    let (sent, shown) = message(2500, 8);
    let pictures: Vec<_> = shown.pictures().map(|p| p.expect("picture")).collect();
    let plain = dir.path().join("plain.y4m");
    let mut seen = Vec::new();
    for (n, picture) in pictures.iter().enumerate().skip(1) {
        // The same stand for the whole film: its pictures have one size.
        let mut rng = Rng::new(9);
        let trouble = if n % 3 == 0 {
            Trouble::Ghost
        } else {
            Trouble::Jpeg
        };
        seen.push(photograph(
            picture,
            &pictures[n - 1],
            4.0,
            trouble,
            &mut rng,
        ));
    }
    fs::write(&plain, y4m(&seen)).expect("written");
    let film = dir.path().join("film.mp4");
    let even = "crop=trunc(iw/2)*2:trunc(ih/2)*2";
    ffmpeg(&[
        "-i",
        text(&plain),
        "-vf",
        even,
        "-c:v",
        "libx264",
        "-crf",
        "28",
        "-pix_fmt",
        "yuv420p",
        text(&film),
    ]);
    let got = scan_path(&film, Hints::default());
    assert!(
        got.found.contains(&Found::Envelope(sent)),
        "{:?}",
        got.reader.tally()
    );
}
