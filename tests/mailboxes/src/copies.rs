//! Copies of one message, by several channels and by whoever has seen it: laws of every store.
//!
//! Called by [`laws!`](crate::laws). What can go wrong: a law that is broken fails its test.

use packmule_gateway::store::{Enqueued, MailboxStore, Moment, Refusal};

use crate::{ALICE, Stage, is_stored, later, letter, noon, packed, small, take};

async fn waiting(store: &dyn MailboxStore, now: Moment) -> usize {
    let page = store.page(ALICE, None, 100, u64::MAX, now).await.unwrap();
    page.len()
}

/// Whoever has seen a packed message may bring it first, with a short life.
pub async fn what_expired_may_come_again_and_what_was_collected_may_not<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let (mut short, long) = (letter(ALICE, 1), letter(ALICE, 1));
    short.expires = later(1);
    take(&*store, short.clone(), noon()).await;
    assert_eq!(store.expire(later(2)).await.unwrap(), 1);
    assert_eq!(
        take(&*store, short.clone(), later(3)).await,
        Enqueued::Refused(Refusal::Expired)
    );
    assert!(is_stored(&take(&*store, long.clone(), later(3)).await));
    assert_eq!(waiting(&*store, later(4)).await, 1);

    assert_eq!(
        store
            .ack(ALICE, &[long.id()], later(5))
            .await
            .unwrap()
            .count,
        1
    );
    for again in [short, long] {
        assert_eq!(take(&*store, again, later(6)).await, Enqueued::Duplicate);
    }
    assert_eq!(store.totals().await.unwrap().letters, 0);
}

/// Brought first by somebody else, with a short life or a long delay.
pub async fn a_copy_gives_what_is_held_the_longer_life_and_the_shorter_delay<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let brought = |number, expires, not_before| {
        let mut letter = letter(ALICE, number);
        (letter.expires, letter.not_before) = (later(expires), not_before);
        letter
    };
    let at_once = Moment::default();
    // Short, then long, and what is shorter changes nothing. Two days apart.
    take(&*store, brought(1, 10, at_once), noon()).await;
    for expires in [200_000, 20] {
        let outcome = take(&*store, brought(1, expires, at_once), later(1)).await;
        assert_eq!(outcome, Enqueued::Duplicate);
    }
    assert_eq!(store.expire(later(100_000)).await.unwrap(), 0);
    assert_eq!(waiting(&*store, later(100_000)).await, 1);
    assert_eq!(waiting(&*store, later(200_000)).await, 0);

    // Delayed, then less, then now, then delayed again.
    take(&*store, brought(2, 900, later(800)), noon()).await;
    for (wait, outcome) in [
        (later(850), Enqueued::Duplicate),
        (later(400), Enqueued::Sooner(ALICE.into())),
        (at_once, Enqueued::Sooner(ALICE.into())),
        (later(400), Enqueued::Duplicate),
    ] {
        let now = later(100);
        assert_eq!(take(&*store, brought(2, 900, wait), now).await, outcome);
        let waits = store.status(ALICE, None, now).await.unwrap().count;
        let open = wait == at_once || outcome == Enqueued::Duplicate && wait == later(400);
        assert_eq!(waits, 1 + u64::from(open), "{wait:?}");
    }

    // Over, and nobody had looked: held again, once.
    take(&*store, brought(3, 10, at_once), noon()).await;
    let over = take(&*store, brought(3, 15, at_once), later(20)).await;
    assert_eq!(over, Enqueued::Duplicate);
    let again = take(&*store, brought(3, 900, at_once), later(20)).await;
    assert_eq!(again, Enqueued::Sooner(ALICE.into()));
    assert_eq!(store.expire(later(21)).await.unwrap(), 0);
    assert_eq!(waiting(&*store, later(101)).await, 3);
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.letters, totals.dead), (3, 0));
    assert_eq!(totals.bytes, 3 * packed(1, 700).len() as u64);
}

/// In one transaction.
pub async fn of_two_copies_that_come_together_the_longer_life_and_the_shorter_delay_count<
    S: Stage,
>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let mut first = letter(ALICE, 1);
    (first.expires, first.not_before) = (later(10), later(5));
    let outcomes = store.enqueue(vec![first, letter(ALICE, 1)], noon()).await;
    let outcomes = outcomes.unwrap();
    assert!(is_stored(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[1], Enqueued::Sooner(ALICE.into()));
    for now in [noon(), later(3599)] {
        assert_eq!(waiting(&*store, now).await, 1);
    }
    assert_eq!(store.totals().await.unwrap().letters, 1);
}
