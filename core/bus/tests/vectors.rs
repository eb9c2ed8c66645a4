//! Fixed vectors: a change of either form shows here before it meets a peer.
//!
//! Each `fixtures/envelopes/NAME.packed` has a `NAME.json` with id, kind, identity form and wire
//! form. `PACKMULE_WRITE_FIXTURES=1` writes the JSON anew; the identity form must never change,
//! the wire form only with a new version number.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests may stop where a fixture fails"
)]

mod fixtures;

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use packmule_bus::Envelope;
use serde_json::{Value, json};

use fixtures::{fixture, writing};

fn with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    found
}

#[test]
fn every_vector_has_its_forms_and_its_name() {
    let mut tried = 0;
    for path in with_extension(&fixture("envelopes"), "packed") {
        let packed = std::fs::read(&path).expect("a vector");
        let envelope = Envelope::from_packed(&packed).expect("a packed message");
        let found = json!({
            "id": envelope.id().to_string(),
            "kind": envelope.kind(),
            "packed_bytes": packed.len(),
            "identity": HEXLOWER.encode(envelope.identity()),
            "wire": HEXLOWER.encode(&envelope.to_wire()),
        });
        let beside = path.with_extension("json");
        if writing() {
            let text = serde_json::to_string_pretty(&found).expect("JSON") + "\n";
            std::fs::write(&beside, text).expect("a file");
        }
        let text = std::fs::read(&beside).expect("the vector's forms");
        let wanted: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(found, wanted, "{}", path.display());
        for form in ["identity", "wire"] {
            let form = wanted[form].as_str().expect("a form");
            let form = HEXLOWER.decode(form.as_bytes()).expect("hexadecimal");
            assert_eq!(Envelope::decode(&form).expect("a form"), envelope);
        }
        tried += 1;
    }
    assert!(tried >= 14, "only {tried} vectors");
}

#[test]
fn what_mallory_once_sent_is_refused_or_harmless() {
    let mut tried = 0;
    for path in with_extension(&fixture("hostile/compact"), "bin") {
        let bytes = std::fs::read(&path).expect("a hostile input");
        let refused = Envelope::decode(&bytes).is_err();
        let name = path.file_name().and_then(|name| name.to_str());
        let must_refuse = name.is_some_and(|name| name.starts_with("refuse-"));
        assert!(refused || !must_refuse, "{}", path.display());
        let _ = packmule_bus::inspect(&bytes);
        tried += 1;
    }
    assert!(tried >= 10, "only {tried} inputs");
}
