//! kill -9 of a writer, again and again: what was said to be committed is there, once.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use packmule_bus::Envelope;
use packmule_node::Home;
use tempfile::tempdir;

use crate::{by_drive, envelope, home_in, to_bob};

const PLACE: &str = "PACKMULE_TEST_HOME";
const KILLS: usize = 30;
const STORY: &str = "crash::what_was_committed_outlives_any_kill";

/// Accepts and queues in batches from where the home stands, and says so after each commit.
fn work(dir: &Path) {
    let home = Home::open(dir).unwrap();
    let mut next = home.inbox(0, usize::MAX).unwrap().len();
    // The last kill may have come between the two commits; queueing again doubles nothing.
    let records: Vec<_> = (next.saturating_sub(7)..next).map(to_bob).collect();
    home.queue_all(&records).unwrap();
    loop {
        let batch: Vec<Envelope> = (next..next + 7).map(envelope).collect();
        home.accept_all(&batch, &by_drive()).unwrap();
        let records: Vec<_> = (next..next + 7).map(to_bob).collect();
        home.queue_all(&records).unwrap();
        next += 7;
        println!("\ncommitted {next}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_was_committed_outlives_any_kill() {
    if let Some(dir) = env::var_os(PLACE) {
        return work(Path::new(&dir));
    }
    let place = tempdir().unwrap();
    let dir = place.path().join("bob");
    drop(home_in(&dir));
    let mut moment = 4711_u64;
    let mut told = 0;
    for _ in 0..KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", STORY, "--nocapture", "--test-threads", "1"])
            .env(PLACE, &dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // After so many commits, and somewhere in the middle of the next.
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("committed ")?.parse::<usize>().ok());
        let early = lines.nth((moment >> 60) as usize);
        sleep(Duration::from_micros((moment >> 33) % 20_000));
        child.kill().unwrap();
        let committed = lines.last().or(early);
        child.wait().unwrap();
        told = told.max(committed.unwrap_or(0));

        let home = Home::open(&dir).unwrap();
        let inbox = home.inbox(0, usize::MAX).unwrap();
        assert!(
            inbox.len() >= told,
            "{told} were committed, {} are here",
            inbox.len()
        );
        assert_eq!(inbox.len() % 7, 0, "a batch came in parts");
        for (number, row) in inbox.iter().enumerate() {
            assert_eq!(row.id, envelope(number).id(), "lost or doubled at {number}");
        }
        let queued = home.outbox(None, 0, usize::MAX).unwrap().len();
        assert!(queued >= told && queued <= inbox.len());
    }
    assert!(
        told > KILLS * 7,
        "only {told} commits: the kills came too early to prove anything"
    );
    Home::open(&dir).unwrap().check().unwrap();
}

#[test]
fn a_kill_while_a_home_is_made_leaves_none_or_a_whole_one() {
    const MAKING: &str = "PACKMULE_TEST_MAKING";
    if let Some(dir) = env::var_os(MAKING) {
        home_in(&PathBuf::from(dir));
        return;
    }
    let place = tempdir().unwrap();
    let mut made = 0;
    for round in 0..30_u64 {
        let dir = place.path().join(format!("alice-{round}"));
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::a_kill_while_a_home_is_made_leaves_none_or_a_whole_one",
            ])
            .env(MAKING, &dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(round * 12));
        child.kill().unwrap();
        child.wait().unwrap();
        if fs::exists(&dir).unwrap() {
            Home::open(&dir).unwrap().check().unwrap();
            made += 1;
        }
    }
    println!("{made} of 30 homes were finished before the kill");
}
