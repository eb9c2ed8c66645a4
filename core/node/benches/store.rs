//! How fast messages become durable: `cargo bench -p packmule-node --bench store`.
//!
//! Each round takes on 512 packed messages of about 2 kB, through the node (bus, one row, one
//! record and one body each) or straight into the outbox. Packing is not in it.

#![expect(clippy::expect_used, reason = "a step that fails fails the bench")]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use packmule_agent::did::{Method, create};
use packmule_agent::keystore::Cost;
use packmule_node::{Home, Node, NodeConfig, OutRecord, Submit};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const ROUND: usize = 512;
const BOB: &str = "did:example:bob";

fn main() {
    divan::main();
}

fn home() -> (TempDir, Home) {
    let place = tempfile::tempdir().expect("a folder");
    let cheap = Cost {
        memory_kib: 64,
        passes: 1,
        ..Cost::STANDARD
    };
    let new = create(Method::Key, &[]).expect("a DID");
    let home = Home::create_with(&place.path().join("alice"), &new, b"x", cheap).expect("a home");
    (place, home)
}

/// Bytes that no compression shortens, as ciphertext is.
fn packed(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text: String = (0..2000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(letters[(state % 64) as usize])
        })
        .collect();
    format!(r#"{{"protected":"eyJ0eXAiOiJKV00ifQ","ciphertext":"{text}","tag":"AAAA"}}"#).into()
}

/// Through a node, by so many producers that each wait for the commit of their last one.
#[divan::bench(args = [1, 16, 64], sample_count = 10, sample_size = 1)]
fn submit(bencher: Bencher<'_, '_>, producers: usize) {
    let runtime = Runtime::new().expect("a runtime");
    let (_place, home) = home();
    let keys = home.unlock(b"x").expect("keys");
    let config = NodeConfig {
        control: false,
        ..NodeConfig::default()
    };
    let node = runtime
        .block_on(Node::start(Arc::new(home), keys, Vec::new(), config))
        .expect("a node");
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(ROUND))
        .with_inputs(|| {
            next += ROUND as u64;
            (next..next + ROUND as u64).map(packed).collect::<Vec<_>>()
        })
        .bench_local_values(|messages| {
            let share = messages.len().div_ceil(producers);
            runtime.block_on(async {
                let mut work = tokio::task::JoinSet::new();
                for part in messages.chunks(share) {
                    let (node, part) = (node.clone(), part.to_vec());
                    work.spawn(async move {
                        for message in part {
                            let taken = node.submit(message, BOB, Submit::default()).await;
                            taken.expect("taken on");
                        }
                    });
                }
                while work.join_next().await.is_some() {}
            });
        });
    runtime.block_on(node.stop());
}

/// Without a node: what `send` and `export` cost, in batches.
#[divan::bench(args = [1, 64], sample_count = 10, sample_size = 1)]
fn queue(bencher: Bencher<'_, '_>, batch: usize) {
    let (_place, home) = home();
    let mut next = 0;
    bencher
        .counter(ItemsCount::new(ROUND))
        .with_inputs(|| {
            next += ROUND as u64;
            let record = |number: u64| OutRecord {
                packed: packed(number),
                peer: BOB.to_owned(),
                message_id: number.to_string(),
                ..OutRecord::default()
            };
            (next..next + ROUND as u64).map(record).collect::<Vec<_>>()
        })
        .bench_local_values(|records| {
            for part in records.chunks(batch) {
                home.queue_all(part).expect("queued");
            }
        });
}
