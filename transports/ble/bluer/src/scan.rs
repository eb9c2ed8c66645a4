//! Looking for devices that show our service.
//!
//! Called by the scout. What can go wrong: the adapter is switched off, which ends the looking.
//!
//! No filter by service: BlueZ compares it with lists of services only, and those who advertise
//! by BlueZ show none ([`crate::advertise`]). A device is told of before its data are known, and
//! again as more is heard, as with each advertisement of everybody around: it is looked at again,
//! once in [`LOOK`], since a look is two questions to the daemon.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use bluer::{Adapter, AdapterEvent, Device, DiscoveryFilter, DiscoveryTransport, Uuid};
use futures_util::{Stream, StreamExt};
use packmule_ble::plan;
use packmule_ble::radio::{Address, Scan, Sighting};
use packmule_bus::link::{BoxFut, OpenError};
use tokio::time::{Instant, sleep_until};

use crate::faults::{OFF, told};

/// So long a device is left alone after it was looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Devices of which that is remembered; of more, whatever comes is passed over for the while.
const MOST: usize = 1024;

type Seen = Pin<Box<dyn Stream<Item = AdapterEvent> + Send>>;

/// A search that goes on until it is dropped.
pub(crate) struct Looking {
    adapter: Adapter,
    seen: Seen,
    /// Seen, and not looked at yet: whoever waits may stop waiting at any time.
    at: Option<bluer::Address>,
    pace: Pace<bluer::Address>,
}

impl Looking {
    pub(crate) async fn start(adapter: Adapter) -> Result<Self, OpenError> {
        Ok(Self {
            seen: discover(&adapter).await?,
            adapter,
            at: None,
            pace: Pace::default(),
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
                let due = self.pace.due();
                tokio::select! {
                    () = until(due) => self.at = self.pace.again(Instant::now()),
                    seen = self.seen.next() => match seen {
                        Some(AdapterEvent::DeviceAdded(address)) => {
                            self.at = self.pace.may(address, Instant::now()).then_some(address);
                        }
                        Some(_) => {}
                        None => {
                            let why = "the search for devices has ended".to_owned();
                            return Err(OpenError::Unavailable(why));
                        }
                    },
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

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// When each device was looked at, and whether there was news of it since.
#[derive(Debug)]
struct Pace<A> {
    looked: BTreeMap<A, bool>,
    /// The same, in the order in which they were looked at.
    order: VecDeque<(Instant, A)>,
}

impl<A> Default for Pace<A> {
    fn default() -> Self {
        Self {
            looked: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<A: Copy + Ord> Pace<A> {
    /// There is news of a device: may it be looked at now? If not, it will be.
    fn may(&mut self, address: A, now: Instant) -> bool {
        if let Some(news) = self.looked.get_mut(&address) {
            *news = true;
            return false;
        }
        if self.looked.len() >= MOST {
            return false;
        }
        self.looked.insert(address, false);
        self.order.push_back((now, address));
        true
    }

    /// When the next one may be looked at again.
    fn due(&self) -> Option<Instant> {
        self.order.front().map(|(at, _)| *at + LOOK)
    }

    /// The one whose time has come, if there was news of it.
    fn again(&mut self, now: Instant) -> Option<A> {
        let (_, address) = self.order.pop_front()?;
        let news = self.looked.remove(&address)?;
        (news && self.may(address, now)).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_advertises_all_the_time_is_looked_at_once_a_second() {
        let began = Instant::now();
        let mut pace = Pace::default();
        let mut looks = 0;
        for tick in 0..1_000 {
            let now = began + Duration::from_millis(10) * tick;
            if pace.due().is_some_and(|due| due <= now) {
                looks += u32::from(pace.again(now).is_some());
            }
            looks += u32::from(pace.may("alice", now));
        }
        assert_eq!(looks, 10);
        assert!(pace.may("bob", began), "another one is not held up");
    }

    #[test]
    fn the_last_news_is_not_lost_and_nothing_is_looked_at_without_news() {
        let began = Instant::now();
        let mut pace = Pace::default();
        assert!(pace.may("alice", began));
        assert!(!pace.may("alice", began + LOOK / 2));
        assert_eq!(pace.again(began + LOOK), Some("alice"));
        assert_eq!(pace.again(began + LOOK * 2), None);
        assert_eq!(pace.due(), None, "and nothing is left of it");
    }

    #[test]
    fn a_crowd_is_not_remembered_without_bound() {
        let began = Instant::now();
        let mut pace = Pace::default();
        let looked = (0..2 * MOST).filter(|one| pace.may(*one, began)).count();
        assert_eq!(looked, MOST);
    }
}
