//! Accounts that a gateway meets: what it holds for them goes to them by a link or on a stick.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use super::client::Client;
use super::service::Gateway;
use crate::crew::{Running, pause_until};
use crate::stage::{Party, Stage, text};

pub(super) const REQUEST: &str = "https://didcomm.org/coordinate-mediation/3.0/mediate-request";

/// An address of this machine where nobody listens.
pub(super) fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// A verb on the home of a gateway, which opens without anybody.
pub(super) fn verb(stage: &Stage, name: &str, args: &[&str]) -> Value {
    let party = Party {
        home: stage.path(name),
    };
    let mut command = party.command(args);
    // What the environment says is for homes that have no passphrase of their own.
    command.arg("--json");
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{args:?}: {told}\n{output:?}");
    serde_json::from_str(&told).unwrap()
}

/// Carries what waits in a folder from one home to the next.
pub(super) fn imported(stage: &Stage, name: &str, stick: &Path) -> Value {
    verb(stage, name, &["import", "--carry", text(stick)])
}

/// How many messages wait in an outbox under names that begin so.
pub(super) fn waiting(stage: &Stage, name: &str, beginning: &str) -> usize {
    let outbox = verb(stage, name, &["outbox"]);
    let rows = outbox["messages"].as_array().unwrap();
    let waits = |row: &&Value| {
        row["state"] == "queued" && row["id"].as_str().unwrap().starts_with(beginning)
    };
    rows.iter().filter(waits).count()
}

/// One number of the gateway's metrics.
fn number(gateway: &Gateway, series: &str) -> u64 {
    let page = gateway.get("/metrics").1;
    let line = page.lines().find(|line| line.starts_with(series));
    let number = line.and_then(|line| line.rsplit(' ').next());
    number.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
}

#[test]
fn what_waits_for_a_phone_goes_over_the_link_that_it_opens() {
    let stage = Stage::new();
    let way = format!("tcp://{}", free_address());
    let links = format!("[\"{way}\"]");
    let settings = [("PACKMULE_GATEWAY_LINKS", links.as_str())];
    let kiosk = Gateway::start(&stage, "kiosk", &settings);
    let address = kiosk.address.clone();
    let stranger = Client::of(&kiosk);

    let alice = stage.party("alice", "peer2");
    alice.ok(["accept", &kiosk.did, "--name", "kiosk", "--no-hello"]);
    alice.ok(["peers", "ways", "kiosk", &way]);
    let alices = Running::start(&alice, &[]);
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    let did = alice.did();
    pause_until("alice has a mailbox", || {
        number(&kiosk, "packmule_accounts") == 1
    });
    let letter = |words: &str| stranger.letter_to(&did, words);
    assert_eq!(stranger.forward(&did, &letter("while I listen")), 202);
    pause_until("it came over the link", || {
        alice.texts() == ["while I listen"]
    });
    pause_until("and left the mailbox", || {
        number(&kiosk, "packmule_near_total{what=\"taken\"}") == 1
    });
    alices.stop();
    assert_eq!(stranger.forward(&did, &letter("while I am away")), 202);
    kiosk.kill();

    // Both begin anew; the kiosk remembers who is near, and what it holds.
    let kiosk = Gateway::at(&stage, "kiosk", &address, &settings);
    assert_eq!(stranger.forward(&did, &letter("as I come back")), 202);
    let _alices = Running::start(&alice, &[]);
    // She calls, since she has something to say.
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    pause_until("all came", || alice.texts().len() == 3);
    pause_until("and left the mailbox", || {
        number(&kiosk, "packmule_held_messages") == 0
    });
    let mut texts = alice.texts();
    texts.sort();
    let all = ["as I come back", "while I am away", "while I listen"];
    assert_eq!(texts, all, "each once");
}

#[test]
fn what_waits_for_a_village_without_a_network_goes_on_the_stick() {
    let stage = Stage::new();
    let kiosk = Gateway::start(&stage, "kiosk", &[]);
    let (stranger, stick) = (Client::of(&kiosk), stage.folder("stick"));
    let alice = stage.party("alice", "peer2");
    alice.ok(["accept", &kiosk.did, "--name", "kiosk", "--no-hello"]);
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    alice.ok(["export", text(&stick)]);
    imported(&stage, "kiosk", &stick);
    let did = alice.did();
    pause_until("alice has a mailbox", || {
        number(&kiosk, "packmule_accounts") == 1
    });
    // One of them is too large to wait in memory.
    let long = "x".repeat(100_000);
    for words in ["one", &long, "two"] {
        assert_eq!(
            stranger.forward(&did, &stranger.letter_to(&did, words)),
            202
        );
    }
    pause_until("the stick may take them", || {
        waiting(&stage, "kiosk", "mailbox/") == 3
    });
    verb(&stage, "kiosk", &["export", text(&stick)]);
    // The same stick is read here once more: what goes from here stays on it.
    let again = imported(&stage, "kiosk", &stick);
    assert_eq!(again["carried"], 0, "{again}");
    alice.ok(["import", text(&stick)]);
    let mut texts = alice.texts();
    texts.sort();
    assert_eq!(texts, ["one", "two", &long]);
}

