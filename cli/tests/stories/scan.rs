//! Bob holds his camera at what alice shows: films, streams and animations instead of pictures.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::{Party, Stage, noise, text};

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

/// Runs the machine's `ffmpeg`, and gives what it writes to standard output.
fn ffmpeg<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let ran = Command::new("ffmpeg")
        .args(["-nostdin", "-y", "-loglevel", "error"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is needed (Debian: ffmpeg)");
    assert!(ran.status.success(), "{ran:?}");
    ran.stdout
}

/// A film of the pictures in a folder.
fn film(dir: &Path, film: &Path) {
    let pictures = format!("{}/*.png", text(dir));
    ffmpeg([
        "-framerate",
        "15",
        "-pattern_type",
        "glob",
        "-i",
        &pictures,
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-vf",
        "pad=ceil(iw/2)*2:ceil(ih/2)*2",
        text(film),
    ]);
}

fn nobody(stage: &Stage) -> Party {
    Party {
        home: stage.path("none"),
    }
}

#[test]
fn a_script_scans_a_film_into_a_file() {
    let stage = Stage::new();
    let nobody = nobody(&stage);
    let sent = noise(11, 9_000);
    let packed = stage.file("message.bin", &sent);
    let dir = stage.path("frames");
    nobody.ok(["qr", "save", text(&dir), "--message", text(&packed)]);
    let mp4 = stage.path("film.mp4");
    film(&dir, &mp4);
    let out = stage.path("got.bin");
    let told = nobody.json(["qr", "scan", text(&mp4), "--out", text(&out)]);
    assert_eq!(told["complete"], true, "{told}");
    assert_eq!(told["frames_read"], told["frames_needed"], "{told}");
    assert_eq!(told["frames_needed"], 8, "{told}");
    assert_eq!(told["sha256"], sha256(&sent), "{told}");
    assert_eq!(fs::read(&out).unwrap(), sent);
}

#[test]
fn what_one_scan_saw_the_next_one_goes_on_with() {
    let stage = Stage::new();
    let nobody = nobody(&stage);
    let sent = noise(12, 9_000);
    let packed = stage.file("message.bin", &sent);
    let dir = stage.path("frames");
    nobody.ok(["qr", "save", text(&dir), "--message", text(&packed)]);
    let mut frames: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    frames.sort();
    let (early, late) = frames.split_at(5);
    let out = stage.path("got.bin");
    let first = early.iter().map(|p| text(p));
    let told = nobody.fails(
        8,
        ["qr", "scan", "--out", text(&out)].into_iter().chain(first),
    );
    assert_eq!(told["complete"], false, "{told}");
    assert_eq!(told["frames_read"], 5, "{told}");
    assert_eq!(told["frames_needed"], 8, "{told}");
    assert!(told["sha256"].is_null(), "{told}");
    assert!(stage.path("got.bin.partial").exists());
    let rest = late.iter().rev().map(|p| text(p));
    let told = nobody.json(["qr", "scan", "--out", text(&out)].into_iter().chain(rest));
    assert_eq!(told["sha256"], sha256(&sent), "{told}");
    assert_eq!(told["pictures"], 3, "three more are enough: {told}");
    assert!(!stage.path("got.bin.partial").exists());
}

#[test]
fn a_stream_on_standard_input_ends_when_the_message_is_there() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let map = stage.file("map.bin", &noise(13, 6_000));
    alice.ok(["send", "bob", "The map.", "--attach", text(&map)]);
    let dir = stage.path("frames");
    alice.ok(["qr", "save", text(&dir)]);
    let pictures = format!("{}/*.png", text(&dir));
    let scanned = |arguments: &[&str], stream: &[u8]| {
        let input = stage.file("stream", stream);
        let ran = bob
            .command(["qr", "scan", "-", "--json"].iter().chain(arguments))
            .stdin(fs::File::open(&input).unwrap())
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        (ran.status.code(), told)
    };
    let stream = |format: &[&str]| {
        let from = ["-framerate", "15", "-pattern_type", "glob", "-i", &pictures];
        ffmpeg(from.into_iter().chain(format.iter().copied()).chain(["-"]))
    };
    let y4m = stream(&["-f", "yuv4mpegpipe", "-pix_fmt", "yuv420p"]);
    let (code, told) = scanned(&[], &y4m);
    assert_eq!((code, &told["new"]), (Some(0), &1.into()), "{told}");
    assert_eq!(told["complete"], true, "{told}");
    assert!(told["pictures"].as_u64() < Some(17), "it went on: {told}");
    assert!(bob.ok(["inbox"]).contains("The map."));
    // The same as raw pictures: known, and nothing new.
    let raw = stream(&["-f", "rawvideo", "-pix_fmt", "gray"]);
    let probe = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    // A PNG's width is at its 16th byte; codes are square.
    let side = fs::read(probe).unwrap()[16..20].try_into().unwrap();
    let size = format!("{0}x{0}", u32::from_be_bytes(side));
    let (code, told) = scanned(&["--raw", &size], &raw);
    assert_eq!((code, &told["duplicate"]), (Some(0), &1.into()), "{told}");
}

