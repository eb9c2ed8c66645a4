//! Two gateways behind one address: one database, the same keys, a bus store each. What one takes
//! the other gives out; either may be killed at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use packmule_agent::protocol::mediation;
use packmule_agent::protocol::pickup::{self, Answer, Version};
use packmule_places::Postgres;

use super::client::{Client, Socket, letters, try_post};
use super::service::Gateway;
use crate::stage::Stage;

/// Two homes with the same keys, on one database; the addresses.
struct Cloud {
    stage: Stage,
    server: Postgres,
    url: String,
    gateways: [Option<Gateway>; 2],
    addresses: [String; 2],
}

const NAMES: [&str; 2] = ["cloud-a", "cloud-b"];

impl Cloud {
    fn start() -> Self {
        let (stage, server) = (Stage::new(), Postgres::start());
        let url = server.database();
        let mut cloud = Self {
            addresses: ["127.0.0.1:0", "127.0.0.1:0"].map(str::to_owned),
            gateways: [None, None],
            stage,
            server,
            url,
        };
        cloud.run(0);
        // Keys are made once, and copied by whoever keeps both.
        let first = cloud.gateways[0].take().unwrap();
        assert_eq!(first.stop(), Some(0));
        copy(&cloud.stage.path(NAMES[0]), &cloud.stage.path(NAMES[1]));
        cloud.run(0);
        cloud.run(1);
        let [Some(a), Some(b)] = &cloud.gateways else {
            panic!("both run");
        };
        assert_eq!(a.did, b.did);
        cloud
    }

    fn run(&mut self, which: usize) {
        let gateway = Gateway::at(
            &self.stage,
            NAMES[which],
            &self.addresses[which],
            &[
                ("PACKMULE_GATEWAY_MAILBOXES__POSTGRES", &self.url),
                ("PACKMULE_GATEWAY_MAILBOXES__SENDER_MESSAGES", "100000"),
            ],
        );
        self.addresses[which].clone_from(&gateway.address);
        self.gateways[which] = Some(gateway);
    }

    fn kill(&mut self, which: usize) {
        self.gateways[which].take().unwrap().kill();
    }

    /// Somebody who asks this one.
    fn client(&self, which: usize) -> Client {
        Client::of(self.gateways[which].as_ref().unwrap())
    }
}

fn copy(from: &Path, to: &Path) {
    let told = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(told.unwrap().success());
}

#[test]
fn alice_hears_at_one_gateway_what_the_other_takes() {
    let cloud = Cloud::start();
    let (alice, stranger) = (cloud.client(1), cloud.client(0));
    alice.ask(mediation::request(mediation::Version::V3));
    let mut socket = Socket::open(cloud.gateways[1].as_ref().unwrap());
    let status = socket.ask(&alice, pickup::live(Version::V3, true));
    assert!(matches!(
        pickup::read_answer(&status),
        Some(Answer::Status(_))
    ));
    let mut took = Vec::new();
    for number in 0..20 {
        let words = number.to_string();
        let began = Instant::now();
        let letter = stranger.letter(&alice, &words);
        assert_eq!(stranger.forward(alice.did(), &letter), 202);
        let pushed = letters(&socket.next(&alice));
        took.push(began.elapsed());
        assert_eq!(pushed.len(), 1, "once");
        assert_eq!(alice.read(&pushed[0].1).as_deref(), Some(&*words));
        let received = pickup::received(Version::V3, &[pushed[0].0.clone()]);
        let left = socket.ask(&alice, received);
        let Some(Answer::Status(left)) = pickup::read_answer(&left) else {
            panic!("{left:?}");
        };
        assert_eq!(left.count, 0);
    }
    took.sort();
    println!(
        "pushed across after {:?} (median), {:?} at most",
        took[10], took[19]
    );
    // Not by looking every few seconds.
    assert!(took[10] < Duration::from_secs(1), "{took:?}");

    // Whoever asks the other one finds what waits.
    let letter = stranger.letter(&alice, "last");
    assert_eq!(stranger.forward(alice.did(), &letter), 202);
    let mut elsewhere = alice;
    elsewhere.address.clone_from(&cloud.addresses[0]);
    let delivered = elsewhere.ask(pickup::delivery_request(Version::V3, 10, None));
    assert_eq!(letters(&delivered).len(), 1);
}

