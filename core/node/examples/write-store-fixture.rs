//! Writes a home of the current store version, as kept in `fixtures/store/vN`.
//!
//! usage: cargo run -p packmule-node --example write-store-fixture -- fixtures/store/vN
//! Only for a new version of the store: a fixture of a released version is never rewritten.

use std::{env, error::Error, path::PathBuf};

use packmule_agent::did::{Method, create};
use packmule_bus::Envelope;
use packmule_node::{Arrival, Change, Home, OutRecord, PeerRecord};
use serde_json::json;

const NOW: u64 = 1_795_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir: PathBuf = env::args_os().nth(1).ok_or("usage: … FOLDER")?.into();
    let home = Home::create(&dir, &create(Method::Key, &[])?, b"fixture v2")?;
    let bob = |did: &str| PeerRecord {
        name: "bob".into(),
        did: did.into(),
        doc: json!({ "id": did }),
        added: NOW,
    };
    // A former DID of bob's.
    home.add_peer(&bob("did:example:bob-old"))?;
    home.update_peer("bob", &bob("did:example:bob"))?;
    let records = [1, 2].map(|number| OutRecord {
        packed: packed(number),
        peer: "did:example:bob".into(),
        message_id: format!("message-{number}"),
        created: NOW,
        expires: Some(NOW + 3600),
        ..OutRecord::default()
    });
    let queued = home.queue_all(&records)?;
    home.mark_sent(queued.get(1..).unwrap_or_default(), "drive", NOW)?;
    let arrival = Arrival {
        channel: "drive".into(),
        received: NOW,
    };
    for number in [3, 4] {
        home.accept_all([&Envelope::from_packed(&packed(number))?], &arrival)?;
    }
    home.apply(&[
        Change::Refuse {
            id: Envelope::from_packed(&packed(4))?.id(),
            problem: "e.p.trust.crypto".into(),
            detail: "no key of ours opens it".into(),
        },
        Change::Note {
            topic: "own".into(),
            key: "form".into(),
            value: Some("long".into()),
        },
    ])?;
    Ok(())
}

/// The same made-up message as the tests use.
fn packed(number: usize) -> Vec<u8> {
    let filler = "A".repeat(240);
    format!(r#"{{"protected":"eyJ0eXAi{number:08}","ciphertext":"{filler}","tag":"{number}"}}"#)
        .into_bytes()
}
