//! Writes a home of the current store version, as kept in `fixtures/store/vN`.
//!
//! usage: cargo run -p packmule-node --example write-store-fixture -- fixtures/store/vN
//! Only for a new version of the store: a fixture of a released version is never rewritten.

use std::{env, error::Error, path::PathBuf};

use packmule_agent::did::{Method, create};
use packmule_bus::Envelope;
use packmule_node::{Arrival, Home, OutRecord, PeerRecord};
use serde_json::json;

const NOW: u64 = 1_795_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir: PathBuf = env::args_os().nth(1).ok_or("usage: … FOLDER")?.into();
    let home = Home::create(&dir, &create(Method::Key, &[])?, b"fixture v1")?;
    home.add_peer(&PeerRecord {
        name: "bob".into(),
        did: "did:example:bob".into(),
        doc: json!({ "id": "did:example:bob" }),
        added: NOW,
    })?;
    home.add_peer_alias("bob", "did:example:bob-old")?;
    for number in [1, 2] {
        home.queue(&OutRecord {
            packed: packed(number),
            peer: "did:example:bob".into(),
            message_id: format!("message-{number}"),
            created: NOW,
            expires: Some(NOW + 3600),
        })?;
    }
    let second = Envelope::from_packed(&packed(2))?;
    home.mark_sent(&[second.id()], "drive", NOW)?;
    let arrival = Arrival {
        channel: "drive".into(),
        received: NOW,
    };
    for number in [3, 4] {
        home.accept(&Envelope::from_packed(&packed(number))?, &arrival)?;
    }
    let refused = Envelope::from_packed(&packed(4))?;
    home.refuse(&refused.id(), "e.p.trust.crypto", "no key of ours opens it")?;
    home.set_note("own", "form", "long")?;
    Ok(())
}

/// The same made-up message as the tests use.
fn packed(number: usize) -> Vec<u8> {
    let filler = "A".repeat(240);
    format!(r#"{{"protected":"eyJ0eXAi{number:08}","ciphertext":"{filler}","tag":"{number}"}}"#)
        .into_bytes()
}
