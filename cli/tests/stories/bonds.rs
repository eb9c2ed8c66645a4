//! How relations begin, last and end: invitations, did:web, short forms, lost answers, farewells.

use packmule_agent::did::{DidDoc, Method, create, short_form};
use packmule_agent::jose::sign_jwt;
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, Limits, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use packmule_bus::Kind;
use packmule_node::Home;
use packmule_transports::drive::Folder;
use serde_json::{Value, json};

use super::stage::{PASSPHRASE, Party, Stage, packed_by, text};

/// Brings everything that waits at one party to the other; gives back what its import told.
fn bring(stage: &Stage, from: &Party, to: &Party) -> Value {
    let stick = stage.folder("carrier");
    from.ok(["export", text(&stick)]);
    to.json(["import", text(&stick)])
}

fn invite(alice: &Party, flags: &[&str]) -> (String, String) {
    let mut args = vec!["invite"];
    args.extend(flags);
    let made = alice.json(args);
    let field = |name: &str| made[name].as_str().unwrap().to_owned();
    (field("url"), field("id"))
}

#[test]
fn an_acknowledgement_that_was_lost_goes_again() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let sent = alice.json(["send", "bob", "Did you get it?", "--please-ack"]);
    assert_eq!(bring(&stage, &alice, &bob)["answers"], 1);
    // The stick with the acknowledgement falls into the well.
    let lost = stage.folder("lost");
    assert_eq!(bob.json(["export", text(&lost)])["written"], 1);
    assert_eq!(bob.json(["export", text(&lost)])["written"], 0);
    // So alice sends again, and bob, who has it already, answers again.
    alice.ok(["outbox", "again", sent["id"].as_str().unwrap()]);
    let told = bring(&stage, &alice, &bob);
    assert_eq!((&told["new"], &told["duplicate"]), (&json!(0), &json!(1)));
    assert_eq!(bring(&stage, &bob, &alice)["acknowledged"], 1);
    assert_eq!(bob.texts(), ["Did you get it?"]);
}

#[test]
fn a_message_packed_anew_is_answered_anew() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let alice = create(Method::Peer2, &[]).unwrap();
    bob.ok(["accept", &alice.did, "--no-hello"]);
    let stick = stage.folder("stick");
    for round in 1..=2 {
        let lost = stage.folder(&format!("lost-{round}"));
        let packed = packed_by(&alice, &bob.did(), "once", "Did you get it?", true);
        let folder = Folder::open(&stick).unwrap();
        folder.deliver(&packed, Kind::Encrypted, round).unwrap();
        let told = bob.json(["import", text(&stick)]);
        assert_eq!(told["repeated"], round - 1, "{told}");
        assert_eq!(bob.json(["export", text(&lost)])["written"], 1);
    }
    assert_eq!(bob.texts(), ["Did you get it?"]);
}

#[test]
fn a_did_peer_4_is_long_until_the_peer_knows_it_and_short_afterwards() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair_of("peer4");
    let (long, bobs) = (alice.did(), bob.did());
    let short = short_form(&long).unwrap();
    assert_ne!(short, long);
    let from = |party: &Party, which: usize| {
        let inbox = party.json(["inbox", "--all"]);
        let id = inbox["messages"][which]["id"].as_str().unwrap().to_owned();
        party.json(["inbox", "show", &id])["message"]["from"].clone()
    };
    // Bob's hello had to bring his document.
    assert_eq!(from(&alice, 0), json!(bobs));
    // It was written to alice's DID, so bob has hers.
    let first = alice.json(["send", "bob", "One."]);
    bring(&stage, &alice, &bob);
    assert_eq!(from(&bob, 0), json!(short));
    // And that was written to bob's, so alice has his.
    let answer = bob.json(["send", "alice", "Two."]);
    bring(&stage, &bob, &alice);
    assert_eq!(from(&alice, 1), json!(short_form(&bobs).unwrap()));
    for sent in [first, answer] {
        let bytes = sent["bytes"].as_u64().unwrap();
        assert!(bytes < 2000, "{bytes} bytes");
    }
    assert_eq!(alice.json(["inbox"])["messages"][0]["peer"], "bob");
    assert_eq!(bob.json(["inbox"])["messages"][0]["peer"], "alice");
}

