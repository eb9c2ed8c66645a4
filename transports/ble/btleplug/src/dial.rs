//! Connect, find the characteristics, subscribe.
//!
//! Called by the node, one dial at a time. What can go wrong: nobody is there; a device without
//! our service; a stack that does not say its MTU, for which the least one is taken.

use btleplug::api::{Central, Peripheral as _};
use btleplug::platform::{Adapter, Peripheral};
use packmule_ble::plan::{self, Purpose, Service};
use packmule_ble::radio::{Address, Channel};
use packmule_bus::link::OpenError;

use crate::channel::{Hold, of};
use crate::told;

pub(crate) async fn connect(
    adapter: Adapter,
    to: &Address,
    wanted: &'static Service,
) -> Result<Channel, OpenError> {
    let device = find(&adapter, to).await?;
    // Somebody else's connection, which we would end with ours.
    if device.is_connected().await.map_err(told)? {
        return Err(told(format!("{to} is connected already: left alone")));
    }
    let events = adapter.events().await.map_err(told)?;
    let hold = Hold(device.clone());
    device.connect().await.map_err(told)?;
    device.discover_services().await.map_err(told)?;
    let (mut write, mut notify) = (None, None);
    for service in device.services() {
        if service.uuid.as_u128() != wanted.uuid.0 {
            continue;
        }
        for one in service.characteristics {
            let mut planned = wanted.characteristics.iter();
            let known = planned.find(|it| it.uuid.0 == one.uuid.as_u128());
            match known.map(|it| it.purpose) {
                Some(Purpose::ToPeripheral { without_response }) => {
                    write = Some((one, without_response));
                }
                Some(Purpose::ToCentral) => notify = Some(one),
                Some(Purpose::Psm) | None => {}
            }
        }
    }
    let (Some(write), Some(notify)) = (write, notify) else {
        return Err(told(format!("{to} does not have the service")));
    };
    // The stream before the subscription: what comes between is not lost.
    let values = device.notifications().await.map_err(told)?;
    device.subscribe(&notify).await.map_err(told)?;
    let longest = plan::value(usize::from(device.mtu())).unwrap_or(plan::LEAST_VALUE);
    Ok(of(
        hold,
        wanted,
        (write, notify.uuid),
        (values, events),
        longest,
    ))
}

/// A device that was seen; by the system's name for it, or by its address.
async fn find(adapter: &Adapter, to: &Address) -> Result<Peripheral, OpenError> {
    let devices = adapter.peripherals().await.map_err(told)?;
    let known = devices
        .into_iter()
        .find(|device| device.id().to_string() == to.0 || device.address().to_string() == to.0);
    known.ok_or_else(|| told(format!("{to} was not seen")))
}
