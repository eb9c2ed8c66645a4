//! How fast envelopes are made and read: `cargo bench -p packmule-bus --bench compact`.
//!
//! Bytes per second are those of the packed JSON.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop where its own messages fail"
)]

#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use packmule_bus::Envelope;
use samples::{Method, Rng, party, plain, sealed, signed};

/// Not among those that the dictionary was trained on; makes a did:peer:2 of 199 characters.
const SERVICE: &str = "https://hop.nimbus.is";
const KINDS: [&str; 3] = ["authcrypt", "signed", "plain"];
const BODIES: [usize; 3] = [20, 1 << 10, 64 << 10];

fn main() {
    divan::main();
}

fn message(kind: &str, body: usize) -> String {
    let mut rng = Rng(3);
    let alice = party(&mut rng, Method::Key, SERVICE);
    let bob = party(&mut rng, Method::Key, SERVICE);
    let inner = plain(&mut rng, &alice, &bob, body);
    match kind {
        "authcrypt" => sealed(&mut rng, Some(&alice), &bob, inner.len()).json,
        "signed" => signed(&mut rng, &alice, &inner),
        _ => inner,
    }
}

fn cases() -> Vec<(&'static str, usize)> {
    KINDS
        .into_iter()
        .flat_map(|kind| BODIES.map(|body| (kind, body)))
        .collect()
}

/// A case that divan can print.
struct Case(&'static str, usize);

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

fn named() -> impl Iterator<Item = Case> {
    cases().into_iter().map(|(kind, body)| Case(kind, body))
}

/// Packed JSON to wire form: parse, identity, id, wire, self-check.
#[divan::bench(args = named())]
fn encode(bencher: Bencher<'_, '_>, case: &Case) {
    let json = message(case.0, case.1);
    bencher.counter(BytesCount::of_str(&json)).bench(|| {
        Envelope::from_packed(black_box(json.as_bytes()))
            .unwrap()
            .to_wire()
    });
}

/// Wire form to packed JSON: read, check, identity, id, JSON.
#[divan::bench(args = named())]
fn decode(bencher: Bencher<'_, '_>, case: &Case) {
    let json = message(case.0, case.1);
    let wire = Envelope::from_packed(json.as_bytes()).unwrap().to_wire();
    bencher
        .counter(BytesCount::of_str(&json))
        .bench(|| Envelope::decode(black_box(&wire)).unwrap().to_json());
}

/// Packed JSON to envelope and id alone.
#[divan::bench(args = named())]
fn from_packed(bencher: Bencher<'_, '_>, case: &Case) {
    let json = message(case.0, case.1);
    bencher.counter(BytesCount::of_str(&json)).bench(|| {
        Envelope::from_packed(black_box(json.as_bytes()))
            .unwrap()
            .id()
    });
}