const PICKUP: &str = "https://didcomm.org/messagepickup/3.0/";

/// The latest message of this type in an inbox, in full.
fn latest(party: &Party, kind: &str) -> Option<Value> {
    let inbox = party.json(["inbox", "--all"]);
    let is_it = |m: &&Value| m["type"].as_str().is_some_and(|uri| uri.ends_with(kind));
    let found = inbox["messages"].as_array().unwrap().iter().rfind(is_it)?;
    let name = found["envelope"].as_str().unwrap();
    Some(party.json(["inbox", "show", name])["message"].clone())
}

#[test]
fn whoever_asks_for_live_delivery_on_a_link_gets_deliveries_until_it_leaves() {
    let stage = Stage::new();
    let way = format!("tcp://{}", free_address());
    let links = format!("[\"{way}\"]");
    let settings = [("PACKMULE_GATEWAY_LINKS", links.as_str())];
    let kiosk = Gateway::start(&stage, "kiosk", &settings);
    let stranger = Client::of(&kiosk);
    let alice = stage.party("alice", "peer2");
    alice.ok(["accept", &kiosk.did, "--name", "kiosk", "--no-hello"]);
    alice.ok(["peers", "ways", "kiosk", &way]);
    let alices = Running::start(&alice, &[]);
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    pause_until("alice has a mailbox", || {
        number(&kiosk, "packmule_accounts") == 1
    });
    let did = alice.did();
    let asks = |kind: &str, body: Value| {
        let (kind, body) = (format!("{PICKUP}{kind}"), body.to_string());
        alice.ok(["send", "kiosk", "--type", &kind, "--body", &body]);
    };
    asks(
        "live-delivery-change",
        serde_json::json!({ "live_delivery": true }),
    );
    pause_until("she is told that it is on", || {
        latest(&alice, "/status").is_some_and(|status| status["body"]["live_delivery"] == true)
    });
    let words = stranger.letter_to(&did, "live");
    assert_eq!(stranger.forward(&did, &words), 202);
    pause_until("it is delivered", || latest(&alice, "/delivery").is_some());
    let delivery = latest(&alice, "/delivery").unwrap();
    let attached = &delivery["attachments"][0];
    let inner = attached["data"]["base64"].as_str().unwrap();
    let inner = data_encoding::BASE64URL_NOPAD
        .decode(inner.as_bytes())
        .unwrap();
    assert_eq!(inner, words, "as it was sent");
    assert!(alice.texts().is_empty(), "once");
    assert_eq!(number(&kiosk, "packmule_pushed_total"), 1);
    assert_eq!(number(&kiosk, "packmule_near_total{what=\"given\"}"), 0);
    // Held until she has it; it is counted anew only now and then.
    pause_until("it is counted", || {
        number(&kiosk, "packmule_held_messages") == 1
    });
    asks(
        "messages-received",
        serde_json::json!({ "message_id_list": [attached["id"]] }),
    );
    pause_until("she has it", || {
        number(&kiosk, "packmule_held_messages") == 0
    });

    // The link ends, and live delivery with it: the next one brings what waited, as it is.
    alices.stop();
    let away = stranger.letter_to(&did, "while I am away");
    assert_eq!(stranger.forward(&did, &away), 202);
    let alices = Running::start(&alice, &[]);
    asks("status-request", serde_json::json!({}));
    pause_until("it came over the link", || {
        alice.texts() == ["while I am away"]
    });
    let off = |status: Value| status["body"]["live_delivery"] == false;
    pause_until("nothing is live any more", || {
        latest(&alice, "/status").is_some_and(off)
    });
    alices.stop();

    // Who is far away asks in vain.
    let stick = stage.folder("stick");
    asks(
        "live-delivery-change",
        serde_json::json!({ "live_delivery": true }),
    );
    alice.ok(["export", text(&stick)]);
    imported(&stage, "kiosk", &stick);
    let _alices = Running::start(&alice, &[]);
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    pause_until("she is told so", || {
        latest(&alice, "/problem-report")
            .is_some_and(|report| report["body"]["code"] == "e.m.live-mode-not-supported")
    });
}
