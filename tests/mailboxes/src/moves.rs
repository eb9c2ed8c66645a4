//! Accounts that change their DID, and old messages that say so once more: laws of every store.
//!
//! Called by [`laws!`](crate::laws). What can go wrong: a law that is broken fails its test.

use packmule_gateway::store::MailboxStore;

use crate::{ALICE, BOB, Stage, later, letter, noon, small, take};

const DAY: u64 = 86_400;

async fn moved(store: &dyn MailboxStore, old: &str, new: &str, told: u64, now: u64) -> bool {
    let moved = store.moved(old, new, later(told), later(now)).await;
    moved.unwrap()
}

/// Alice goes by Bob's name for some days, and by her own again.
pub async fn an_old_word_does_not_move_an_account_back<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    assert!(moved(&*store, ALICE, BOB, 0, 1).await);
    assert!(moved(&*store, BOB, ALICE, 3 * DAY, 3 * DAY).await);
    // Mallory has kept the first message.
    assert!(!moved(&*store, ALICE, BOB, 0, 9 * DAY).await);
    take(&*store, letter(ALICE, 1), noon()).await;
    assert_eq!(store.status(ALICE, None, noon()).await.unwrap().count, 1);
    // Nor one from the hour before she went back, now that nobody remembers it.
    assert!(!moved(&*store, ALICE, BOB, 3 * DAY - 3600, 9 * DAY).await);
    // She may come back to it, by a word of today; also with a clock that is slow.
    assert!(moved(&*store, ALICE, BOB, 9 * DAY - 3600, 9 * DAY).await);
    assert_eq!(store.account_of(ALICE).await.unwrap().unwrap().did, BOB);
}
