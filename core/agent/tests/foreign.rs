//! Messages that other people's implementations packed: every one of them opens, and the
//! layers are those that its file name says. Veramo's authcrypt alone is refused: it is the third
//! draft of ECDH-1PU, without `apu` and `apv`, and with a key derivation that leaves the tag out.

#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::fs;
use std::path::{Path, PathBuf};

use packmule_agent::did::DidDoc;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, Limits, OpenError, Packer, Warning};
use packmule_agent::resolve::DocBook;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/didcomm/foreign")
}

fn parsed(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

/// What a file name such as `anon-sign.json` or `auth-p256.json` promises.
fn promised(name: &str) -> &'static [&'static str] {
    match name {
        _ if name.starts_with("anon-auth") => &["anoncrypt", "authcrypt"],
        _ if name.starts_with("anon-sign") => &["anoncrypt", "signed"],
        _ if name.starts_with("auth-sign") => &["authcrypt", "signed"],
        _ if name.starts_with("anon") => &["anoncrypt"],
        _ if name.starts_with("auth") => &["authcrypt"],
        _ if name.starts_with("signed") => &["signed"],
        _ => &["plaintext"],
    }
}

#[test]
fn every_foreign_message_opens() {
    let keys = Keyring::from_secrets_json(&parsed("parties/secrets.json")).unwrap();
    let mut book = DocBook::new();
    for doc in parsed("parties/docs.json").as_array().unwrap() {
        book.insert(DidDoc::from_json(doc).unwrap());
    }
    let mut faults = Vec::new();
    let (mut count, mut refused) = (0, 0);
    for producer in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        if !producer.path().is_dir() || producer.file_name() == "parties" {
            continue;
        }
        for file in fs::read_dir(producer.path()).unwrap().map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            if !name.ends_with(".json") {
                continue;
            }
            count += 1;
            let packed = fs::read(file.path()).unwrap();
            let refuse = producer.file_name() == "veramo" && name.starts_with("auth");
            match Jose.open(&packed, &keys, &book, &Limits::default()) {
                Ok(_) if refuse => faults.push(format!("{}: opens", file.path().display())),
                Ok(opened) => {
                    let layers: Vec<String> =
                        opened.layers.iter().map(ToString::to_string).collect();
                    if layers != promised(&name) {
                        faults.push(format!("{}: {layers:?}", file.path().display()));
                    }
                    let unprotected = opened.warnings.contains(&Warning::MissingApv);
                    if unprotected != (producer.file_name() == "veramo" && name.starts_with("anon"))
                    {
                        faults.push(format!("{}: {:?}", file.path().display(), opened.warnings));
                    }
                }
                Err(OpenError::Malformed("apu")) if refuse => refused += 1,
                Err(error) => faults.push(format!("{}: {error}", file.path().display())),
            }
        }
    }
    assert!(count >= 40, "only {count} messages found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(refused, 3, "Veramo's authcrypt");
}
