//! Looking for devices that show our service.
//!
//! Called by the scout. What can go wrong: the adapter is switched off, which ends the looking.
//!
//! No filter by service: BlueZ compares it with lists of services only, and those who advertise
//! by BlueZ show none ([`crate::advertise`]). A device is told of before its data are known, and
//! again as more is heard: it is looked at each time.

use std::pin::Pin;

use bluer::{Adapter, AdapterEvent, Device, DiscoveryFilter, DiscoveryTransport, Uuid};
use futures_util::{Stream, StreamExt};
use packmule_ble::plan;
use packmule_ble::radio::{Address, Scan, Sighting};
use packmule_bus::link::{BoxFut, OpenError};

use crate::faults::{OFF, told};

type Seen = Pin<Box<dyn Stream<Item = AdapterEvent> + Send>>;

/// A search that goes on until it is dropped.
pub(crate) struct Looking {
    adapter: Adapter,
    seen: Seen,
    /// Seen, and not looked at yet: whoever waits may stop waiting at any time.
    at: Option<bluer::Address>,
}

impl Looking {
    pub(crate) async fn start(adapter: Adapter) -> Result<Self, OpenError> {
        Ok(Self {
            seen: discover(&adapter).await?,
            adapter,
            at: None,
        })
    }
}

/// Starts a search, or takes part in the one that runs.
pub(crate) async fn discover(adapter: &Adapter) -> Result<Seen, OpenError> {
    if !adapter.is_powered().await.map_err(|why| told(&why))? {
        return Err(OpenError::Unavailable(OFF.to_owned()));
    }
    let filter = DiscoveryFilter {
        transport: DiscoveryTransport::Le,
        duplicate_data: true,
        ..DiscoveryFilter::default()
    };
    // It cannot be set while a search runs, which then has been set so by us.
    let _ = adapter.set_discovery_filter(filter).await;
    let seen = adapter.discover_devices_with_changes().await;
    Ok(Box::pin(seen.map_err(|why| told(&why))?))
}

impl Scan for Looking {
    fn next(&mut self) -> BoxFut<'_, Result<Sighting, OpenError>> {
        Box::pin(async {
            loop {
                if let Some(address) = self.at {
                    let sighting = look(&self.adapter, address).await;
                    self.at = None;
                    if let Some(sighting) = sighting {
                        return Ok(sighting);
                    }
                }
                match self.seen.next().await {
                    Some(AdapterEvent::DeviceAdded(address)) => self.at = Some(address),
                    Some(_) => {}
                    None => {
                        let why = "the search for devices has ended".to_owned();
                        return Err(OpenError::Unavailable(why));
                    }
                }
            }
        })
    }
}

/// What is known of a device, if it shows our service.
async fn look(adapter: &Adapter, address: bluer::Address) -> Option<Sighting> {
    let ours = Uuid::from_u128(plan::OURS.uuid.0);
    let device: Device = adapter.device(address).ok()?;
    let data = device.service_data().await.ok().flatten();
    let data = data.and_then(|mut all| all.remove(&ours));
    let shows = match &data {
        Some(_) => true,
        None => {
            let listed = device.uuids().await.ok().flatten();
            listed.is_some_and(|all| all.contains(&ours))
        }
    };
    shows.then(|| Sighting {
        address: Address(address.to_string()),
        data: data.unwrap_or_default(),
    })
}
