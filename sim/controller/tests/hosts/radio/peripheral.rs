//! Being a peripheral: a GATT server, seen by everybody, for whoever connects.
//!
//! Called by [`super::stack`]. What can go wrong: strangers write what they should not, and are
//! let go.

use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use packmule_ble::advert::Advert;
use packmule_ble::plan::{self, Purpose};
use packmule_ble::radio::{Bearer, Channel, Offer};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use trouble_host::advertise::{Advertisement, AdvertisementParameters};
use trouble_host::attribute::{AttributeTable, Characteristic, CharacteristicProp, Service};
use trouble_host::connection::Connection;
use trouble_host::gatt::{GattConnection, GattConnectionEvent, GattEvent};
use trouble_host::l2cap::L2capChannel;
use trouble_host::prelude::{AttributeServer, Uuid};

use super::channel::{Inner, pair};
use super::stack::{CONNECTIONS, Host, PSM, frames, has_l2cap, patiently, written};
use super::wire::Heap;

/// How long the other side may take to let a channel go.
const PARTING: Duration = Duration::from_secs(5);

/// trouble-host forgets the SDUs that wait to be read when the other side closes the channel: it is
/// left so much time.
const LINGER: Duration = Duration::from_millis(500);

/// A value, however long.
type Value = [u8; plan::MOST_VALUE];

/// A service of ours in the table.
struct Served {
    planned: &'static plan::Service,
    write: u16,
    notify: Characteristic<Value>,
}

/// Serves until nobody takes visitors any more.
pub async fn serve<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    offer: Offer,
    adverts: watch::Receiver<Advert>,
    visit: mpsc::Sender<Channel>,
) {
    let l2cap = offer.l2cap && has_l2cap(LENGTH);
    let psm = plan::write_psm(l2cap.then_some(PSM));
    let mut values = [[0; plan::MOST_VALUE]; 4];
    let mut values = values.iter_mut();
    let mut table: AttributeTable<'_, NoopRawMutex, 24> = AttributeTable::new();
    let mut gap = table.add_service(Service::new(0x1800_u16));
    gap.add_characteristic_ro(0x2a00_u16, "mule");
    gap.build();
    table.add_service(Service::new(0x1801_u16));
    let mut served = Vec::new();
    let planned = [Some(&plan::OURS), offer.didcomm.then_some(&plan::DIDCOMM)];
    for planned in planned.into_iter().flatten() {
        let mut service = table.add_service(Service::new(Uuid::new_long(planned.uuid.to_air())));
        let (mut write, mut notify) = (None, None);
        for one in planned.characteristics {
            let uuid = Uuid::new_long(one.uuid.to_air());
            let empty: Value = [0; plan::MOST_VALUE];
            let mut room = || {
                values
                    .next()
                    .expect("four values are enough")
                    .as_mut_slice()
            };
            match one.purpose {
                Purpose::ToPeripheral { without_response } => {
                    let mut props = vec![CharacteristicProp::Write];
                    props.extend(
                        without_response.then_some(CharacteristicProp::WriteWithoutResponse),
                    );
                    let made = service.add_characteristic(uuid, &props[..], empty, room());
                    write = Some(made.build().handle);
                }
                Purpose::ToCentral => {
                    let props = [CharacteristicProp::Notify, CharacteristicProp::Read];
                    let made = service.add_characteristic(uuid, props, empty, room());
                    notify = Some(made.build());
                }
                Purpose::Psm => {
                    service.add_characteristic_ro(uuid, &psm[..]);
                }
            }
        }
        served.push(Served {
            planned,
            write: write.expect("planned"),
            notify: notify.expect("planned"),
        });
    }
    let server = AttributeServer::<NoopRawMutex, Heap<LENGTH>, 24, CONNECTIONS>::new(table);
    let mut guests = FuturesUnordered::new();
    let mut visitor = Box::pin(visitor(stack, offer.didcomm, adverts.clone()));
    loop {
        tokio::select! {
            came = &mut visitor => {
                if let Ok(guest) = came.with_attribute_server(&server) {
                    guests.push(attend(stack, guest, (&served, l2cap), visit.clone()));
                }
                visitor.set(self::visitor(stack, offer.didcomm, adverts.clone()));
            }
            Some(()) = guests.next() => {}
            () = visit.closed() => return,
        }
    }
}

/// Shows itself until somebody connects.
async fn visitor<'a, const LENGTH: usize>(
    stack: &'a Host<'_, LENGTH>,
    didcomm: bool,
    mut adverts: watch::Receiver<Advert>,
) -> Connection<'a, Heap<LENGTH>> {
    let often = AdvertisementParameters {
        interval_min: embassy_time::Duration::from_millis(100),
        interval_max: embassy_time::Duration::from_millis(100),
        ..AdvertisementParameters::default()
    };
    loop {
        let advert = *adverts.borrow_and_update();
        let mut data = advert.payload();
        if didcomm {
            // As a peripheral of the DIF's profile it lists that; ours is in the answer to a scan.
            data.truncate(5);
            data.extend_from_slice(&plan::DIDCOMM.uuid.to_air());
        }
        let shown = Advertisement::ConnectableScannableUndirected {
            adv_data: &data,
            scan_data: &advert.response(),
        };
        let mut peripheral = stack.peripheral();
        let seen = peripheral.advertise(&often, shown).await;
        let Ok(seen) = seen else {
            // As many are connected as can be: one of them has to go first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::select! {
            came = seen.accept() => if let Ok(came) = came {
                return came;
            },
            Ok(()) = adverts.changed() => {}
        }
    }
}

