//! Many who listen and say nothing, and many messages that nobody fetches.
//!
//! Small in every run; `.ci/parts/66-crowd.sh` asks for 1,000 and 100,000 under `--deep`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use packmule_agent::protocol::mediation::{self, Version as Mediation};
use packmule_agent::protocol::pickup::{self, Answer, Version};

use super::client::{Client, Socket, letters};
use super::service::Gateway;
use crate::stage::Stage;

/// Who sends at the same time.
const SENDERS: usize = 8;
/// Messages of one account, and of one page.
const EACH: usize = 500;
const PAGE: u32 = 50;

fn asked(name: &str, usual: usize) -> usize {
    let told = std::env::var(name).ok();
    told.map_or(usual, |text| text.parse().expect("a number"))
}

fn limits(accounts: usize) -> Vec<(&'static str, &'static str)> {
    assert!(accounts < 9_000, "more than a gateway has by default");
    vec![
        ("PACKMULE_GATEWAY_LIMITS__CONNECTIONS_PER_ADDRESS", "2000"),
        ("PACKMULE_GATEWAY_MAILBOXES__SENDER_MESSAGES", "1000"),
    ]
}

fn held(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

/// Alice fetches all there is, page by page, and says that she has it.
fn fetch(alice: &Client) -> usize {
    let mut had = 0;
    loop {
        let page = letters(&alice.ask(pickup::delivery_request(Version::V3, PAGE, None)));
        if page.is_empty() {
            return had;
        }
        had += page.len();
        let ids: Vec<String> = page.into_iter().map(|(id, _)| id).collect();
        alice.ask(pickup::received(Version::V3, &ids));
    }
}

#[test]
fn a_crowd_listens_a_mountain_waits_and_the_next_message_is_there_at_once() {
    let (sockets, messages) = (asked("PACKMULE_SOCKETS", 40), asked("PACKMULE_HELD", 1_000));
    let accounts = messages.div_ceil(EACH);
    let stage = Stage::new();
    let limits = limits(accounts + sockets);
    let gateway = Gateway::start(&stage, "cloud", &limits);
    let before = gateway.memory();

    let mut crowd: Vec<(Client, Socket)> = (0..sockets)
        .map(|_| {
            let client = Client::of(&gateway);
            client.ask(mediation::request(Mediation::V3));
            let mut socket = Socket::open(&gateway);
            let status = socket.ask(&client, pickup::live(Version::V3, true));
            let live = pickup::read_answer(&status);
            assert!(matches!(live, Some(Answer::Status(status)) if status.live == Some(true)));
            (client, socket)
        })
        .collect();
    let listening = gateway.memory();
    println!("{sockets} listen: {before} -> {listening} kB");
    assert!(held(&gateway.get("/metrics").1, "packmule_live_connections") == sockets as u64);

    let away: Vec<Client> = (0..accounts).map(|_| Client::of(&gateway)).collect();
    for alice in &away {
        alice.ask(mediation::request(Mediation::V3));
    }
    let (began, next) = (Instant::now(), AtomicUsize::new(0));
    thread::scope(|all| {
        // Nobody is asleep: who does not answer pings is cut off.
        all.spawn(|| {
            while next.load(Ordering::Relaxed) < messages {
                crowd.iter_mut().for_each(|(_, socket)| socket.is_alive());
                thread::sleep(Duration::from_secs(1));
            }
        });
        for _ in 0..SENDERS {
            all.spawn(|| {
                let sender = Client::of(&gateway);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= messages {
                        return;
                    }
                    let alice = &away[number % accounts];
                    let packed = sender.letter(alice, &format!("message {number}"));
                    assert_eq!(sender.forward(alice.did(), &packed), 202);
                }
            });
        }
    });
    let stored = gateway.memory();
    println!("{messages} stored in {:?}, {stored} kB", began.elapsed());
    // Numbers of the store may be a second old.
    gateway.until(&format!("packmule_held_messages {messages}"));
    let metrics = gateway.get("/metrics").1;
    let full = held(&metrics, "packmule_store_bytes");
    // Held messages live on the disk: they may cost memory by the page, not by the message.
    assert!(stored < listening + 48_000, "{stored} kB");

    for (_, socket) in &mut crowd {
        socket.is_alive();
    }
    let (listener, mut socket) = crowd.pop().unwrap();
    let sender = Client::of(&gateway);
    let told = Instant::now();
    assert_eq!(
        sender.forward(listener.did(), &sender.letter(&listener, "now")),
        202
    );
    let pushed = letters(&socket.next(&listener));
    println!("pushed in {:?}", told.elapsed());
    assert_eq!(listener.read(&pushed[0].1).as_deref(), Some("now"));
    drop((socket, crowd));

    // A night without power does not cost a slow morning.
    let address = gateway.address.clone();
    gateway.kill();
    let again = Instant::now();
    let gateway = Gateway::at(&stage, "cloud", &address, &limits);
    println!(
        "ready again after {:?}, {} kB",
        again.elapsed(),
        gateway.memory()
    );

    let began = Instant::now();
    let had: usize = thread::scope(|all| {
        let parts = away.chunks(accounts.div_ceil(SENDERS).max(1));
        let fetching: Vec<_> = parts
            .map(|part| all.spawn(move || part.iter().map(fetch).sum::<usize>()))
            .collect();
        fetching.into_iter().map(|one| one.join().unwrap()).sum()
    });
    println!("{had} fetched in {:?}", began.elapsed());
    assert_eq!(had, messages);

    // The disk is given back, a little later than the messages.
    let mut empty = full;
    for _ in 0..300 {
        empty = held(&gateway.get("/metrics").1, "packmule_store_bytes");
        if empty < full / 4 + 8_000_000 {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    println!("disk {full} -> {empty} bytes");
    assert!(empty < full / 4 + 8_000_000, "{full} -> {empty} bytes");
}
