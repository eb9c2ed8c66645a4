//! How much of the air's limit a session gets, in modelled time.
//!
//! Two sessions, two pipes, and the link layer between them: connection events, packets of 27 or
//! 251 bytes, pauses, queues of a few packets in each controller, and stacks that look at what
//! came only after the event. A message of 100 kB goes from alice to the kiosk, sealed, with
//! offer and custody. The limit is what bare values could carry in one direction.

#![expect(
    clippy::expect_used,
    reason = "a model that stops is a test that failed"
)]

#[expect(unreachable_pub, reason = "it has one user, and reads better so")]
mod model;

use model::{Model, Radio};
use packmule_ble::airtime::Air;
use packmule_ble::plan;

const BODY: usize = 100_000;

/// The share of the limit, in per mille.
fn share(air: Air, mtu: usize) -> u64 {
    let value = plan::value(mtu).expect("an MTU");
    // Bare values of the length that suits the packets best.
    let limit = air.limit(value).max(air.limit(plan::fitting(value)));
    let mut model = Model::new(Radio { air, mtu });
    model.up();
    let began = model.now();
    model.offer(BODY);
    let whole = model.until_whole();
    let micros = whole - began;
    let rate = BODY as u64 * 1_000_000 / micros;
    let share = rate * 1000 / limit;
    println!(
        "MTU {mtu:3}, {:2}.{} ms, {}M{}: {rate:6} of {limit:6} bytes/s, {}.{} %",
        air.interval / 1000,
        air.interval % 1000 / 100,
        if air.fast { 2 } else { 1 },
        if air.long { ", long packets" } else { "" },
        share / 10,
        share % 10,
    );
    share
}

#[test]
fn a_message_gets_nine_tenths_of_what_the_air_carries() {
    let mut least = 1000;
    for mtu in [23, 185, 247, 517] {
        for interval in [7_500, 15_000, 30_000] {
            for (fast, long) in [(false, false), (false, true), (true, true)] {
                let air = Air {
                    interval,
                    fast,
                    long,
                };
                least = least.min(share(air, mtu));
            }
        }
    }
    println!("the least share: {}.{} %", least / 10, least % 10);
    assert!(least >= 900, "{least} of 1,000");
}
