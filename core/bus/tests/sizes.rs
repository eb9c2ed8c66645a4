//! How small messages must get on the wire, and that foreign producers' headers are known.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may stop where a fixture fails"
)]
#[path = "../benches/samples/mod.rs"]
mod samples;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use packmule_bus::Envelope;
use samples::{METHODS, Method, Rng, party, plain, sealed, signed};

/// Not among those that the dictionary was trained on; makes a did:peer:2 of 199 characters.
const SERVICE: &str = "https://hop.nimbus.is";

/// The JSON's and the wire form's length; checks that the wire form gives the envelope back.
fn lengths(json: &str) -> (usize, usize) {
    let envelope = Envelope::from_packed(json.as_bytes()).unwrap();
    let wire = envelope.to_wire();
    assert_eq!(Envelope::decode(&wire).unwrap(), envelope);
    (json.len(), wire.len())
}

#[test]
fn a_short_authcrypt_message_is_near_its_floor() {
    for method in METHODS {
        let mut rng = Rng(7);
        let (alice, bob) = (
            party(&mut rng, method, SERVICE),
            party(&mut rng, method, SERVICE),
        );
        let body = plain(&mut rng, &alice, &bob, 20);
        let message = sealed(&mut rng, Some(&alice), &bob, body.len());
        let (json, wire) = lengths(&message.json);
        println!("{method:?}: {json} → {wire}, floor {}", message.floor);
        match method {
            Method::Key | Method::KeyX25519 => {
                assert!(wire * 100 <= json * 50, "{method:?}: {wire} of {json}");
                assert!(
                    wire * 100 <= message.floor * 110,
                    "{method:?}: {wire}, {}",
                    message.floor
                );
            }
            Method::Peer2 => assert!(wire * 100 <= json * 42, "{wire} of {json}"),
            Method::Peer4 => assert!(wire * 100 <= json * 55, "{wire} of {json}"),
        }
    }
}

#[test]
fn bare_and_signed_messages_shrink_by_the_dictionary() {
    let mut rng = Rng(8);
    let alice = party(&mut rng, Method::KeyX25519, SERVICE);
    let bob = party(&mut rng, Method::KeyX25519, SERVICE);
    let body = plain(&mut rng, &alice, &bob, 20);
    let (json, wire) = lengths(&body);
    println!("plain {json} → {wire}");
    assert!(wire * 100 <= json * 62);
    let (json, wire) = lengths(&signed(&mut rng, &alice, &body));
    println!("signed {json} → {wire}");
    assert!(wire * 100 <= json * 37);
}

/// All files with these endings under `fixtures/didcomm`.
fn fixtures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fixtures(&path, found);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
}

#[test]
fn foreign_producers_messages_keep_every_member_and_find_their_template() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/didcomm");
    let mut paths = Vec::new();
    fixtures(&root, &mut paths);
    let mut jose = 0;
    let mut seen = BTreeSet::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        if value.get("ciphertext").is_none() && value.get("payload").is_none() {
            continue;
        }
        jose += 1;
        let envelope = Envelope::from_packed(&bytes).unwrap();
        let back: serde_json::Value = serde_json::from_slice(&envelope.to_json()).unwrap();
        assert_eq!(back, value, "{}", path.display());
        let wire = envelope.to_wire();
        assert_eq!(
            Envelope::decode(&wire).unwrap(),
            envelope,
            "{}",
            path.display()
        );
        let explained = packmule_bus::inspect(&bytes).unwrap();
        println!(
            "{}: {} → {} floor {} ({:?})",
            path.strip_prefix(&root).unwrap().display(),
            bytes.len(),
            wire.len(),
            explained.floor_bytes,
            explained.template
        );
        assert!(
            explained.template.is_some(),
            "{}: no template",
            path.display()
        );
        seen.extend(explained.template);
    }
    assert!(jose >= 10, "Appendix C alone has twelve");
    // An order in the table that no fixture has was guessed, and may be wrong.
    assert_eq!(seen.len(), 15, "templates in use: {seen:?}");
}
