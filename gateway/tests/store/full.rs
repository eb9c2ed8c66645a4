//! A disk that held much and holds little gets its room back.

use packmule_gateway::store::{Letter, Limits};

use packmule_mailboxes::drain;

use crate::{ALICE, Stage, is_stored, later, noon, packed, small};

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_gets_its_room_back_after_6_000_letters() {
    let stage = Stage::new();
    let store = stage.open(Limits {
        account_letters: 10_000,
        ..small()
    });
    store.open_account(ALICE, noon()).await.unwrap();
    for start in (0..6000).step_by(100) {
        let letters = (start..start + 100)
            .map(|number| Letter::new(ALICE, ALICE, &packed(number, 7000), later(3600)).unwrap());
        let outcomes = store.enqueue(letters.collect(), noon()).await.unwrap();
        assert!(outcomes.iter().all(is_stored));
    }
    let full = store.totals().await.unwrap().disk;
    assert!(full > 25 << 20, "{full}");
    drain(&*store, ALICE, 100).await;
    let mut disk = full;
    for _ in 0..300 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        disk = store.totals().await.unwrap().disk;
        if disk < 2 << 20 {
            println!("{full} bytes held, {disk} stay");
            return;
        }
    }
    panic!("{disk} of {full} bytes stay");
}
