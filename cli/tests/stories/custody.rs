//! What we take, what we leave, what we say that we have, and what we let go of.

use std::fs;
use std::path::{Path, PathBuf};

use super::stage::{Party, Stage, packed_by, text};
use packmule_agent::did::{Method, NewDid, create};
use packmule_agent::keys::Keyring;
use packmule_agent::pack::{Jose, PackPlan, Packer};
use packmule_agent::resolve::DocBook;
use packmule_bus::Envelope;
use packmule_node::{Arrival, Home};
use serde_json::{Value, json};

fn put(stick: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let dir = stick.join("DIDCOMM");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), bytes).unwrap();
    dir.join(name)
}

/// Signed by `author`, addressed to `to`, readable by all.
fn signed_by(author: &NewDid, to: &str) -> Vec<u8> {
    let message = json!({
        "id": "signed-1",
        "type": "https://didcomm.org/basicmessage/2.0/message",
        "from": author.did,
        "to": [to],
        "please_ack": [""],
        "body": { "content": "I owe you ten." },
    });
    let mut keys = Keyring::new();
    keys.extend(author.secrets.clone());
    let plan = PackPlan {
        sign: Some(author.did.clone()),
        ..PackPlan::default()
    };
    let docs = DocBook::new();
    let packed = Jose.pack(message.to_string().as_bytes(), &plan, &keys, &docs);
    packed.expect("it packs").concat()
}

fn outbox(party: &Party) -> Vec<Value> {
    let list = party.json(["outbox", "--all"]);
    list["messages"].as_array().unwrap().clone()
}

#[test]
fn bob_leaves_carols_mail_on_the_stick_also_when_he_cannot_read_what_it_is() {
    let stage = Stage::new();
    let (bob, carol) = (stage.party("bob", "peer2"), stage.party("carol", "peer2"));
    let alice = create(Method::Peer2, &[]).unwrap();
    let stick = stage.folder("stick");
    let packed = packed_by(&alice, &carol.did(), "1", "For carol.", false);
    let mut strange: Value = serde_json::from_slice(&packed).unwrap();
    strange["protected"] = json!("eyJlbmMiOiJST1QxMyJ9");
    let files = [
        put(&stick, "strange.dcem", strange.to_string().as_bytes()),
        put(&stick, "signed.dcsm", &signed_by(&alice, &carol.did())),
    ];
    let told = bob.json(["import", text(&stick)]);
    assert_eq!(
        (&told["new"], &told["for_others"]),
        (&json!(0), &json!(2)),
        "{told}"
    );
    assert!(files.iter().all(|file| file.exists()));
    let refused = bob.json(["inbox", "--refused"]);
    assert_eq!(refused["refused"], json!([]), "nothing of it is stored");
    // It is still there for carol, who says what is wrong with the strange one.
    let told = carol.fails(4, ["import", text(&stick)]);
    assert_eq!(told["opened"], 1, "{told}");
    assert_eq!(carol.texts(), ["I owe you ten."]);
}

#[test]
fn a_signed_promise_to_carol_is_none_to_bob() {
    let stage = Stage::new();
    let (bob, carol) = (stage.party("bob", "peer2"), stage.party("carol", "peer2"));
    let alice = create(Method::Key, &[]).unwrap();
    bob.ok(["accept", &alice.did, "--name", "alice", "--no-hello"]);
    let packed = signed_by(&alice, &carol.did());
    // However it got in.
    let arrival = Arrival {
        channel: "drive".into(),
        received: 1_700_000_000,
    };
    let home = Home::open(&bob.home).unwrap();
    let envelope = Envelope::from_packed(&packed).unwrap();
    home.accept_all([&envelope], &arrival).unwrap();
    drop(home);
    assert!(bob.texts().is_empty());
    let refused = bob.json(["inbox", "--refused"]);
    assert_eq!(
        refused["refused"][0]["problem"], "e.p.trust.not-addressed",
        "{refused}"
    );
    assert!(outbox(&bob).is_empty(), "nothing is acknowledged");
    let unpacked = bob.pipe(["unpack", "--json"], &packed).json();
    assert!(
        unpacked["warnings"].to_string().contains("somebody else"),
        "{unpacked}"
    );
    // To bob himself it is one, and he sees to whom it was made.
    let stick = stage.folder("stick");
    put(&stick, "1.dcsm", &signed_by(&alice, &bob.did()));
    bob.ok(["import", text(&stick)]);
    assert_eq!(bob.texts(), ["I owe you ten."]);
    let shown = bob.json(["inbox", "show", "signed-1"]);
    assert_eq!(shown["to"], json!([bob.did()]));
}

