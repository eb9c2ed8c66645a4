//! Nodes that die, disks that fill, peers that are gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use packmule_node::control::EventLine;
use packmule_node::{NodeConfig, Submit, SubmitError};
use packmule_places::{on_a_disk, remount};
use tokio::time::{sleep, timeout};

use crate::stage::{Stage, next, text, until};

/// Redials soon, so that stories are short.
fn eager() -> NodeConfig {
    let mut config = NodeConfig::default();
    config.depot.retry.first = Duration::from_millis(20);
    config.depot.retry.max = Duration::from_millis(200);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_dropped_in_the_middle_loses_nothing_and_doubles_nothing() {
    const COUNT: usize = 300;
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mut a = stage.run_with(&alice, eager()).await;
    let mut b = stage.run_with(&bob, eager()).await;
    let mut got = Vec::new();
    for number in 0..COUNT {
        a.send("bob", text(&number.to_string()), Submit::default())
            .await
            .unwrap();
        if number % 60 == 30 {
            drop(a);
            a = stage.run_with(&alice, eager()).await;
        }
        if number % 60 == 50 {
            drop(b);
            b = stage.run_with(&bob, eager()).await;
        }
        // Bob reads some of them between the crashes.
        if number % 3 == 0 && number > 60 {
            got.push(next(&b).await);
        }
    }
    while got.len() < COUNT {
        got.push(next(&b).await);
    }
    let once: BTreeSet<_> = got.iter().cloned().collect();
    assert_eq!(once.len(), COUNT, "{} came", got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_done_comes_again_in_the_next_life() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let a = stage.run(&alice).await;
    let b = stage.run(&bob).await;
    a.send("bob", text("read me"), Submit::default())
        .await
        .unwrap();
    let received = b.receive().await.unwrap();
    drop((received, b));
    let b = stage.run(&bob).await;
    assert_eq!(next(&b).await, "read me");
    b.stop().await;
    let b = stage.run(&bob).await;
    a.send("bob", text("and me"), Submit::default())
        .await
        .unwrap();
    assert_eq!(next(&b).await, "and me", "what was done comes no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_survive_their_node() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let a = stage.run_with(&alice, eager()).await;
    let big = "mule ".repeat(600_000);
    a.send("bob", text(&big), Submit::default()).await.unwrap();
    drop(a);
    let a = stage.run_with(&alice, eager()).await;
    let b = stage.run_with(&bob, eager()).await;
    assert!(next(&b).await == big, "3 MB came back otherwise");
    let files =
        |home: &Path| std::fs::read_dir(home.join("bodies")).map_or(0, |files| files.count());
    assert_eq!(files(bob.home.dir()), 1);
    a.stop().await;
}

#[test]
fn a_full_disk_refuses_goes_on_when_there_is_room_and_loses_nothing() {
    let test = "faults::a_full_disk_refuses_goes_on_when_there_is_room_and_loses_nothing";
    on_a_disk(test, "size=6m", |disk| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let stage = Stage::new();
            let alice = stage.party("alice");
            let bob = stage.party_in("bob", &disk.join("bob"));
            alice.meets(&bob);
            bob.meets(&alice);
            let a = stage.run_with(&alice, eager()).await;
            let b = stage.run_with(&bob, eager()).await;
            let mut told = b.events();
            let words = |number: usize| format!("{number} {}", "x".repeat(30_000));
            for number in 0..300 {
                a.send("bob", text(&words(number)), Submit::default())
                    .await
                    .unwrap();
            }
            until(&mut told, |event| *event == EventLine::DiskFull).await;
            // There may be room for a moment, until the next of alice's letters finds none.
            let refused = async {
                loop {
                    let own = b.send("alice", text(&words(0)), Submit::default()).await;
                    let status = b.status().await.unwrap();
                    match own {
                        Err(SubmitError::NotTaken(_)) if status.disk.is_some() => return,
                        Ok(_) | Err(SubmitError::NotTaken(_)) => {}
                        other => panic!("{other:?}"),
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            };
            let said = timeout(Duration::from_secs(30), refused).await;
            said.expect("the node refuses, and says why");

            remount(disk, "size=64m");
            until(&mut told, |event| *event == EventLine::DiskRoom).await;
            let mut got = BTreeSet::new();
            while got.len() < 300 {
                assert!(got.insert(next(&b).await), "one came twice");
            }
            assert_eq!(got, (0..300).map(words).collect());
        });
    });
}