#[test]
fn what_cannot_be_scanned_says_why() {
    let stage = Stage::new();
    let nobody = nobody(&stage);
    let out = stage.path("got.bin");
    let out = text(&out);
    let junk = stage.file("junk.mp4", b"no film");
    let scan = |path: &str| ["qr", "scan", path, "--out", out].map(String::from);
    assert_eq!(nobody.run(scan(text(&junk))).code, 6);
    assert_eq!(nobody.run(scan("/nowhere/film.mp4")).code, 3);
    assert_eq!(nobody.run(scan("/dev/video-none")).code, 3);
    // Without ffmpeg in the path, the error names it and how to get it.
    let ran = nobody
        .command(["qr", "scan", text(&junk), "--out", out])
        .env("PATH", stage.path("empty"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{told}");
    assert!(told.contains("apt install ffmpeg"), "{told}");
    // And the doctor knows both: a machine with it, and one without.
    for (path, word) in [
        (
            std::env::var_os("PATH").unwrap(),
            "films and cameras can be scanned",
        ),
        (stage.path("empty").into(), "apt install ffmpeg"),
    ] {
        let ran = nobody
            .command(["doctor"])
            .env("PATH", path)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&ran.stdout);
        assert!(told.contains(word), "{told}");
    }
}

#[test]
fn every_kind_of_moving_picture_is_saved_and_scanned_by_script() {
    let stage = Stage::new();
    let nobody = nobody(&stage);
    let sent = noise(14, 7_000);
    let packed = stage.file("message.bin", &sent);
    for (profile, name, needed) in [
        ("normal", "x.gif", 6),
        ("fast", "x.png", 5),
        ("max", "x.mp4", 3),
        ("robust", "x.y4m", 15),
        ("normal", "folder", 6),
    ] {
        let to = stage.path(name);
        let save = ["qr", "save", text(&packed), "--out", text(&to)];
        let saved = nobody.json(save.into_iter().chain(["--profile", profile]));
        let saved = &saved["messages"][0];
        assert_eq!(saved["frames_needed"], needed, "{name}: {saved}");
        assert_eq!(saved["sha256"], sha256(&sent), "{saved}");
        let frames = saved["frames"].as_u64().unwrap();
        assert!(
            (2..frames).all(|d| !frames.is_multiple_of(d)),
            "{frames} is no prime"
        );
        let out = stage.path("got.bin");
        let told = nobody.json(["qr", "scan", text(&to), "--out", text(&out)]);
        assert_eq!(told["sha256"], sha256(&sent), "{name}: {told}");
        assert_eq!(told["frames_needed"], needed, "{name}: {told}");
        assert_eq!(fs::read(&out).unwrap(), sent, "{name}");
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn one_file_takes_one_message_and_says_so() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    alice.ok(["send", "bob", "One."]);
    let gif = stage.path("letter.gif");
    let saved = alice.json(["qr", "save", "--out", text(&gif)]);
    assert_eq!(saved["messages"][0]["frames"], 1, "{saved}");
    assert_eq!(bob.json(["qr", "scan", text(&gif)])["new"], 1);
    alice.ok(["send", "bob", "Two."]);
    alice.ok(["send", "bob", "Three."]);
    assert_eq!(alice.run(["qr", "save", "--out", text(&gif)]).code, 2);
    assert_eq!(alice.run(["qr", "save"]).code, 2);
    let twice = ["qr", "save", "a", "--out", "b.gif", "--message", "c"];
    assert_eq!(alice.run(twice).code, 2);
    let redundant = ["qr", "save", "a", "--out", "b.gif", "--redundancy", "200"];
    assert_eq!(alice.run(redundant).code, 2);
    // A row of codes is no drawing, and nothing of it is left behind.
    let large = stage.file("large.bin", &noise(15, 5_000));
    let svg = stage.path("large.svg");
    let save = ["qr", "save", text(&large), "--out", text(&svg)];
    assert_eq!(alice.run(save).code, 2);
    assert!(!svg.exists());
}

#[test]
fn strangers_scan_urs_and_plain_codes() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    for (words, form, name) in [
        ("By UR.", "ur", "ur.gif"),
        ("In plain sight.", "plain", "plain.png"),
    ] {
        alice.ok(["send", "bob", words]);
        let picture = stage.path(name);
        let save = ["qr", "save", "--out", text(&picture), "--as", form];
        let saved = alice.json(save.into_iter().chain(["--profile", "robust"]));
        let frames = saved["messages"][0]["frames"].as_u64().unwrap();
        assert_eq!(frames == 1, form == "plain", "{saved}");
        let read = bob.json(["qr", "scan", text(&picture)]);
        assert_eq!(
            (&read["new"], &read["complete"]),
            (&1.into(), &true.into()),
            "{read}"
        );
        assert_eq!(read["frames_read"], read["frames_needed"], "{read}");
        assert!(bob.ok(["inbox"]).contains(words));
    }
}

#[test]
fn a_strangers_row_of_codes_is_gone_on_with_after_a_restart() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let map = stage.file("map.bin", &noise(17, 1_500));
    alice.ok(["send", "bob", "The map.", "--attach", text(&map)]);
    let dir = stage.path("codes");
    let save = ["qr", "save", text(&dir), "--as", "ur"];
    alice.ok(save.into_iter().chain(["--profile", "robust"]));
    let mut codes: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    codes.sort();
    let read = |verb: &'static str, codes: &[std::path::PathBuf]| {
        let codes = codes.iter().map(|p| text(p).to_owned());
        bob.run_json(["qr", verb].map(str::to_owned).into_iter().chain(codes))
    };
    let (early, late) = codes.split_at(6);
    let needed = read("scan", &early[..1]).json()["frames_needed"].clone();
    let needed = needed.as_u64().unwrap() as usize;
    assert!((7..=codes.len()).contains(&needed), "{needed} codes");
    let told = read("read", &early[1..]);
    assert_eq!(told.code, 8, "{}", told.stderr);
    let told = read("scan", &late[..needed - early.len()]).json();
    assert_eq!(told["complete"], true, "{told}");
    assert_eq!(told["frames_read"], told["frames_needed"], "{told}");
    assert!(bob.ok(["inbox"]).contains("The map."));
    let kept = fs::read_dir(bob.home.join("partials")).map(Iterator::count);
    assert_eq!(kept.unwrap_or_default(), 0, "nothing is unfinished");

    // The same into a file.
    let nobody = nobody(&stage);
    let out = stage.path("got.bin");
    let scan = |codes: &[std::path::PathBuf]| {
        let codes = codes.iter().map(|p| text(p).to_owned());
        let words = ["qr", "scan", "--out", text(&out)].map(str::to_owned);
        nobody.run_json(words.into_iter().chain(codes))
    };
    assert_eq!(scan(early).code, 8);
    assert!(stage.path("got.bin.partial").exists());
    let told = scan(&late[..needed - early.len()]).json();
    assert_eq!(told["complete"], true, "{told}");
    assert!(!stage.path("got.bin.partial").exists());
}

