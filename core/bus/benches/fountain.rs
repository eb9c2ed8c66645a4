//! How fast frames are made and put together again: `cargo bench -p packmule-bus --bench fountain`.

#![expect(clippy::expect_used, reason = "a step that fails fails the bench")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use packmule_bus::fountain::{Catcher, Caught, Fountain};

fn main() {
    divan::main();
}

/// Object and symbol length: a short message, QR at normal (20 kB, 100 kB), a megabyte.
const CASES: [(usize, usize); 4] = [
    (1_000, 200),
    (20_000, 1_217),
    (100_000, 1_000),
    (1_000_000, 1_000),
];

fn object(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * n / 7 + n) as u8).collect()
}

#[divan::bench(args = CASES)]
fn build_a_sender(bencher: Bencher<'_, '_>, (length, symbol): (usize, usize)) {
    let object = object(length);
    bencher
        .counter(BytesCount::new(length))
        .bench(|| Fountain::new(black_box(&object), symbol));
}

#[divan::bench(args = CASES)]
fn make_a_repair_frame(bencher: Bencher<'_, '_>, (length, symbol): (usize, usize)) {
    let fountain = Fountain::new(&object(length), symbol).expect("sender");
    let first = fountain.source_count();
    bencher
        .counter(BytesCount::new(symbol))
        .bench(|| fountain.frame(black_box(first + 1)));
}

#[divan::bench(args = CASES)]
fn receive_source(bencher: Bencher<'_, '_>, case: (usize, usize)) {
    receive(bencher, case, 0);
}

#[divan::bench(args = CASES)]
fn receive_repair_alone(bencher: Bencher<'_, '_>, case: (usize, usize)) {
    receive(bencher, case, 1_000_000);
}

fn receive(bencher: Bencher<'_, '_>, (length, symbol): (usize, usize), from: u32) {
    let fountain = Fountain::new(&object(length), symbol).expect("sender");
    let frames: Vec<_> = (from..from + fountain.source_count() + 5)
        .map(|esi| fountain.frame(esi).expect("frame"))
        .collect();
    bencher.counter(BytesCount::new(length)).bench(|| {
        let mut catcher = Catcher::default();
        let complete = frames
            .iter()
            .any(|f| matches!(catcher.catch(f), Ok(Caught::Complete { .. })));
        assert!(complete);
    });
}
