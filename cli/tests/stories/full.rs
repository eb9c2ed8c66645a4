//! Full disks, for real.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use packmule_places::{on_a_disk, remount};

use super::crew::{Running, knows, pause_until};
use super::stage::{Party, Stage, noise, text};

/// A letter with some bytes attached that cannot be compressed.
fn send_large(alice: &Party, stage: &Stage, bytes: usize) {
    let file = stage.file("noise.bin", &noise(3, bytes));
    alice.ok(["send", "bob", "Large.", "--attach", text(&file)]);
}

/// The party with its home on this disk instead.
fn moved(party: &Party, disk: &Path) -> Party {
    let home = disk.join("home");
    let mut copy = Command::new("cp");
    let copied = copy.arg("-a").args([&party.home, &home]).status();
    assert!(copied.unwrap().success());
    Party { home }
}

/// How many messages lie on a stick; no half of one does.
fn messages(stick: &Path) -> usize {
    let files = fs::read_dir(stick.join("DIDCOMM")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    let count = |ending: &str| {
        let ends = |name: &&OsString| Path::new(name).extension() == Some(ending.as_ref());
        names.iter().filter(ends).count()
    };
    assert_eq!(count("tmp"), 0, "{names:?}");
    count("dcem")
}

#[test]
fn a_full_stick_takes_what_fits_and_the_rest_waits() {
    let test = "full::a_full_stick_takes_what_fits_and_the_rest_waits";
    on_a_disk(test, "size=400k", |small| {
        let stage = Stage::new();
        let (alice, bob) = stage.pair();
        alice.ok(["send", "bob", "Small."]);
        send_large(&alice, &stage, 600_000);
        let full = alice.run(["export", text(small)]);
        assert_eq!(full.code, 7, "{}", full.stderr);
        assert!(full.stderr.contains("full"), "{}", full.stderr);
        assert!(full.stderr.contains("hint:"), "{}", full.stderr);
        assert_eq!(messages(small), 1);
        bob.ok(["import", text(small)]);
        assert_eq!(bob.texts(), ["Small."]);
        // The large one waited, and goes by a larger stick.
        let stick = stage.folder("stick");
        assert_eq!(alice.json(["export", text(&stick)])["written"], 1);
        bob.ok(["import", text(&stick)]);
        assert_eq!(bob.texts(), ["Small.", "Large."]);
    });
}

#[test]
fn a_full_disk_under_the_home_leaves_messages_on_the_stick() {
    let test = "full::a_full_disk_under_the_home_leaves_messages_on_the_stick";
    on_a_disk(test, "size=2000k", |small| {
        let stage = Stage::new();
        let (alice, bob) = stage.pair();
        send_large(&alice, &stage, 600_000);
        let stick = stage.folder("stick");
        alice.ok(["export", text(&stick)]);
        let bob = moved(&bob, small);
        let (ballast, more) = (small.join("ballast"), small.join("ballast-2"));
        fs::write(&ballast, vec![0; 1500 << 10]).unwrap();
        bob.fails(7, ["import", text(&stick)]);
        assert_eq!(messages(&stick), 1);
        assert!(fs::write(&more, vec![0; 2 << 20]).is_err(), "it is full");
        let kiosk = Party {
            home: small.join("kiosk"),
        };
        kiosk.fails(7, ["init"]);
        assert!(!kiosk.home.exists());
        fs::remove_file(ballast).unwrap();
        fs::remove_file(more).unwrap();
        bob.ok(["import", text(&stick)]);
        assert_eq!(bob.texts(), ["Large."]);
        assert_eq!(messages(&stick), 0);
    });
}

#[test]
fn a_read_only_stick_is_read_and_not_written() {
    let test = "full::a_read_only_stick_is_read_and_not_written";
    on_a_disk(test, "size=400k", |stick| {
        let stage = Stage::new();
        let (alice, bob) = stage.pair();
        alice.ok(["send", "bob", "Read me."]);
        alice.ok(["export", text(stick)]);
        alice.ok(["send", "bob", "Later."]);
        remount(stick, "ro");
        let told = bob.ok(["import", text(stick)]);
        assert!(told.contains("read-only"), "{told}");
        let told = bob.ok(["import", text(stick)]);
        assert!(told.contains("seen before"), "{told}");
        alice.fails(7, ["export", text(stick)]);
        assert_eq!(bob.texts(), ["Read me."]);
        assert_eq!(alice.json(["outbox"])["messages"][1]["state"], "queued");
    });
}

#[test]
fn a_node_whose_disk_is_full_refuses_and_goes_on_when_there_is_room() {
    let test = "full::a_node_whose_disk_is_full_refuses_and_goes_on_when_there_is_room";
    on_a_disk(test, "size=4000k", |small| {
        let stage = Stage::new();
        let (alice, bob) = stage.pair();
        for _ in 0..4 {
            send_large(&alice, &stage, 300_000);
        }
        let bob = moved(&bob, small);
        let disk = rustix::fs::statvfs(small).unwrap();
        let ballast = small.join("ballast");
        let free = disk.f_bavail * disk.f_frsize;
        fs::write(&ballast, vec![0; free as usize - (900 << 10)]).unwrap();
        let bobs = Running::start(&bob, &[]);
        knows(&alice, "bob", &bobs);
        let alices = Running::start(&alice, &[]);
        pause_until("bob's disk is full", || {
            bob.json(["status"])["disk"].is_string()
        });
        assert_eq!(alice.json(["status"])["outbox"]["refused"], 0);
        fs::remove_file(ballast).unwrap();
        pause_until("all four are acknowledged", || {
            alice.json(["status"])["outbox"]["acknowledged"] == 4
        });
        assert_eq!(alices.stop(), Some(0));
        assert_eq!(bobs.stop(), Some(0));
        assert_eq!(bob.texts(), ["Large."; 4]);
    });
}