#[test]
fn what_a_terminal_shows_becomes_coarser_and_denser_by_a_key() {
    let stage = Stage::new();
    let packed = stage.file("message.bin", &noise(16, 3_000));
    // 25-L, then 20-L, 15-L, and back; the codes are told apart by how many suffice.
    let show = format!(
        "stty cols 200 rows 90; {} qr show --message {} --pause 50 --rounds 9 --graphics blocks",
        env!("CARGO_BIN_EXE_packmule"),
        text(&packed)
    );
    let mut child = Command::new("script")
        .args(["-qefc", &show, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed (Debian: bsdutils)");
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut typed, mut some) = (Vec::new(), [0; 65_536]);
    let mut shown = Vec::new();
    let mut wanted = [
        ("any 3 suffice", "<"),
        ("any 4 suffice", "<"),
        ("any 7 suffice", ">"),
    ]
    .into_iter()
    .chain([("any 4 suffice", "q")]);
    let mut next = wanted.next();
    while let Ok(read @ 1..) = screen.read(&mut some) {
        typed.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&typed).into_owned();
        if let Some((words, key)) = next
            && text.contains(words)
        {
            typed.clear();
            shown.push(words);
            keys.write_all(key.as_bytes()).unwrap();
            next = wanted.next();
        }
    }
    drop(keys);
    assert!(child.wait().unwrap().success());
    assert_eq!(next, None, "seen: {shown:?}");
}

