//! One host: trouble-host's tasks, and what its device asks of it.
//!
//! Called by [`super::Device`]. What can go wrong: trouble-host gives up, which is said aloud.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bt_hci::controller::ExternalController;
use bt_hci::param::LeAdvReportsIter;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use packmule_ble::advert::Advert;
use packmule_ble::plan::{self, Service};
use packmule_ble::radio::{self, Channel, Offer, Sighting};
use packmule_bus::link::OpenError;
use packmule_controller::Port;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use trouble_host::connection::ScanConfig;
use trouble_host::prelude::{CreditFlowPolicy, EventHandler, L2capChannelConfig, Scanner};
use trouble_host::{Address, HostResources, Stack};

use super::wire::{Heap, Wire};
use super::{Terms, central, peripheral};

/// Connections of one host, and their L2CAP channels: three are fixed.
pub const CONNECTIONS: usize = 4;
const CHANNELS: usize = 8;
/// The PSM of our L2CAP channels.
pub const PSM: u16 = 0x85;

/// Does something that may have to wait for room in trouble-host's queue, and looks every
/// millisecond whether it has gone on. That queue has one waker for all who wait: with wakers of
/// their own, two of them would wake one another for ever, and no time would pass.
pub async fn patiently<T>(does: impl Future<Output = T>) -> T {
    let mut does = pin!(does);
    loop {
        let looks = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(done) = does.as_mut().poll(looks) {
            return done;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

pub type Controller = ExternalController<Wire, 4>;
pub type Host<'a, const LENGTH: usize> = Stack<'a, Controller, Heap<LENGTH>>;

/// What a device asks of its host.
pub enum Ask {
    Serve(Offer, mpsc::Sender<Channel>),
    Show(Advert),
    Scan(mpsc::Sender<Sighting>),
    Connect(
        radio::Address,
        (&'static Service, bool),
        oneshot::Sender<Result<Channel, OpenError>>,
    ),
}

/// An address as people write it.
pub fn written(octets: [u8; 6]) -> radio::Address {
    let [a, b, c, d, e, f] = octets;
    radio::Address(format!("{f:02X}:{e:02X}:{d:02X}:{c:02X}:{b:02X}:{a:02X}"))
}

/// And back.
pub fn read(address: &radio::Address) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut parts = address.0.split(':');
    for octet in octets.iter_mut().rev() {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// Do packets of this length hold our SDUs?
pub const fn has_l2cap(length: usize) -> bool {
    length >= 2_048
}

/// How L2CAP channels are: our SDUs, in frames that fill one data PDU.
pub fn frames() -> L2capChannelConfig {
    L2capChannelConfig {
        mtu: u16::try_from(plan::SDU).ok(),
        mps: u16::try_from(plan::MPS).ok(),
        flow_policy: CreditFlowPolicy::Every(16),
        initial_credits: Some(64),
    }
}

/// Runs a host until nobody asks it any more.
pub async fn run<const LENGTH: usize>(
    port: Port,
    own: [u8; 6],
    terms: Terms,
    asks: mpsc::UnboundedReceiver<Ask>,
) {
    let mut resources: HostResources<Heap<LENGTH>, CONNECTIONS, CHANNELS> = HostResources::new();
    let stack: Host<'_, LENGTH> = trouble_host::new(Controller::new(Wire(port)), &mut resources)
        .set_random_address(Address::random(own))
        .register_l2cap_spsm(PSM)
        .build();
    let mut runner = stack.runner();
    let eyes = Eyes::default();
    tokio::select! {
        ended = runner.run_with_handler(&eyes) => panic!("trouble-host gave up: {ended:?}"),
        () = attend(&stack, terms, &eyes, asks) => {}
    }
}

async fn attend<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    terms: Terms,
    eyes: &Eyes,
    mut asks: mpsc::UnboundedReceiver<Ask>,
) {
    let advert = Advert {
        tag: [0; 8],
        dials: false,
    };
    let shown = watch::Sender::new(advert);
    let mut work: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + '_>>> =
        FuturesUnordered::new();
    loop {
        let ask = tokio::select! {
            ask = asks.recv() => ask,
            Some(()) = work.next() => continue,
        };
        match ask {
            None => return,
            Some(Ask::Serve(offer, visit)) => {
                shown.send_replace(offer.advert);
                let adverts = shown.subscribe();
                work.push(Box::pin(peripheral::serve(stack, offer, adverts, visit)));
            }
            Some(Ask::Show(advert)) => {
                shown.send_replace(advert);
            }
            Some(Ask::Scan(tell)) => work.push(Box::pin(look(stack, eyes, tell))),
            Some(Ask::Connect(to, service, tell)) => {
                work.push(Box::pin(central::connect(
                    stack,
                    terms,
                    (to, service),
                    tell,
                )));
            }
        }
    }
}

/// Scans as long as somebody wants to hear of it.
async fn look<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    eyes: &Eyes,
    tell: mpsc::Sender<Sighting>,
) {
    eyes.tell.borrow_mut().push(tell.clone());
    let mut central = stack.central();
    let mut scanner = Scanner::new(&mut central);
    let scan = scanner.scan(&ScanConfig::default()).await;
    assert!(scan.is_ok(), "it does not scan");
    tell.closed().await;
}

/// Gives on what was seen.
#[derive(Default)]
struct Eyes {
    tell: RefCell<Vec<mpsc::Sender<Sighting>>>,
}

impl EventHandler for Eyes {
    fn on_adv_reports(&self, reports: LeAdvReportsIter<'_>) {
        let mut tell = self.tell.borrow_mut();
        tell.retain(|tell| !tell.is_closed());
        for report in reports.flatten() {
            let Some(data) = ours(report.data) else {
                continue;
            };
            let sighting = Sighting {
                address: written(report.addr.into_inner()),
                data,
            };
            for tell in tell.iter() {
                // Whoever looks away misses it.
                let _ = tell.try_send(sighting.clone());
            }
        }
    }
}

/// The data of our service in an advertisement, empty if only its name is there; nothing, if it is
/// not of us.
fn ours(mut data: &[u8]) -> Option<Vec<u8>> {
    let service = plan::OURS.uuid.to_air();
    while let Some((length, rest)) = data.split_first() {
        let (part, after) = rest.split_at_checked(usize::from(*length))?;
        match part.split_first() {
            Some((0x06 | 0x07, list)) if list.chunks(16).any(|one| one == service) => {
                return Some(Vec::new());
            }
            Some((0x21, part)) if part.starts_with(&service) => {
                return part.get(16..).map(<[u8]>::to_vec);
            }
            _ => data = after,
        }
    }
    None
}
