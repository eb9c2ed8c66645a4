//! How long a message is looked for by its name alone; the laws are every store's.

use std::sync::Arc;

use packmule_bus::EnvelopeId;
use packmule_gateway::store::{Limits, Lot, Opening};
use tokio::task::JoinSet;

use crate::{Stage, letter, noon, small, take};

#[tokio::test]
async fn among_ten_thousand_accounts_it_is_found_in_no_time_that_matters() {
    let stage = Stage::new();
    let store = stage.open(Limits {
        accounts: 10_000,
        ..small()
    });
    let dids: Vec<String> = (0..10_000).map(|n| format!("did:example:{n}")).collect();
    // All at once, so that they are committed together.
    let mut opening = JoinSet::new();
    for did in dids.clone() {
        let store = Arc::clone(&store);
        opening.spawn(async move { store.open_account(&did, noon()).await.unwrap() });
    }
    assert!(
        opening
            .join_all()
            .await
            .iter()
            .all(|one| *one == Opening::New)
    );
    let one = letter(&dids[7_777], 1);
    let id = one.id();
    take(&*store, one, noon()).await;
    let began = std::time::Instant::now();
    assert_eq!(
        store
            .find(&id, noon())
            .await
            .unwrap()
            .map(|found| found.lot),
        Some(Lot::Held)
    );
    let found = began.elapsed();
    let began = std::time::Instant::now();
    let none = EnvelopeId::from_bytes([7; 32]);
    assert_eq!(store.find(&none, noon()).await.unwrap(), None);
    println!("found in {found:?}, not found in {:?}", began.elapsed());
    // Some milliseconds; a machine that is busy takes longer.
    assert!(found.as_millis() < 2_000);
}
