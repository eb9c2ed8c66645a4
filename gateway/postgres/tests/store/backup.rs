//! A backup while others write, restored by `psql` alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use packmule_gateway::store::{Change, Enqueued, MailboxStore};
use packmule_mailboxes::{ALICE, BOB, CAROL, is_stored, later, letter, noon, small, take};
use packmule_places::Postgres;

use crate::{Stage, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_others_write_is_whole_and_psql_restores_it() {
    let stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    for did in [ALICE, BOB] {
        store.open_account(did, noon()).await.unwrap();
    }
    let did = CAROL.to_owned();
    let bind = [Change { did, add: true }];
    store.update(ALICE, &bind, noon()).await.unwrap();
    let before = (0..200).map(|number| letter(ALICE, number)).collect();
    let outcomes = store.enqueue(before, noon()).await.unwrap();
    assert!(outcomes.iter().all(is_stored));
    take(&*store, letter(BOB, 1), noon()).await;
    store.close_account(BOB, noon()).await.unwrap();
    store.seen_message(ALICE, "asked", noon()).await.unwrap();
    let done = store.settle_message(ALICE, "asked", true, noon());
    done.await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        async move {
            let mut number = 200;
            while !stop.load(Ordering::Relaxed) && number < 900 {
                let outcome = take(&*store, letter(ALICE, number), noon()).await;
                assert!(is_stored(&outcome));
                number += 1;
            }
            number
        }
    });
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("copy.sql");
    fs::write(&copy, "an older backup").unwrap();
    store.backup(&copy).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let brought = writer.await.unwrap();
    let mode = fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!place.path().join("copy.sql.part").exists());

    let other = stage.server.database();
    stage.server.run(&other, &copy);
    let restored = open(&other, small()).await;
    let totals = restored.totals().await.unwrap();
    assert!((200..=brought as u64).contains(&totals.letters));
    assert_eq!((totals.accounts, totals.bindings, totals.dead), (1, 1, 1));
    assert_eq!(
        restored.account_of(CAROL).await.unwrap().unwrap().did,
        ALICE
    );
    let page = restored.page(ALICE, None, 9999, u64::MAX, noon()).await;
    let page = page.unwrap();
    for (number, held) in page.iter().enumerate() {
        assert_eq!(held.id, letter(ALICE, number).id());
    }
    assert_eq!(page.len() as u64, totals.letters);
    let again = take(&restored, letter(ALICE, 0), noon()).await;
    assert_eq!(again, Enqueued::Duplicate);
    assert!(
        restored
            .seen_message(ALICE, "asked", later(1))
            .await
            .unwrap()
    );
    assert!(is_stored(
        &take(&restored, letter(ALICE, 901), noon()).await
    ));
    let ids: Vec<_> = page.iter().map(|held| held.id).collect();
    assert_eq!(
        restored.ack(ALICE, &ids, noon()).await.unwrap().count,
        ids.len() as u64
    );
    assert_eq!(restored.totals().await.unwrap().letters, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_leaves_nothing() {
    let stage = Stage::of(Postgres::start());
    let store = stage.store(small()).await;
    let place = tempfile::tempdir().unwrap();
    assert!(
        store
            .backup(&place.path().join("missing/copy"))
            .await
            .is_err()
    );
    fs::create_dir(place.path().join("folder")).unwrap();
    assert!(store.backup(&place.path().join("folder")).await.is_err());
    assert!(!place.path().join("folder.part").exists());
}