/// A party on the web, whose DID leads to a document that somebody must bring.
fn on_the_web(did: &str) -> (DidDoc, Keyring) {
    let made = create(Method::Peer2, &[]).unwrap();
    let doc = made.doc.to_json().to_string().replace(&made.did, did);
    let doc = DidDoc::from_json(&serde_json::from_str(&doc).unwrap()).unwrap();
    let keys = made.secrets.iter();
    let keys = keys.map(|(kid, key)| (kid.replace(&made.did, did), key.clone()));
    (doc, keys.collect())
}

#[test]
fn a_did_web_is_a_peer_once_its_document_was_brought_and_until_it_is_too_old() {
    let stage = Stage::new();
    let alice = stage.party("alice", "peer2");
    let did = "did:web:well.example";
    let (doc, keys) = on_the_web(did);
    let file = stage.file("did.json", doc.to_json().to_string().as_bytes());
    let missing = alice.fails(3, ["accept", did]);
    assert!(
        missing["hint"].as_str().unwrap().contains("--did-doc"),
        "{missing}"
    );
    // The document of another DID does not serve.
    alice.fails(
        6,
        ["accept", "did:web:other.example", "--did-doc", text(&file)],
    );
    alice.ok([
        "accept",
        did,
        "--name",
        "well",
        "--no-hello",
        "--did-doc",
        text(&file),
    ]);
    alice.ok(["send", "well", "How deep?"]);
    let stick = stage.folder("stick");
    alice.ok(["export", text(&stick)]);
    let folder = Folder::open(&stick).unwrap();
    let item = folder.collect().unwrap().next().unwrap().unwrap();
    let mut book = DocBook::new();
    book.insert(doc.clone());
    let opened = Jose
        .open(&item.packed(), &keys, &book, &Limits::default())
        .unwrap();
    assert_eq!(opened.message["body"]["content"], "How deep?");
    folder.settle(&item.token).unwrap();

    // The well answers.
    let message = json!({
        "id": "depth", "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": did, "to": [alice.did()], "body": { "content": "Forty metres." },
    });
    let plan = PackPlan {
        from: Some(did.to_owned()),
        to: vec![alice.did()],
        ..PackPlan::default()
    };
    let packed = Jose
        .pack(message.to_string().as_bytes(), &plan, &keys, &book)
        .unwrap();
    folder
        .deliver(&packed.concat(), Kind::Encrypted, 1)
        .unwrap();
    alice.ok(["import", text(&stick)]);
    assert_eq!(alice.json(["inbox"])["messages"][0]["peer"], "well");

    // Years later nobody knows whether these are its keys still.
    let home = Home::open(&alice.home).unwrap();
    home.keep_doc(did, &doc, 1_000_000_000).unwrap();
    let stale = alice.fails(3, ["send", "well", "And now?"]);
    assert!(
        stale["hint"].as_str().unwrap().contains("--did-doc"),
        "{stale}"
    );
    let renewed = alice.json(["accept", did, "--did-doc", text(&file)]);
    assert_eq!(renewed["renewed"], true);
    alice.ok(["send", "well", "And now?"]);
}

#[test]
fn an_invitation_makes_one_peer_unless_it_is_open_and_none_when_it_is_over() {
    for (flags, expected) in [
        (&[][..], 1),
        (&["--open"][..], 2),
        (&["--open", "--expires", "0s"][..], 0),
    ] {
        let stage = Stage::new();
        let alice = stage.party("alice", "key");
        let (url, _) = invite(&alice, flags);
        let stick = stage.folder("stick");
        for name in ["bob", "mallory"] {
            let party = stage.party(name, "key");
            party.ok(["accept", &url]);
            party.ok(["export", text(&stick)]);
        }
        let told = alice.json(["import", text(&stick)]);
        assert_eq!(told["met"].as_array().unwrap().len(), expected, "{flags:?}");
        assert_eq!(told["opened"], 2, "{flags:?}: strangers are read, too");
        let peers = alice.json(["peers"]);
        assert_eq!(peers["peers"].as_array().unwrap().len(), expected);
    }
}

