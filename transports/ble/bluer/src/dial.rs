//! Being a central: connect, find the characteristics, and open a channel.
//!
//! Called by the node, one dial at a time. What can go wrong: nobody is there; what BlueZ
//! remembers of the device is of yesterday, and is forgotten then; the L2CAP channel does not
//! open, and GATT is taken.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bluer::gatt::remote::Characteristic;
use bluer::l2cap::SocketAddr;
use bluer::{Adapter, AdapterEvent, Device, Uuid};
use futures_util::StreamExt;
use packmule_ble::plan::{self, Purpose, Service};
use packmule_ble::radio::{Address, Channel};
use packmule_bus::link::OpenError;
use tokio::time::{sleep, timeout};

use crate::Desk;
use crate::channel::{Writer, of_central, of_socket, serves, socket};
use crate::faults::told;
use crate::scan::discover;

/// How long an L2CAP channel may take to open before GATT is taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// A socket is connected for the kernel before the channel is open, and nothing tells when that
/// is: it is asked so often.
const ASK: Duration = Duration::from_millis(10);

/// Our service, as a device has it.
struct Found {
    /// And whether values go without response.
    write: (Characteristic, bool),
    notify: Characteristic,
    psm: Option<u16>,
}

pub(crate) async fn connect(
    desk: &Desk,
    to: &Address,
    wanted: &'static Service,
    l2cap: bool,
) -> Result<Channel, OpenError> {
    let address: bluer::Address =
        to.0.parse()
            .map_err(|_| OpenError::NoAnswer(format!("{to} is no address of a device")))?;
    let adapter = desk.adapter().await?;
    let device = find(&adapter, address).await?;
    // Anybody can show our service under the address of somebody's keyboard. What is paired, or in
    // use by others, is neither ended nor forgotten for that.
    if device.is_paired().await.unwrap_or(true) {
        return Err(OpenError::NoAnswer(format!(
            "{to} is paired with this computer: left alone"
        )));
    }
    let hold = desk.guests.hold(&device).await;
    device.connect().await.map_err(|why| told(&why))?;
    let found = match service(&device, wanted).await {
        Ok(found) => found,
        Err(why) => {
            drop(hold);
            // Otherwise it would find the same the next time.
            let _ = adapter.remove_device(address).await;
            return Err(OpenError::NoAnswer(format!("{to}: {why}")));
        }
    };
    let values_only = !l2cap || desk.values_only.load(Ordering::Relaxed);
    if let Some(psm) = found.psm.filter(|_| !values_only)
        && let Some(socket) = timeout(PATIENCE, channel(&adapter, &device, psm))
            .await
            .ok()
            .flatten()
    {
        return Ok(of_socket(socket, to.to_string(), hold));
    }
    let reader = found.notify.notify_io().await.map_err(|why| told(&why))?;
    let (write, without_response) = found.write;
    let (writer, mtu) = if without_response {
        let writer = write.write_io().await.map_err(|why| told(&why))?;
        let mtu = reader.mtu().min(writer.mtu());
        (Writer::Commands(writer), mtu)
    } else {
        (Writer::Requests(write), reader.mtu())
    };
    let longest = plan::value(mtu).unwrap_or(plan::LEAST_VALUE);
    let with = to.to_string();
    Ok(of_central((wanted, longest, with), writer, reader, hold))
}

/// A device that BlueZ knows, or will when it has seen it.
async fn find(adapter: &Adapter, address: bluer::Address) -> Result<Device, OpenError> {
    let known = adapter.device_addresses().await.map_err(|why| told(&why))?;
    if !known.contains(&address) {
        let mut seen = discover(adapter).await?;
        loop {
            match seen.next().await {
                Some(AdapterEvent::DeviceAdded(at)) if at == address => break,
                Some(_) => {}
                None => return Err(OpenError::NoAnswer("the search was ended".to_owned())),
            }
        }
    }
    adapter.device(address).map_err(|why| told(&why))
}

async fn service(device: &Device, wanted: &'static Service) -> Result<Found, String> {
    let said = |why: bluer::Error| why.to_string();
    let ours = Uuid::from_u128(wanted.uuid.0);
    for service in device.services().await.map_err(said)? {
        if service.uuid().await.map_err(said)? != ours {
            continue;
        }
        let (mut write, mut notify, mut psm) = (None, None, None);
        for one in service.characteristics().await.map_err(said)? {
            let uuid = one.uuid().await.map_err(said)?.as_u128();
            let known = wanted.characteristics.iter().find(|it| it.uuid.0 == uuid);
            match known.map(|it| it.purpose) {
                Some(Purpose::ToPeripheral { without_response }) => {
                    write = Some((one, without_response));
                }
                Some(Purpose::ToCentral) => notify = Some(one),
                Some(Purpose::Psm) => psm = one.read().await.ok(),
                None => {}
            }
        }
        if let (Some(write), Some(notify)) = (write, notify) {
            let psm = psm.and_then(|value| plan::read_psm(&value));
            return Ok(Found { write, notify, psm });
        }
    }
    Err("it does not have the service".to_owned())
}

/// An L2CAP channel to this device, open.
async fn channel(adapter: &Adapter, device: &Device, psm: u16) -> Option<bluer::l2cap::SeqPacket> {
    let ours = adapter.address().await.ok()?;
    let ours = SocketAddr::new(ours, adapter.address_type().await.ok()?, 0);
    let kind = device.address_type().await.ok()?;
    let theirs = SocketAddr::new(device.address(), kind, psm);
    let open = socket(ours).ok()?.connect(theirs).await.ok()?;
    while open.send_mtu().is_err() {
        sleep(ASK).await;
    }
    serves(&open).then_some(open)
}
