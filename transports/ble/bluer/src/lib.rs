#![doc = include_str!("../README.md")]
#![cfg(target_os = "linux")]

mod advertise;
mod channel;
mod dial;
mod door;
mod faults;
mod guests;
mod probe;
mod scan;
mod serve;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bluer::{Adapter, Session};
use packmule_ble::advert::Advert;
use packmule_ble::plan::Service;
use packmule_ble::radio::{Address, Channel, Offer, Peripheral, Radio, Scan};
use packmule_bus::link::{BoxFut, OpenError, Probe};
use tokio::sync::Mutex;

use crate::advertise::Shown;
use crate::faults::told;
use crate::guests::Guests;

/// A radio by BlueZ. Until it serves on an adapter it uses the system's first one; every clone is
/// the same radio.
#[derive(Clone, Default)]
pub struct Bluez {
    desk: Arc<Desk>,
}

/// What the parts of one radio have in common.
#[derive(Default)]
pub(crate) struct Desk {
    session: Mutex<Option<Session>>,
    /// The adapter's name, once somebody named one.
    named: Mutex<Option<String>>,
    pub(crate) shown: Mutex<Shown>,
    pub(crate) guests: Guests,
    /// No L2CAP, in either role.
    pub(crate) values_only: AtomicBool,
}

impl Bluez {
    /// On this adapter (`hci0`).
    #[must_use]
    pub fn on(adapter: &str) -> Self {
        let desk = Desk {
            named: Mutex::new(Some(adapter.to_owned())),
            ..Desk::default()
        };
        Self {
            desk: Arc::new(desk),
        }
    }
}

impl Desk {
    /// The daemon, as long as it answers.
    pub(crate) async fn session(&self) -> Result<Session, OpenError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = &*kept
            && session.adapter_names().await.is_ok()
        {
            return Ok(session.clone());
        }
        let fresh = Session::new().await.map_err(|why| told(&why))?;
        *kept = Some(fresh.clone());
        Ok(fresh)
    }

    /// The adapter in use.
    pub(crate) async fn adapter(&self) -> Result<Adapter, OpenError> {
        let session = self.session().await?;
        let named = self.named.lock().await.clone();
        match named {
            Some(name) => session.adapter(&name),
            None => session.default_adapter().await,
        }
        .map_err(|why| told(&why))
    }

    /// From now on this one is in use.
    async fn choose(&self, adapter: &str) {
        *self.named.lock().await = Some(adapter.to_owned());
    }
}

impl Radio for Bluez {
    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async { probe::look(self.desk.named.lock().await.as_deref()).await })
    }

    fn serve<'a>(
        &'a self,
        adapter: &'a str,
        offer: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        Box::pin(async move {
            self.desk.values_only.store(!offer.l2cap, Ordering::Relaxed);
            self.desk.choose(adapter).await;
            let served = serve::Serving::start(&self.desk, *offer).await?;
            Ok(Box::new(served) as Box<dyn Peripheral>)
        })
    }

    fn show<'a>(&'a self, advert: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        Box::pin(async move { self.desk.shown.lock().await.change(*advert).await })
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        Box::pin(async {
            let adapter = self.desk.adapter().await?;
            Ok(Box::new(scan::Looking::start(adapter).await?) as Box<dyn Scan>)
        })
    }

    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        l2cap: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        Box::pin(dial::connect(&self.desk, to, service, l2cap))
    }

    fn quiet(&self) -> BoxFut<'_, ()> {
        Box::pin(self.desk.guests.quiet())
    }
}
