//! Sticks: many messages in one file, and a kiosk that serves them as they are plugged in.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::stage::{Party, Stage, text};

fn files(stick: &Path, extension: &str) -> usize {
    let folder = std::fs::read_dir(stick.join("DIDCOMM")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(extension)).count()
}

#[test]
fn a_hundred_short_messages_are_a_file_for_each_of_two() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let carol = stage.party("carol", "key");
    alice.ok(["accept", &carol.did(), "--name", "carol", "--no-hello"]);
    carol.ok(["accept", &alice.did(), "--name", "alice", "--no-hello"]);
    let stick = stage.folder("stick");
    let mut said = Vec::new();
    for number in 0..20 {
        let words = format!("reading {number}");
        alice.ok(["send", "bob", &words]);
        alice.ok(["send", "carol", &words]);
        said.push(words);
    }
    let photo = stage.file("photo.jpg", &super::stage::noise(7, 2_000_000));
    alice.ok(["send", "bob", "Look.", "--attach", text(&photo)]);
    let told = alice.json(["export", text(&stick), "--batch"]);
    assert_eq!(told["written"], 41);
    // The long one is a file of its own, which any agent reads.
    assert_eq!((files(&stick, ".dcb"), files(&stick, ".dcem")), (2, 1));

    assert_eq!(bob.json(["import", text(&stick)])["new"], 21);
    assert_eq!((files(&stick, ".dcb"), files(&stick, ".dcem")), (1, 0));
    let again = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&again["new"], &again["for_others"]),
        (&0.into(), &20.into())
    );
    assert_eq!(carol.json(["import", text(&stick)])["new"], 20);
    assert_eq!(files(&stick, ".dcb"), 0);
    let mut heard = carol.texts();
    heard.sort();
    said.sort();
    assert_eq!(heard, said);
}

/// A program in a mount namespace of its own, so that sticks can be plugged in.
struct Kiosk {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Kiosk {
    fn watching(party: &Party, below: &Path) -> Self {
        let watch = [
            "drive",
            "watch",
            "--json",
            "--carry",
            "--below",
            text(below),
        ];
        let watch = party.command(watch);
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command
            .args(["--mount", "--propagation", "private", "--"])
            .arg(watch.get_program())
            .args(watch.get_args());
        for (name, value) in watch.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut kiosk = Self { child, lines };
        assert_eq!(kiosk.says()["event"], "watching");
        kiosk
    }

    fn says(&mut self) -> Value {
        let line = self.lines.next().expect("it goes on").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Runs a command where the kiosk is.
    fn there(&self, args: &[&str]) {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.child.id().to_string(), "--"]);
        let status = command.args(args).status().unwrap();
        assert!(status.success(), "{args:?}");
    }
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_kiosk_serves_sticks_as_they_are_plugged_in() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let kiosk = stage.party("kiosk", "key");
    let (media, stick) = (stage.folder("media"), stage.folder("stick"));
    let plug = media.join("MY STICK");
    std::fs::create_dir(&plug).unwrap();
    let plug = text(&plug).to_owned();
    alice.ok(["send", "bob", "by the kiosk"]);
    alice.ok(["export", text(&stick)]);

    let mut watch = Kiosk::watching(&kiosk, &media);
    // A stick of somebody who has nothing to do with us is left alone.
    let other = stage.folder("other");
    watch.there(&["mount", "--bind", text(&other), &plug]);
    watch.there(&["umount", &plug]);
    watch.there(&["mount", "--bind", text(&stick), &plug]);
    let told = watch.says();
    assert_eq!(told["event"], "exchanged", "{told}");
    assert_eq!(told["drive"], plug);
    // To be carried on, by another stick than the one that brought it.
    assert_eq!((&told["carried"], &told["written"]), (&1.into(), &0.into()));
    assert_eq!(files(&stick, ".dcem"), 0);
    watch.there(&["umount", &plug]);

    let second = stage.folder("second");
    std::fs::create_dir(second.join("DIDCOMM")).unwrap();
    alice.ok(["send", "bob", "on another stick"]);
    alice.ok(["export", text(&second)]);
    watch.there(&["mount", "--bind", text(&second), &plug]);
    let told = watch.says();
    assert_eq!((&told["carried"], &told["written"]), (&1.into(), &1.into()));
    watch.there(&["umount", &plug]);
    // The first one again: it gets the other's, and what another one has taken and nobody has
    // acknowledged.
    watch.there(&["mount", "--bind", text(&stick), &plug]);
    assert_eq!(watch.says()["written"], 2);
    watch.there(&["umount", &plug]);

    // A write-protected one is told of, and the watch goes on.
    watch.there(&["mount", "--bind", "-o", "ro", text(&stick), &plug]);
    let told = watch.says();
    assert_eq!(told["event"], "exchanged", "{told}");
    watch.there(&["umount", &plug]);
    assert_eq!(bob.json(["import", text(&second)])["new"], 1);
    assert_eq!(bob.json(["import", text(&stick)])["new"], 1);
    let mut heard = bob.texts();
    heard.sort();
    assert_eq!(heard, ["by the kiosk", "on another stick"]);
}
