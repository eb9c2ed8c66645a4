//! Between a village without a network and a mediator on the internet, by real processes: alice's
//! stick, the kiosk, a network that is cut and restored at random, the cloud, and bob on the
//! internet. Each process is killed in its turn.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use packmule_agent::did::Service;
use packmule_agent::protocol::pickup::{self, Version};
use packmule_agent::protocol::{mediation, routing};
use packmule_agent::resolve::DocBook;

use super::client::{Client, letters, try_ask, try_post};
use super::near::{REQUEST, free_address, imported, verb};
use super::service::Gateway;
use crate::crew::pause_until;
use crate::stage::{Party, Stage, text};

/// Letters, and on how many sticks.
const LETTERS: usize = 30;
const STICKS: usize = 3;
const KIND: &str = "application/didcomm-encrypted+json";

/// A network between two, which can be cut: whoever speaks then is cut off in the middle.
struct Network {
    url: String,
    up: Arc<AtomicBool>,
    cuts: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    fn to(there: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Self {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            up: Arc::new(AtomicBool::new(true)),
            cuts: Arc::default(),
            open: Arc::default(),
        };
        let (up, open) = (Arc::clone(&network.up), Arc::clone(&network.open));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if !up.load(Ordering::SeqCst) {
                    continue;
                }
                if let Ok(far) = TcpStream::connect(&there) {
                    let mut open = open.lock().unwrap();
                    for (from, to) in [(&near, &far), (&far, &near)] {
                        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                        open.push(from.try_clone().unwrap());
                        thread::spawn(move || pour(from, to));
                    }
                }
            }
        });
        network
    }

    fn cut(&self) {
        self.up.store(false, Ordering::SeqCst);
        for one in self.open.lock().unwrap().drain(..) {
            let _ = one.shutdown(Shutdown::Both);
        }
        self.cuts.fetch_add(1, Ordering::Relaxed);
    }

    fn restore(&self) {
        self.up.store(true, Ordering::SeqCst);
    }
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// Cuts and restores, by a seed, until it is over; leaves the network up.
fn weather(network: &Network, mut seed: u64, over: &AtomicBool) {
    let mut next = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Duration::from_millis((seed >> 33) % most)
    };
    while !over.load(Ordering::SeqCst) {
        thread::sleep(next(120));
        network.cut();
        thread::sleep(next(250));
        network.restore();
    }
}

/// Bob takes what is there, and says that he has it; what fails is tried another time.
fn collect(bob: &Client, got: &mut BTreeMap<String, usize>) -> Option<usize> {
    let delivered = try_ask(bob, pickup::delivery_request(Version::V3, 10, None))?;
    let page = letters(&delivered);
    for (_, packed) in &page {
        let words = bob.read(packed).expect("a letter of his");
        *got.entry(words).or_default() += 1;
    }
    let ids: Vec<String> = page.into_iter().map(|(id, _)| id).collect();
    let count = ids.len();
    // Until the cloud has heard it, it gives them again.
    while count > 0 && try_ask(bob, pickup::received(Version::V3, &ids)).is_none() {
        thread::sleep(Duration::from_millis(100));
    }
    Some(count)
}

#[test]
fn letters_on_sticks_reach_a_mailbox_on_the_internet_whatever_is_cut_or_killed() {
    let stage = Stage::new();
    let cloud_at = free_address();
    let network = Network::to(cloud_at.clone());
    let of_cloud = [("PACKMULE_GATEWAY_PUBLIC_URL", network.url.as_str())];
    let cloud = Gateway::at(&stage, "cloud", &cloud_at, &of_cloud);
    let of_kiosk = [("PACKMULE_GATEWAY_STRANGERS__FORWARD", "true")];
    let kiosk = Gateway::start(&stage, "kiosk", &of_kiosk);
    let kiosk_at = kiosk.address.clone();

    let bob = Client::with(&cloud, &[Service::didcomm(&cloud.did)]);
    bob.ask(mediation::request(mediation::Version::V3));
    let alice = stage.party("alice", "peer2");
    alice.ok(["accept", bob.did(), "--name", "bob", "--no-hello"]);

    let over = AtomicBool::new(false);
    let mut got = BTreeMap::new();
    thread::scope(|scope| {
        scope.spawn(|| weather(&network, 7, &over));
        let (mut kiosk, mut cloud) = (Some(kiosk), Some(cloud));
        for stick in 0..STICKS {
            let folder = stage.folder(&format!("stick-{stick}"));
            for number in 0..LETTERS / STICKS {
                alice.ok(["send", "bob", &format!("{stick}-{number}")]);
            }
            // Alice's process too: the second run finishes what the first began.
            let mut export = alice.command(["export", text(&folder)]).spawn().unwrap();
            thread::sleep(Duration::from_millis(5 + 20 * stick as u64));
            let _ = export.kill();
            export.wait().unwrap();
            alice.ok(["export", text(&folder)]);
            let carried = imported(&stage, "kiosk", &folder);
            assert_eq!(carried["carried"], LETTERS / STICKS, "{carried}");
            thread::sleep(Duration::from_millis(150));
            kiosk.take().unwrap().kill();
            kiosk = Some(Gateway::at(&stage, "kiosk", &kiosk_at, &of_kiosk));
            thread::sleep(Duration::from_millis(150));
            cloud.take().unwrap().kill();
            cloud = Some(Gateway::at(&stage, "cloud", &cloud_at, &of_cloud));
            collect(&bob, &mut got);
        }
        over.store(true, Ordering::SeqCst);
        pause_until("all have arrived", || {
            while collect(&bob, &mut got).is_some_and(|count| count > 0) {}
            got.len() == LETTERS
        });
        drop((kiosk, cloud));
    });
    println!("{} cuts", network.cuts.load(Ordering::Relaxed));
    for (words, count) in &got {
        assert_eq!(*count, 1, "{words} came {count} times");
    }
}

