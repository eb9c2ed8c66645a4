//! How fast it is beside the one in `SQLite`: `cargo nextest run -p packmule-postgres --run-ignored
//! only --no-capture`.

use std::sync::Arc;
use std::time::Instant;

use packmule_gateway::store::{Letter, Limits, MailboxStore, Moment, SqliteStore};
use packmule_mailboxes::{ALICE, noon, packed, small};
use packmule_places::Postgres;
use tokio::task::JoinSet;

use crate::Stage;

const LETTERS: usize = 2048;

fn limits() -> Limits {
    Limits {
        account_letters: 1 << 20,
        account_bytes: 8 << 30,
        total_bytes: 8 << 30,
        reserve: Some(1 << 20),
        ..small()
    }
}

/// Letters a second: taken on by so many producers, each of which waits for its last one; then
/// given out and acked ten by ten.
async fn measure(name: &str, store: Arc<dyn MailboxStore>) {
    store.open_account(ALICE, noon()).await.unwrap();
    for producers in [1, 16, 64] {
        let many = if producers == 1 { LETTERS / 4 } else { LETTERS };
        let letters: Vec<Letter> = (0..many)
            .map(|number| {
                let packed = packed(number + producers * LETTERS, 7000);
                Letter::new(ALICE, ALICE, &packed, Moment::NEVER).unwrap()
            })
            .collect();
        let mut work = JoinSet::new();
        let began = Instant::now();
        for part in letters.chunks(many / producers) {
            let (store, part) = (Arc::clone(&store), part.to_vec());
            work.spawn(async move {
                for letter in part {
                    store.enqueue(vec![letter], noon()).await.unwrap();
                }
            });
        }
        work.join_all().await;
        let taken = many as f64 / began.elapsed().as_secs_f64();
        let began = Instant::now();
        let mut acked = 0;
        loop {
            let page = store.page(ALICE, None, 10, u64::MAX, noon()).await.unwrap();
            if page.is_empty() {
                break;
            }
            let ids: Vec<_> = page.iter().map(|held| held.id).collect();
            acked += store.ack(ALICE, &ids, noon()).await.unwrap().count;
        }
        assert_eq!(acked as usize, many);
        let given = many as f64 / began.elapsed().as_secs_f64();
        println!("{name}, {producers} producers: {taken:.0} letters/s in, {given:.0} out");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; judges nothing"]
async fn letters_a_second() {
    let place = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&place.path().join("mailboxes"), limits()).unwrap();
    measure("SQLite", Arc::new(sqlite)).await;
    let stage = Stage::of(Postgres::start());
    measure("PostgreSQL", stage.store(limits()).await).await;
}
