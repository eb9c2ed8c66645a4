//! The driver of the PN532 on virtual chips: two nodes touch, stickers are written.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that goes wrong must fail the test"
)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use packmule_bus::link::{Link, LinkError, Port, Role, Transport, Way};
use packmule_conformance::{PATIENCE, links};
use packmule_nfc::chip::{Chip, ChipError, TargetKind};
use packmule_nfc::ndef::{self, Record};
use packmule_nfc::pn532::Pn532;
use packmule_nfc::pn532::frame::{self, ACK};
use packmule_nfc::t4t::{self, Type4};
use packmule_nfc::{Nfc, Roles, Turn, Turns, jitter_by, t2t};
use packmule_sim::dice::Dice;
use packmule_sim::nfc::pty::Lines;
use packmule_sim::nfc::tag::TagKind;
use packmule_sim::nfc::{Field, Rogue, Setup};
use tokio::time::timeout;

/// Longer than any look or answer here takes.
const LONG: Duration = Duration::from_secs(5);

/// A field on terminals of its own, for one story.
struct Table {
    paths: Vec<PathBuf>,
    stop: Arc<AtomicBool>,
    running: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Table {
    fn new(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let chips = setup.chips;
        let field = Field::new(setup);
        let mut lines = Lines::open(field, chips, folder.path()).expect("terminals");
        let paths = lines.paths().into_iter().map(PathBuf::from).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let running = std::thread::spawn(move || lines.run(&seen).expect("it runs"));
        Self {
            paths,
            stop,
            running: Some(running),
            _folder: folder,
        }
    }

    fn two() -> Self {
        Self::new(Setup {
            chips: 2,
            ..Setup::default()
        })
    }

    fn chip(&self, n: usize) -> Pn532 {
        Pn532::open(&self.paths[n]).expect("a chip")
    }

    fn way(&self, n: usize, rest: &str) -> Way {
        let text = format!("nfc:{}{rest}", self.paths[n].display());
        Way::parse(&text).expect("a way")
    }

    /// The kiosk is a card, alice's phone a reader.
    async fn touch(&self) -> (Link, Link) {
        let nfc = Nfc::serial();
        let mut kiosk = nfc.listen(&self.way(0, "?card")).await.expect("listens");
        let alice = self.way(1, "");
        match tokio::join!(nfc.open(&alice), kiosk.accept()) {
            (Ok(Port::Link(near)), Ok(Port::Link(far))) => (near, far),
            (near, far) => panic!("{:?} {:?}", near.err(), far.err()),
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(running) = self.running.take()
            && running.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the field fell over");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_over_two_chips_keep_every_promise() {
    // The field of each pair lives as long as its links.
    let tables = Mutex::new(Vec::new());
    let fresh = async || {
        let table = Table::two();
        let pair = table.touch().await;
        tables.lock().expect("no panic").push(table);
        pair
    };
    if let Err(broken) = links(fresh).await {
        panic!("{broken}");
    }
}

/// Sends `count` PDUs each way; each comes once and in order.
async fn talk(near: &mut Link, far: &mut Link, count: u32) {
    async fn say(link: &mut Link, count: u32) -> Result<(), LinkError> {
        let Link { tx, rx, .. } = link;
        let send = async {
            for n in 0..count {
                let mut pdu = n.to_be_bytes().to_vec();
                pdu.resize(4 + (n as usize * 37) % 250, 7);
                tx.send(pdu).await?;
            }
            Ok(())
        };
        let hear = async {
            for n in 0..count {
                let pdu = rx.recv().await?;
                assert_eq!(pdu.first_chunk(), Some(&n.to_be_bytes()));
            }
            Ok(())
        };
        tokio::try_join!(send, hear).map(drop)
    }
    let talking = async { tokio::try_join!(say(near, count), say(far, count)) };
    timeout(PATIENCE, talking)
        .await
        .expect("in time")
        .expect("it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_breaks_again_and_again_is_the_same_link() {
    for seed in 0..3 {
        let table = Table::new(Setup {
            chips: 2,
            breaks: Some((4, 20)),
            seed,
            ..Setup::default()
        });
        let (mut near, mut far) = table.touch().await;
        talk(&mut near, &mut far, 60).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_equal_devices_meet() {
    let table = Table::two();
    let nfc = Nfc::serial();
    let mut alice = nfc.listen(&table.way(0, "")).await.expect("listens");
    let mut bob = nfc.listen(&table.way(1, "")).await.expect("listens");
    let met = async { tokio::join!(alice.accept(), bob.accept()) };
    match timeout(PATIENCE, met).await.expect("in time") {
        (Ok(Port::Link(mut near)), Ok(Port::Link(mut far))) => {
            assert_ne!(near.role == Role::Dialer, far.role == Role::Dialer);
            talk(&mut near, &mut far, 20).await;
        }
        (near, far) => panic!("{:?} {:?}", near.err(), far.err()),
    }
}

#[tokio::test]
async fn a_chip_is_one_programs() {
    let table = Table::two();
    let _first = table.chip(0);
    let second = Pn532::open(&table.paths[0]).expect_err("it is taken");
    assert!(second.to_string().contains("another program"), "{second}");
    let nowhere = Way::parse("nfc:/dev/no-such-line").expect("a way");
    assert!(Nfc::serial().open(&nowhere).await.is_err());
}

#[test]
fn a_letter_on_a_sticker_by_a_chip() {
    let table = Table::new(Setup {
        chips: 1,
        tags: vec![TagKind::Ntag215],
        ..Setup::default()
    });
    let mut chip = table.chip(0);
    let sticker = chip.seek(LONG).expect("it works").expect("a tag");
    assert_eq!(sticker.kind, TargetKind::Pages);
    let letter = [
        Record::of_uri("https://example.org/?_oob=eyJ0"),
        Record::of_mime("application/didcomm-encrypted+json", &[b'{'; 300]),
    ];
    let message = ndef::write(&letter).expect("it goes");
    t2t::write(&mut chip, &message).expect("written");
    let read = t2t::read(&mut chip).expect("read");
    assert_eq!(ndef::read(&read).as_deref(), Ok(&letter[..]));
    // It stays when it is let go and found again.
    chip.release();
    chip.seek(LONG).expect("it works").expect("a tag");
    assert_eq!(t2t::read(&mut chip).expect("read"), message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_knows_us_not_reads_the_kiosks_tag() {
    let table = Table::two();
    let message = ndef::write(&[Record::of_uri("https://example.org/?_oob=eyJ0")]);
    let message = message.expect("it goes");
    let tag = Type4::showing(&message).expect("it goes");
    let nfc = Nfc::serial().showing(tag);
    let _kiosk = nfc.listen(&table.way(0, "?card")).await.expect("listens");
    let mut phone = table.chip(1);
    let read = tokio::task::spawn_blocking(move || {
        phone.seek(LONG).expect("it works").expect("a card");
        t4t::read(&mut phone).expect("read")
    });
    assert_eq!(read.await.expect("no panic"), message);
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_that_misbehave_are_told_from_the_chip_and_leave_it_whole() {
    for rogue in [
        Rogue::EmptyAts,
        Rogue::Nad,
        Rogue::MoreThenError,
        Rogue::Garbage,
        Rogue::WrongEcho,
    ] {
        let table = Table::new(Setup {
            chips: 2,
            rogue: Some(rogue),
            ..Setup::default()
        });
        let nfc = Nfc::serial();
        let _mallory = nfc.listen(&table.way(0, "?card")).await.expect("listens");
        let mut chip = table.chip(1);
        let tried = tokio::task::spawn_blocking(move || {
            for _ in 0..2 {
                // A card that lies may be no target at all; the chip goes on.
                let Some(_) = chip.seek(LONG).expect("it works") else {
                    continue;
                };
                let read = t4t::read(&mut chip);
                if let Err(t4t::TagError::Chip(ChipError::Broken(fault))) = read {
                    panic!("{fault}");
                }
                chip.release();
            }
        });
        tried.await.unwrap_or_else(|_| panic!("{rogue:?}"));
    }
}

/// What a host of an equal device says, by the product's own turns.
struct Alternating {
    turns: Turns,
    /// The host and the chip take their time for each command.
    delays: Dice,
    until: Duration,
}

#[test]
fn equal_devices_meet_within_three_seconds() {
    // By the clock of the field, which nobody has to wait for.
    let mut waits = Vec::new();
    for seed in 0..200 {
        let mut field = Field::new(Setup {
            chips: 2,
            ..Setup::default()
        });
        let mut devices = ["alice", "bob"].map(|name| {
            let dice = Mutex::new(Dice::new(seed, name, "jitter"));
            let random = move || dice.lock().expect("no panic").below(256) as u8;
            let mut delays = Dice::new(seed, name, "delays");
            // They were switched on at any time.
            let until = Duration::from_millis(delays.below(600));
            Alternating {
                turns: Turns::new(Roles::Both, jitter_by(random)),
                delays,
                until,
            }
        });
        let met = 'field: loop {
            let next = devices.iter().enumerate();
            let (chip, at) = next
                .map(|(chip, device)| (chip, device.until))
                .min_by_key(|(_, at)| *at)
                .expect("two");
            let device = &mut devices[chip];
            let (command, lasts) = match device.turns.turn() {
                Turn::Seek(wait) => (vec![0x4a, 1, 0], wait),
                Turn::Listen(slot) => {
                    let mut card = vec![0x8c, 5, 4, 0, 1, 2, 3, 0x20];
                    card.extend_from_slice(&[0; 30]);
                    (card, slot)
                }
            };
            device.until = at + lasts + Duration::from_millis(device.delays.between(1, 60));
            field.hear(at, chip, &ACK);
            field.hear(at, chip, &frame::command(&command).expect("short"));
            while let Some((_, bytes)) = field.poll() {
                // Somebody was found: not an ACK, and not "nobody".
                if bytes != ACK {
                    break 'field at;
                }
            }
            assert!(at < Duration::from_secs(60), "seed {seed}: they never meet");
        };
        waits.push(met);
    }
    waits.sort();
    let p99 = waits[197];
    println!(
        "two equal devices meet: median {:?}, p99 {p99:?}",
        waits[100]
    );
    assert!(p99 <= Duration::from_secs(3), "{p99:?}");
}
