//! Bytes from a stranger into `peek` and `open`, with the specification's keys and documents
//! at hand, so that mutated Appendix C messages get deep.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use packmule_agent::did::DidDoc;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, Limits, Packer, peek};
use packmule_agent::resolve::DocBook;

const SECRETS: &str = include_str!("../../../fixtures/didcomm/appendix-c/secrets.json");
const DOCS: [&str; 2] = [
    include_str!("../../../fixtures/didcomm/appendix-c/did-alice.json"),
    include_str!("../../../fixtures/didcomm/appendix-c/did-bob.json"),
];

fn world() -> &'static (Keyring, DocBook) {
    static WORLD: OnceLock<(Keyring, DocBook)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let secrets = serde_json::from_str(SECRETS).expect("fixture");
        let mut book = DocBook::new();
        for doc in DOCS {
            let doc = serde_json::from_str(doc).expect("fixture");
            book.insert(DidDoc::from_json(&doc).expect("fixture"));
        }
        (Keyring::from_secrets_json(&secrets).expect("fixture"), book)
    })
}

fuzz_target!(|data: &[u8]| {
    let (keys, book) = world();
    let limits = Limits {
        max_bytes: 1 << 20,
        ..Limits::default()
    };
    let _ = peek(data, &limits);
    if let Ok(opened) = Jose.open(data, keys, book, &limits) {
        assert!(opened.message.is_object());
        assert!(!opened.layers.is_empty());
    }
});
