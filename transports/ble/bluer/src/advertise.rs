//! What is on the air: the data of our service, thirty bytes with the flags.
//!
//! Called by whoever serves, and when the tag changes. What can go wrong: other programs have
//! taken all advertisements of the adapter.
//!
//! BlueZ makes the advertisement itself and puts neither list nor data of services into the answer
//! to a scan, and 31 bytes have no room for a list of one UUID beside the data of 128 bits of
//! UUID. So only the data are shown, of which BlueZ and Android tell service and tag alike.

use std::collections::BTreeMap;

use bluer::adv::{Advertisement, AdvertisementHandle};
use bluer::{Adapter, Uuid};
use packmule_ble::advert::Advert;
use packmule_ble::plan;
use packmule_ble::radio::Offer;
use packmule_bus::link::OpenError;

use crate::faults::told;

/// The advertisement in force. Dropping its handle ends it.
#[derive(Default)]
pub(crate) struct Shown {
    on: Option<(Adapter, AdvertisementHandle)>,
    advert: Option<Advert>,
    /// The profile's, if it is offered.
    didcomm: Option<AdvertisementHandle>,
}

impl Shown {
    /// Shows it on this adapter, from now on; a change of tag since the start is kept.
    pub(crate) async fn start(&mut self, adapter: &Adapter, offer: Offer) -> Result<(), OpenError> {
        self.didcomm = None;
        if offer.didcomm {
            self.didcomm = Some(profile(adapter).await?);
        }
        let advert = *self.advert.get_or_insert(offer.advert);
        let handle = advertise(adapter, advert).await?;
        self.on = Some((adapter.clone(), handle));
        Ok(())
    }

    /// Shows another one. The old one goes when the new one is there: a gap would look like a
    /// device that left.
    pub(crate) async fn change(&mut self, advert: Advert) -> Result<(), OpenError> {
        self.advert = Some(advert);
        if let Some((adapter, _)) = &self.on {
            let adapter = adapter.clone();
            let handle = advertise(&adapter, advert).await?;
            self.on = Some((adapter, handle));
        }
        Ok(())
    }

    /// The same once more. Where a connection stops advertisements the kernel shows them again when
    /// it has ended; but Linux 6.12 does not try again when the controller is busy then.
    pub(crate) async fn again(&mut self) -> Result<(), OpenError> {
        let ours = match self.advert {
            Some(advert) => self.change(advert).await,
            None => Ok(()),
        };
        if let (Some((adapter, _)), true) = (&self.on, self.didcomm.is_some()) {
            self.didcomm = Some(profile(adapter).await?);
        }
        ours
    }

    pub(crate) fn end(&mut self) {
        self.on = None;
        self.didcomm = None;
    }
}

/// One of its own, as the draft has it: the UUID of the service and nothing of ours.
async fn profile(adapter: &Adapter) -> Result<AdvertisementHandle, OpenError> {
    let uuid = Uuid::from_u128(plan::DIDCOMM.uuid.0);
    let shown = Advertisement {
        service_uuids: [uuid].into(),
        discoverable: Some(true),
        ..Advertisement::default()
    };
    adapter.advertise(shown).await.map_err(|why| told(&why))
}

async fn advertise(adapter: &Adapter, advert: Advert) -> Result<AdvertisementHandle, OpenError> {
    let ours = Uuid::from_u128(plan::OURS.uuid.0);
    let shown = Advertisement {
        service_data: BTreeMap::from([(ours, advert.data())]),
        discoverable: Some(true),
        ..Advertisement::default()
    };
    adapter.advertise(shown).await.map_err(|why| told(&why))
}
