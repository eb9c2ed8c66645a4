//! Mail, from node to node, through a real Postfix and a real Dovecot.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::crew::{Running, knows, pause_until};
use super::stage::{Party, Stage, packed_by, text};
use packmule_agent::did::{Method, create};
use packmule_bus::Envelope;
use packmule_places::MailServer;
use packmule_transports::mail::{Address, Outbox, Protocol, Server};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Mails that Postfix hands over while bob's node is killed again and again.
const MAILS: usize = 1_000;

fn node_toml(party: &Party, lines: &str) {
    std::fs::write(party.home.join("node.toml"), lines).unwrap();
}

/// Sends by this port without TLS.
fn sends(party: &Party, address: &str, port: u16) {
    node_toml(
        party,
        &format!(
            "[mail]\naddress = \"{address}\"\n[mail.submission]\nserver = \"smtp://127.0.0.1:{port}\"\nopen = true\n"
        ),
    );
}

/// Sends and receives with TLS and a login.
pub(crate) fn writes(party: &Party, server: &MailServer, address: &str) {
    std::fs::write(party.home.join("pw"), "pw\n").unwrap();
    std::fs::write(party.home.join("ca.pem"), server.ca()).unwrap();
    let ports = server.ports();
    let keys = format!("user = \"{address}\"\npassword-file = \"pw\"\nauthority = \"ca.pem\"");
    node_toml(
        party,
        &format!(
            "[mail]\naddress = \"{address}\"\n[mail.submission]\nserver = \"smtp://localhost:{}\"\n{keys}\n[mail.imap]\nserver = \"imaps://localhost:{}\"\n{keys}\n",
            ports.submission, ports.imaps
        ),
    );
}

fn has(party: &Party, words: &str) -> bool {
    party.texts().iter().filter(|text| *text == words).count() == 1
}

/// What somebody sent has arrived: the outbox says so, and so does the node.
pub(crate) fn delivered(party: &Party, sent: &Value) -> bool {
    let outbox = party.json(["outbox", "--all"]);
    let rows = outbox["messages"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == sent["id"]);
    let why = party.json(["why", sent["id"].as_str().unwrap()]);
    row.unwrap()["state"] == "acknowledged" && why["rung"] == "delivered"
}

#[test]
fn alice_and_bob_write_by_mail() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let (alice, bob) = stage.pair();
    writes(&alice, &server, "alice@kiosk.test");
    writes(&bob, &server, "bob@edge.test");
    alice.ok(["peers", "ways", "bob", "mailto:bob@edge.test"]);
    bob.ok(["peers", "ways", "alice", "mailto:alice@kiosk.test"]);

    // What is set up is looked at, and tried.
    let told = alice.ok(["doctor"]);
    for word in ["takes mails from us", "tells news (IDLE)", "clock"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let tried = alice.json(["mail", "test"]);
    assert!(tried["received_ms"].as_u64().is_some(), "{tried}");

    let there = Running::start(&bob, &[]);
    let here = Running::start(&alice, &[]);
    let first = alice.json(["send", "bob", "by mail", "--please-ack"]);
    pause_until("bob has it", || has(&bob, "by mail"));
    let second = bob.json(["send", "alice", "by mail, too", "--please-ack"]);
    pause_until("alice has it", || has(&alice, "by mail, too"));
    // There is no link: word that it came travels by mail, too.
    for (who, sent) in [(&alice, &first), (&bob, &second)] {
        pause_until("both know that the other has it", || delivered(who, sent));
    }

    // A server delivers the same mail once more: bob has one message.
    let mails = server.mails("bob@edge.test", "DIDComm");
    assert!(!mails.is_empty());
    let put_away = mails.len();
    hand_in(server.ports().smtp, "bob@edge.test", &mails[0]);
    pause_until("the copy is put away", || {
        server.mails("bob@edge.test", "DIDComm").len() > put_away
    });
    assert!(has(&bob, "by mail"));
    assert_eq!(server.mails("bob@edge.test", "").len(), 0);
    assert_eq!(here.stop(), Some(0));
    assert_eq!(there.stop(), Some(0));

    // What is wrong is told with what to do.
    std::fs::write(alice.home.join("pw"), "another\n").unwrap();
    let told = alice.ok(["doctor"]);
    assert!(told.contains("look at user and password-file"), "{told}");
    assert!(!told.contains("another"), "{told}");
    let refused = alice.run(["mail", "test"]);
    assert_ne!(refused.code, 0);
    writes(&alice, &server, "alice@kiosk.test");
    // The system's authorities do not know whoever signed for this server.
    let lines = std::fs::read_to_string(alice.home.join("node.toml")).unwrap();
    node_toml(&alice, &lines.replace("authority = \"ca.pem\"", ""));
    let told = alice.ok(["doctor"]);
    assert!(told.contains("authority = \"ca.pem\""), "{told}");
}

