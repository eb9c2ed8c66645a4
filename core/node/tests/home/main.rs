//! A home on disk, as alice, bob and mallory find it. One binary, so that the helpers below are
//! shared.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail the test by panicking"
)]

mod book;
mod crash;
mod disk;
mod making;
mod opened;
mod post;

use std::path::Path;

use packmule_agent::did::{Method, create};
use packmule_bus::{Envelope, EnvelopeId};
use packmule_node::{Accepted, Arrival, Home, OutRecord, PeerRecord};
use serde_json::json;

/// When all of this happens, in posix seconds.
const NOW: u64 = 1_795_000_000;
const PASSPHRASE: &[u8] = b"mules never forget";

/// A new home in this folder.
fn home_in(dir: &Path) -> Home {
    Home::create(dir, &create(Method::Key, &[]).unwrap(), PASSPHRASE).unwrap()
}

/// A packed message as far as a store can tell.
fn packed(number: usize, size: usize) -> Vec<u8> {
    let filler = "A".repeat(size.saturating_sub(60));
    format!(r#"{{"protected":"eyJ0eXAi{number:08}","ciphertext":"{filler}","tag":"{number}"}}"#)
        .into_bytes()
}

fn envelope(number: usize) -> Envelope {
    Envelope::from_packed(&packed(number, 300)).unwrap()
}

fn by_drive() -> Arrival {
    Arrival {
        channel: "drive".into(),
        received: NOW,
    }
}

fn peer(name: &str, did: &str) -> PeerRecord {
    PeerRecord {
        name: name.into(),
        did: did.into(),
        doc: json!({ "id": did }),
        added: NOW,
    }
}

fn to_bob(number: usize) -> OutRecord {
    OutRecord {
        packed: packed(number, 300),
        peer: "did:example:bob".into(),
        message_id: format!("message-{number}"),
        created: NOW,
        expires: None,
        ..OutRecord::default()
    }
}

fn accept(home: &Home, envelope: &Envelope, arrival: &Arrival) -> Accepted {
    home.accept_all([envelope], arrival).unwrap().remove(0)
}

fn queue(home: &Home, record: &OutRecord) -> EnvelopeId {
    let records = std::slice::from_ref(record);
    home.queue_all(records).unwrap().remove(0)
}
