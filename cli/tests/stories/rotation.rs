//! A peer takes a new DID and proves that it is the same party.

use packmule_agent::did::{Method, create};
use packmule_agent::jose::sign_jwt;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use packmule_bus::Kind;
use packmule_node::Home;
use packmule_transports::drive::Folder;
use serde_json::json;

use super::stage::{PASSPHRASE, Party, Stage, text};

/// A message to `to` from a DID that nobody knows, which says in whose stead it comes.
fn letter(alice: &Party, to: &str, proof_by: Option<&Party>, ack: &[&str]) -> (String, Vec<u8>) {
    let fresh = create(Method::Peer2, &[]).unwrap();
    let signer = Home::open(&proof_by.unwrap_or(alice).home).unwrap();
    let secrets = signer.unlock(PASSPHRASE.as_bytes()).unwrap();
    let (kid, _) = signer.identity().1.authentication_keys().next().unwrap();
    let claims = json!({ "iss": alice.did(), "sub": fresh.did, "iat": 1_800_000_000 });
    let proof = sign_jwt(claims.as_object().unwrap(), kid, secrets.get(kid).unwrap()).unwrap();
    let message = json!({
        "id": format!("moved-{}", &fresh.did[20..30]),
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": fresh.did, "to": [to], "from_prior": proof, "ack": ack,
        "body": { "content": "I moved." },
    });
    let keys: Keyring = fresh.secrets.iter().cloned().collect();
    let plan = PackPlan {
        from: Some(fresh.did.clone()),
        to: vec![to.to_owned()],
        ..PackPlan::default()
    };
    let packed = Jose
        .pack(
            message.to_string().as_bytes(),
            &plan,
            &keys,
            &DocBook::new(),
        )
        .unwrap();
    (fresh.did, packed.concat())
}

#[test]
fn alice_moves_to_a_new_did_and_mallory_cannot_do_it_for_her() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mallory = stage.party("mallory", "peer2");
    let stick = stage.folder("stick");
    let folder = Folder::open(&stick).unwrap();

    // Mallory signs with her own key that alice moved to a DID of mallory's.
    let (_, forged) = letter(&alice, &bob.did(), Some(&mallory), &[]);
    folder.deliver(&forged, Kind::Encrypted, 1).unwrap();
    let told = bob.fails(4, ["import", text(&stick)]);
    assert_eq!(
        told["refused"][0]["problem"], "e.p.trust.from-prior",
        "{told}"
    );
    assert_eq!(bob.json(["peers"])["peers"][0]["did"], json!(alice.did()));

    // Bob writes to the DID that he knows: one is on its way, one waits.
    let gone = stage.folder("gone");
    let send = |words: &str| bob.json(["send", "alice", words])["id"].clone();
    let first = send("On its way.");
    bob.ok(["export", text(&gone)]);
    send("Waiting.");

    // Alice signs herself, and has his first message by now.
    let (fresh, honest) = letter(&alice, &bob.did(), None, &[first.as_str().unwrap()]);
    folder.deliver(&honest, Kind::Encrypted, 2).unwrap();
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(told["moved"], json!(["alice"]), "{told}");
    let peers = bob.json(["peers"]);
    assert_eq!(peers["peers"].as_array().unwrap().len(), 1);
    assert_eq!(peers["peers"][0]["did"], json!(fresh));
    assert_eq!(bob.json(["inbox"])["messages"][0]["peer"], "alice");
    assert_eq!(told["acknowledged"], 1, "{told}");
    let states = bob.json(["outbox", "--all"]);
    assert_eq!(states["messages"][1]["state"], "acknowledged", "{states}");

    // What waits for her former DID is hers.
    let carried = bob.json(["export", text(&gone), "--peer", "alice"]);
    assert_eq!(carried["written"], 1, "{carried}");

    // Mallory got hold of the keys that she gave up: they move her nowhere.
    let (_, stolen) = letter(&alice, &bob.did(), None, &[]);
    folder.deliver(&stolen, Kind::Encrypted, 3).unwrap();
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(told["moved"], json!([]), "{told}");
    assert_eq!(bob.json(["peers"])["peers"][0]["did"], json!(fresh));

    // Nor do they when both come at once, before the first is on the disk.
    let carol = stage.party("carol", "peer2");
    carol.ok(["accept", &alice.did(), "--name", "alice", "--no-hello"]);
    let (fresh, honest) = letter(&alice, &carol.did(), None, &[]);
    let (_, stolen) = letter(&alice, &carol.did(), None, &[]);
    let stick = stage.folder("both");
    let folder = Folder::open(&stick).unwrap();
    folder.deliver(&honest, Kind::Encrypted, 1).unwrap();
    folder.deliver(&stolen, Kind::Encrypted, 9).unwrap();
    let told = carol.json(["import", text(&stick)]);
    assert_eq!(told["moved"], json!(["alice"]), "{told}");
    assert_eq!(carol.json(["peers"])["peers"][0]["did"], json!(fresh));
}
