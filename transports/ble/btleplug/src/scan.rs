//! Looking for devices that show our service.
//!
//! Called by the scout. What can go wrong: the adapter is switched off, which ends the looking.

use btleplug::api::{Central, CentralEvent, Peripheral as _, ScanFilter};
use btleplug::platform::{Adapter, PeripheralId};
use futures_util::StreamExt;
use packmule_ble::plan;
use packmule_ble::radio::{Address, Scan, Sighting};
use packmule_bus::link::{BoxFut, OpenError};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::channel::Events;
use crate::told;

/// A search that goes on until it is dropped.
pub(crate) struct Looking {
    adapter: Adapter,
    events: Events,
    /// Seen, and not looked at yet: whoever waits may stop waiting at any time.
    at: Vec<PeripheralId>,
}

impl Looking {
    pub(crate) async fn start(adapter: Adapter) -> Result<Self, OpenError> {
        let events = adapter.events().await.map_err(told)?;
        // No filter: some stacks compare it with lists of services only, and not with their data.
        let started = adapter.start_scan(ScanFilter::default()).await;
        started.map_err(told)?;
        let known = adapter.peripherals().await.map_err(told)?;
        Ok(Self {
            at: known.iter().map(|device| device.id()).collect(),
            adapter,
            events,
        })
    }
}

impl Scan for Looking {
    fn next(&mut self) -> BoxFut<'_, Result<Sighting, OpenError>> {
        Box::pin(async {
            loop {
                while let Some(id) = self.at.last() {
                    let sighting = look(&self.adapter, id).await;
                    self.at.pop();
                    if let Some(sighting) = sighting {
                        return Ok(sighting);
                    }
                }
                match self.events.next().await {
                    Some(
                        CentralEvent::DeviceDiscovered(id)
                        | CentralEvent::DeviceUpdated(id)
                        | CentralEvent::ServiceDataAdvertisement { id, .. }
                        | CentralEvent::ServicesAdvertisement { id, .. },
                    ) => self.at.push(id),
                    Some(_) => {}
                    None => return Err(told("the search for devices has ended")),
                }
            }
        })
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let adapter = self.adapter.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = adapter.stop_scan().await;
            });
        }
    }
}

/// What is known of a device, if it shows our service.
async fn look(adapter: &Adapter, id: &PeripheralId) -> Option<Sighting> {
    let ours = Uuid::from_u128(plan::OURS.uuid.0);
    let device = adapter.peripheral(id).await.ok()?;
    let mut known = device.properties().await.ok()??;
    let data = known.service_data.remove(&ours);
    let shows = data.is_some() || known.services.contains(&ours);
    shows.then(|| Sighting {
        address: Address(id.to_string()),
        data: data.unwrap_or_default(),
    })
}
