//! The server goes away and comes back: nothing that was answered is lost, and nobody is told
//! that something was done that was not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use packmule_gateway::store::{Enqueued, MailboxStore, StoreError};
use packmule_mailboxes::{ALICE, is_stored, letter, noon, small, take};
use packmule_places::Postgres;
use packmule_postgres::{Database, PostgresStore};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::{Stage, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_mid_stream_loses_nothing_that_was_answered() {
    const PRODUCERS: usize = 6;
    const EACH: usize = 60;
    let mut stage = Stage::of(Postgres::start());
    let stores = [
        Arc::new(open(&stage.url, small()).await),
        Arc::new(open(&stage.url, small()).await),
    ];
    stores[0].open_account(ALICE, noon()).await.unwrap();
    let (told, faults) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut work = JoinSet::new();
    for producer in 0..PRODUCERS {
        let store = Arc::clone(&stores[producer % 2]);
        let (told, faults) = (Arc::clone(&told), Arc::clone(&faults));
        work.spawn(async move {
            for number in 0..EACH {
                let letter = letter(ALICE, producer * 1000 + number);
                let id = letter.id();
                // As a sender does that is told 503: later, the same again.
                loop {
                    match store.enqueue(vec![letter.clone()], noon()).await {
                        Ok(told) => {
                            assert!(!matches!(told[0], Enqueued::Refused(_)), "{told:?}");
                            break;
                        }
                        Err(StoreError::Unreachable { .. }) => {
                            faults.fetch_add(1, Ordering::Relaxed);
                            sleep(Duration::from_millis(20)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
                told.fetch_add(1, Ordering::Relaxed);
                if number % 4 == 0 {
                    while store.ack(ALICE, &[id], noon()).await.is_err() {
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        });
    }
    for round in 1..=3 {
        while told.load(Ordering::Relaxed) < round * PRODUCERS * EACH / 5 {
            sleep(Duration::from_millis(1)).await;
        }
        stage.server.kill();
        stage.server.restart();
    }
    work.join_all().await;
    assert!(
        faults.load(Ordering::Relaxed) > 0,
        "nobody noticed the kills"
    );
    let page = stores[1].page(ALICE, None, 9999, u64::MAX, noon()).await;
    let held: BTreeSet<_> = page.unwrap().iter().map(|held| held.id).collect();
    let is_kept = |number: usize| !number.is_multiple_of(4);
    let expected = (0..PRODUCERS * 1000)
        .filter(|number| number % 1000 < EACH && is_kept(number % 1000))
        .map(|number| letter(ALICE, number).id());
    assert_eq!(held, expected.collect());
    let totals = stores[0].totals().await.unwrap();
    assert_eq!(totals.letters as usize, held.len());
    let again = take(&*stores[0], letter(ALICE, 0), noon()).await;
    assert_eq!(again, Enqueued::Duplicate, "an acked letter came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_away_everybody_is_told_at_once_and_afterwards_all_goes_on() {
    let mut stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    assert!(is_stored(&take(&*store, letter(ALICE, 1), noon()).await));
    stage.server.kill();
    // A backend that was about to read hears of its postmaster's death after one answer more.
    while store.status(ALICE, None, noon()).await.is_ok() {
        sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    let away = |told: Option<StoreError>| {
        assert!(
            matches!(told, Some(StoreError::Unreachable { .. })),
            "{told:?}"
        );
    };
    for number in 2..12 {
        away(
            store
                .enqueue(vec![letter(ALICE, number)], noon())
                .await
                .err(),
        );
        away(store.status(ALICE, None, noon()).await.err());
        away(
            store
                .ack(ALICE, &[letter(ALICE, 1).id()], noon())
                .await
                .err(),
        );
        away(store.expire(noon()).await.err());
        away(store.seen_message(ALICE, "1", noon()).await.err());
        away(store.backup("/tmp/none".as_ref()).await.err());
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let database = Database::new(&stage.url, None).unwrap();
    away(PostgresStore::open(database, small()).await.err());

    stage.server.restart();
    let began = Instant::now();
    while store.status(ALICE, None, noon()).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    while store.enqueue(vec![letter(ALICE, 2)], noon()).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(store.status(ALICE, None, noon()).await.unwrap().count, 2);
}