#[test]
fn an_invitation_can_be_taken_back() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice", "key"), stage.party("bob", "key"));
    let (url, id) = invite(&alice, &["--open"]);
    bob.ok(["accept", &url]);
    assert_eq!(
        alice.json(["invite", "--revoke", &id])["revoked"],
        json!(id)
    );
    alice.fails(3, ["invite", "--revoke", &id]);
    assert_eq!(bring(&stage, &bob, &alice)["met"], json!([]));
    assert_eq!(alice.json(["peers"])["peers"], json!([]));
}

#[test]
fn a_peer_that_was_removed_does_not_come_back_by_an_old_invitation() {
    for method in ["key", "peer4"] {
        let stage = Stage::new();
        let (alice, bob) = (stage.party("alice", method), stage.party("bob", method));
        let (url, _) = invite(&alice, &["--open"]);
        bob.ok(["accept", &url, "--name", "alice"]);
        let met = bring(&stage, &bob, &alice)["met"][0].clone();
        alice.ok(["peers", "remove", met.as_str().unwrap()]);
        bob.ok(["peers", "remove", "alice"]);
        bob.ok(["accept", &url, "--name", "alice"]);
        assert_eq!(bring(&stage, &bob, &alice)["met"], json!([]), "{method}");
        assert_eq!(alice.json(["peers"])["peers"], json!([]), "{method}");
        // Only alice herself brings him back.
        alice.ok(["accept", &bob.did(), "--name", "bob", "--no-hello"]);
        bob.ok(["send", "alice", "Thank you."]);
        bring(&stage, &bob, &alice);
        assert_eq!(alice.json(["inbox"])["messages"][0]["peer"], "bob");
    }
}

/// A farewell in alice's name, from nobody (spec: ending a relationship).
fn farewell(alice: &Party, to: &str, proof_by: &Party) -> Vec<u8> {
    let signer = Home::open(&proof_by.home).unwrap();
    let secrets = signer.unlock(PASSPHRASE.as_bytes()).unwrap();
    let (kid, _) = signer.identity().1.authentication_keys().next().unwrap();
    let claims = json!({ "iss": alice.did(), "iat": 1_800_000_000 });
    let proof = sign_jwt(claims.as_object().unwrap(), kid, secrets.get(kid).unwrap()).unwrap();
    let message = json!({
        "id": "farewell", "type": "https://didcomm.org/empty/1.0/empty",
        "to": [to], "from_prior": proof, "body": {},
    });
    let plan = PackPlan {
        to: vec![to.to_owned()],
        ..PackPlan::default()
    };
    let plain = message.to_string();
    Jose.pack(plain.as_bytes(), &plan, &Keyring::new(), &DocBook::new())
        .unwrap()
        .concat()
}

#[test]
fn a_peer_that_ends_the_relationship_is_heard_and_not_written_to_any_more() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let mallory = stage.party("mallory", "peer2");
    let stick = stage.folder("stick");
    let folder = Folder::open(&stick).unwrap();
    // Mallory cannot say it for her.
    let forged = farewell(&alice, &bob.did(), &mallory);
    folder.deliver(&forged, Kind::Encrypted, 1).unwrap();
    bob.fails(4, ["import", text(&stick)]);
    bob.ok(["send", "alice", "Still there?"]);

    let honest = farewell(&alice, &bob.did(), &alice);
    folder.deliver(&honest, Kind::Encrypted, 2).unwrap();
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(told["ended"], json!(["alice"]), "{told}");
    let refused = bob.fails(4, ["send", "alice", "But why?"]);
    assert!(
        refused["error"].as_str().unwrap().contains("ended"),
        "{refused}"
    );
    assert!(refused["hint"].is_string());
    // A new beginning is a new beginning.
    bob.ok(["peers", "remove", "alice"]);
    bob.ok(["accept", &alice.did(), "--name", "alice"]);
    bob.ok(["send", "alice", "Welcome back."]);
}