fn hand_in(port: u16, whom: &str, mail: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("EHLO x\r\nMAIL FROM:<alice@kiosk.test>\r\nRCPT TO:<{whom}>\r\nDATA\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let text = String::from_utf8_lossy(mail)
        .replace("\r\n", "\n")
        .replace('\n', "\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(b"\r\n.\r\nQUIT\r\n").unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert!(heard.contains("queued as"), "{heard}");
}

/// Passes connections on to Postfix, and cuts the first ones in the middle of a mail, by this.
fn cutting(
    to: u16,
    cuts: usize,
    cut_by: impl Fn() + Clone + Send + 'static,
) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&cut);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                continue;
            };
            let cut_by = cut_by.clone();
            let (mut there, mut back) = (server.try_clone().unwrap(), stream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut there, &mut back));
            let (mut from, mut server, counted) = (stream, server, Arc::clone(&counted));
            std::thread::spawn(move || {
                let (mut passed, mut buffer) = (0, [0; 4096]);
                while let Ok(read @ 1..) = from.read(&mut buffer) {
                    passed += read;
                    if passed > 20_000 && counted.load(SeqCst) < cuts {
                        cut_by();
                        counted.fetch_add(1, SeqCst);
                        break;
                    }
                    if server.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = from.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    (port, cut)
}

#[test]
fn what_servers_do_to_a_mail_is_borne() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let (alice, bob) = stage.pair();
    writes(&bob, &server, "bob@edge.test");
    let _bobs = Running::start(&bob, &[]);
    alice.ok(["peers", "ways", "bob", "mailto:bob@edge.test"]);

    // Not now, and full: tried again until it is taken.
    server.mood("bob@edge.test", 3, "451 4.7.1 greylisted, come again");
    sends(&alice, "alice@kiosk.test", server.ports().moody);
    let alices = Running::start(&alice, &[]);
    alice.ok(["send", "bob", "grey"]);
    pause_until("bob has it", || has(&bob, "grey"));
    assert_eq!(server.mood_left("bob@edge.test"), 0);
    server.mood("bob@edge.test", 2, "452 4.2.2 mailbox full");
    alice.ok(["send", "bob", "full"]);
    pause_until("bob has it", || has(&bob, "full"));
    assert_eq!(server.mood_left("bob@edge.test"), 0);
    alices.kill();

    // The line breaks in the middle of a mail; then Postfix is killed there, and comes back.
    let server = Arc::new(server);
    // The line outlives the story, and must not keep the server.
    let (dying, broken) = (Arc::downgrade(&server), Arc::<AtomicUsize>::default());
    let breaks = move || {
        if broken.fetch_add(1, SeqCst) > 0 {
            dying.upgrade().expect("it is there").crash_postfix();
        }
    };
    let (port, cuts) = cutting(server.ports().smtp, 3, breaks);
    sends(&alice, "alice@kiosk.test", port);
    let alices = Running::start(&alice, &[]);
    let long = "cut ".repeat(15_000);
    alice.ok(["send", "bob", long.trim_end()]);
    pause_until("bob has it", || has(&bob, long.trim_end()));
    assert_eq!(cuts.load(SeqCst), 3);
    alices.kill();
}

/// One message on a stick and by mail: the same name on both, and one message for bob.
#[test]
fn a_message_by_mail_and_on_a_stick_is_one_message() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let (alice, bob) = stage.pair();
    writes(&bob, &server, "bob@edge.test");
    sends(&alice, "alice@kiosk.test", server.ports().smtp);
    let stick = stage.folder("stick");
    let sent = alice.json(["send", "bob", "both ways"]);
    alice.ok(["export", text(&stick)]);
    alice.ok(["outbox", "again", sent["id"].as_str().unwrap()]);
    alice.ok(["peers", "ways", "bob", "mailto:bob@edge.test"]);
    let alices = Running::start(&alice, &[]);
    pause_until("it is in bob's mailbox", || {
        server.mails("bob@edge.test", "").len() == 1
    });
    alices.kill();
    let mail = server.mails("bob@edge.test", "").remove(0);
    let mail = String::from_utf8(mail).unwrap();
    let files = std::fs::read_dir(stick.join("DIDCOMM")).unwrap();
    let named = |file: std::io::Result<std::fs::DirEntry>| {
        let file = file.unwrap().path();
        file.extension().filter(|end| *end == "dcem")?;
        let packed = std::fs::read(file).unwrap();
        let name = Envelope::from_packed(&packed).ok()?.id().short();
        Some(mail.contains(&format!("Message-ID: <{name}@")))
    };
    let named: Vec<bool> = files.filter_map(named).collect();
    assert_eq!(named, [true], "{mail}");

    bob.ok(["import", text(&stick)]);
    assert_eq!(bob.texts(), ["both ways"]);
    let _bobs = Running::start(&bob, &[]);
    pause_until("the mail is put away", || {
        server.mails("bob@edge.test", "DIDComm").len() == 1
    });
    assert_eq!(bob.texts(), ["both ways"]);
}

