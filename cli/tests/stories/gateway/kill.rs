//! kill -9 of the gateway between and within: nothing that was answered for is lost, nothing
//! comes twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use packmule_agent::protocol::mediation;
use packmule_agent::protocol::pickup::{self, Version};

use super::client::{Client, letters, try_post};
use super::service::Gateway;
use crate::crew::pause_until;
use crate::stage::Stage;

/// Lives of the gateway.
const LIVES: usize = 6;
/// Letters that each sender has for each life.
const EACH: usize = 40;
const SENDERS: usize = 4;

#[test]
fn a_gateway_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    let stage = Stage::new();
    let first = Gateway::start(
        &stage,
        "kiosk",
        &[("PACKMULE_GATEWAY_MAILBOXES__SENDER_MESSAGES", "100000")],
    );
    // The same port in every life: the DID names it.
    let address = first.address.clone();
    let alice = Client::of(&first);
    alice.ask(mediation::request(mediation::Version::V3));
    let senders: Vec<Client> = (0..SENDERS).map(|_| Client::of(&first)).collect();
    let mut gateway = Some(first);
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    let mut sent: Vec<String> = Vec::new();
    for life in 0..LIVES {
        let running = gateway.take().unwrap_or_else(|| {
            Gateway::at(
                &stage,
                "kiosk",
                &address,
                &[("PACKMULE_GATEWAY_MAILBOXES__SENDER_MESSAGES", "100000")],
            )
        });
        let (over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
        let answered: Vec<String> = std::thread::scope(|scope| {
            let work: Vec<_> = senders
                .iter()
                .enumerate()
                .map(|(who, sender)| {
                    let (alice, over, answers) = (&alice, &over, &answers);
                    let name = format!("{life}-{who}");
                    scope.spawn(move || send(sender, alice, &name, over, answers))
                })
                .collect();
            pause_until("it has begun to answer", || {
                answers.load(Ordering::Relaxed) >= 2
            });
            std::thread::sleep(Duration::from_millis(50 + 97 * (life as u64 % 5)));
            running.kill();
            over.store(true, Ordering::Relaxed);
            work.into_iter()
                .flat_map(|one| one.join().unwrap())
                .collect()
        });
        sent.extend(answered);
        // Some of it is collected in a life of its own, which is killed too.
        let between = Gateway::at(&stage, "kiosk", &address, &[]);
        collect(&alice, &mut got, 15);
        between.kill();
    }
    let last = Gateway::at(&stage, "kiosk", &address, &[]);
    collect(&alice, &mut got, usize::MAX);
    println!(
        "{} answered for, {} arrived, in {LIVES} lives",
        sent.len(),
        got.len()
    );
    assert!(sent.len() > LIVES, "too few to tell");
    for words in &sent {
        assert!(
            got.contains_key(words),
            "{words} was answered for and is lost"
        );
    }
    for (words, count) in &got {
        assert_eq!(*count, 1, "{words} came {count} times");
    }
    assert_eq!(last.stop(), Some(0));
}

/// Sends letters until the gateway is gone; those that it answered for. What it did not answer
/// for is sent again, as senders do.
fn send(
    sender: &Client,
    alice: &Client,
    name: &str,
    over: &AtomicBool,
    answers: &AtomicUsize,
) -> Vec<String> {
    let mut answered = Vec::new();
    for number in 0..EACH {
        let words = format!("{name}-{number}");
        let letter = sender.letter(alice, &words);
        for _ in 0..2 {
            let packed = sender.forwarded(alice.did(), &letter);
            let kind = "application/didcomm-encrypted+json";
            if let Ok((202, _)) = try_post(&alice.address, kind, &packed) {
                answered.push(words.clone());
                answers.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
    }
    answered
}

/// Takes pages and acknowledges them, until so many came or nothing is left.
fn collect(alice: &Client, got: &mut BTreeMap<String, usize>, most: usize) {
    let mut taken = 0;
    while taken < most {
        let delivered = alice.ask(pickup::delivery_request(Version::V3, 10, None));
        let page = letters(&delivered);
        if page.is_empty() {
            return;
        }
        taken += page.len();
        let ids: Vec<String> = page.iter().map(|(id, _)| id.clone()).collect();
        for (_, packed) in page {
            let words = alice.read(&packed).expect("a letter of ours");
            *got.entry(words).or_default() += 1;
        }
        alice.ask(pickup::received(Version::V3, &ids));
    }
}
