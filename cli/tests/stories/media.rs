//! One message by several media: what one began, the next one finishes.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::crew::{Running, pause_until};
use super::stage::{Party, Stage, noise, text};

/// Bob's node behind a radio that alice's dials.
struct Radio {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    at: String,
}

impl Radio {
    fn before(node: &Running, preset: &str) -> Self {
        let to = node.way();
        let to = to.strip_prefix("tcp://").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_packmule"))
            .args(["sim", "link", "--json", "--preset", preset])
            .args(["--listen", "127.0.0.1:0", "--to", to])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let at = ready["listen"].as_str().unwrap().to_owned();
        Self { child, lines, at }
    }

    /// Out of range; how many bytes have gone to bob.
    fn gone(mut self) -> u64 {
        let id = self.child.id().to_string();
        let ended = Command::new("kill").args(["-TERM", &id]).status();
        assert!(ended.unwrap().success());
        let told: Value = serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap();
        self.child.wait().unwrap();
        told["forth_bytes"].as_u64().unwrap()
    }
}

/// Alice's letter of some 270 kB to bob, and her pictures of it.
fn scene(stage: &Stage) -> (Party, Party, Vec<PathBuf>) {
    let (alice, bob) = stage.pair();
    let photo = stage.file("photo.jpg", &noise(11, 200_000));
    alice.ok(["send", "bob", "Look.", "--attach", text(&photo)]);
    let shown = stage.folder("shown");
    // By the frames of a file, so that the letter still waits in the outbox.
    let stick = stage.folder("copy");
    alice.ok(["export", text(&stick)]);
    let name = alice.json(["outbox"])["messages"][0]["id"].clone();
    alice.ok(["outbox", "again", name.as_str().unwrap()]);
    let folder = std::fs::read_dir(stick.join("DIDCOMM")).unwrap();
    let mut files = folder.map(|entry| entry.unwrap().path());
    let letter = files.find(|file| file.extension().is_some_and(|it| it == "dcem"));
    let saved = alice.json([
        "qr",
        "save",
        text(&letter.unwrap()),
        "--out",
        text(&shown),
        "--profile",
        "max",
    ]);
    assert!(saved["messages"][0]["frames_needed"].as_u64().unwrap() > 20);
    let mut pictures: Vec<PathBuf> = std::fs::read_dir(&shown)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pictures.sort();
    (alice, bob, pictures)
}

fn scan(bob: &Party, picture: &Path) -> Value {
    bob.run_json(["qr", "scan", text(picture)]).json()
}

/// A third of it or so comes by radio. How many bytes went.
fn begin_by_radio(alice: &Party, bob: &Party) -> u64 {
    let bobs = Running::start(bob, &["--listen", "tcp://127.0.0.1:0"]);
    // Slow enough to go out of range in the middle.
    let radio = Radio::before(&bobs, "ble-247");
    alice.ok(["peers", "ways", "bob", &format!("tcp://{}", radio.at)]);
    let alices = Running::start(alice, &[]);
    pause_until("it has begun to come", || {
        bob.json(["status"])["arriving"] == 1
    });
    // Whatever comes meanwhile: it is measured.
    sleep(Duration::from_secs(3));
    let bytes = radio.gone();
    // What the radio has brought is kept when its link's end is noticed.
    pause_until("its link is over", || {
        bob.json(["status"])["links"].as_array().unwrap().is_empty()
    });
    alices.stop();
    bobs.stop();
    bytes
}

/// Transfers by codes that are kept.
fn begun(bob: &Party) -> usize {
    std::fs::read_dir(bob.home.join("partials"))
        .unwrap()
        .count()
}

fn arrived_once(bob: &Party) {
    assert_eq!(bob.texts(), ["Look."]);
}

#[test]
fn what_a_radio_began_codes_finish() {
    let stage = Stage::new();
    let (alice, bob, pictures) = scene(&stage);
    let by_radio = begin_by_radio(&alice, &bob);
    assert!(bob.texts().is_empty(), "{by_radio} bytes were all of it");
    let needed = scan(&bob, &pictures[0])["frames_needed"].as_u64().unwrap();
    let mut shown = 1;
    for picture in pictures.iter().rev() {
        shown += 1;
        if scan(&bob, picture)["complete"] == true {
            break;
        }
    }
    arrived_once(&bob);
    // What the radio brought were so many frames that nobody had to show.
    assert!(shown < needed, "{shown} pictures of {needed}");
}

#[test]
fn what_codes_began_a_link_finishes() {
    let stage = Stage::new();
    let (alice, bob, pictures) = scene(&stage);
    let bobs = Running::start(&bob, &["--listen", "tcp://127.0.0.1:0"]);
    // There are half as many again as are needed.
    let third = pictures.len() / 3;
    let told = bob.run_json(
        ["qr", "scan"]
            .into_iter()
            .chain(pictures[..third].iter().map(|picture| text(picture))),
    );
    let told = told.json();
    assert_eq!(told["complete"], false, "{told}");
    assert_eq!(begun(&bob), 1);
    let radio = Radio::before(&bobs, "ble-185");
    alice.ok(["peers", "ways", "bob", &format!("tcp://{}", radio.at)]);
    let alices = Running::start(&alice, &[]);
    pause_until("it is whole", || bob.texts() == ["Look."]);
    let by_radio = radio.gone();
    // Its compact form has 270 kB. So much may be under way before the first answer.
    assert!(by_radio < 250_000, "{by_radio} bytes by radio");
    arrived_once(&bob);
    // Nothing is kept of it any more.
    pause_until("the codes are forgotten", || begun(&bob) == 0);
    alices.stop();
    bobs.stop();
}
