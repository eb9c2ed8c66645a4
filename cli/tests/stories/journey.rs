//! One message by a radio, by codes and on a stick; its receipt by mail; and no copy is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use packmule_bus::Envelope;
use packmule_bus::fountain::MIN_SYMBOL;
use packmule_bus::link::{Transport, Way};
use packmule_node::{Home, Node, NodeConfig};
use packmule_places::MailServer;
use packmule_transports::ble::Ble;
use packmule_transports::ble::air::{Air, Stack};
use serde_json::{Value, json};

use super::crew::{Running, pause_until};
use super::mail::{delivered, writes};
use super::stage::{PASSPHRASE, Party, Stage, noise, text};

/// Bytes of a photo: in base64 and with its letter some 60 kB.
const PHOTO: usize = 44_000;
/// After so many bytes bob is out of reach of the radio.
const RADIO: u64 = 22_000;
/// What a telephone agrees on.
const MTU: usize = 247;

/// The names of what lies on a stick, but for its README.
fn on(stick: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(stick.join("DIDCOMM")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "README.TXT").collect();
    names.sort();
    names
}

fn sizes(stick: &Path, extension: &str) -> u64 {
    let files = on(stick)
        .into_iter()
        .filter(|name| name.ends_with(extension));
    let size = |name| stick.join("DIDCOMM").join(name).metadata().unwrap().len();
    files.map(size).sum()
}

/// What alice sends.
struct Letter {
    /// What `send` said.
    sent: Value,
    /// A stick with a copy of it, which is on its way to somewhere else.
    copy: PathBuf,
    /// Bytes of its wire form.
    bytes: u64,
}

fn letter(stage: &Stage, alice: &Party) -> Letter {
    let photo = stage.file("photo.jpg", &noise(5, PHOTO));
    let words = [
        "send",
        "bob",
        "Look.",
        "--please-ack",
        "--attach",
        text(&photo),
    ];
    let sent = alice.json(words);
    let copy = stage.folder("copy");
    alice.ok(["export", text(&copy)]);
    let name = on(&copy).into_iter().find(|name| name.ends_with(".dcem"));
    let packed = std::fs::read(copy.join("DIDCOMM").join(name.unwrap())).unwrap();
    let envelope = Envelope::from_packed(&packed).unwrap();
    alice.ok(["outbox", "again", sent["id"].as_str().unwrap()]);
    Letter {
        sent,
        copy,
        bytes: envelope.to_wire().len() as u64,
    }
}

/// A mule takes a copy to carry.
fn to_the_mule(alice: &Party, mule: &Party) {
    let mules = Running::start(mule, &[]);
    meet(alice, &mules, "Do you go to bob's?");
    let alices = Running::start(alice, &[]);
    pause_until("the mule carries it", || {
        mule.json(["status"])["count"] == 1
    });
    alices.stop();
    mules.stop();
}

/// Nobody dials without something to say.
fn meet(alice: &Party, mules: &Running, words: &str) {
    alice.ok(["peers", "ways", "mule", &mules.way()]);
    alice.ok(["send", "mule", words]);
}

