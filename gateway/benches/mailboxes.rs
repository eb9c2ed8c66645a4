//! How fast letters are taken on, given out and acked: `cargo bench -p packmule-gateway`.
//!
//! `enqueue` brings 7 kB letters by so many producers, each of which waits for the commit of its
//! last one; `many::*` asks a store that holds 100,000 letters of 1 kB in one account, and `take`
//! fills it. Making the letters (naming, compacting) is in `enqueue` and not in the others.

#![expect(clippy::expect_used, reason = "a step that fails fails the bench")]

use std::sync::{Arc, OnceLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use packmule_gateway::store::{Letter, Limits, MailboxStore, Moment, SqliteStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ALICE: &str = "did:example:alice";
const ROUND: usize = 512;
const MANY: usize = 100_000;

fn main() {
    divan::main();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"));
    memory.for_each(|line| println!("{line}"));
}

fn store() -> (TempDir, Arc<SqliteStore>) {
    let place = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        account_letters: 1 << 20,
        account_bytes: 8 << 30,
        total_bytes: 8 << 30,
        ..Limits::default()
    };
    let store = SqliteStore::open(&place.path().join("mailboxes"), limits).expect("a store");
    (place, Arc::new(store))
}

/// A JWE whose bytes no compression shortens.
fn packed(number: usize, bytes: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let text: String = (0..bytes / 4 * 4)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(LETTERS[(state >> 33) as usize % 64])
        })
        .collect();
    format!(
        r##"{{"protected":"eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZDQkMtSFM1MTIifQ","recipients":[{{"header":{{"kid":"did:example:alice#k"}},"encrypted_key":"AAAAAAAAAAAAAAAA"}}],"iv":"AAAAAAAAAAAAAAAA","ciphertext":"{text}","tag":"AAAAAAAAAAAAAAAA"}}"##
    )
    .into()
}

fn letter(number: usize, bytes: usize) -> Letter {
    Letter::new(ALICE, ALICE, &packed(number, bytes), Moment::NEVER).expect("a letter")
}

#[divan::bench(args = [1, 16, 64], sample_count = 10, sample_size = 1)]
fn enqueue(bencher: Bencher<'_, '_>, producers: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let (_place, store) = store();
    let opened = store.open_account(ALICE, Moment::now());
    runtime.block_on(opened).expect("an account");
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(ROUND))
        .with_inputs(|| {
            next += ROUND;
            (next..next + ROUND)
                .map(|number| packed(number, 6700))
                .collect::<Vec<_>>()
        })
        .bench_local_values(|messages| {
            let share = messages.len().div_ceil(producers);
            runtime.block_on(async {
                let mut work = tokio::task::JoinSet::new();
                for part in messages.chunks(share) {
                    let (store, part) = (Arc::clone(&store), part.to_vec());
                    work.spawn(async move {
                        for message in part {
                            let letter = Letter::new(ALICE, ALICE, &message, Moment::NEVER);
                            let letters = vec![letter.expect("a letter")];
                            store
                                .enqueue(letters, Moment::now())
                                .await
                                .expect("taken on");
                        }
                    });
                }
                while work.join_next().await.is_some() {}
            });
        });
}

#[divan::bench(sample_count = 20, sample_size = 100)]
fn name_and_compact(bencher: Bencher<'_, '_>) {
    let message = packed(1, 6700);
    bencher.bench_local(|| Letter::new(ALICE, ALICE, &message, Moment::NEVER));
}

mod many {
    use super::*;

    fn full() -> &'static (Runtime, TempDir, Arc<SqliteStore>) {
        static FULL: OnceLock<(Runtime, TempDir, Arc<SqliteStore>)> = OnceLock::new();
        FULL.get_or_init(|| {
            let runtime = Runtime::new().expect("a runtime");
            let (place, store) = store();
            runtime.block_on(async {
                let now = Moment::now();
                store.open_account(ALICE, now).await.expect("an account");
                for first in (0..MANY).step_by(500) {
                    let letters = (first..first + 500).map(|number| letter(number, 700));
                    store
                        .enqueue(letters.collect(), now)
                        .await
                        .expect("taken on");
                }
            });
            (runtime, place, store)
        })
    }

    #[divan::bench(sample_count = 50, sample_size = 4)]
    fn page_of_10(bencher: Bencher<'_, '_>) {
        let (runtime, _, store) = full();
        bencher.bench_local(|| {
            let page = store.page(ALICE, None, 10, u64::MAX, Moment::now());
            assert_eq!(runtime.block_on(page).expect("a page").len(), 10);
        });
    }

    #[divan::bench(sample_count = 50, sample_size = 4)]
    fn status(bencher: Bencher<'_, '_>) {
        let (runtime, _, store) = full();
        bencher.bench_local(|| {
            let waiting = store.status(ALICE, None, Moment::now());
            runtime.block_on(waiting).expect("what waits")
        });
    }

    #[divan::bench(sample_count = 50, sample_size = 4)]
    fn account_of(bencher: Bencher<'_, '_>) {
        let (runtime, _, store) = full();
        bencher.bench_local(|| {
            runtime
                .block_on(store.account_of(ALICE))
                .expect("an account")
        });
    }

    #[divan::bench(sample_count = 50, sample_size = 1)]
    fn ack_of_10(bencher: Bencher<'_, '_>) {
        let (runtime, _, store) = full();
        bencher
            .with_inputs(|| {
                let page = store.page(ALICE, None, 10, u64::MAX, Moment::now());
                let page = runtime.block_on(page).expect("a page");
                page.into_iter().map(|held| held.id).collect::<Vec<_>>()
            })
            .bench_local_values(|ids| {
                let acked = store.ack(ALICE, &ids, Moment::now());
                runtime.block_on(acked).expect("acked")
            });
    }
}
