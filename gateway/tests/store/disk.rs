//! A disk that is full, for real.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use packmule_bus::EnvelopeId;
use packmule_gateway::store::{
    Change, Enqueued, Letter, Limits, MailboxStore, Opening, Outcome, Refusal,
};
use packmule_places::on_a_disk;

use crate::{ALICE, BOB, CAROL, is_stored, later, noon, packed, small, sqlite, take};

const PATIENCE: Duration = Duration::from_secs(30);
const DAVE: &str = "did:example:dave";

fn limits() -> Limits {
    let reserve = Some(2 << 20);
    Limits { reserve, ..small() }
}

fn large(number: usize) -> Letter {
    Letter::new(ALICE, ALICE, &packed(number, 20_000), later(3600)).unwrap()
}

/// Others take every byte that is left.
fn fill(disk: &Path) {
    let mut file = File::create(disk.join("film")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}

async fn collect(store: &dyn MailboxStore) -> Vec<EnvelopeId> {
    let mut all = Vec::new();
    loop {
        let page = store.page(ALICE, None, 3, u64::MAX, noon()).await.unwrap();
        if page.is_empty() {
            return all;
        }
        let ids: Vec<_> = page.iter().map(|held| held.id).collect();
        assert_eq!(
            store.ack(ALICE, &ids, noon()).await.unwrap().count,
            ids.len() as u64
        );
        all.extend(ids);
    }
}

/// Letters until there is no room. Answers how many.
async fn take_all(store: &dyn MailboxStore) -> usize {
    let mut stored = 0;
    loop {
        match take(store, large(stored), noon()).await {
            Enqueued::Stored(..) => stored += 1,
            Enqueued::Refused(Refusal::DiskFull) => return stored,
            other => panic!("{other:?} to one that is new"),
        }
        assert!(stored < 5000, "the disk never fills");
    }
}

async fn story(disk: &Path) {
    let file = disk.join("mailboxes");
    let store = sqlite(&file, limits()).unwrap();
    store.open_account(ALICE, noon()).await.unwrap();
    let did = DAVE.to_owned();
    let early = [Change { did, add: true }];
    let bound = store.update(ALICE, &early, noon()).await.unwrap();
    assert_eq!(bound, [Outcome::Success]);
    let stored = take_all(&store).await;
    assert!(stored > 50, "only {stored} fitted");
    let totals = store.totals().await.unwrap();
    let free = totals.free.unwrap();
    assert!(free > 900 << 10, "only {free} bytes were left");

    // What was refused has the log moved into the store, which gives some room back: before others
    // take it, since on a full disk the log stays.
    let began = Instant::now();
    while fs::metadata(disk.join("mailboxes-wal")).unwrap().len() > 0 {
        assert!(began.elapsed() < PATIENCE, "the log stays long");
        // Whatever is asked for, the store tidies up after it.
        store.open_account(ALICE, noon()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    fill(disk);
    assert_eq!(store.totals().await.unwrap().free, Some(0));
    assert_eq!(store.open_account(BOB, noon()).await.unwrap(), Opening::New);
    // A new DID takes room that acks may need; to let go of one takes none.
    let (old, new) = (DAVE.to_owned(), CAROL.to_owned());
    let change = |did: &String, add| Change {
        did: did.clone(),
        add,
    };
    let changes = [change(&new, true), change(&old, true), change(&old, false)];
    assert_eq!(
        store.update(ALICE, &changes, noon()).await.unwrap(),
        [Outcome::ServerError, Outcome::NoChange, Outcome::Success]
    );
    let refused = Enqueued::Refused(Refusal::DiskFull);
    assert_eq!(take(&store, large(stored), noon()).await, refused);
    let collected = collect(&store).await;
    let all: Vec<_> = (0..stored).map(|number| large(number).id()).collect();
    assert_eq!(collected, all, "each once, in order");

    // Nor does a restart need more room than there is.
    drop(store);
    let store = sqlite(&file, limits()).unwrap();
    assert_eq!(take(&store, large(0), noon()).await, Enqueued::Duplicate);
    assert!(store.close_account(BOB, noon()).await.unwrap());

    // Who tries again and again leaves no quiet moment for sweeping out what was acked.
    fs::remove_file(disk.join("film")).unwrap();
    let began = Instant::now();
    while !is_stored(&take(&store, large(stored), noon()).await) {
        assert!(began.elapsed() < PATIENCE, "the film is gone: nothing fits");
    }
}

#[test]
fn on_a_full_disk_letters_are_refused_and_all_else_goes_on() {
    let test = "disk::on_a_full_disk_letters_are_refused_and_all_else_goes_on";
    on_a_disk(test, "size=12m", |disk| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(story(disk));
    });
}
