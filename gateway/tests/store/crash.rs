//! kill -9 of a store, again and again: what was answered is there, whole, once.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use packmule_gateway::store::{Enqueued, Letter, MailboxStore};

use crate::{ALICE, later, noon, packed, small, sqlite, take};

const PLACE: &str = "PACKMULE_TEST_MAILBOXES";
const ROUND: &str = "PACKMULE_TEST_ROUND";
const KILLS: usize = 20;
const STORY: &str = "crash::what_was_answered_outlives_any_kill";

fn numbered(number: usize) -> Letter {
    Letter::new(ALICE, ALICE, &packed(number, 3000), later(3600)).unwrap()
}

fn say(word: &str, number: usize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {number}").unwrap();
    out.flush().unwrap();
}

/// Takes and acks letters, and says so, before and after.
async fn produce(store: Arc<dyn MailboxStore>, first: usize) {
    for number in first.. {
        let outcome = take(&*store, numbered(number), noon()).await;
        assert!(matches!(outcome, Enqueued::Stored(..)), "{outcome:?}");
        say("stored", number);
        if number % 3 == 0 {
            say("acking", number);
            let acked = store.ack(ALICE, &[numbered(number).id()], noon()).await;
            assert_eq!(acked.unwrap().count, 1);
            say("acked", number);
        }
    }
}

fn work(file: &Path, round: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn MailboxStore> = Arc::new(sqlite(file, small()).unwrap());
        store.open_account(ALICE, noon()).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..4 {
            let first = (round * 4 + producer) * 100_000;
            tasks.spawn(produce(store.clone(), first));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
}

/// What a child said before it was killed, from its own round.
#[derive(Default)]
struct Said {
    stored: BTreeSet<usize>,
    acking: BTreeSet<usize>,
    acked: BTreeSet<usize>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let Some((word, number)) = line.split_once(' ') else {
            return;
        };
        let Ok(number) = number.parse() else { return };
        match word {
            "stored" => self.stored.insert(number),
            "acking" => self.acking.insert(number),
            "acked" => self.acked.insert(number),
            _ => false,
        };
    }
}

fn killed(file: &Path, round: usize, moment: u64) -> Said {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", STORY, "--nocapture", "--test-threads", "1"])
        .env(PLACE, file)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Said::default();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    // After so many answers, and somewhere in the middle of the next.
    while said.stored.len() < 1 + (moment >> 60) as usize {
        said.hear(&lines.next().unwrap());
    }
    sleep(Duration::from_micros((moment >> 33) % 30_000));
    child.kill().unwrap();
    lines.for_each(|line| said.hear(&line));
    child.wait().unwrap();
    said
}

async fn judge(file: &Path, said: &Said) {
    let store = sqlite(file, small()).unwrap();
    let held = store
        .page(ALICE, None, 9999, u64::MAX, noon())
        .await
        .unwrap();
    let ids: BTreeSet<_> = held.iter().map(|held| held.id).collect();
    assert_eq!(ids.len(), held.len(), "doubled");
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.letters, held.len() as u64);
    assert_eq!(
        totals.bytes,
        held.iter()
            .map(|held| held.packed.len() as u64)
            .sum::<u64>()
    );
    for number in &said.stored {
        let letter = numbered(*number);
        let is_held = ids.contains(&letter.id());
        assert!(is_held || said.acking.contains(number), "lost {number}");
        assert!(
            !(is_held && said.acked.contains(number)),
            "{number} came back"
        );
        let again = take(&store, letter, noon()).await;
        assert_eq!(again, Enqueued::Duplicate, "{number} is taken twice");
    }
    // Whole: the name is that of the bytes.
    for held in &held {
        let again = Letter::new(ALICE, ALICE, &held.packed, later(1)).unwrap();
        assert_eq!(again.id(), held.id);
    }
    let ids: Vec<_> = ids.into_iter().collect();
    assert_eq!(
        store.ack(ALICE, &ids, noon()).await.unwrap().count,
        ids.len() as u64
    );
}

#[test]
fn what_was_answered_outlives_any_kill() {
    if let Some(file) = env::var_os(PLACE) {
        let round = env::var(ROUND).unwrap().parse().unwrap();
        return work(Path::new(&file), round);
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mailboxes");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut moment = 4711_u64;
    let mut told = 0;
    for round in 0..KILLS {
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let said = killed(&file, round, moment);
        told += said.stored.len();
        runtime.block_on(judge(&file, &said));
    }
    assert!(
        told > KILLS * 4,
        "only {told} answers: the kills came too early to prove anything"
    );
}