#[test]
fn a_message_is_found_by_its_whole_id_or_its_envelope_when_beginnings_are_shared() {
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let stranger = create(Method::Peer2, &[]).unwrap();
    let stick = stage.folder("stick");
    let folder = Folder::open(&stick).unwrap();
    for (id, words) in [("note-1", "First."), ("note-10", "Tenth.")] {
        let packed = packed_by(&stranger, &bob.did(), id, words, false);
        folder.deliver(&packed, Kind::Encrypted, 1).unwrap();
    }
    bob.ok(["import", text(&stick)]);
    assert_eq!(bob.json(["inbox", "show", "note-1"])["text"], "First.");
    assert_eq!(bob.json(["inbox", "show", "note-10"])["text"], "Tenth.");
    let inbox = bob.json(["inbox"]);
    let unclear = bob.fails(3, ["inbox", "show", "note-"]);
    for message in inbox["messages"].as_array().unwrap() {
        let (envelope, words) = (message["envelope"].as_str().unwrap(), &message["text"]);
        let short = &envelope[..26];
        assert!(
            unclear["hint"].as_str().unwrap().contains(short),
            "{unclear}"
        );
        for id in [&envelope[..9], short, envelope] {
            assert_eq!(&bob.json(["inbox", "show", id])["text"], words, "{id}");
        }
    }
    // Mallory calls a message by the name of another's envelope: the name stays that one's.
    let first = &inbox["messages"][0];
    let taken = first["envelope"].as_str().unwrap();
    let packed = packed_by(&stranger, &bob.did(), taken, "Mine!", false);
    folder.deliver(&packed, Kind::Encrypted, 2).unwrap();
    bob.ok(["import", text(&stick)]);
    assert_eq!(bob.json(["inbox", "show", taken])["text"], first["text"]);
    for nothing in ["note-2", "", "%", "note_1"] {
        bob.fails(3, ["inbox", "show", nothing]);
    }
}

#[test]
fn encrypting_without_a_sender_asks_for_no_passphrase() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let plain = json!({
        "id": "1", "type": "https://example.org/note/1.0/note", "body": { "where": "the well" },
    });
    let file = stage.file("plain.json", plain.to_string().as_bytes());
    for to in [bob.did().as_str(), "bob"] {
        let output = alice
            .command(["pack", "--anon", "--to", to, "--input", text(&file)])
            .env_remove("PACKMULE_PASSPHRASE")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{to}: {said}");
        let opened = bob.pipe(["unpack", "--json"], &output.stdout).json();
        assert_eq!(opened["message"]["body"]["where"], "the well");
    }
}

#[test]
fn bob_is_told_how_much_alice_can_receive() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let question =
        json!({"queries": [{"feature-type": "constraint", "match": "max_receive_bytes"}]});
    let queries = "https://didcomm.org/discover-features/2.0/queries";
    let body = question.to_string();
    bob.ok(["send", "alice", "--type", queries, "--body", &body]);
    assert_eq!(bring(&stage, &bob, &alice)["answers"], 1);
    bring(&stage, &alice, &bob);
    let list = bob.json(["inbox", "--all"]);
    let ids = list["messages"].as_array().unwrap().iter();
    let shown = ids.map(|m| bob.json(["inbox", "show", m["id"].as_str().unwrap()]));
    let told: String = shown.map(|message| message.to_string()).collect();
    // As a string, in bytes (spec: max_receive_bytes).
    assert!(
        told.contains("max_receive_bytes") && told.contains("\"67108864\""),
        "{told}"
    );
}
