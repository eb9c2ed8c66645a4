//! What a radio's back end implements: both roles, values or SDUs, nothing more.
//!
//! What is it: [`Radio`] and its parts, by which all else here is the same for every stack. Who
//! implements it: back ends; [`crate::air::Device`] for tests. Who calls it: [`crate::Ble`]. What
//! can go wrong: stacks have faults (ADR 20 and the promises below say which ones are hidden
//! here); whatever cannot be hidden is an error, and the connection is over.

use std::fmt;

use packmule_bus::link::{BoxFut, LinkRx, LinkTx, OpenError, Probe};

use tokio::sync::{mpsc, oneshot};

use crate::advert::Advert;
use crate::plan::Service;

/// How a device is called by the stack: an address, or on some systems a name of its own. It says
/// nothing of who it is, and is another one after some minutes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(pub String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What carries a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bearer {
    /// Written and notified values. Order is not asked for.
    Gatt,
    /// SDUs of a credit-based channel: in order, none lost.
    L2cap,
}

/// For each value that a central wrote and hears of later than that it came, whom to tell that what
/// it ended is durable here; dropped instead, the central hears that it was not taken.
pub type Answers = mpsc::UnboundedReceiver<oneshot::Sender<()>>;

/// One connection to one device, of which both sides are subscribed to what they need. Nothing
/// comes by it that belongs to an earlier one; a stack that cannot tell asks
/// [`opens`](crate::value::opens). Dropping both halves ends the connection.
pub struct Channel {
    /// By which service it came: what its values mean.
    pub service: &'static Service,
    /// What carries it.
    pub bearer: Bearer,
    /// The longest value or SDU in bytes: [`plan::value`](crate::plan::value) of the ATT MTU that
    /// was agreed on, or of 23 where the stack does not tell; [`plan::SDU`](crate::plan::SDU).
    pub longest: usize,
    /// A word for the other side, for people.
    pub with: String,
    /// Takes a value: `Ok` when the stack has it, and no sooner than it has room for it. A value
    /// whose future is dropped may go or not.
    pub tx: Box<dyn LinkTx>,
    /// Gives values. As many as the window of [`pipe`](crate::pipe) says must find room however
    /// seldom it is asked.
    pub rx: Box<dyn LinkRx>,
    /// Of a peripheral whose stack can wait with the answer to a value: one for each
    /// [`END`](crate::profile::END) of the DIF's profile, there before `rx` gives that value.
    pub answers: Option<Answers>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("service", &self.service.uuid)
            .field("bearer", &self.bearer)
            .field("longest", &self.longest)
            .field("with", &self.with)
            .finish_non_exhaustive()
    }
}

/// A device that shows our service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Where.
    pub address: Address,
    /// The data of the service, as far as they were heard: a scan that only listens hears none,
    /// and some systems show none.
    pub data: Vec<u8>,
}

/// What a peripheral lets others have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// What it shows of itself.
    pub advert: Advert,
    /// L2CAP channels, for those who can; otherwise this radio, as a central too, takes GATT.
    pub l2cap: bool,
    /// [`plan::DIDCOMM`](crate::plan::DIDCOMM) beside our service, advertised as it is to be.
    pub didcomm: bool,
}

/// A radio with both roles.
pub trait Radio: Send + Sync {
    /// Is there one, powered, permitted, and its daemon?
    fn probe(&self) -> BoxFut<'_, Probe>;

    /// Registers [`plan::OURS`](crate::plan::OURS) and what else is offered on the adapter of this
    /// name, and only then lets itself be seen. Dropping what comes back ends both.
    fn serve<'a>(
        &'a self,
        adapter: &'a str,
        offer: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>>;

    /// Shows another advertisement from now on, under another address if the system lets us.
    fn show<'a>(&'a self, advert: &'a Advert) -> BoxFut<'a, Result<(), OpenError>>;

    /// Looks for devices that show our service, those that are known to the system already too.
    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>>;

    /// Connects, agrees on an MTU, finds the characteristics of this service, subscribes, and opens
    /// the L2CAP channel if that is wanted, it has a PSM and both can. It does not ask a second time:
    /// who called knows whether that is worth it. A cache of the system that turned out wrong is
    /// emptied before the error is told.
    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        l2cap: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>>;

    /// Until no connection is left, when all channels were dropped: for whoever ends himself.
    fn quiet(&self) -> BoxFut<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Whoever waits for centrals.
pub trait Peripheral: Send {
    /// The address under which it can be connected to at present.
    fn address(&self) -> Address;

    /// The next one that connected and subscribed. Cancel-safe.
    fn accept(&mut self) -> BoxFut<'_, Result<Channel, OpenError>>;
}

/// Whoever looks for peripherals. Dropping it ends the looking.
pub trait Scan: Send {
    /// The next device that was seen; the same one comes again as more is heard of it.
    /// Cancel-safe.
    fn next(&mut self) -> BoxFut<'_, Result<Sighting, OpenError>>;
}

/// The radio of a build that has no back end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Missing;

/// What such a build says.
const MISSING: &str = "this build of packmule has no Bluetooth: build it with \
     `cargo build --features bluer` (Linux) or `--features btleplug`";

fn missing<T>() -> BoxFut<'static, Result<T, OpenError>> {
    Box::pin(async { Err(OpenError::Unavailable(MISSING.to_owned())) })
}

impl Radio for Missing {
    fn probe(&self) -> BoxFut<'_, Probe> {
        let probe = Probe {
            ready: false,
            finding: MISSING.to_owned(),
        };
        Box::pin(std::future::ready(probe))
    }

    fn serve<'a>(
        &'a self,
        _: &'a str,
        _: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        missing()
    }

    fn show<'a>(&'a self, _: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        missing()
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        missing()
    }

    fn connect<'a>(
        &'a self,
        _: &'a Address,
        _: &'static Service,
        _: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        missing()
    }
}