#[test]
fn letters_from_the_internet_reach_a_village_without_a_network_whatever_is_cut_or_killed() {
    let stage = Stage::new();
    let cloud_at = free_address();
    let network = Network::to(cloud_at.clone());
    let of_cloud = [("PACKMULE_GATEWAY_PUBLIC_URL", network.url.as_str())];
    let cloud = Gateway::at(&stage, "cloud", &cloud_at, &of_cloud);
    let upstream = format!("[{{ did = \"{}\", retry = \"1s\" }}]", cloud.did);
    let of_kiosk = [("PACKMULE_GATEWAY_UPSTREAM", upstream.as_str())];
    let kiosk = Gateway::at(&stage, "kiosk", &free_address(), &of_kiosk);
    let kiosk_at = kiosk.address.clone();

    // Alice's document: by the cloud, then by the kiosk; she asks the kiosk on a stick.
    let alice = Party {
        home: stage.path("alice"),
    };
    let way = ["--mediator", &cloud.did, "--mediator", &kiosk.did];
    alice.ok(["init", "--kdf-memory", "8"].iter().chain(&way));
    alice.ok(["accept", &kiosk.did, "--name", "kiosk", "--no-hello"]);
    alice.ok(["send", "kiosk", "--type", REQUEST, "--body", "{}"]);
    let stick = stage.folder("stick");
    alice.ok(["export", text(&stick)]);
    imported(&stage, "kiosk", &stick);
    let did = alice.did();
    let registered = "packmule_upstream_registered{upstream=\"1\"} 1";
    pause_until("the cloud knows of alice", || {
        kiosk.get("/metrics").1.contains(registered)
    });

    let bob = Client::of(&cloud);
    let keys = [cloud.did.clone(), kiosk.did.clone()];
    let send = |words: &str| {
        let letter = bob.letter_to(&did, words);
        // What was not answered for is sent again, the same letter, as senders do.
        pause_until("the cloud takes it", || {
            let wrapped = routing::wrap(&letter, &did, &keys, &DocBook::new()).unwrap();
            matches!(try_post(&cloud_at, KIND, &wrapped), Ok((202, _)))
        });
    };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| weather(&network, 11, &over));
        let (mut kiosk, mut cloud) = (Some(kiosk), Some(cloud));
        for life in 0..STICKS {
            for number in 0..LETTERS / STICKS {
                send(&format!("{life}-{number}"));
            }
            thread::sleep(Duration::from_millis(300));
            kiosk.take().unwrap().kill();
            kiosk = Some(Gateway::at(&stage, "kiosk", &kiosk_at, &of_kiosk));
            cloud.take().unwrap().kill();
            cloud = Some(Gateway::at(&stage, "cloud", &cloud_at, &of_cloud));
            verb(&stage, "kiosk", &["export", text(&stick)]);
        }
        over.store(true, Ordering::SeqCst);
        pause_until("all are on alice's stick", || {
            verb(&stage, "kiosk", &["export", text(&stick)]);
            alice.ok(["import", text(&stick)]);
            alice.texts().len() >= LETTERS
        });
        drop((kiosk, cloud));
    });
    println!("{} cuts", network.cuts.load(Ordering::Relaxed));
    let mut texts = alice.texts();
    assert_eq!(texts.len(), LETTERS, "{texts:?}");
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), LETTERS, "each once");
}
