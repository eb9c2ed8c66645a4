//! A backup while others write, and what opening it gives.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use packmule_gateway::store::{Enqueued, MailboxStore};

use crate::{ALICE, Stage, is_stored, letter, noon, small, sqlite, take};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_others_write_is_whole_and_opens() {
    let stage = Stage::new();
    let store = stage.open(small());
    store.open_account(ALICE, noon()).await.unwrap();
    let before = (0..200).map(|number| letter(ALICE, number)).collect();
    assert!(
        store
            .enqueue(before, noon())
            .await
            .unwrap()
            .iter()
            .all(is_stored)
    );
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut number = 200;
            while !stop.load(Ordering::Relaxed) && number < 900 {
                assert!(is_stored(
                    &take(&*store, letter(ALICE, number), noon()).await
                ));
                number += 1;
            }
            number
        }
    });
    let copy = stage.dir.path().join("copy");
    fs::write(&copy, "an older backup").unwrap();
    for _ in 0..3 {
        store.backup(&copy).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let brought = writer.await.unwrap();
    assert_eq!(
        fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!stage.dir.path().join("copy.part").exists());

    let restored = sqlite(&copy, small()).unwrap();
    let totals = restored.totals().await.unwrap();
    assert!((200..=brought as u64).contains(&totals.letters));
    let page = restored
        .page(ALICE, None, 9999, u64::MAX, noon())
        .await
        .unwrap();
    for (number, held) in page.iter().enumerate() {
        assert_eq!(held.id, letter(ALICE, number).id());
    }
    assert_eq!(page.len() as u64, totals.letters);
    assert_eq!(
        take(&restored, letter(ALICE, 0), noon()).await,
        Enqueued::Duplicate
    );
    assert!(is_stored(
        &take(&restored, letter(ALICE, 901), noon()).await
    ));
}

#[tokio::test]
async fn a_store_is_no_backup_of_itself_and_a_failed_one_leaves_nothing() {
    let stage = Stage::new();
    let store = stage.open(small());
    let dir = stage.dir.path();
    assert!(store.backup(&dir.join("mailboxes")).await.is_err());
    assert!(store.backup(&dir.join("missing/copy")).await.is_err());
    fs::create_dir(dir.join("folder")).unwrap();
    assert!(store.backup(&dir.join("folder")).await.is_err());
    assert!(!dir.join("folder.part").exists());
    assert!(is_stored_in(&*store).await);
}

async fn is_stored_in(store: &dyn MailboxStore) -> bool {
    store.open_account(ALICE, noon()).await.unwrap();
    is_stored(&take(store, letter(ALICE, 1), noon()).await)
}
