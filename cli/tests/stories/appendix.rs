//! The ten messages of the specification's Appendix C, opened by the real binary with the keys
//! of Appendix A and the documents of Appendix B. No home is used.

use std::path::{Path, PathBuf};

use super::stage::{Party, Stage, text};
use serde_json::{Value, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/didcomm/appendix-c")
        .join(name)
}

#[test]
fn unpack_opens_all_ten_messages_of_appendix_c() {
    let stage = Stage::new();
    let nobody = Party {
        home: stage.path("no-home"),
    };
    let (alice, first, second, third) = (
        json!("did:example:alice"),
        json!("did:example:alice#key-1"),
        json!("did:example:alice#key-2"),
        json!("did:example:alice#key-3"),
    );
    let none = Value::Null;
    // File, layers, who authenticated, which key signed.
    let expected = [
        ("plain", json!(["plaintext"]), &none, &none),
        ("signed-ed25519", json!(["signed"]), &alice, &first),
        ("signed-p256", json!(["signed"]), &alice, &second),
        ("signed-k256", json!(["signed"]), &alice, &third),
        ("anon-x25519-xc20p", json!(["anoncrypt"]), &none, &none),
        ("anon-p384-cbc", json!(["anoncrypt"]), &none, &none),
        ("anon-p521-gcm", json!(["anoncrypt"]), &none, &none),
        ("auth-x25519-cbc", json!(["authcrypt"]), &alice, &none),
        (
            "authsign-p256-cbc",
            json!(["authcrypt", "signed"]),
            &alice,
            &first,
        ),
        (
            "anonauthsign-p521-xc20p",
            json!(["anoncrypt", "authcrypt", "signed"]),
            &alice,
            &first,
        ),
    ];
    let plain: Value = serde_json::from_slice(&std::fs::read(fixture("plain.json")).unwrap())
        .expect("the plaintext is JSON");
    for (name, layers, sender, signer) in expected {
        let (file, secrets) = (fixture(&format!("{name}.json")), fixture("secrets.json"));
        let (alices, bobs) = (fixture("did-alice.json"), fixture("did-bob.json"));
        let arguments = [
            "unpack",
            text(&file),
            "--secrets",
            text(&secrets),
            "--did-doc",
            text(&alices),
            text(&bobs),
        ];
        let told = nobody.json(arguments);
        assert_eq!(told["layers"], layers, "{name}: {told}");
        assert_eq!(told["sender"], *sender, "{name}: {told}");
        assert_eq!(told["signed_by"], *signer, "{name}: {told}");
        let encrypted = name.starts_with('a');
        assert_eq!(told["recipient_kid"].is_string(), encrypted, "{name}");
        // The spec's bare plaintext has another scheme in `type` than the one it packed.
        for member in ["id", "from", "to", "created_time", "expires_time", "body"] {
            assert_eq!(told["message"][member], plain[member], "{name}: {member}");
        }
        assert_eq!(
            told["message"]["body"]["messagespecificattribute"],
            "and its value"
        );
        // The messages are of 2016.
        assert_eq!(told["expired"], true, "{name}");
        // Without the document of the signer or sender, what names one does not open.
        let blind = nobody.run_json(["unpack", text(&file), "--secrets", text(&secrets)]);
        let opens = matches!(*sender, Value::Null);
        assert_eq!(blind.code == 0, opens, "{name}: {}", blind.out());
    }
    assert!(!nobody.home.exists(), "a home was made");
}
