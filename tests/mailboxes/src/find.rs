//! A message by its name alone, for who brings or seeks it: laws of every store.
//!
//! Called by [`laws!`](crate::laws). What can go wrong: a law that is broken fails its test.

use packmule_bus::EnvelopeId;
use packmule_gateway::store::{Ending, Found, Lot, MailboxStore, Moment};
use serde_json::Value;

use crate::{ALICE, BOB, Stage, later, letter, noon, packed, small, take};

async fn lot(store: &dyn MailboxStore, id: EnvelopeId, now: Moment) -> Option<Lot> {
    let found = store.find(&id, now).await.unwrap();
    found.map(|found| found.lot)
}

/// Held, collected, expired, closed: each is told.
pub async fn a_message_is_followed_from_its_coming_to_its_end<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let (one, two) = (letter(ALICE, 1), letter(ALICE, 2));
    assert_eq!(lot(&*store, one.id(), noon()).await, None);
    take(&*store, one.clone(), noon()).await;
    take(&*store, two.clone(), noon()).await;
    let held = Found {
        lot: Lot::Held,
        bytes: Some(packed(1, 700).len() as u64),
        received: Some(noon()),
        until: Some(later(3600)),
    };
    assert_eq!(store.find(&one.id(), later(1)).await.unwrap(), Some(held));

    store.ack(ALICE, &[one.id()], later(2)).await.unwrap();
    assert_eq!(lot(&*store, one.id(), later(3)).await, Some(Lot::Collected));
    // Its time is over whether or not somebody has swept.
    let expired = Some(Lot::Ended(Ending::Expired));
    assert_eq!(lot(&*store, two.id(), later(3600)).await, expired);
    assert_eq!(store.expire(later(3700)).await.unwrap(), 1);
    let found = store.find(&two.id(), later(3701)).await.unwrap().unwrap();
    assert_eq!((Some(found.lot), found.until), (expired, Some(later(3700))));

    let three = letter(ALICE, 3);
    take(&*store, three.clone(), noon()).await;
    store.close_account(ALICE, later(4)).await.unwrap();
    let closed = Some(Lot::Ended(Ending::Closed));
    assert_eq!(lot(&*store, three.id(), later(5)).await, closed);
}

/// What had expired came again.
pub async fn what_was_collected_after_all_counts_as_collected<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    for did in [ALICE, BOB] {
        store.open_account(did, noon()).await.unwrap();
        let mut short = letter(did, 1);
        short.expires = later(10);
        take(&*store, short, noon()).await;
    }
    store.expire(later(10)).await.unwrap();
    let again = letter(ALICE, 1);
    let id = again.id();
    take(&*store, again, later(11)).await;
    assert_eq!(lot(&*store, id, later(11)).await, Some(Lot::Held));
    store.ack(ALICE, &[id], later(12)).await.unwrap();
    let expired = Some(Lot::Ended(Ending::Expired));
    assert_eq!(lot(&*store, id, later(13)).await, expired, "Bob has it not");
    store.close_account(BOB, later(14)).await.unwrap();
    store.open_account(BOB, later(14)).await.unwrap();
    take(&*store, letter(BOB, 1), later(15)).await;
    store.ack(BOB, &[id], later(15)).await.unwrap();
    assert_eq!(lot(&*store, id, later(16)).await, Some(Lot::Collected));
}

/// One envelope in two mailboxes.
pub async fn of_several_who_got_it_the_one_that_holds_it_counts<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    store.open_account(BOB, noon()).await.unwrap();
    let (alices, mut bobs) = (letter(ALICE, 1), letter(BOB, 1));
    bobs.expires = later(10);
    let id = alices.id();
    assert_eq!(id, bobs.id());
    take(&*store, alices, noon()).await;
    take(&*store, bobs, noon()).await;
    assert_eq!(lot(&*store, id, later(11)).await, Some(Lot::Held));
    store.expire(later(11)).await.unwrap();
    assert_eq!(lot(&*store, id, later(12)).await, Some(Lot::Held));
    store.ack(ALICE, &[id], later(13)).await.unwrap();
    let missed = Some(Lot::Ended(Ending::Expired));
    assert_eq!(lot(&*store, id, later(14)).await, missed, "bob missed it");
}

/// Given out when it may be, and not removed.
pub async fn a_copy_is_the_message_and_leaves_it_held<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let mut one = letter(ALICE, 1);
    one.not_before = later(60);
    let id = one.id();
    take(&*store, one, noon()).await;
    assert_eq!(store.copy(&id, later(59)).await.unwrap(), None, "not yet");
    let copy = store.copy(&id, later(60)).await.unwrap().unwrap();
    let (was, is): (Value, Value) = (
        serde_json::from_slice(&packed(1, 700)).unwrap(),
        serde_json::from_slice(&copy).unwrap(),
    );
    assert_eq!(was, is);
    assert_eq!(store.status(ALICE, None, later(61)).await.unwrap().count, 1);
    assert_eq!(store.copy(&id, later(3600)).await.unwrap(), None, "over");
    store.ack(ALICE, &[id], later(62)).await.unwrap();
    assert_eq!(store.copy(&id, later(63)).await.unwrap(), None, "gone");
}

/// Only half of a name is kept beside an account.
pub async fn a_name_that_begins_alike_is_another<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let one = letter(ALICE, 1);
    let mut bytes = *one.id().as_bytes();
    take(&*store, one, noon()).await;
    bytes[31] ^= 1;
    let other = EnvelopeId::from_bytes(bytes);
    assert_eq!(lot(&*store, other, noon()).await, None);
    assert_eq!(store.copy(&other, noon()).await.unwrap(), None);
}
