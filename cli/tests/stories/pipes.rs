//! `pack`, `unpack` and `inspect` as scripts use them: exact JSON, pipes, foreign keys.

use super::stage::{self, Stage, text};
use packmule_agent::did::{Method, create};
use serde_json::{Value, json};

fn plaintext(from: &str, to: &str) -> Vec<u8> {
    json!({
        "id": "1234567890",
        "type": "https://example.org/lets_do_lunch/1.0/proposal",
        "from": from,
        "to": [to],
        "created_time": 1_516_269_022,
        "body": { "where": "the well" },
    })
    .to_string()
    .into_bytes()
}

#[test]
fn what_alice_packs_bob_unpacks() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice", "peer2"), stage.party("bob", "peer2"));
    let (from, to) = (alice.did(), bob.did());
    let plain = plaintext(&from, &to);
    let message: Value = serde_json::from_slice(&plain).unwrap();
    for (flags, layers, sender) in [
        (
            vec!["--from", from.as_str()],
            json!(["authcrypt"]),
            Some(&from),
        ),
        (vec![], json!(["authcrypt"]), Some(&from)),
        (
            vec!["--hide-sender"],
            json!(["anoncrypt", "authcrypt"]),
            Some(&from),
        ),
        (vec!["--anon"], json!(["anoncrypt"]), None),
        (
            vec!["--anon", "--sign"],
            json!(["anoncrypt", "signed"]),
            Some(&from),
        ),
        (vec!["--anon", "--compact"], json!(["anoncrypt"]), None),
    ] {
        let mut args = vec!["pack", "--to", to.as_str()];
        args.extend(&flags);
        let packed = alice.pipe(&args, &plain);
        assert_eq!(packed.code, 0, "{flags:?}: {}", packed.stderr);
        let opened = bob.pipe(["unpack", "--json"], &packed.stdout);
        assert_eq!(opened.code, 0, "{flags:?}: {}", opened.stderr);
        let opened = opened.json();
        assert_eq!(opened["message"], message, "{flags:?}");
        assert_eq!(opened["layers"], layers, "{flags:?}");
        assert_eq!(
            opened["sender"].as_str(),
            sender.map(String::as_str),
            "{flags:?}"
        );
        let signed = flags.contains(&"--sign");
        assert_eq!(opened["signed_by"].is_string(), signed, "{flags:?}");
        // Without --json the plaintext itself comes out, byte for byte.
        assert_eq!(
            bob.pipe(["unpack"], &packed.stdout).stdout,
            plain,
            "{flags:?}"
        );
    }
    // Only signed: anybody can open it.
    let signed = alice.pipe(["pack", "--sign"], &plain);
    let opened = bob.pipe(["unpack", "--json"], &signed.stdout).json();
    assert_eq!(opened["layers"], json!(["signed"]));
    // Even without a home.
    let nobody = stage::Party {
        home: stage.path("no-home"),
    };
    let opened = nobody.pipe(["unpack", "--json"], &signed.stdout);
    assert_eq!(opened.json()["sender"], json!(from));
}

#[test]
fn anyones_keys_and_documents_serve_without_a_home() {
    let stage = Stage::new();
    let nobody = stage::Party {
        home: stage.path("no-home"),
    };
    let (alice, bob) = (
        create(Method::Peer2, &[]).unwrap(),
        create(Method::Peer4, &[]).unwrap(),
    );
    let jwks = |new: &packmule_agent::did::NewDid| -> Vec<Value> {
        new.secrets
            .iter()
            .map(|(kid, key)| {
                let mut jwk: Value = serde_json::from_str(&key.to_jwk()).unwrap();
                jwk["kid"] = json!(kid);
                jwk
            })
            .collect()
    };
    // An array, and a map by key id.
    let hers = stage.file("alice.json", json!(jwks(&alice)).to_string().as_bytes());
    let map: serde_json::Map<String, Value> = jwks(&bob)
        .into_iter()
        .map(|jwk| (jwk["kid"].as_str().unwrap().to_owned(), jwk))
        .collect();
    let his = stage.file("bob.json", Value::Object(map).to_string().as_bytes());
    let doc = stage.file("bob-doc.json", bob.doc.to_json().to_string().as_bytes());
    let plain = plaintext(&alice.did, &bob.did);
    let packed = nobody.pipe(
        [
            "pack",
            "--from",
            &alice.did,
            "--to",
            &bob.did,
            "--secrets",
            text(&hers),
            "--did-doc",
            text(&doc),
        ],
        &plain,
    );
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let opened = nobody.pipe(
        ["unpack", "--json", "--secrets", text(&his)],
        &packed.stdout,
    );
    assert_eq!(opened.code, 0, "{}", opened.stderr);
    assert_eq!(opened.json()["sender"], json!(alice.did));
    assert!(!nobody.home.exists(), "a home was made");
    // No home and no keys: said, with both ways out.
    let refused = nobody.pipe(["unpack", "--json"], &packed.stdout);
    assert_eq!(refused.code, 3);
    assert!(
        refused.json()["hint"]
            .as_str()
            .unwrap()
            .contains("--secrets")
    );
}

#[test]
fn inspect_tells_the_sizes_of_every_form() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice", "key"), stage.party("bob", "key"));
    let plain = plaintext(&alice.did(), &bob.did());
    let json_form = alice.pipe(["pack", "--to", &bob.did()], &plain).stdout;
    let file = stage.file("message.dcem", &json_form);
    let found = alice.json(["inspect", text(&file)]);
    assert_eq!(found["kind"], "encrypted");
    assert_eq!(found["json_bytes"], json_form.len());
    let sizes: Vec<u64> = ["floor_bytes", "compact_bytes", "json_bytes"]
        .iter()
        .map(|k| found[k].as_u64().unwrap())
        .collect();
    assert!(sizes.is_sorted(), "{sizes:?}");
    // The compact form of the same message has the same id.
    let draft = stage.path("message.bin");
    let compact = alice.pipe(
        [
            "pack",
            "--to",
            &bob.did(),
            "--compact",
            "--output",
            text(&draft),
        ],
        &plain,
    );
    assert_eq!(compact.code, 0, "{}", compact.stderr);
    let compact_found = alice.json(["inspect", text(&draft)]);
    assert_eq!(compact_found["form"], "wire");
    assert_eq!(
        std::fs::metadata(&draft).unwrap().len(),
        compact_found["compact_bytes"].as_u64().unwrap()
    );
    let told = alice.ok(["inspect", text(&file)]);
    assert!(
        told.contains("compact:") && told.contains("offset"),
        "{told}"
    );
}

#[test]
fn several_recipients_get_a_line_each() {
    let stage = Stage::new();
    let parties = [
        stage.party("alice", "key"),
        stage.party("bob", "key"),
        stage.party("carol", "key"),
    ];
    let [alice, bob, carol] = &parties;
    let plain = json!({ "id": "1", "type": "https://example.org/x/1.0/y", "body": {} }).to_string();
    let packed = alice.pipe(["pack", "--to", &bob.did(), &carol.did()], plain.as_bytes());
    let out = packed.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(bob.pipe(["unpack"], lines[0].as_bytes()).code, 0);
    assert_eq!(carol.pipe(["unpack"], lines[1].as_bytes()).code, 0);
}
