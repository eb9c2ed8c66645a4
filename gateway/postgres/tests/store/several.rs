//! Several gateways, one database: limits are exact, each letter is held once and acked once.

use std::collections::BTreeSet;
use std::sync::Arc;

use packmule_gateway::store::{
    Arrived, Enqueued, Letter, Limits, MailboxStore, News, Opening, Refusal,
};
use packmule_mailboxes::{ALICE, BOB, CAROL, is_stored, later, letter, noon, packed, small, take};
use packmule_places::Postgres;
use tokio::task::JoinSet;

use crate::{PostgresStore, Stage, open};

async fn two(stage: &Stage, limits: Limits) -> [Arc<PostgresStore>; 2] {
    [stage.store(limits.clone()).await, stage.store(limits).await]
}

#[tokio::test(flavor = "multi_thread")]
async fn they_start_at_once_on_an_empty_database() {
    let stage = Stage::of(Postgres::start());
    let mut starting = JoinSet::new();
    for _ in 0..6 {
        let url = stage.url.clone();
        starting.spawn(async move { open(&url, small()).await });
    }
    let stores = starting.join_all().await;
    for (number, store) in stores.iter().enumerate() {
        let opening = store.open_account(ALICE, noon()).await.unwrap();
        assert_eq!(opening == Opening::New, number == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_places_go_to_nobody_twice() {
    let stage = Stage::of(Postgres::start());
    let full = |limits: Limits, why| (limits, why);
    let cases = [
        full(
            Limits {
                account_letters: 50,
                ..small()
            },
            Refusal::AccountFull,
        ),
        full(
            Limits {
                pair_letters: 50,
                ..small()
            },
            Refusal::PairFull,
        ),
        full(
            Limits {
                total_letters: 50,
                ..small()
            },
            Refusal::StoreFull,
        ),
    ];
    for (limits, why) in cases {
        let url = stage.server.database();
        let stores = [
            Arc::new(open(&url, limits.clone()).await),
            Arc::new(open(&url, limits).await),
        ];
        stores[0].open_account(ALICE, noon()).await.unwrap();
        let mut work = JoinSet::new();
        for number in 0..100 {
            let store = Arc::clone(&stores[number % 2]);
            work.spawn(async move {
                let mut letter = letter(ALICE, number);
                letter.from = Some(BOB.to_owned());
                take(&*store, letter, noon()).await
            });
        }
        let outcomes = work.join_all().await;
        let stored = outcomes.iter().filter(|it| is_stored(it)).count();
        let refused = outcomes.iter().filter(|it| **it == Enqueued::Refused(why));
        assert_eq!((stored, refused.count()), (50, 50), "{why:?}");
        for store in &stores {
            assert_eq!(store.totals().await.unwrap().letters, 50);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_both_are_brought_is_held_once_and_acked_once() {
    let stage = Stage::of(Postgres::start());
    let stores = two(&stage, small()).await;
    for account in [ALICE, BOB, CAROL] {
        stores[0].open_account(account, noon()).await.unwrap();
    }
    let mut work = JoinSet::new();
    for number in 0..300 {
        let account = [ALICE, BOB, CAROL][number % 3];
        for store in &stores {
            let (store, letter) = (Arc::clone(store), letter(account, number));
            work.spawn(async move { take(&*store, letter, noon()).await });
        }
    }
    let outcomes = work.join_all().await;
    let numbers: BTreeSet<u64> = outcomes
        .iter()
        .filter_map(|it| match it {
            Enqueued::Stored(number, _) => Some(*number),
            Enqueued::Duplicate | Enqueued::Sooner(_) => None,
            Enqueued::Refused(why) => panic!("{why:?}"),
        })
        .collect();
    assert_eq!((outcomes.len(), numbers.len()), (600, 300));

    // Both give all of it out, and both ack all of it.
    let mut acked = JoinSet::new();
    for account in [ALICE, BOB, CAROL] {
        for store in &stores {
            let store = Arc::clone(store);
            acked.spawn(async move {
                let page = store.page(account, None, 999, u64::MAX, noon()).await;
                let ids: Vec<_> = page.unwrap().iter().map(|held| held.id).collect();
                let mut acked = 0;
                for ids in ids.chunks(7) {
                    acked += store.ack(account, ids, noon()).await.unwrap().count;
                }
                acked
            });
        }
    }
    assert_eq!(acked.join_all().await.iter().sum::<u64>(), 300);
    let totals = stores[1].totals().await.unwrap();
    assert_eq!((totals.letters, totals.bytes), (0, 0));
}

/// A reader who remembers the highest number it saw misses nothing: numbers come in the order of
/// commits.
#[tokio::test(flavor = "multi_thread")]
async fn no_letter_comes_after_one_with_a_higher_number() {
    let stage = Stage::of(Postgres::start());
    let stores = two(&stage, small()).await;
    stores[0].open_account(ALICE, noon()).await.unwrap();
    let mut work = JoinSet::new();
    for producer in 0..8 {
        let store = Arc::clone(&stores[producer % 2]);
        work.spawn(async move {
            for number in 0..40 {
                let outcome = take(&*store, letter(ALICE, producer * 1000 + number), noon()).await;
                assert!(is_stored(&outcome), "{outcome:?}");
            }
        });
    }
    let (mut highest, mut seen) = (0, BTreeSet::new());
    while seen.len() < 8 * 40 {
        let page = stores[0].page(ALICE, None, 9999, u64::MAX, noon()).await;
        for held in page.unwrap() {
            if seen.insert(held.seq) {
                assert!(held.seq > highest, "{} after {highest}", held.seq);
            }
        }
        highest = seen.last().copied().unwrap_or_default();
    }
    work.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_ends_once_whoever_sweeps() {
    let stage = Stage::of(Postgres::start());
    let stores = two(&stage, small()).await;
    stores[0].open_account(ALICE, noon()).await.unwrap();
    let letters = (0..700).map(|number| {
        Letter::new(
            ALICE,
            ALICE,
            &packed(number, 500),
            later(number as u64 % 60 + 1),
        )
        .unwrap()
    });
    stores[0].enqueue(letters.collect(), noon()).await.unwrap();
    let (first, second) = tokio::join!(stores[0].expire(later(100)), stores[1].expire(later(100)));
    assert_eq!(first.unwrap() + second.unwrap(), 700);
    let totals = stores[0].totals().await.unwrap();
    assert_eq!((totals.letters, totals.dead), (0, 700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_seen_at_the_other_gateway() {
    let stage = Stage::of(Postgres::start());
    let stores = two(&stage, small()).await;
    assert!(!stores[0].seen_message(ALICE, "1", noon()).await.unwrap());
    assert!(stores[1].seen_message(ALICE, "1", noon()).await.unwrap());
    let mut work = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&stores[number % 2]);
        work.spawn(async move { store.seen_message(BOB, "2", noon()).await.unwrap() });
    }
    let first = work.join_all().await.iter().filter(|seen| !**seen).count();
    assert_eq!(first, 1);
}

/// What a server cannot write down is no DID of anybody, and no fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_zero_byte_names_nobody() {
    let stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let odd = "did:example:al\0ice";
    assert_eq!(store.account_of(odd).await.unwrap(), None);
    assert_eq!(
        store.open_account(odd, noon()).await.unwrap(),
        Opening::Refused
    );
    let mut letter = letter(ALICE, 1);
    letter.recipient = odd.to_owned();
    let outcome = take(&*store, letter, noon()).await;
    assert_eq!(outcome, Enqueued::Refused(Refusal::NoAccount));
    assert!(!store.seen_message(odd, odd, noon()).await.unwrap());
    assert!(store.accounts(Some(odd), 9).await.is_ok());
}

/// What the other gateway stores is told, and found from where one looked last; what we store
/// ourselves is not news.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_stores_is_news() {
    let stage = Stage::of(Postgres::start());
    let [here, there] = two(&stage, small()).await;
    for account in [ALICE, BOB] {
        here.open_account(account, noon()).await.unwrap();
    }
    take(&*there, letter(ALICE, 0), noon()).await;
    let before = here.since(ALICE, None, 0, noon()).await.unwrap();
    assert_eq!((before.held.len(), before.more), (0, false));
    let mut news = here.news().unwrap();
    assert_eq!(news.recv().await, Some(News::Perhaps), "from here on");
    take(&*here, letter(BOB, 9), noon()).await;
    let mut delayed = letter(ALICE, 1);
    delayed.not_before = later(60);
    take(&*there, delayed.clone(), noon()).await;
    for number in 2..7 {
        take(&*there, letter(ALICE, number), noon()).await;
    }
    assert_eq!(news.recv().await, Some(News::Of(ALICE.to_owned())));

    let ids = |arrived: &Arrived| arrived.held.iter().map(|it| it.id).collect::<Vec<_>>();
    let number = |number| letter(ALICE, number).id();
    let first = here
        .since(ALICE, Some(before.mark), 3, noon())
        .await
        .unwrap();
    assert_eq!(ids(&first), [number(2), number(3), number(4)]);
    assert!(first.more);
    here.ack(ALICE, &[number(6)], noon()).await.unwrap();
    let second = here
        .since(ALICE, Some(first.mark), 3, later(1))
        .await
        .unwrap();
    assert_eq!((ids(&second), second.more), (vec![number(5)], false));
    let third = here
        .since(ALICE, Some(second.mark), 3, later(59))
        .await
        .unwrap();
    assert_eq!(ids(&third), []);
    let due = here
        .since(ALICE, Some(third.mark), 3, later(60))
        .await
        .unwrap();
    assert_eq!(ids(&due), [delayed.id()], "its delay is over");
    let last = here
        .since(ALICE, Some(due.mark), 3, later(61))
        .await
        .unwrap();
    assert_eq!(ids(&last), []);
}
