//! A radio by trouble-host over a controller of ours: real HCI, L2CAP and ATT packets.
//!
//! What is it: [`Device`], a [`Radio`] with both roles. Who calls it: the stories. What can go
//! wrong: what goes wrong on the air; the stack itself ends when its last [`Device`] is dropped.

mod central;
mod channel;
mod peripheral;
mod stack;
mod wire;

use std::time::Duration;

use packmule_ble::advert::Advert;
use packmule_ble::plan::Service;
use packmule_ble::radio::{Address, Channel, Offer, Peripheral, Radio, Scan, Sighting};
use packmule_bus::link::{BoxFut, OpenError, Probe};
use packmule_controller::{Id, Port};
use tokio::sync::{mpsc, oneshot};

use stack::Ask;
pub use stack::PSM;
pub use wire::{overhear, overheard};

/// What a device asks of the air when it is a central.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The connection interval.
    pub interval: Duration,
    /// How long the other side may be silent.
    pub timeout: Duration,
    /// Data PDUs of 251 bytes.
    pub long: bool,
    /// 2M.
    pub fast: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            interval: Duration::from_micros(7_500),
            timeout: Duration::from_secs(2),
            long: true,
            fast: true,
        }
    }
}

/// A device with a host and a controller.
#[derive(Clone)]
pub struct Device {
    asks: mpsc::UnboundedSender<Ask>,
    address: Address,
    controller: Id,
}

impl Device {
    /// Over this controller; call it in a `LocalSet`. `LENGTH` is the ATT MTU and four; from 2,048
    /// on there is room for our SDUs, and L2CAP channels are opened where both can.
    pub fn start<const LENGTH: usize>(port: Port, name: u8, terms: Terms) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        // A random static address.
        let own = [name, 0, 0, 0, 0, 0xc0];
        let controller = port.id();
        tokio::task::spawn_local(stack::run::<LENGTH>(port, own, terms, asked));
        Self {
            asks,
            address: stack::written(own),
            controller,
        }
    }

    /// Which controller it has.
    pub const fn controller(&self) -> Id {
        self.controller
    }

    fn ask(&self, ask: Ask) -> Result<(), OpenError> {
        let gone = |_| OpenError::Unavailable("its host has ended".to_owned());
        self.asks.send(ask).map_err(gone)
    }
}

impl Radio for Device {
    fn probe(&self) -> BoxFut<'_, Probe> {
        let probe = Probe {
            ready: true,
            finding: "trouble-host over a virtual controller".to_owned(),
        };
        Box::pin(std::future::ready(probe))
    }

    fn serve<'a>(
        &'a self,
        _: &'a str,
        offer: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        Box::pin(async move {
            let (visit, visitors) = mpsc::channel(8);
            self.ask(Ask::Serve(*offer, visit))?;
            Ok(Box::new(Door {
                address: self.address.clone(),
                visitors,
            }) as Box<dyn Peripheral>)
        })
    }

    fn show<'a>(&'a self, advert: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        Box::pin(std::future::ready(self.ask(Ask::Show(*advert))))
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        let (tell, seen) = mpsc::channel(64);
        let asked = self.ask(Ask::Scan(tell));
        Box::pin(std::future::ready(
            asked.map(|()| Box::new(Eyes(seen)) as Box<dyn Scan>),
        ))
    }

    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        l2cap: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            self.ask(Ask::Connect(to.clone(), (service, l2cap), tell))?;
            let ended = |_| OpenError::NoAnswer(format!("{to}: the connection ended"));
            told.await.map_err(ended)?
        })
    }
}

struct Door {
    address: Address,
    visitors: mpsc::Receiver<Channel>,
}

impl Peripheral for Door {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Channel, OpenError>> {
        Box::pin(async {
            let visitor = self.visitors.recv().await;
            visitor.ok_or_else(|| OpenError::Unavailable("its host has ended".to_owned()))
        })
    }
}

struct Eyes(mpsc::Receiver<Sighting>);

impl Scan for Eyes {
    fn next(&mut self) -> BoxFut<'_, Result<Sighting, OpenError>> {
        Box::pin(async {
            let seen = self.0.recv().await;
            seen.ok_or_else(|| OpenError::Unavailable("its host has ended".to_owned()))
        })
    }
}
