//! How much of the air's limit a session gets, by real L2CAP and ATT packets.
//!
//! As in `transports/ble/tests/throughput.rs`, where the link layer is a model and there is no host:
//! here trouble-host's queues, HCI's credits and the controllers' packets are in between.

use std::time::Duration;

use packmule_ble::airtime::Air;
use packmule_ble::plan;
use packmule_controller::Room;
use tokio::time::Instant;

use crate::messages::packed;
use crate::party::Party;
use crate::radio::Terms;
use crate::{HEAD, Node, story};

const BYTES: usize = 100_000;

/// The share of the limit, in per mille.
async fn share<const LENGTH: usize>(air: Air) -> u64 {
    let terms = Terms {
        interval: Duration::from_micros(air.interval),
        fast: air.fast,
        long: air.long,
        ..Terms::default()
    };
    let value = plan::value(LENGTH - HEAD).expect("an MTU");
    let limit = air.limit(value).max(air.limit(plan::fitting(value)));
    let room = Room::new(1);
    let his = Node::new::<LENGTH>(&room, 1, terms);
    let hers = Node::new::<LENGTH>(&room, 2, terms);
    let (alice, bob) = (Party::new(1), Party::new(2));
    let small = alice.has(&packed(1, 1));
    let mut door = his.listen().await;
    let (near, far) = hers.meet(&mut *door).await;
    let wire = async {
        bob.until(|bob| bob.got(&small).is_some()).await;
        let began = Instant::now();
        let before = bob.bytes();
        let id = alice.has(&packed(BYTES, 1));
        alice.speak();
        bob.until(|bob| bob.got(&id).is_some()).await;
        (bob.bytes() - before, began.elapsed())
    };
    let (bytes, took) = tokio::select! {
        took = wire => took,
        why = alice.live(near) => panic!("{why}"),
        why = bob.live(far) => panic!("{why}"),
    };
    let micros = u64::try_from(took.as_micros()).expect("not for ever");
    let rate = bytes * 1_000_000 / micros;
    let share = rate * 1_000 / limit;
    println!(
        "MTU {:3}, {:2}.{} ms, {}M{}: {rate:6} of {limit:6} bytes/s, {}.{} %",
        LENGTH - HEAD,
        air.interval / 1_000,
        air.interval % 1_000 / 100,
        if air.fast { 2 } else { 1 },
        if air.long { ", long packets" } else { "" },
        share / 10,
        share % 10,
    );
    share
}

#[test]
fn a_message_gets_nine_tenths_of_what_the_air_carries() {
    story(async {
        let mut least = 1_000;
        for interval in [7_500, 15_000, 30_000] {
            for (fast, long) in [(false, false), (false, true), (true, true)] {
                let air = Air {
                    interval,
                    fast,
                    long,
                };
                least = least
                    .min(share::<{ 23 + HEAD }>(air).await)
                    .min(share::<{ 185 + HEAD }>(air).await)
                    .min(share::<{ 247 + HEAD }>(air).await)
                    .min(share::<{ 517 + HEAD }>(air).await);
            }
        }
        println!("the least share: {}.{} %", least / 10, least % 10);
        assert!(least >= 900, "{least} of 1,000");
    });
}
