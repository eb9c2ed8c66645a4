#![doc = include_str!("../README.md")]

mod channel;
mod dial;
mod scan;

use std::fmt::Display;
use std::future::pending;
use std::sync::Arc;

use btleplug::api::{Central, CentralState, Manager as _};
use btleplug::platform::{Adapter, Manager};
use packmule_ble::advert::Advert;
use packmule_ble::plan::Service;
use packmule_ble::radio::{Address, Channel, Offer, Peripheral, Radio, Scan};
use packmule_bus::link::{BoxFut, OpenError, Probe};
use tokio::sync::Mutex;

const NONE: &str = "no Bluetooth adapter: plug one in, or switch it on; on macOS let the terminal use \
     Bluetooth (Settings, Privacy)";
const OFF: &str = "the Bluetooth adapter is switched off";

/// A radio that looks and dials. Every clone is the same one.
#[derive(Clone, Default)]
pub struct Plug {
    /// A part of the adapter's description, once somebody named one.
    named: Arc<Mutex<Option<String>>>,
}

impl Plug {
    /// On this adapter (`hci0`).
    #[must_use]
    pub fn on(adapter: &str) -> Self {
        Self {
            named: Arc::new(Mutex::new(Some(adapter.to_owned()))),
        }
    }

    /// The adapter in use.
    async fn adapter(&self) -> Result<Adapter, OpenError> {
        let missing = |why: btleplug::Error| OpenError::Unavailable(format!("{NONE} ({why})"));
        let manager = Manager::new().await.map_err(missing)?;
        let named = self.named.lock().await.clone();
        for adapter in manager.adapters().await.map_err(missing)? {
            let Some(name) = &named else {
                return Ok(adapter);
            };
            let about = adapter.adapter_info().await.unwrap_or_default();
            if about.split([' ', '/']).any(|word| word == name) {
                return Ok(adapter);
            }
        }
        Err(OpenError::Unavailable(match named {
            Some(name) => format!("no adapter is called {name}"),
            None => NONE.to_owned(),
        }))
    }

    async fn ready(&self) -> Result<Adapter, OpenError> {
        let adapter = self.adapter().await?;
        match adapter.adapter_state().await {
            Ok(CentralState::PoweredOff) => Err(OpenError::Unavailable(OFF.to_owned())),
            _ => Ok(adapter),
        }
    }
}

/// The fault of an attempt.
pub(crate) fn told(fault: impl Display) -> OpenError {
    OpenError::NoAnswer(fault.to_string())
}

/// What a node that looks, and is not seen, listens at.
const CENTRAL: &str = "central";

impl Radio for Plug {
    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            match self.ready().await {
                Ok(_) => Probe {
                    ready: true,
                    finding: "can look for others, but cannot be seen: \
                        `packmule run --listen ble:central`"
                        .to_owned(),
                },
                Err(why) => Probe {
                    ready: false,
                    finding: why.to_string(),
                },
            }
        })
    }

    fn serve<'a>(
        &'a self,
        adapter: &'a str,
        _: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        Box::pin(async move {
            if adapter != CENTRAL {
                *self.named.lock().await = Some(adapter.to_owned());
            }
            self.ready().await?;
            Ok(Box::new(Unseen) as Box<dyn Peripheral>)
        })
    }

    fn show<'a>(&'a self, _: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        Box::pin(async { Ok(()) })
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        Box::pin(async {
            let adapter = self.ready().await?;
            Ok(Box::new(scan::Looking::start(adapter).await?) as Box<dyn Scan>)
        })
    }

    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        _: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        Box::pin(async move { dial::connect(self.ready().await?, to, service).await })
    }
}

/// Nobody can come: btleplug has no peripherals.
struct Unseen;

impl Peripheral for Unseen {
    fn address(&self) -> Address {
        Address(CENTRAL.to_owned())
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Channel, OpenError>> {
        Box::pin(pending())
    }
}
