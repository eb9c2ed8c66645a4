//! Alice and bob hold their screens before each other's cameras.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::stage::{PASSPHRASE, Party, Stage, text};

/// Modules that a camera's picture has room for, and pixels of each.
const ROOM: usize = 96;
const PX: usize = 3;

/// A terminal of 200 by 90 letters in which a party swaps, with a stream for a camera.
fn swapping(party: &Party, camera: &Path) -> Child {
    let swap = format!(
        "stty cols 200 rows 90; {} qr swap {} --profile robust --graphics blocks --linger 2",
        env!("CARGO_BIN_EXE_packmule"),
        text(camera),
    );
    Command::new("script")
        .args(["-qefc", &swap, "/dev/null"])
        .env("PACKMULE_HOME", &party.home)
        .env("PACKMULE_PASSPHRASE", PASSPHRASE)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script is needed (Debian: bsdutils)")
}

/// What a camera sees of one screen: letters of two modules each, black on white.
fn seen(screen: &str) -> Vec<u8> {
    let rows: Vec<Vec<char>> = screen
        .lines()
        .filter_map(|line| {
            line.split_once("\x1b[38;5;16;48;5;231m")?
                .1
                .split('\x1b')
                .next()
        })
        .map(|letters| letters.chars().collect())
        .collect();
    let dark = |x: usize, y: usize| match rows.get(y / 2).and_then(|row| row.get(x)) {
        Some('█') => true,
        Some('▀') => y.is_multiple_of(2),
        Some('▄') => !y.is_multiple_of(2),
        _ => false,
    };
    let side = ROOM * PX;
    (0..side * side)
        .map(|i| {
            if dark(i % side / PX, i / side / PX) {
                0
            } else {
                255
            }
        })
        .collect()
}

/// Films one terminal into the other's camera, and loses every picture that `lost` says. Gives all
/// that was on the terminal, in the end.
fn filmed(
    mut screen: impl Read + Send + 'static,
    camera: PathBuf,
    lost: fn(usize) -> bool,
) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut camera = File::options().write(true).open(camera).expect("a camera");
        let side = ROOM * PX;
        let header = format!("YUV4MPEG2 W{side} H{side} F10:1 Cmono\n");
        let mut alive = camera.write_all(header.as_bytes()).is_ok();
        let (mut typed, mut at, mut n) = (Vec::new(), 0, 0);
        let mut some = [0; 65_536];
        loop {
            let read = screen.read(&mut some).unwrap_or_default();
            typed.extend(&some[..read]);
            // A screen is whole when the next one begins.
            let home = b"\x1b[H";
            while let Some(length) = typed[at..].windows(3).skip(1).position(|w| w == home) {
                let one = String::from_utf8_lossy(&typed[at..at + length + 1]).into_owned();
                at += length + 1;
                n += 1;
                if alive && !lost(n) {
                    let picture = [&b"FRAME\n"[..], &seen(&one)].concat();
                    // Who has everything looks no more.
                    alive = camera.write_all(&picture).is_ok();
                }
            }
            if read == 0 {
                return String::from_utf8_lossy(&typed).into_owned();
            }
        }
    })
}

fn swap(stage: &Stage, alice: &Party, bob: &Party, lost: fn(usize) -> bool) -> [String; 2] {
    let cameras = ["alice.y4m", "bob.y4m"].map(|name| stage.path(name));
    for camera in &cameras {
        let made = Command::new("mkfifo").arg(camera).status().expect("mkfifo");
        assert!(made.success());
    }
    let [at_alice, at_bob] = cameras;
    let mut both = [swapping(alice, &at_alice), swapping(bob, &at_bob)];
    let screens = both
        .each_mut()
        .map(|child| child.stdout.take().expect("a screen"));
    let [of_alice, of_bob] = screens;
    let films = [
        filmed(of_alice, at_bob, lost),
        filmed(of_bob, at_alice, lost),
    ];
    let typed = films.map(|film| film.join().expect("filmed"));
    for (mut child, typed) in both.into_iter().zip(&typed) {
        let end = child.wait().expect("the end");
        let last: String = typed.chars().rev().take(600).collect();
        assert!(end.success(), "{}", last.chars().rev().collect::<String>());
    }
    typed
}

#[test]
fn both_have_what_the_other_had_and_both_stop() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let long = "the tide comes at seven, bring the long ropes; ".repeat(60);
    alice.ok(["send", "bob", &long]);
    alice.ok(["send", "bob", "and the lamp"]);
    bob.ok(["send", "alice", "there is no lamp"]);
    // Every third picture is lost, on either way.
    let typed = swap(&stage, &alice, &bob, |n| n.is_multiple_of(3));
    let inbox = |party: &Party| party.ok(["inbox"]);
    assert!(inbox(&bob).contains("and the lamp") && inbox(&bob).contains("the long ropes"));
    assert!(inbox(&alice).contains("there is no lamp"));
    assert!(typed[0].contains("2 went over"), "alice");
    assert!(typed[1].contains("1 went over"), "bob");
    assert!(
        typed[0].contains("the other side has "),
        "she sees how far he is"
    );
    // What went over does not wait any more.
    for party in [&alice, &bob] {
        let rows = party.json(["outbox"]);
        let rows = rows["messages"].as_array().expect("rows");
        let texts = rows
            .iter()
            .filter(|row| row["way"] == "qr" || row["state"] == "sent");
        assert!(texts.count() > 0, "{rows:?}");
    }
}