#[test]
fn bob_does_not_acknowledge_what_never_came() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let ask = |id: &str, about: &str| {
        let message = json!({
            "id": id, "type": "https://didcomm.org/empty/1.0/empty",
            "from": alice.did(), "to": [bob.did()], "please_ack": [about], "body": {},
        });
        let packed = alice.pipe(["pack", "--to", "bob"], message.to_string().as_bytes());
        assert_eq!(packed.code, 0, "{}", packed.stderr);
        let stick = stage.folder(id);
        put(&stick, "ask.dcem", &packed.stdout);
        bob.json(["import", text(&stick)])
    };
    let told = ask("ask-1", "never-sent-0001");
    assert_eq!((&told["opened"], &told["answers"]), (&json!(1), &json!(0)));
    // An earlier message of hers is there.
    let told = ask("ask-2", "ask-1");
    assert_eq!((&told["opened"], &told["answers"]), (&json!(1), &json!(1)));
}

#[test]
fn what_was_acknowledged_takes_no_room() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let map: Vec<u8> = (0..600_000_u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    let path = stage.file("map.bin", &map);
    let stick = stage.folder("stick");
    // What is large lies in files beside the store.
    let size = |party: &Party| {
        let bodies = fs::read_dir(party.home.join("bodies"))
            .into_iter()
            .flatten();
        let bodies = bodies.map(|body| body.unwrap().metadata().unwrap().len());
        let store = fs::metadata(party.home.join("store.sqlite")).unwrap().len();
        store + bodies.sum::<u64>()
    };
    let sent = alice.json([
        "send",
        "bob",
        "The map.",
        "--please-ack",
        "--attach",
        text(&path),
    ]);
    assert!(size(&alice) > 600_000);
    alice.ok(["export", text(&stick)]);
    bob.ok(["import", text(&stick)]);
    bob.ok(["export", text(&stick)]);
    let heard = alice.json(["import", text(&stick)]);
    assert_eq!(heard["acknowledged"], 1, "{heard}");
    assert!(size(&alice) < 300_000, "{} bytes", size(&alice));
    let row = |id: &Value| outbox(&alice).into_iter().find(|one| one["id"] == *id);
    let known = row(&sent["id"]).expect("what was sent is still listed");
    assert_eq!(
        (&known["state"], &known["bytes"]),
        (&json!("acknowledged"), &json!(0))
    );
    // Asked to, alice forgets that too; what only waits or was sent stays.
    alice.ok(["send", "bob", "Another."]);
    assert_eq!(alice.json(["outbox", "prune"])["removed"], 1);
    assert!(row(&sent["id"]).is_none());
    assert!(outbox(&alice).iter().any(|one| one["state"] == "queued"));

    // Bob lets go of his copy; it does not come back.
    let id = bob.json(["inbox"])["messages"][0]["envelope"].clone();
    let id = id.as_str().unwrap();
    let discarded = bob.json(["inbox", "discard", &id[..20]]);
    assert_eq!(discarded["envelope"], id);
    assert!(size(&bob) < 300_000, "{} bytes", size(&bob));
    assert!(bob.texts().is_empty());
    bob.fails(3, ["inbox", "discard", id]);
}

#[test]
fn ten_unfinished_transfers_are_all_kept() {
    let stage = Stage::new();
    let (alice, bob) = stage.pair();
    let first = stage.folder("first");
    let mut rest = Vec::new();
    for number in 0..10_u32 {
        let words: String = (0..2500_u32)
            .map(|n| char::from(b'a' + (n.wrapping_mul(number + 7) % 23) as u8))
            .collect();
        alice.ok(["send", "bob", &words]);
        let dir = stage.path(&format!("frames-{number}"));
        alice.ok(["qr", "save", text(&dir), "--redundancy", "150"]);
        let mut frames: Vec<PathBuf> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        frames.sort();
        assert!(frames.len() > 2, "one frame is no unfinished transfer");
        fs::rename(&frames[0], first.join(format!("{number}.png"))).unwrap();
        rest.push(dir);
    }
    let early = bob.fails(8, ["qr", "read", text(&first)]);
    assert_eq!(early["incomplete"].as_array().unwrap().len(), 10, "{early}");
    assert_eq!(early["dropped"], json!([]));
    let rest = rest.iter().map(|dir| text(dir));
    let read = bob.json(["qr", "read"].into_iter().chain(rest));
    assert_eq!(read["new"], 10, "{read}");
}