/// One central, until it goes.
async fn attend<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    guest: GattConnection<'_, '_, Heap<LENGTH>>,
    (served, l2cap): (&[Served], bool),
    visit: mpsc::Sender<Channel>,
) {
    let values = values(&guest, served, &visit);
    let sdus = async {
        if l2cap {
            sdus(stack, &guest, &visit).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = values => {}
        () = sdus => {}
    }
}

/// What is asked of the server and written to it, and what is notified.
async fn values<const LENGTH: usize>(
    guest: &GattConnection<'_, '_, Heap<LENGTH>>,
    served: &[Served],
    visit: &mpsc::Sender<Channel>,
) {
    // What is notified goes on while an answer waits for room.
    let (begin, mut begun) = mpsc::unbounded_channel();
    let notifies = async {
        let mut pumps = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some((by, inner)) = begun.recv() => pumps.push(notify(guest, by, inner)),
                Some(()) = pumps.next() => guest.raw().disconnect(),
            }
        }
    };
    tokio::select! {
        () = answers(guest, served, (visit, begin)) => {}
        () = notifies => {}
    }
}

/// What a channel of this guest notifies by, and the channel.
type Begins<'a> = mpsc::UnboundedSender<(&'a Characteristic<Value>, Inner)>;

/// Answers what is asked and takes what is written, until the guest goes.
async fn answers<'a, const LENGTH: usize>(
    guest: &GattConnection<'_, '_, Heap<LENGTH>>,
    served: &'a [Served],
    (visit, begin): (&mpsc::Sender<Channel>, Begins<'a>),
) {
    let mut seats: Vec<Option<mpsc::Sender<Vec<u8>>>> = served.iter().map(|_| None).collect();
    loop {
        let event = match guest.next().await {
            GattConnectionEvent::Disconnected { .. } => return,
            GattConnectionEvent::Gatt { event } => event,
            _ => continue,
        };
        let GattEvent::Write(write) = event else {
            if let Ok(reply) = event.accept() {
                patiently(reply.send()).await;
            }
            continue;
        };
        let (handle, value) = (write.handle(), write.with_data(|_, value| value.to_vec()));
        let written = served.iter().position(|one| one.write == handle);
        let reply = match written {
            Some(_) => write.accept_unprocessed(),
            None => write.accept(),
        };
        if let Ok(reply) = reply {
            patiently(reply.send()).await;
        }
        if let Some(seat) = written.and_then(|at| seats[at].as_ref())
            && seat.try_send(value).is_err()
        {
            guest.raw().disconnect();
            continue;
        }
        let asks = |one: &Served| one.notify.cccd_handle == Some(handle);
        let Some(at) = served.iter().position(asks) else {
            continue;
        };
        if seats[at].is_none() && served[at].notify.should_notify(guest) {
            let longest = plan::value(usize::from(guest.raw().att_mtu()));
            let (channel, inner) = pair(
                served[at].planned,
                Bearer::Gatt,
                longest.expect("an MTU of 23 at least"),
                written_address(guest.raw()),
            );
            seats[at] = Some(inner.came.clone());
            let _ = begin.send((&served[at].notify, inner));
            // Too many wait: this one is let go.
            let _ = visit.try_send(channel);
        }
    }
}

fn written_address<const LENGTH: usize>(of: &Connection<'_, Heap<LENGTH>>) -> String {
    written(of.peer_address().addr.into_inner()).to_string()
}

/// Notifies what is to go, until nobody holds the channel.
async fn notify<const LENGTH: usize>(
    guest: &GattConnection<'_, '_, Heap<LENGTH>>,
    by: &Characteristic<Value>,
    mut inner: Inner,
) {
    loop {
        tokio::select! {
            Some((value, tell)) = inner.goes.recv() => {
                if patiently(by.notify_raw(guest, &value, false)).await.is_ok() {
                    let _ = tell.send(());
                }
            }
            _ = &mut inner.dropped => return,
        }
    }
}

/// L2CAP channels that the central opens.
async fn sdus<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    guest: &GattConnection<'_, '_, Heap<LENGTH>>,
    visit: &mpsc::Sender<Channel>,
) {
    let listener = L2capChannel::listen(stack, guest.raw());
    while let Ok(opened) = listener.accept(&frames()).await {
        let with = written_address(guest.raw());
        let (channel, inner) = pair(&plan::OURS, Bearer::L2cap, plan::SDU, with);
        let _ = visit.try_send(channel);
        carry(stack, opened, inner).await;
        guest.raw().disconnect();
    }
}

/// Carries the SDUs of a channel both ways, until it ends or nobody holds it.
pub async fn carry<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    opened: L2capChannel<'_, Heap<LENGTH>>,
    inner: Inner,
) {
    let Inner {
        came,
        mut goes,
        dropped,
    } = inner;
    let (mut writer, mut reader) = opened.split();
    let there = async {
        while let Some((sdu, tell)) = goes.recv().await {
            if writer.send(stack, &sdu).await.is_err() {
                return;
            }
            let _ = tell.send(());
        }
        std::future::pending().await
    };
    let back = async {
        let mut sdu = vec![0; plan::SDU];
        while let Ok(length) = reader.receive(stack, &mut sdu).await {
            // Once nobody wants to hear it, it is still waited for the end.
            let _ = came.send(sdu[..length].to_vec()).await;
        }
    };
    let mut back = std::pin::pin!(back);
    tokio::select! {
        () = there => return,
        () = &mut back => return,
        _ = dropped => {}
    }
    // What was taken goes before the farewell of the channel, as the kernel's sockets have it; the
    // connection ends when that was answered.
    let _ = timeout(LINGER, &mut back).await;
    writer.disconnect();
    let _ = timeout(PARTING, back).await;
}
