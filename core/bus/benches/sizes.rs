//! The size table: `cargo bench -p packmule-bus --bench sizes`.
//!
//! Message kinds × DID methods × body sizes: bytes of the packed JSON, of the wire form, of the
//! floor (what no format could leave out), and their ratios.
#![expect(
    clippy::unwrap_used,
    reason = "a bench may stop where its own messages fail"
)]

#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use packmule_bus::{Envelope, inspect};
use samples::{METHODS, Method, Rng, party, plain, sealed, signed};

/// Not among those that the dictionary was trained on; makes a did:peer:2 of 199 characters.
const SERVICE: &str = "https://hop.nimbus.is";

fn main() {
    // Cargo asks benches of their own harness too when it lists or tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    println!("| message (body) | DIDs | JSON | wire | floor | wire/JSON | wire/floor |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for method in METHODS {
        for body in [20, 200, 1000, 65536] {
            rows(method, body);
        }
    }
}

fn rows(method: Method, body: usize) {
    let mut rng = Rng(11);
    let alice = party(&mut rng, method, SERVICE);
    let bob = party(&mut rng, method, SERVICE);
    let bare = plain(&mut rng, &alice, &bob, body);
    let signed = signed(&mut rng, &alice, &bare);
    let auth = sealed(&mut rng, Some(&alice), &bob, bare.len()).json;
    let anon = sealed(&mut rng, None, &bob, bare.len()).json;
    let anon_auth = sealed(&mut rng, None, &bob, auth.len()).json;
    let anon_sign = sealed(&mut rng, None, &bob, signed.len()).json;
    for (kind, json) in [
        ("plain", &bare),
        ("signed", &signed),
        ("anoncrypt", &anon),
        ("authcrypt", &auth),
        ("anon(auth)", &anon_auth),
        ("anon(sign)", &anon_sign),
    ] {
        let wire = Envelope::from_packed(json.as_bytes()).unwrap().to_wire();
        let floor = inspect(json.as_bytes()).unwrap().floor_bytes;
        let ratio = |of: usize| wire.len() as f64 / of as f64;
        println!(
            "| {kind} ({body}) | {method:?} | {} | {} | {floor} | {:.3} | {:.3} |",
            json.len(),
            wire.len(),
            ratio(json.len()),
            ratio(floor),
        );
    }
}
