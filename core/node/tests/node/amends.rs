//! What was refused, failed or broken off in the middle is made good, and told as it is.

use std::fs;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::receipt::Reason;
use packmule_node::control::EventLine;
use packmule_node::desk::{Desk, Protection};
use packmule_node::{Home, NodeConfig, OutState, Submit};
use tokio::time::{sleep, timeout};

use crate::stage::{Party, Stage, delivered, next, text, until};

/// Longer than any pause between two tries.
const SOON: Duration = Duration::from_secs(30);

/// What `packmule send` does, in a process of its own.
fn queue(from: &Party, to: &Party, words: &str) -> EnvelopeId {
    let home = Home::open(from.home.dir()).unwrap();
    let keys = home.unlock(b"mules never forget").unwrap();
    let desk = Desk::with_keys(home, keys).unwrap();
    let peer = desk.known(&to.did.did).unwrap().unwrap();
    let records = desk.records(&peer.did, text(words), Protection::Auth);
    desk.home().queue_all(&records.unwrap()).unwrap()[0]
}

async fn until_true(mut so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !so().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, asking).await.expect("never so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receive_that_is_dropped_takes_nothing() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    let mut told = a.events();
    for polls in 1..6 {
        let words = format!("after {polls}");
        a.send("bob", text(&words), Submit::default())
            .await
            .unwrap();
        // Opened at bob's by then.
        delivered(&mut told, 1).await;
        let mut received = None;
        {
            let mut receiving = pin!(b.receive());
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if let Poll::Ready(came) = receiving.as_mut().poll(&mut cx) {
                    received = came;
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        if received.is_none() {
            let again = timeout(SOON, b.receive()).await;
            received = again.unwrap_or_else(|_| panic!("{polls} polls lost it"));
        }
        received.unwrap().done().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_not_shown_as_taken_back_and_cannot_be() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, _b) = (stage.run(&alice).await, stage.run(&bob).await);
    let mut told = a.events();
    let id = a.send("bob", text("hi"), Submit::default()).await.unwrap()[0];
    delivered(&mut told, 1).await;
    let row = || alice.home.outbox(None, 0, 9).unwrap().remove(0);
    assert_eq!((row().state, row().reason), (OutState::Acknowledged, None));
    assert!(!a.forget(id).await.unwrap(), "it is bob's");
    assert!(!a.retry(id).await.unwrap(), "it is no dead letter");
    a.stop().await;
    assert!(!packmule_node::desk::dead::forget(&alice.home, &id).unwrap());
    assert_eq!((row().state, row().reason), (OutState::Acknowledged, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hears_that_a_message_is_taken_back_finds_it_so_on_the_disk() {
    let stage = Stage::new();
    let (alice, _bob) = stage.pair();
    let a = stage.run(&alice).await;
    for number in 0..30 {
        let words = number.to_string();
        let id = a
            .send("bob", text(&words), Submit::default())
            .await
            .unwrap()[0];
        assert!(a.forget(id).await.unwrap());
        let row = alice.home.outbox(None, number, 1).unwrap().remove(0);
        assert_eq!(row.id, id);
        assert_eq!(row.reason, Some(Reason::Forgotten), "number {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_says_so_and_lets_go_of_its_bytes() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mut config = NodeConfig::default();
    config.depot.quotas.max_message = 1000;
    let _a = stage.run_with(&alice, config).await;
    let id = queue(&alice, &bob, &"x".repeat(5000));
    let row = || alice.home.outbox(None, 0, 9).unwrap().remove(0);
    until_true(async || row().state == OutState::Refused).await;
    assert_eq!(row().reason, Some(Reason::TooLarge));
    assert_eq!(alice.home.outgoing(&id).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_had_no_room_is_taken_up_though_nothing_else_happens() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mut config = NodeConfig::default();
    config.depot.quotas.total_count = 1;
    let a = stage.run_with(&alice, config).await;
    let first = queue(&alice, &bob, "first");
    until_true(async || a.why(first).await.is_some()).await;
    let second = queue(&alice, &bob, "second");
    let waits = |trouble: &String| trouble.contains("outbox waits");
    until_true(async || a.status().await.unwrap().troubles.iter().any(waits)).await;
    // There is room at once, and then nothing happens any more.
    assert!(a.forget(first).await.unwrap());
    until_true(async || a.why(second).await.is_some()).await;
    assert!(!a.status().await.unwrap().troubles.iter().any(waits));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_could_not_be_judged_is_judged_when_it_can_be() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    let (mut told, mut came) = (a.events(), b.events());
    // The judge's lock is on the folder: without the folder nobody judges.
    let (dir, away) = (bob.home.dir().to_owned(), stage.place.path().join("away"));
    fs::rename(&dir, &away).unwrap();
    a.send("bob", text("judge me"), Submit::default())
        .await
        .unwrap();
    until(&mut came, |event| {
        matches!(event, EventLine::Received { .. })
    })
    .await;
    let stuck = |trouble: &String| trouble.contains("cannot be opened");
    until_true(async || b.status().await.unwrap().troubles.iter().any(stuck)).await;
    fs::rename(&away, &dir).unwrap();
    assert_eq!(timeout(SOON, next(&b)).await.expect("never"), "judge me");
    delivered(&mut told, 1).await;
    until_true(async || !b.status().await.unwrap().troubles.iter().any(stuck)).await;
}
