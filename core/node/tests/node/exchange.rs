//! Messages both ways, with receipts.

use std::collections::BTreeSet;

use packmule_bus::link::Way;
use packmule_node::control::EventLine;
use packmule_node::{NodeConfig, OutState, Submit};

use crate::stage::{Stage, delivered, next, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn alice_and_bob_exchange_messages_and_receipts() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    let (mut told_a, mut told_b) = (a.events(), b.events());
    let id = a
        .send("bob", text("hi bob"), Submit::default())
        .await
        .unwrap()[0];
    assert_eq!(next(&b).await, "hi bob");
    b.send("alice", text("hi alice"), Submit::default())
        .await
        .unwrap();
    assert_eq!(next(&a).await, "hi alice");
    delivered(&mut told_a, 1).await;
    delivered(&mut told_b, 1).await;

    let row = alice.home.outbox(None, 0, 9).unwrap().remove(0);
    assert_eq!((row.id, row.state), (id, OutState::Acknowledged));
    assert_eq!(row.sent_by.as_deref(), Some("mem"));
    assert_eq!(row.bytes, 0, "nobody needs its bytes any more");
    let why = a.why(id).await.unwrap();
    assert_eq!(why.rung, "delivered");
    let status = b.status().await.unwrap();
    assert_eq!(status.links.len(), 1, "one link serves both ways");
    assert_eq!(status.links[0].proven, ["alice"]);
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_queued_before_anybody_listened_arrives_once_somebody_does() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mut quick = NodeConfig::default();
    quick.depot.retry.first = std::time::Duration::from_millis(50);
    quick.depot.retry.max = std::time::Duration::from_millis(200);
    let a = stage.run_with(&alice, quick).await;
    let id = a
        .send("bob", text("patience"), Submit::default())
        .await
        .unwrap()[0];
    assert_eq!(a.why(id).await.unwrap().rung, "queued");
    let b = stage.run(&bob).await;
    assert_eq!(next(&b).await, "patience");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_a_verb_queues_while_the_node_runs_is_sent_once() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (_a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    // What `packmule send` does, in a process of its own.
    let home = packmule_node::Home::open(alice.home.dir()).unwrap();
    let keys = home.unlock(b"mules never forget").unwrap();
    let desk = packmule_node::desk::Desk::with_keys(home, keys).unwrap();
    let peer = desk.known(&bob.did.did).unwrap().unwrap();
    let auth = packmule_node::desk::Protection::Auth;
    let records = desk.records(&peer.did, text("by a verb"), auth).unwrap();
    desk.home().queue_all(&records).unwrap();
    assert_eq!(next(&b).await, "by a verb");
    let rows = desk.home().outbox(None, 0, 9).unwrap();
    assert_eq!(rows.len(), 1, "no second row for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mule_carries_between_two_that_never_meet() {
    let stage = Stage::new();
    let (alice, bob, mule) = (
        stage.party("alice"),
        stage.party("bob"),
        stage.party("mule"),
    );
    alice.knows(&bob);
    bob.knows(&alice);
    // Alice meets the mule; the mule meets bob, later.
    alice.meets(&mule);
    mule.meets(&bob);
    let (a, m) = (stage.run(&alice).await, stage.run(&mule).await);
    let mut carried = m.events();
    let mut passed_on = a.events();
    // What brings them together: alice has something for the mule.
    a.send("mule", text("please carry"), Submit::default())
        .await
        .unwrap();
    a.send("bob", text("by mule"), Submit::default())
        .await
        .unwrap();
    until(&mut carried, |event| {
        matches!(event, EventLine::Carrying { .. })
    })
    .await;
    until(
        &mut passed_on,
        |event| matches!(event, EventLine::Progress { rung, .. } if rung == "custody"),
    )
    .await;
    a.stop().await;
    let b = stage.run(&bob).await;
    m.send("bob", text("I bring something"), Submit::default())
        .await
        .unwrap();
    let both = BTreeSet::from([next(&b).await, next(&b).await]);
    assert_eq!(
        both,
        BTreeSet::from(["by mule".into(), "I bring something".into()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_to_mailboxes_and_come_from_them() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let post = Way::parse("mem:bob?mailbox").unwrap();
    alice
        .home
        .set_ways("bob", std::slice::from_ref(&post))
        .unwrap();
    let a = stage.run(&alice).await;
    let mut told = a.events();
    a.send("bob", text("by post"), Submit::default())
        .await
        .unwrap();
    until(
        &mut told,
        |event| matches!(event, EventLine::Progress { rung, .. } if rung == "custody"),
    )
    .await;
    let mut config = NodeConfig::default();
    config.listen.push(post);
    let b = stage.run_with(&bob, config).await;
    assert_eq!(next(&b).await, "by post");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_small_messages_arrive_each_once() {
    const COUNT: usize = 10_000;
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let (a, b) = (stage.run(&alice).await, stage.run(&bob).await);
    let start = std::time::Instant::now();
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..16 {
        let a = a.clone();
        producers.spawn(async move {
            for number in (producer..COUNT).step_by(16) {
                let message = text(&number.to_string());
                a.send("bob", message, Submit::default()).await.unwrap();
            }
        });
    }
    let mut seen = BTreeSet::new();
    while seen.len() < COUNT {
        assert!(seen.insert(next(&b).await), "one came twice");
    }
    println!(
        "{COUNT} messages packed, sent and read in {:.1?}",
        start.elapsed()
    );
    while producers.join_next().await.is_some() {}
    let status = b.status().await.unwrap();
    assert_eq!(status.arriving, 0);
}
