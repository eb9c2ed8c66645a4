//! A server's disk that is full, for real.

use packmule_gateway::store::{Enqueued, Letter, Limits, MailboxStore, Refusal};
use packmule_mailboxes::{ALICE, BOB, later, noon, packed, small, take};
use packmule_places::{Postgres, on_a_disk};

use crate::Stage;

fn large(number: usize) -> Letter {
    Letter::new(ALICE, ALICE, &packed(number, 60_000), later(3600)).unwrap()
}

async fn story(stage: Stage) {
    let store = stage
        .store(Limits {
            account_letters: 10_000,
            ..small()
        })
        .await;
    store.open_account(ALICE, noon()).await.unwrap();
    let mut stored = 0;
    let why = loop {
        match take(&*store, large(stored), noon()).await {
            Enqueued::Stored(..) => stored += 1,
            Enqueued::Refused(why) => break why,
            Enqueued::Duplicate | Enqueued::Sooner(_) => panic!("it is new"),
        }
        assert!(stored < 5000, "the disk never fills");
    };
    assert_eq!(why, Refusal::DiskFull);
    assert!(stored > 20, "only {stored} fitted");
    // What is held is given out and acked, once.
    let mut collected = 0;
    loop {
        let page = store.page(ALICE, None, 5, u64::MAX, noon()).await.unwrap();
        if page.is_empty() {
            break;
        }
        for held in &page {
            assert_eq!(held.id, large(collected).id());
            collected += 1;
        }
        let ids: Vec<_> = page.iter().map(|held| held.id).collect();
        assert_eq!(
            store.ack(ALICE, &ids, noon()).await.unwrap().count,
            ids.len() as u64
        );
    }
    assert_eq!(collected, stored);
    store.open_account(BOB, noon()).await.unwrap();
    store.expire(later(1)).await.unwrap();
    assert!(matches!(
        take(&*store, large(stored), noon()).await,
        Enqueued::Stored(..)
    ));
    assert_eq!(take(&*store, large(0), noon()).await, Enqueued::Duplicate);
}

#[test]
fn when_the_servers_disk_is_full_letters_are_refused_and_acks_go_on() {
    let test = "disk::when_the_servers_disk_is_full_letters_are_refused_and_acks_go_on";
    on_a_disk(test, "size=64m", |disk| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(story(Stage::of(Postgres::on(disk))));
    });
}
