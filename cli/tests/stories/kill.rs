//! kill -9 at random moments of `export` and `import`: nothing is lost, nothing doubled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stage::{Party, Stage, packed_by, text};
use packmule_agent::did::{Method, NewDid, create};
use packmule_agent::message::Message;
use packmule_node::{Home, OutRecord, PeerRecord};
use serde_json::Value;

/// Messages queued before each killed export.
const EACH: usize = 60;
/// How often each verb is killed.
const KILLS: usize = 24;

/// Lets the verb run for a while, then kills it. Answers whether it was still running.
fn kill_after(party: &Party, args: &[&str], millis: u64) -> bool {
    let mut child = party.command(args).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(millis));
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}

/// A different time each round, spread over what the verb needs when it is left alone.
fn pause(round: usize, whole: Duration) -> u64 {
    let share = (round * 37 % 70) as u64;
    u64::try_from(whole.as_millis()).unwrap() * share / 100
}

fn queue(home: &Path, author: &NewDid, to: &str, round: usize) {
    let records: Vec<OutRecord> = (0..EACH)
        .map(|n| {
            let id = format!("m-{round}-{n}");
            OutRecord {
                packed: packed_by(author, to, &id, &id, n % 2 == 0),
                peer: to.to_owned(),
                message_id: id,
                created: 1_800_000_000,
                expires: None,
                ..OutRecord::default()
            }
        })
        .collect();
    Home::open(home).unwrap().queue_all(&records).unwrap();
}

fn files_in(stick: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(stick.join("DIDCOMM")).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|x| x == "dcem"))
        .collect();
    files.sort();
    files
}

/// Kills the verb in each round, after another part of `whole`: what it needs when it is left
/// alone, and less as soon as a round ends sooner than its kill. How many were still running.
fn kill_at_times(
    party: &Party,
    args: &[&str],
    whole: Duration,
    mut before: impl FnMut(usize),
) -> usize {
    let (mut whole, mut killed) = (whole, 0);
    for round in 1..=KILLS {
        before(round);
        let pause = pause(round, whole);
        match kill_after(party, args, pause) {
            true => killed += 1,
            false => whole = whole.min(Duration::from_millis(pause)),
        }
    }
    killed
}

/// How long a verb takes when nobody kills it.
fn timed(run: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    run();
    start.elapsed()
}

#[test]
fn killed_exports_and_imports_lose_nothing_and_double_nothing() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice", "key"), stage.party("bob", "peer2"));
    let (author, to) = (create(Method::Peer2, &[]).unwrap(), bob.did());
    // Bob knows the author, so that half of the messages call for an acknowledgement.
    let doc = author.doc.to_json();
    let peer = PeerRecord {
        name: "alice".into(),
        did: author.did.clone(),
        doc,
        added: 1,
    };
    Home::open(&bob.home).unwrap().add_peer(&peer).unwrap();
    let stick = stage.folder("stick");
    let path = text(&stick);

    // How long an export of one round takes, told by one that is left alone.
    queue(&alice.home, &author, &to, 0);
    let whole = timed(|| drop(alice.ok(["export", path])));
    let killed = kill_at_times(&alice, &["export", path], whole, |round| {
        queue(&alice.home, &author, &to, round);
    });
    assert!(
        killed >= KILLS / 2,
        "only {killed} exports were still running when killed"
    );
    alice.ok(["export", path]);
    let total = EACH * (KILLS + 1);
    assert_eq!(files_in(&stick).len(), total, "messages on the stick");
    let outbox = alice.json(["outbox", "--all"]);
    assert!(
        outbox["messages"]
            .as_array()
            .unwrap()
            .iter()
            .all(|m| m["state"] == "sent")
    );

    // Imports: each round brings some of them, so that each kill finds work.
    let hand = stage.folder("hand");
    let path = text(&hand);
    let mut stock = files_in(&stick);
    let mut bring = || {
        let dir = hand.join("DIDCOMM");
        std::fs::create_dir_all(&dir).unwrap();
        for file in stock.split_off(stock.len().saturating_sub(EACH)) {
            std::fs::rename(&file, dir.join(file.file_name().unwrap())).unwrap();
        }
    };
    bring();
    let whole = timed(|| drop(bob.ok(["import", path])));
    let killed = kill_at_times(&bob, &["import", path], whole, |_| bring());
    assert!(
        killed >= KILLS / 2,
        "only {killed} imports were still running when killed"
    );
    bob.ok(["import", path]);
    assert_eq!(files_in(&hand).len(), 0, "messages left behind");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for words in bob.texts() {
        *seen.entry(words).or_default() += 1;
    }
    assert_eq!(seen.len(), total, "different messages arrived");
    assert!(seen.values().all(|count| *count == 1), "one arrived twice");

    // Each question was answered once: the answers go to the stick, and name each message once.
    let outbox = bob.json(["outbox"]);
    let answers = outbox["messages"].as_array().unwrap();
    assert_eq!(answers.len(), total / 2, "acknowledgements");
    let mut named = BTreeSet::new();
    for answer in answers {
        assert!(
            named.insert(acknowledged(&bob, &author, answer)),
            "acknowledged twice"
        );
    }
}

/// Which message an answer in bob's outbox acknowledges: its author opens it.
fn acknowledged(bob: &Party, author: &NewDid, answer: &Value) -> String {
    use packmule_agent::keys::Keyring;
    use packmule_agent::pack::{Jose, Limits, Packer};
    use packmule_agent::resolve::DocBook;
    let id = answer["envelope"].as_str().unwrap().parse().unwrap();
    let packed = Home::open(&bob.home)
        .unwrap()
        .outgoing(&id)
        .unwrap()
        .unwrap();
    let keys: Keyring = author.secrets.iter().cloned().collect();
    let opened = Jose
        .open(&packed, &keys, &DocBook::new(), &Limits::default())
        .unwrap();
    Message::parse(&opened.plaintext).unwrap().ack.concat()
}
