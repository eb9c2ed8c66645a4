//! kill -9, again and again, of a writer and a reader at work on one folder.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use packmule_bus::Kind;
use packmule_drive::{CollectError, FileHash, Folder};
use tempfile::tempdir;

use crate::{NOW, names, packed};

const ROLE: &str = "PACKMULE_TEST_ROLE";
const PLACE: &str = "PACKMULE_TEST_PLACE";
const MESSAGES: usize = 1500;
const KILLS: usize = 40;

/// What a party keeps for itself: one fixed-size record for each message dealt with.
struct Log {
    path: PathBuf,
    known: BTreeSet<String>,
}

impl Log {
    /// A record cut short by a kill does not count.
    fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let whole = text.len() / 27 * 27;
        if text.len() != whole {
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_len(whole as u64).unwrap();
        }
        let known = text[..whole].lines().map(str::to_owned).collect();
        Self { path, known }
    }

    fn add(&mut self, hash: &FileHash) {
        if self.known.insert(hash.to_string()) {
            let mut file = fs::File::options()
                .append(true)
                .create(true)
                .open(&self.path)
                .unwrap();
            file.write_all(format!("{hash}\n").as_bytes()).unwrap();
        }
    }
}

fn messages() -> impl Iterator<Item = Vec<u8>> {
    (0..MESSAGES).map(|number| packed(number, 100 + number * 7))
}

/// Exports whatever is not in its log, as `packmule export` does with its outbox.
fn alice(place: &Path) {
    let mut sent = Log::open(place.join("sent"));
    let folder = Folder::open(place.join("stick")).unwrap();
    let todo: Vec<Vec<u8>> = messages()
        .filter(|bytes| !sent.known.contains(FileHash::of(bytes).as_str()))
        .collect();
    let batch = todo.iter().map(|bytes| (bytes, Kind::Encrypted));
    folder
        .deliver_all(batch, NOW, |_, one| sent.add(&one.hash))
        .unwrap();
}

/// Imports: first into its own log, then off the stick. A torn file ends it loudly.
fn bob(place: &Path) {
    let mut accepted = Log::open(place.join("accepted"));
    let folder = Folder::open(place.join("stick")).unwrap();
    for item in folder.collect().unwrap() {
        let item = item.unwrap();
        accepted.add(item.token.hash());
        folder.settle(&item.token).unwrap();
    }
}

fn start(role: &str, place: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::killing_either_side_at_any_moment_loses_and_doubles_nothing",
        ])
        .args(["--nocapture", "--test-threads", "1"])
        .env(ROLE, role)
        .env(PLACE, place)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) {
    let done = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr);
    // Killed by us, or done without a complaint.
    assert!(done.status.code().is_none_or(|code| code == 0), "{told}");
}

#[test]
fn killing_either_side_at_any_moment_loses_and_doubles_nothing() {
    if let Ok(role) = env::var(ROLE) {
        let place = PathBuf::from(env::var_os(PLACE).unwrap());
        return match role.as_str() {
            "alice" => alice(&place),
            _ => bob(&place),
        };
    }
    let place = tempdir().unwrap();
    let place = place.path();
    fs::create_dir(place.join("stick")).unwrap();
    let (mut killed, mut rounds) = (0, 0);
    // Any spread of moments will do; this one needs no source of randomness.
    let mut moment = 12_345_u64;
    let deadline = Instant::now() + Duration::from_secs(120);
    while killed < KILLS && Instant::now() < deadline {
        let mut pair = [start("alice", place), start("bob", place)];
        for child in &mut pair {
            moment = moment
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            sleep(Duration::from_micros(2_000 + (moment >> 33) % 90_000));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                killed += 1;
            }
        }
        pair.into_iter().for_each(finish);
        no_torn_file_is_visible(place);
        let progress = ["sent", "accepted"].map(|log| Log::open(place.join(log)).known.len());
        // All went through: start over beside it, so that every kill hits work being done.
        if progress == [MESSAGES; 2] {
            check_all_arrived_once(place);
            for log in ["sent", "accepted"] {
                fs::remove_file(place.join(log)).unwrap();
            }
            rounds += 1;
        }
    }
    assert!(
        killed >= KILLS,
        "only {killed} kills in two minutes: the machine is too slow"
    );

    finish(start("alice", place));
    finish(start("bob", place));
    check_all_arrived_once(place);
    println!("{killed} kills, {rounds} whole rounds before the last");

    // The dead left at most temporary files, and those are swept in due time.
    let stick = Folder::open(place.join("stick")).unwrap();
    stick.sweep(u64::MAX / 2_000_000_000).unwrap();
    assert_eq!(names(stick.path()), ["README.TXT"]);
}

/// Bob has each message exactly once.
fn check_all_arrived_once(place: &Path) {
    let accepted = fs::read_to_string(place.join("accepted")).unwrap();
    let mut accepted: Vec<&str> = accepted.lines().collect();
    accepted.sort_unstable();
    let mut expected: Vec<String> = messages().map(|m| FileHash::of(&m).to_string()).collect();
    expected.sort();
    assert_eq!(accepted, expected);
}

fn no_torn_file_is_visible(place: &Path) {
    for item in Folder::open(place.join("stick"))
        .unwrap()
        .collect()
        .unwrap()
    {
        match item {
            Ok(_) => {}
            Err(CollectError::Gone(error)) => panic!("{error}"),
            Err(torn) => panic!("{torn}"),
        }
    }
}
