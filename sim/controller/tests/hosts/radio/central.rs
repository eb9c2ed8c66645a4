//! Being a central: connect, find the characteristics, subscribe or open an L2CAP channel.
//!
//! Called by [`super::stack`]. What can go wrong: nobody is there, or nobody who has the service.

use std::time::Duration;

use packmule_ble::plan::{self, Purpose, Service};
use packmule_ble::radio::{self, Bearer, Channel};
use packmule_bus::link::OpenError;
use tokio::sync::oneshot;
use tokio::time::timeout;
use trouble_host::Address;
use trouble_host::attribute::Characteristic;
use trouble_host::connection::{
    ConnectConfig, Connection, ConnectionEvent, RequestedConnParams, ScanConfig,
};
use trouble_host::gatt::GattClient;
use trouble_host::l2cap::L2capChannel;
use trouble_host::prelude::{PhyKind, Uuid};

use super::Terms;
use super::channel::{Inner, pair};
use super::peripheral::carry;
use super::stack::{Controller, Host, frames, has_l2cap, patiently, read};
use super::wire::Heap;

/// How long the other side may take to be seen.
const PATIENCE: Duration = Duration::from_secs(5);

type Told = oneshot::Sender<Result<Channel, OpenError>>;
type Client<'a, const LENGTH: usize> = GattClient<'a, Controller, Heap<LENGTH>, 4>;

/// Connects, and carries what goes over the connection until it ends.
pub async fn connect<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    terms: Terms,
    (to, (service, l2cap)): (radio::Address, (&'static Service, bool)),
    tell: Told,
) {
    let no = |why: &str| Err(OpenError::NoAnswer(format!("{to}: {why}")));
    let Some(octets) = read(&to) else {
        let _ = tell.send(no("no address"));
        return;
    };
    let interval = micros(terms.interval);
    let config = ConnectConfig {
        scan_config: ScanConfig {
            filter_accept_list: &[Address::random(octets)],
            ..ScanConfig::default()
        },
        connect_params: RequestedConnParams {
            min_connection_interval: interval,
            max_connection_interval: interval,
            max_latency: 0,
            supervision_timeout: micros(terms.timeout),
            ..RequestedConnParams::default()
        },
    };
    let mut central = stack.central();
    let Ok(Ok(connection)) = timeout(PATIENCE, central.connect(&config)).await else {
        let _ = tell.send(no("no such device"));
        return;
    };
    let whole = async {
        if terms.fast {
            let _ = connection.set_phy(stack, PhyKind::Le2M).await;
        }
        if terms.long {
            let _ = connection.update_data_length(stack, 251, 2_120).await;
        }
        let client = match patiently(Client::<LENGTH>::new(stack, &connection)).await {
            Ok(client) => Box::new(client),
            Err(why) => {
                let _ = tell.send(no(&format!("{why:?}")));
                return;
            }
        };
        tokio::select! {
            _ = client.task() => {}
            () = converse(stack, &connection, &client, (service, l2cap, &to), tell) => {}
        }
    };
    tokio::select! {
        () = whole => connection.disconnect(),
        () = ends(&connection) => {}
    }
}

const fn micros(of: Duration) -> embassy_time::Duration {
    embassy_time::Duration::from_micros(of.as_micros() as u64)
}

/// Until a connection has ended.
async fn ends<const LENGTH: usize>(connection: &Connection<'_, Heap<LENGTH>>) {
    while !matches!(
        connection.next().await,
        ConnectionEvent::Disconnected { .. }
    ) {}
}

/// What a device has of a service.
struct Found {
    write: Characteristic<[u8]>,
    without_response: bool,
    notify: Characteristic<[u8]>,
    psm: Option<u16>,
}

async fn converse<const LENGTH: usize>(
    stack: &Host<'_, LENGTH>,
    connection: &Connection<'_, Heap<LENGTH>>,
    client: &Client<'_, LENGTH>,
    about: (&'static Service, bool, &radio::Address),
    tell: Told,
) {
    let (service, l2cap, to) = about;
    let no = |why: &str| Err(OpenError::NoAnswer(format!("{to}: {why}")));
    let Some(found) = patiently(find(client, service)).await else {
        let _ = tell.send(no("it has not the service"));
        return;
    };
    if let Some(psm) = found.psm.filter(|_| l2cap && has_l2cap(LENGTH)) {
        match L2capChannel::create(stack, connection, psm, &frames()).await {
            Ok(opened) if plan::l2cap_serves(usize::from(opened.peer_mtu())) => {
                let (channel, inner) = pair(service, Bearer::L2cap, plan::SDU, to.to_string());
                let _ = tell.send(Ok(channel));
                carry(stack, opened, inner).await;
            }
            other => {
                let _ = tell.send(no(&format!("no L2CAP channel: {:?}", other.err())));
            }
        }
        return;
    }
    let Ok(mut listener) = patiently(client.subscribe(&found.notify, false)).await else {
        let _ = tell.send(no("it does not let us subscribe"));
        return;
    };
    let longest = plan::value(usize::from(connection.att_mtu())).expect("an MTU of 23 at least");
    let (channel, inner) = pair(service, Bearer::Gatt, longest, to.to_string());
    let Inner {
        came,
        mut goes,
        dropped,
    } = inner;
    let _ = tell.send(Ok(channel));
    let there = async {
        while let Some((value, tell)) = goes.recv().await {
            let taken = match found.without_response {
                true => {
                    let writes = client.write_characteristic_without_response(&found.write, &value);
                    patiently(writes).await
                }
                false => patiently(client.write_characteristic(&found.write, &value)).await,
            };
            if taken.is_err() {
                return;
            }
            let _ = tell.send(());
        }
        std::future::pending().await
    };
    let back = async {
        loop {
            let value = listener.next().await;
            if came.try_send(value.as_ref().to_vec()).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = dropped => {}
    }
}

/// Finds the characteristics of a service.
async fn find<const LENGTH: usize>(
    client: &Client<'_, LENGTH>,
    service: &Service,
) -> Option<Found> {
    let uuid = |uuid: plan::Uuid| Uuid::new_long(uuid.to_air());
    let services = client.services_by_uuid(&uuid(service.uuid)).await.ok()?;
    let at = services.first()?;
    let (mut write, mut notify, mut psm) = (None, None, None);
    for one in service.characteristics {
        let found = client
            .characteristic_by_uuid::<[u8]>(at, &uuid(one.uuid))
            .await;
        match one.purpose {
            Purpose::ToPeripheral { without_response } => {
                write = Some((found.ok()?, without_response));
            }
            Purpose::ToCentral => notify = Some(found.ok()?),
            Purpose::Psm => {
                let mut value = [0; 8];
                let length = client.read_characteristic(&found.ok()?, &mut value).await;
                psm = plan::read_psm(value.get(..length.ok()?)?);
            }
        }
    }
    let (write, without_response) = write?;
    Some(Found {
        write,
        without_response,
        notify: notify?,
        psm,
    })
}
