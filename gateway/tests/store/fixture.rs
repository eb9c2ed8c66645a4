//! Stores of every released version, from `fixtures/gateway`; and files that are none.

use std::fs;
use std::path::Path;

use packmule_bus::label::Priority;
use packmule_gateway::store::{Ending, Enqueued, Letter, MailboxStore, SqliteStore, StoreError};

use crate::{ALICE, BOB, CAROL, later, letter, noon, packed, small, sqlite, take};

#[tokio::test]
async fn a_store_of_each_version_opens_with_all_it_holds() {
    for version in ["store-v1", "store-v2"] {
        opens_with_all_it_holds(version).await;
    }
}

async fn opens_with_all_it_holds(version: &str) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mailboxes");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gateway");
    fs::copy(fixtures.join(version).join("mailboxes"), &file).unwrap();
    // As a backup: what it is brought to is in the one file that is taken over.
    let restored = place.path().join("restored");
    SqliteStore::restore(&file, &restored).unwrap();
    assert!(!place.path().join("restored.part").exists());
    drop(sqlite(&restored, small()).unwrap());
    // And in its place; opened twice.
    drop(sqlite(&file, small()).unwrap());
    let store = sqlite(&file, small()).unwrap();
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (
            totals.accounts,
            totals.bindings,
            totals.letters,
            totals.dead
        ),
        (2, 1, 2, 1)
    );
    assert_eq!(store.account_of(CAROL).await.unwrap().unwrap().did, ALICE);
    let page = store.page(ALICE, None, 9, u64::MAX, noon()).await.unwrap();
    let told: Vec<_> = page.iter().map(|held| (held.id, held.priority)).collect();
    let expected = [(2, Priority::Urgent), (1, Priority::Normal)];
    assert_eq!(
        told,
        expected.map(|(number, priority)| (letter(ALICE, number).id(), priority))
    );
    assert_eq!(page[0].recipient, CAROL);
    let was: serde_json::Value = serde_json::from_slice(&packed(2, 700)).unwrap();
    assert_eq!(
        was,
        serde_json::from_slice::<serde_json::Value>(&page[0].packed).unwrap()
    );
    assert_eq!(
        take(&store, letter(ALICE, 3), later(1)).await,
        Enqueued::Duplicate
    );
    let dead = store.dead_letters(9).await.unwrap();
    assert_eq!(
        (dead[0].account.as_str(), dead[0].why),
        (BOB, Ending::Expired)
    );
    assert!(store.seen_message(BOB, "asked", later(1)).await.unwrap());
    // What was collected is forgotten when its time is over, not before.
    let over = noon() + small().known_for;
    store.expire(over).await.unwrap();
    assert!(matches!(
        take(&store, lasting(letter(ALICE, 3)), over).await,
        Enqueued::Stored(..)
    ));
}

fn lasting(mut letter: Letter) -> Letter {
    letter.expires = letter.expires + small().known_for;
    letter
}

/// Writes the fixture; see its README.
#[tokio::test]
#[ignore = "writes a new fixture, to $PACKMULE_FIXTURE"]
async fn write_the_fixture() {
    let file = std::env::var("PACKMULE_FIXTURE").unwrap();
    let limits = packmule_gateway::store::Limits {
        reserve: Some(0),
        ..small()
    };
    let store = sqlite(Path::new(&file), limits).unwrap();
    for did in [ALICE, BOB] {
        store.open_account(did, noon()).await.unwrap();
    }
    let did = CAROL.to_owned();
    let change = packmule_gateway::store::Change { did, add: true };
    store.update(ALICE, &[change], noon()).await.unwrap();
    let mut urgent = letter(ALICE, 2);
    urgent.priority = Priority::Urgent;
    urgent.recipient = CAROL.to_owned();
    urgent.from = Some(BOB.to_owned());
    let collected = letter(ALICE, 3);
    let id = collected.id();
    let mut short = letter(BOB, 4);
    short.expires = later(1);
    let letters = vec![letter(ALICE, 1), urgent, collected, short];
    store.enqueue(letters, noon()).await.unwrap();
    store.ack(ALICE, &[id], noon()).await.unwrap();
    store.seen_message(BOB, "asked", noon()).await.unwrap();
    let done = store.settle_message(BOB, "asked", true, noon());
    done.await.unwrap();
    store.expire(later(1)).await.unwrap();
}

#[test]
fn what_is_no_store_of_ours_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mailboxes");
    fs::write(&file, "a letter to my aunt".repeat(300)).unwrap();
    let outcome = sqlite(&file, small());
    assert!(
        matches!(outcome, Err(StoreError::Damaged { .. })),
        "{outcome:?}"
    );
    assert_eq!(
        fs::read(&file).unwrap(),
        "a letter to my aunt".repeat(300).into_bytes()
    );

    // As a kill leaves it that comes before the first commit.
    fs::write(&file, "").unwrap();
    drop(sqlite(&file, small()).unwrap());
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let outcome = sqlite(&file, small());
    assert_eq!(outcome.err(), Some(StoreError::TooNew { version: 99 }));
}
