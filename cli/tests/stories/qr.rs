//! Alice and bob write to each other by pictures of QR codes.

use std::fs;
use std::path::{Path, PathBuf};

use super::stage::{Stage, noise, text};

fn pictures(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    all.sort();
    all
}

#[test]
fn an_invitation_is_accepted_from_its_picture() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice", "key"), stage.party("bob", "key"));
    let picture = stage.path("invitation.png");
    let invited = alice.json(["invite", "--goal", "to meet", "--save", text(&picture)]);
    let accepted = bob.json(["accept", text(&picture), "--name", "alice"]);
    assert_eq!(accepted["did"], invited["did"]);
    // Pictures again: bob's hello.
    let shown = stage.path("hello");
    bob.ok(["qr", "save", text(&shown)]);
    let read = alice.json(["qr", "read", text(&shown)]);
    assert_eq!(read["met"].as_array().unwrap().len(), 1, "{read}");
    // Twice accepted is told, and adds nothing.
    bob.fails(9, ["accept", text(&picture)]);
    assert_eq!(bob.json(["peers"])["peers"].as_array().unwrap().len(), 1);
}

#[test]
fn twenty_kilobytes_arrive_with_thirty_of_a_hundred_frames_missing() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let map = noise(7, 20_000);
    let path = stage.file("map.bin", &map);
    alice.ok(["send", "bob", "The map.", "--attach", text(&path)]);
    let dir = stage.path("frames");
    alice.ok(["qr", "save", text(&dir), "--redundancy", "160"]);
    let frames = pictures(&dir);
    assert!(frames.len() >= 20, "only {} frames", frames.len());
    // Three of ten are lost, source frames among them.
    for (n, frame) in frames.iter().enumerate() {
        if n % 10 < 3 {
            fs::remove_file(frame).unwrap();
        }
    }
    // A first look sees five of them: not enough, and kept.
    let left = pictures(&dir);
    let first: Vec<&str> = left.iter().take(5).map(|p| text(p)).collect();
    let early = bob.fails(8, ["qr", "read"].into_iter().chain(first));
    assert_eq!(early["incomplete"][0]["received"], 5, "{early}");
    // The second look sees the others, last first.
    let rest: Vec<&str> = left.iter().skip(5).rev().map(|p| text(p)).collect();
    let read = bob.json(["qr", "read"].into_iter().chain(rest));
    assert_eq!(read["new"], 1, "{read}");
    let id = bob.json(["inbox"])["messages"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let got = stage.path("got");
    bob.ok(["inbox", "save", &id, text(&got)]);
    assert_eq!(fs::read(got.join("map.bin")).unwrap(), map);
    // Nothing is left over in the home.
    assert!(pictures(&bob.home.join("partials")).is_empty());
    // All of it again: known.
    let again = bob.json(["qr", "read", text(&dir)]);
    assert_eq!(again["new"], 0, "{again}");
}

#[test]
fn one_animated_picture_carries_a_message() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    alice.ok(["send", "bob", &"A long story. ".repeat(300)]);
    let dir = stage.path("gif");
    let saved = alice.json(["qr", "save", text(&dir), "--format", "gif"]);
    let gif = saved["messages"][0]["files"][0]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(gif.ends_with(".gif"));
    assert_eq!(bob.json(["qr", "read", &gif])["new"], 1);
}

#[test]
fn pictures_without_codes_and_files_that_are_none_are_told() {
    let stage = Stage::new();
    let bob = stage.party("bob", "key");
    let junk = stage.file("junk.png", b"this is no picture");
    let told = bob.fails(6, ["qr", "read", text(&junk)]);
    assert_eq!(told["unreadable"].as_array().unwrap().len(), 1, "{told}");
    bob.fails(3, ["qr", "read", text(&stage.folder("empty"))]);
    bob.fails(3, ["qr", "read", "/nowhere/at/all.png"]);
}

#[test]
fn a_waiting_message_is_shown_in_the_terminal() {
    let stage = Stage::new();
    let (alice, _) = stage.pair();
    alice.ok(["send", "bob", "Hi."]);
    let shown = alice.ok(["qr", "show"]);
    assert!(shown.contains('█') || shown.contains('▀'), "{shown}");
    assert_eq!(alice.json(["outbox"])["messages"][0]["state"], "queued");
    alice.ok(["qr", "show", "--sent"]);
    alice.fails(3, ["qr", "show"]);
}
