//! Stories over virtual controllers, told by real hosts: trouble-host here, bumble as a stranger.
//!
//! Our transport is as in the product, from sessions down to values; below it trouble-host makes
//! L2CAP and ATT packets of them, and our controllers carry those by the packets of the link layer.
//! All clocks are one, which is paused: a minute on the air is a moment.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

mod conformance;
mod crowd;
mod cuts;
mod foreign;
mod messages;
mod packets;
mod party;
#[expect(unreachable_pub, reason = "its parts see one another, and nobody else")]
mod radio;
mod throughput;

use std::future::Future;

use packmule_ble::Ble;
use packmule_ble::advert::Draw;
use packmule_bus::link::{Link, Listener, Port, Transport, Way};
use packmule_controller::Room;
use radio::{Device, Terms};
use tokio::task::LocalSet;

/// What packets of trouble-host need beside the ATT MTU.
const HEAD: usize = 4;
/// Packets that hold our SDUs, so that L2CAP channels are opened.
const L2CAP: usize = 2_048;

/// Runs a story on a clock that passes at once while nobody has anything to do.
fn story(told: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), told);
}

/// Tags that are the same ones each time.
fn draw(seed: u8) -> Draw {
    let mut state = u64::from(seed);
    Box::new(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    })
}

fn way(text: &str) -> Way {
    Way::parse(text).expect("a way")
}

/// Our transport on a device of its own.
struct Node {
    device: Device,
    ble: Ble,
}

impl Node {
    /// With packets of this length: its ATT MTU and four.
    fn new<const LENGTH: usize>(room: &Room, name: u8, terms: Terms) -> Self {
        let device = Device::start::<LENGTH>(room.port([name; 6]), name, terms);
        Self {
            ble: Ble::over(device.clone(), draw(name)),
            device,
        }
    }

    async fn listen(&self) -> Box<dyn Listener> {
        self.ble.listen(&way("ble:any")).await.expect("listens")
    }

    /// Opens a link to whoever listens there.
    async fn meet(&self, door: &mut dyn Listener) -> (Link, Link) {
        let to = door.way();
        match tokio::join!(self.ble.open(&to), door.accept()) {
            (Ok(Port::Link(near)), Ok(Port::Link(far))) => (near, far),
            (near, _) => panic!("they did not meet: {:?}", near.err()),
        }
    }
}
