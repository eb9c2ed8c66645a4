//! What a link over TCP carries on this machine: PDUs one way by 127.0.0.1.
//!
//! `cargo bench -p packmule-tcp`

#![expect(clippy::expect_used, reason = "a step that fails fails the bench")]

use divan::Bencher;
use divan::counter::BytesCount;
use packmule_bus::link::Link;
use packmule_conformance::pair;
use packmule_tcp::Tcp;
use tokio::runtime::Runtime;

/// Bytes in one round.
const FREIGHT: usize = 16 << 20;

fn main() {
    divan::main();
}

#[divan::bench(args = [64, 1200, 16_384, 65_535], sample_count = 20)]
fn one_way(bencher: Bencher<'_, '_>, size: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (mut near, mut far) = runtime.block_on(pair(&Tcp, "tcp://127.0.0.1:0"));
    let count = FREIGHT / size;
    bencher
        .counter(BytesCount::new(count * size))
        .bench_local(|| round(&runtime, &mut near, &mut far, count, size));
}

fn round(runtime: &Runtime, near: &mut Link, far: &mut Link, count: usize, size: usize) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime.block_on(async {
                for _ in 0..count {
                    near.tx.send(vec![7; size]).await.expect("sent");
                }
            });
        });
        runtime.block_on(async {
            for _ in 0..count {
                assert_eq!(far.rx.recv().await.expect("comes").len(), size);
            }
        });
    });
}