#[test]
fn what_is_too_long_for_a_mail_goes_another_way() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let (alice, bob) = stage.pair();
    sends(&alice, "alice@kiosk.test", server.ports().small);
    alice.ok(["peers", "ways", "bob", "mailto:bob@edge.test"]);
    let _alices = Running::start(&alice, &[]);
    let long = "long ".repeat(22_000);
    let long = long.trim_end();
    alice.ok(["send", "bob", long]);
    // It can be seen that this way is none for it, and nothing was uploaded.
    let why = || {
        let outbox = alice.json(["outbox", "--all"]);
        let messages = outbox["messages"].as_array().unwrap();
        let one = messages.iter().max_by_key(|one| one["bytes"].as_u64());
        let id = one.and_then(|one| one["id"].as_str()).expect("a message");
        alice.run(["why", id]).out()
    };
    pause_until("alice hears it", || {
        why().contains("mailto:bob@edge.test will never take it")
    });
    // Postfix told how much it takes: she hears both numbers.
    assert!(why().contains("(100000)"), "{}", why());
    assert_eq!(server.mails("bob@edge.test", "").len(), 0, "{}", why());
    let bobs = Running::start(&bob, &[]);
    knows(&alice, "bob", &bobs);
    pause_until("bob has it over the other channel", || has(&bob, long));
    assert_eq!(server.mails("bob@edge.test", "").len(), 0);
}

/// Postfix hands a thousand mails to a node that is killed all the while.
#[test]
fn a_thousand_mails_are_handed_over_and_none_is_lost() {
    let (stage, server) = (Stage::new(), MailServer::start());
    let bob = stage.party("bob", "peer2");
    let did = bob.did();
    let stranger = create(Method::Peer2, &[]).unwrap();
    node_toml(
        &bob,
        &format!(
            "[mail]\naddress = \"bob@gate.test\"\n[mail.inbound]\nlmtp = \"127.0.0.1:{}\"\n",
            server.ports().gate
        ),
    );
    let url = format!("smtp://127.0.0.1:{}", server.ports().smtp);
    let submission = Server::parse(&url, Protocol::Smtp, true, None, Arc::default()).unwrap();
    let alice = Address::parse("alice@kiosk.test").unwrap();
    let outbox = Arc::new(Outbox::new(submission, alice));
    let runtime = Runtime::new().unwrap();
    let sending: Vec<_> = (0..MAILS)
        .map(|n| {
            let id = format!("m-{n}");
            let packed = packed_by(&stranger, &did, &id, &id, false);
            let outbox = Arc::clone(&outbox);
            runtime.spawn(async move {
                let to = [Address::parse("bob@gate.test").unwrap()];
                outbox.send(&packed, &to).await
            })
        })
        .collect();
    for one in sending {
        runtime.block_on(one).unwrap().expect("Postfix takes it");
    }
    let mut kills = 0;
    while server.queued() > 0 {
        let node = Running::start(&bob, &[]);
        server.flush();
        // Another moment each time.
        std::thread::sleep(Duration::from_millis(150 + kills * 97 % 700));
        if kills < 12 {
            node.kill();
            kills += 1;
        } else {
            pause_until("all are handed over", || server.queued() == 0);
        }
    }
    assert!(kills >= 3, "it was killed only {kills} times");
    let texts = bob.texts();
    let different: BTreeSet<&String> = texts.iter().collect();
    assert_eq!(
        (texts.len(), different.len()),
        (MAILS, MAILS),
        "kills: {kills}"
    );
}