/// Bob comes by, and walks away before all of it is there: how many bytes were sent, and how many are
/// here. The radio is in memory; the nodes run in this process.
fn by_radio(alice: &Party, bob: &Party) -> (u64, u64) {
    let air = Air::new(Stack {
        central_mtu: MTU,
        peripheral_mtu: MTU,
        ..Stack::default()
    });
    alice.ok(["peers", "ways", "bob", "ble:bob"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = |party: &Party, address: &str| {
        let home = Home::open(&party.home).unwrap();
        let keys = home.unlock(PASSPHRASE.as_bytes()).unwrap();
        let radio: Arc<dyn Transport> = Arc::new(Ble::new(air.device(address)));
        let config = NodeConfig {
            listen: Way::parse("ble:radio").into_iter().collect(),
            ..NodeConfig::default()
        };
        let started = Node::start(Arc::new(home), keys, vec![radio], config);
        runtime.block_on(started).unwrap()
    };
    air.end_after(RADIO);
    let nodes = [node(bob, "bob"), node(alice, "alice")];
    pause_until("bob is out of reach", || air.carried().1);
    // What the radio has brought is kept when its link's end is noticed.
    for node in &nodes {
        pause_until("its link is over", || {
            let status = runtime.block_on(node.status()).unwrap();
            status.links.is_empty()
        });
    }
    for node in nodes {
        runtime.block_on(node.stop());
    }
    let begun = Home::open(&bob.home).unwrap().arriving().unwrap();
    assert_eq!(begun.len(), 1, "of {:?} bytes sent", air.carried());
    let cut = begun[0].cut(MIN_SYMBOL).unwrap();
    let here = cut.symbols().count() * MIN_SYMBOL;
    (air.carried().0, here as u64)
}

/// Bob films some codes of it. How many bytes those had.
fn by_codes(stage: &Stage, alice: &Party, bob: &Party, letter: &Letter) -> u64 {
    let shown = stage.folder("shown");
    let folder = letter.copy.join("DIDCOMM");
    let name = on(&letter.copy)
        .into_iter()
        .find(|name| name.ends_with(".dcem"));
    let packed = folder.join(name.unwrap());
    alice.ok(["qr", "save", text(&packed), "--out", text(&shown)]);
    let entries = std::fs::read_dir(&shown).unwrap();
    let mut pictures: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    // From the end: what the radio brought was the beginning.
    let seen = pictures.iter().rev().take(pictures.len() / 5);
    let words = ["qr", "scan"]
        .into_iter()
        .chain(seen.clone().map(|path| text(path)));
    let told = bob.run_json(words).json();
    assert_eq!(told["complete"], false, "{told}");
    let needed = told["frames_needed"].as_u64().unwrap();
    letter.bytes.div_ceil(needed) * seen.count() as u64
}

#[test]
fn a_radio_begins_it_codes_go_on_and_a_stick_ends_it() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let (alice, bob) = stage.pair();
    let mule = stage.party("mule", "key");
    for one in [&alice, &bob] {
        one.ok(["accept", "--no-hello", "--name", "mule", &mule.did()]);
    }
    let letter = letter(&stage, &alice);
    to_the_mule(&alice, &mule);

    let (sent, radio) = by_radio(&alice, &bob);
    assert!(sent - radio < RADIO / 2, "{radio} of {sent} bytes are here");
    let codes = by_codes(&stage, &alice, &bob, &letter);
    assert!(bob.texts().is_empty());

    // Bob's stick asks, alice's answer lies on it when it comes back.
    let stick = stage.folder("stick");
    let plain = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&plain["asked"], on(&stick)),
        (&json!(0), Vec::new()),
        "no folder, no wish"
    );
    std::fs::create_dir(stick.join("DIDCOMM")).unwrap();
    let asked = bob.json(["import", text(&stick)]);
    assert_eq!(asked["asked"], 1, "{asked}");
    let answered = alice.json(["export", text(&stick)]);
    assert_eq!(
        (&answered["rests"], &answered["written"]),
        (&json!(1), &json!(0)),
        "{answered}"
    );
    let rest = sizes(&stick, ".dcr");
    // Whether that was all, bob's word tells: until then it waits.
    assert_eq!(
        alice.json(["outbox"])["messages"][0]["id"],
        letter.sent["id"]
    );
    let taken = bob.json(["import", text(&stick)]);
    assert_eq!(taken["finished"], 1, "{taken}");
    assert_eq!(bob.texts(), ["Look."]);
    let left = on(&stick);
    assert!(left.iter().all(|name| name == "want"), "{left:?}");
    assert_eq!(
        std::fs::read_dir(stick.join("DIDCOMM/want"))
            .unwrap()
            .count(),
        0
    );

    // About once: an end of a symbol here, the head of a frame there.
    let all = radio + codes + rest;
    println!(
        "{} bytes: {radio} by radio ({sent} were sent), {codes} by codes, {rest} on a stick",
        letter.bytes
    );
    assert!(
        all * 100 < letter.bytes * 112,
        "{all} bytes for {}",
        letter.bytes
    );

    // Word of it goes by mail.
    writes(&alice, &server, "alice@kiosk.test");
    writes(&bob, &server, "bob@edge.test");
    bob.ok(["peers", "ways", "alice", "mailto:alice@kiosk.test"]);
    let bobs = Running::start(&bob, &[]);
    let alices = Running::start(&alice, &[]);
    pause_until("alice knows that bob has it", || {
        delivered(&alice, &letter.sent)
    });
    bobs.stop();

    // The mule has never met bob, and lets go of it: alice shows bob's signed word.
    let mules = Running::start(&mule, &[]);
    assert_eq!(mule.json(["status"])["count"], 1);
    meet(&alice, &mules, "You need not go to bob's.");
    pause_until("the mule carries nothing", || {
        mule.json(["status"])["count"] == 0
    });
    alices.stop();
    mules.stop();

    // So does the stick that was on its way, when alice has it again.
    let purged = alice.json(["export", text(&letter.copy)]);
    assert_eq!(purged["purged"], 1, "{purged}");
    assert_eq!(on(&letter.copy), Vec::<String>::new());
    assert_eq!(bob.texts(), ["Look."]);
}

#[test]
fn a_stick_answers_only_those_who_have_begun() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let letter = letter(&stage, &alice);
    // Somebody else's wishes, and no wish at all, change nothing.
    let stick = stage.folder("stick");
    let wants = stick.join("DIDCOMM/want");
    std::fs::create_dir_all(&wants).unwrap();
    for name in [
        "0badcafe-61000-512-3-9.want",
        "x.want",
        "0badcafe-1-2-3-4.want",
    ] {
        std::fs::write(wants.join(name), []).unwrap();
    }
    let told = alice.json(["export", text(&stick)]);
    assert_eq!(
        (&told["rests"], &told["written"]),
        (&json!(0), &json!(1)),
        "{told}"
    );
    assert_eq!(std::fs::read_dir(&wants).unwrap().count(), 3);
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&told["new"], &told["finished"]),
        (&json!(1), &json!(0)),
        "{told}"
    );
    assert_eq!(bob.texts(), ["Look."]);
    // Frames of what nobody here has begun are left where they are, and begin nothing.
    let shape = packmule_bus::fountain::Shape::new(61_000, 512).unwrap();
    assert!(letter.bytes > 0 && shape.source_count() > 100);
    let begun = std::fs::read_dir(bob.home.join("partials")).map_or(0, Iterator::count);
    assert_eq!(begun, 0);
}
