//! kill -9 of either node, many times, while messages cross: each arrives once.
//!
//! Twelve kills here; `PACKMULE_KILLS` and `PACKMULE_MESSAGES` ask for more (`./check --deep`:
//! 200 kills, 10,000 messages).

use std::collections::BTreeMap;
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_node::Home;
use packmule_node::desk::{Desk, Protection};
use serde_json::json;

use super::crew::{Running, knows, pause_until};
use super::stage::{PASSPHRASE, Party, Stage};

fn asked(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// Queues messages `from..to`, as many transactions as `send` would be.
fn queue(desk: &Desk, from: usize, to: usize) {
    let bob = desk.home().find_peer("bob").unwrap().unwrap();
    for n in from..to {
        let mut message = Message::new("https://didcomm.org/basicmessage/2.0/message");
        message.body = Some(json!({ "content": format!("message {n}") }));
        desk.submit(&bob, message, Protection::Auth).unwrap();
    }
}

fn waiting(alice: &Party) -> usize {
    let outbox = alice.json(["status"])["outbox"].clone();
    let count = |state: &str| outbox[state].as_u64().unwrap() as usize;
    assert_eq!(count("expired") + count("refused"), 0, "{outbox}");
    count("queued") + count("sent")
}

#[test]
fn killed_nodes_lose_nothing_and_double_nothing() {
    let kills = asked("PACKMULE_KILLS", 12);
    let messages = asked("PACKMULE_MESSAGES", 240);
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let home = Home::open(&alice.home).unwrap();
    let desk = Desk::unlock(home, PASSPHRASE.as_bytes()).unwrap();
    let mut bobs = Running::start(&bob, &[]);
    let way = bobs.way();
    knows(&alice, "bob", &bobs);
    let mut alices = Running::start(&alice, &[]);
    let mut queued = 0;
    for round in 0..kills {
        let next = messages * (round + 1) / kills;
        queue(&desk, queued, next);
        queued = next;
        // A different moment each round: while it starts, meets, or is in the middle of it.
        std::thread::sleep(Duration::from_millis((round * 137 % 400) as u64));
        if round % 2 == 0 {
            bobs.kill();
            bobs = Running::start(&bob, &["--listen", &way]);
            // Alice would try again by herself; this is only sooner.
            alice.ok(["peers", "ways", "bob", &way]);
        } else {
            alices.kill();
            alices = Running::start(&alice, &[]);
        }
    }
    pause_until("all were acknowledged", || waiting(&alice) == 0);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for words in bob.texts() {
        *seen.entry(words).or_default() += 1;
    }
    assert_eq!(seen.len(), messages, "different messages arrived");
    assert!(seen.values().all(|count| *count == 1), "one arrived twice");
    assert_eq!(alices.stop(), Some(0));
    assert_eq!(bobs.stop(), Some(0));
}
