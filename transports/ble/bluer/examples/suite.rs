//! The suite that every transport passes, over two adapters of this machine: `suite hci0 hci1 [gatt]`.
//!
//! Called by `tests/ble-vm`, whose adapters are virtual. What can go wrong: a promise that is not
//! kept, which is named, and the program fails; no adapter, no daemon.

#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a promise that is not kept must fail the suite, and who looks on wants to see where it is"
)]

use std::time::Duration;

use packmule_ble::{Ble, tags};
use packmule_ble_bluer::Bluez;
use packmule_bus::link::{Link, Listener, Port, Transport, Way};
use packmule_conformance::links;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// A connection takes two seconds to end, and may fail to come about while it does.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nor is a device seen while it is connected: whoever waits for it looks anew after so long.
const ATTEMPT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (kiosk, alice, how) = match words.as_slice() {
        [kiosk, alice] => (kiosk, alice, ""),
        [kiosk, alice, gatt] if gatt == "gatt" => (kiosk, alice, "?gatt"),
        _ => panic!("suite ADAPTER ADAPTER [gatt]"),
    };
    let at = Way::parse(&format!("ble:{kiosk}{how}")).expect("a way");
    let kiosk = Ble::over(Bluez::on(kiosk), tags());
    let alice = Ble::over(Bluez::on(alice), tags());
    let door = kiosk.listen(&at).await.expect("listens");
    let to = Way::parse(&format!("{}{how}", door.way())).expect("a way");
    let door = Mutex::new(door);
    let fresh = async || {
        let met = timeout(PATIENCE, meet(&alice, &to, &door)).await;
        let (near, far) = met.expect("they meet in time");
        println!("{:?}, with {}", near.facts, far.with);
        (near, far)
    };
    if let Err(broken) = links(fresh).await {
        panic!("{broken}");
    }
    println!("every promise is kept");
}

/// A fresh link: dialled until it is there, as a node does.
async fn meet(alice: &Ble, to: &Way, door: &Mutex<Box<dyn Listener>>) -> (Link, Link) {
    let mut door = door.lock().await;
    let dialled = async {
        loop {
            match timeout(ATTEMPT, alice.open(to)).await {
                Ok(Ok(Port::Link(link))) => return link,
                Ok(Ok(_)) => panic!("no link"),
                Ok(Err(why)) => println!("once more: {why}"),
                Err(_) => println!("once more: nobody was seen"),
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let came = async {
        loop {
            match door.accept().await {
                Ok(Port::Link(link)) => return link,
                Ok(_) => panic!("no link"),
                Err(why) => println!("the kiosk: {why}"),
            }
        }
    };
    tokio::join!(dialled, came)
}
