//! The ten messages of the specification's Appendix C, with its keys (A) and documents (B).

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::fs;
use std::path::PathBuf;

use packmule_agent::did::DidDoc;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, Limits, Opened, Packer};
use packmule_agent::resolve::DocBook;
use serde_json::Value;

fn read(name: &str) -> Vec<u8> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/didcomm/appendix-c");
    fs::read(folder.join(name)).unwrap()
}

fn parsed(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap()
}

fn open(name: &str) -> Opened {
    let keys = Keyring::from_secrets_json(&parsed("secrets.json")).unwrap();
    let mut book = DocBook::new();
    for name in ["did-alice.json", "did-bob.json"] {
        book.insert(DidDoc::from_json(&parsed(name)).unwrap());
    }
    Jose.open(&read(name), &keys, &book, &Limits::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// File, layers, who authenticated, which key signed.
type Expected = (
    &'static str,
    &'static [&'static str],
    Option<&'static str>,
    Option<&'static str>,
);

#[test]
fn all_ten_messages_open_and_say_the_same() {
    let alice = Some("did:example:alice");
    let expected: [Expected; 10] = [
        ("plain.json", &["plaintext"], None, None),
        (
            "signed-ed25519.json",
            &["signed"],
            None,
            Some("did:example:alice#key-1"),
        ),
        (
            "signed-p256.json",
            &["signed"],
            None,
            Some("did:example:alice#key-2"),
        ),
        (
            "signed-k256.json",
            &["signed"],
            None,
            Some("did:example:alice#key-3"),
        ),
        ("anon-x25519-xc20p.json", &["anoncrypt"], None, None),
        ("anon-p384-cbc.json", &["anoncrypt"], None, None),
        ("anon-p521-gcm.json", &["anoncrypt"], None, None),
        ("auth-x25519-cbc.json", &["authcrypt"], alice, None),
        (
            "authsign-p256-cbc.json",
            &["authcrypt", "signed"],
            alice,
            Some("did:example:alice#key-1"),
        ),
        (
            "anonauthsign-p521-xc20p.json",
            &["anoncrypt", "authcrypt", "signed"],
            alice,
            Some("did:example:alice#key-1"),
        ),
    ];
    let plain = parsed("plain.json");
    for (name, layers, sender, signer) in expected {
        let opened = open(name);
        let found: Vec<String> = opened.layers.iter().map(ToString::to_string).collect();
        assert_eq!(found, layers, "{name}");
        assert_eq!(opened.sender.as_deref(), sender, "{name}");
        assert_eq!(opened.signed_by.as_deref(), signer, "{name}");
        // The spec's bare plaintext has another scheme in `type` than the one it packed.
        for member in ["id", "from", "to", "created_time", "expires_time", "body"] {
            assert_eq!(opened.message[member], plain[member], "{name}: {member}");
        }
    }
}