#[test]
fn a_database_that_is_away_is_503_and_nothing_is_lost() {
    let mut cloud = Cloud::start();
    let (alice, stranger) = (cloud.client(1), cloud.client(0));
    alice.ask(mediation::request(mediation::Version::V3));
    assert_eq!(
        stranger.forward(alice.did(), &stranger.letter(&alice, "one")),
        202
    );
    cloud.server.kill();
    let two = stranger.letter(&alice, "two");
    assert_eq!(stranger.forward(alice.did(), &two), 503);
    cloud.server.restart();
    let began = Instant::now();
    while stranger.forward(alice.did(), &two) != 202 {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(100));
    }
    let delivered = alice.ask(pickup::delivery_request(Version::V3, 10, None));
    let texts: Vec<_> = letters(&delivered)
        .iter()
        .map(|(_, packed)| alice.read(packed).unwrap())
        .collect();
    assert_eq!(texts, ["one", "two"]);
}

const SENDERS: usize = 4;
const ACCOUNTS: usize = 5;
const EACH: usize = 100;
/// A debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What somebody got, and what of it was acknowledged with an answer.
#[derive(Default)]
struct Got {
    words: BTreeMap<String, usize>,
    acked: BTreeSet<String>,
}

#[test]
fn of_2_000_letters_each_arrives_and_none_again_after_its_ack_although_both_are_killed() {
    let mut cloud = Cloud::start();
    let people: Vec<Client> = (0..ACCOUNTS).map(|_| cloud.client(0)).collect();
    for one in &people {
        one.ask(mediation::request(mediation::Version::V3));
    }
    let senders: Vec<Client> = (0..SENDERS).map(|_| cloud.client(0)).collect();
    let addresses = cloud.addresses.clone();
    let arrived = AtomicUsize::new(0);
    let began = Instant::now();
    let all: Vec<Got> = std::thread::scope(|scope| {
        for (who, sender) in senders.iter().enumerate() {
            let (people, addresses) = (&people, &addresses);
            scope.spawn(move || {
                for number in 0..EACH {
                    for to in people {
                        send(
                            sender,
                            to,
                            &format!("{who}-{number}"),
                            addresses,
                            who + number,
                        );
                    }
                }
            });
        }
        let collecting: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(who, one)| {
                let (addresses, arrived) = (&addresses, &arrived);
                // Two of them listen, the others ask.
                scope.spawn(move || collect(one, who, who < 2, addresses, arrived))
            })
            .collect();
        for (percent, which) in [(20, 0), (40, 1), (60, 0), (80, 1)] {
            while arrived.load(Ordering::Relaxed) < SENDERS * ACCOUNTS * EACH * percent / 100 {
                assert!(began.elapsed() < PATIENCE, "they do not arrive");
                std::thread::sleep(Duration::from_millis(1));
            }
            cloud.kill(which);
            cloud.run(which);
        }
        collecting
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    for (who, got) in all.iter().enumerate() {
        assert_eq!(got.words.len(), SENDERS * EACH);
        let again = got.words.values().filter(|count| **count > 1).count();
        println!("{who}: {again} of {} came more than once", got.words.len());
    }
    println!("2000 letters in {:?}", began.elapsed());
    for (one, mut got) in people.iter().zip(all) {
        // Those whose acks were not answered before a kill.
        loop {
            let left = one.ask(pickup::delivery_request(Version::V3, 10, None));
            let page = letters(&left);
            if page.is_empty() {
                break;
            }
            for (_, packed) in &page {
                let said = one.read(packed).unwrap();
                assert!(got.acked.insert(said), "it came again after its ack");
            }
            let ids: Vec<String> = page.iter().map(|(id, _)| id.clone()).collect();
            one.ask(pickup::received(Version::V3, &ids));
        }
        let status = one.ask(pickup::status_request(Version::V3, None));
        let Some(Answer::Status(status)) = pickup::read_answer(&status) else {
            panic!("{status:?}");
        };
        assert_eq!(status.count, 0);
    }
}

/// To one or the other, until one of them answers for it.
fn send(sender: &Client, to: &Client, words: &str, addresses: &[String; 2], first: usize) {
    let packed = sender.forwarded(to.did(), &sender.letter(to, words));
    let kind = "application/didcomm-encrypted+json";
    let began = Instant::now();
    for attempt in first.. {
        assert!(began.elapsed() < PATIENCE, "nobody takes it");
        match try_post(&addresses[attempt % 2], kind, &packed) {
            Ok((202, _)) => return,
            Ok((503, _)) | Err(_) => std::thread::sleep(Duration::from_millis(20)),
            Ok((status, body)) => panic!("{status}: {}", String::from_utf8_lossy(&body)),
        }
    }
}

/// Takes and acknowledges until all have come, from one gateway or the other.
fn collect(
    one: &Client,
    who: usize,
    listens: bool,
    addresses: &[String; 2],
    arrived: &AtomicUsize,
) -> Got {
    let (mut got, began) = (Got::default(), Instant::now());
    for life in who.. {
        assert!(
            began.elapsed() < PATIENCE,
            "{} of {who} arrived",
            got.words.len()
        );
        // Whatever ends a connection, another begins.
        let _ = talk(one, &addresses[life % 2], listens, &mut got, arrived);
        if got.words.len() == SENDERS * EACH {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    got
}

fn talk(
    one: &Client,
    address: &str,
    listens: bool,
    got: &mut Got,
    arrived: &AtomicUsize,
) -> io::Result<()> {
    let mut socket = Socket::at(address)?;
    if listens {
        socket.say(one, pickup::live(Version::V3, true))?;
    }
    let mut asked = BTreeSet::new();
    let ask = |socket: &mut Socket, asked: &mut BTreeSet<String>| {
        let request = pickup::delivery_request(Version::V3, 10, None);
        asked.insert(request.id.clone());
        socket.say(one, request)
    };
    ask(&mut socket, &mut asked)?;
    // Acknowledgements that were not answered yet.
    let mut waiting: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut quiet, began) = (0, Instant::now());
    while began.elapsed() < PATIENCE {
        let message = match socket.try_next(one, Duration::from_millis(500)) {
            Err(error) if is_silence(&error) => {
                // Pushed or not, it is asked for now and then; not before it had its time.
                quiet += 1;
                if got.words.len() == SENDERS * EACH {
                    return Ok(());
                }
                let due = if listens { 8 } else { 1 };
                if asked.is_empty() && quiet % due == 0 {
                    ask(&mut socket, &mut asked)?;
                }
                continue;
            }
            other => other?,
        };
        let answered = message.thid.as_ref().and_then(|it| waiting.remove(it));
        got.acked.extend(answered.into_iter().flatten());
        // A push may have been on its way when the ack came; the store gives it out no more.
        let pushed = !message.thid.as_ref().is_some_and(|it| asked.remove(it));
        let page = letters(&message);
        if page.is_empty() {
            continue;
        }
        let mut words = Vec::new();
        for (_, packed) in &page {
            let said = one.read(packed).expect("a letter of ours");
            assert!(
                pushed || !got.acked.contains(&said),
                "{said} came again after its ack"
            );
            let count = got.words.entry(said.clone()).or_default();
            *count += 1;
            if *count == 1 {
                arrived.fetch_add(1, Ordering::Relaxed);
            }
            words.push(said);
        }
        let ids: Vec<String> = page.iter().map(|(id, _)| id.clone()).collect();
        let received = pickup::received(Version::V3, &ids);
        waiting.insert(received.id.clone(), words);
        socket.say(one, received)?;
        // There may be more of what was asked for.
        if !pushed {
            ask(&mut socket, &mut asked)?;
        }
    }
    Ok(())
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