#[test]
fn what_a_terminal_shows_never_repeats_and_is_read_off_it() {
    use packmule_transports::qr::{Found, Grey, Reader};

    let stage = Stage::new();
    let sent = noise(16, 2_500);
    let packed = stage.file("message.bin", &sent);
    // A terminal of this size, and nobody at its keys.
    let show = format!(
        "stty cols 200 rows 90; {} qr show --message {} --pause 1 --rounds 2 --graphics blocks",
        env!("CARGO_BIN_EXE_packmule"),
        text(&packed)
    );
    let ran = Command::new("script")
        .args(["-qec", &show, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .expect("script is needed (Debian: bsdutils)");
    assert!(ran.status.success(), "{ran:?}");
    let typed = String::from_utf8(ran.stdout).unwrap();
    let mut seen = Vec::new();
    let mut reader = Reader::default();
    let mut whole = None;
    for screen in typed.split("\x1b[H").skip(1) {
        let black_on_white = "\x1b[38;5;16;48;5;231m";
        let rows: Vec<Vec<char>> = screen
            .lines()
            .filter_map(|line| line.split_once(black_on_white)?.1.split('\x1b').next())
            .map(|letters| letters.chars().collect())
            .collect();
        let (width, height) = (rows[0].len() * 3, rows.len() * 6);
        let dark = |x: usize, y: usize| match rows[y / 6][x / 3] {
            '█' => true,
            '▀' => y % 6 < 3,
            '▄' => y % 6 >= 3,
            _ => false,
        };
        let pixels = (0..width * height)
            .map(|i| if dark(i % width, i / width) { 0 } else { 255 })
            .collect();
        let grey = Grey::new(width as u32, height as u32, pixels).unwrap();
        let codes = packmule_transports::qr::scan(&grey);
        assert_eq!(codes.len(), 1, "screen {}", seen.len());
        assert!(!seen.contains(&codes[0]), "code {} came again", seen.len());
        for found in reader.take_picture(&codes) {
            if let Found::Envelope(envelope) = found {
                whole = Some((seen.len() + 1, envelope.to_json()));
            }
        }
        seen.extend(codes);
    }
    // 25-L holds 1250 bytes: three codes, of which eleven make a round.
    assert_eq!(seen.len(), 22);
    assert_eq!(whole, Some((3, sent)));
}
