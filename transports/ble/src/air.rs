//! A radio that is no radio: devices in one process that see and reach one another.
//!
//! What is it: [`Air`], a room for [`Device`]s, each a [`Radio`]; with the faults of real stacks:
//! several bearers that overtake one another, advertisements that are told once, connections that
//! are cut, an MTU that two sides know differently. Who calls it: tests, and whoever tries a node
//! without a radio. What can go wrong: what it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx, OpenError, Probe};
use tokio::sync::{mpsc, oneshot, watch};

use crate::advert::Advert;
use crate::plan::{self, Characteristic, Purpose, Service};
use crate::profile;
use crate::radio::{Address, Answers, Bearer, Channel, Offer, Peripheral, Radio, Scan, Sighting};

/// Centrals that a peripheral lets wait.
const WAITING: usize = 8;
/// Sightings that a scan lets wait.
const SIGHTINGS: usize = 64;

/// What connections are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stack {
    /// The ATT MTU that the central knows.
    pub central_mtu: usize,
    /// And the peripheral.
    pub peripheral_mtu: usize,
    /// L2CAP channels are opened.
    pub l2cap: bool,
    /// And carry nothing, as was seen on telephones.
    pub mute: bool,
    /// Values that the stack holds in each direction.
    pub room: usize,
    /// ATT bearers; with more than one of them values overtake one another.
    pub bearers: usize,
    /// Decides how.
    pub seed: u64,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            central_mtu: plan::MOST_ATT_MTU,
            peripheral_mtu: plan::MOST_ATT_MTU,
            l2cap: false,
            mute: false,
            room: 16,
            bearers: 1,
            seed: 0,
        }
    }
}

/// A room full of devices; every clone is the same one.
#[derive(Clone)]
pub struct Air {
    stack: Stack,
    hub: Arc<Mutex<Hub>>,
}

#[derive(Default)]
struct Hub {
    shown: BTreeMap<Address, Vec<u8>>,
    doors: BTreeMap<Address, mpsc::Sender<Channel>>,
    scans: Vec<mpsc::Sender<Sighting>>,
    /// Of connections: told once they are cut.
    cuts: Vec<watch::Sender<bool>>,
    connections: u64,
    /// Bytes of values that were sent.
    carried: u64,
    /// With so many of them everybody is out of reach.
    end: Option<u64>,
}

impl Hub {
    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.carried >= end)
    }
}

impl Air {
    /// An empty room in which connections are like this.
    #[must_use]
    pub fn new(stack: Stack) -> Self {
        Self {
            stack,
            hub: Arc::default(),
        }
    }

    /// A device with this address.
    #[must_use]
    pub fn device(&self, address: &str) -> Device {
        Device {
            air: self.clone(),
            address: Address(address.to_owned()),
        }
    }

    /// Cuts every connection there is, in the middle of whatever they carry.
    pub fn cut(&self) {
        let cuts = self.with(|hub| std::mem::take(&mut hub.cuts));
        for cut in cuts {
            cut.send_replace(true);
        }
    }

    /// After so many bytes of values, whoever sends them, everybody is out of reach for good.
    pub fn end_after(&self, bytes: u64) {
        self.with(|hub| hub.end = Some(hub.carried.saturating_add(bytes)));
    }

    /// Bytes of values that were sent so far, and whether everybody is out of reach.
    #[must_use]
    pub fn carried(&self) -> (u64, bool) {
        self.with(|hub| (hub.carried, hub.is_over()))
    }

    fn note(&self, bytes: usize) {
        let over = self.with(|hub| {
            hub.carried += bytes as u64;
            hub.is_over()
        });
        if over {
            self.cut();
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Hub) -> T) -> T {
        // A panic elsewhere leaves the hub whole: every change of it is one insert.
        act(&mut self.hub.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Both ends of a new connection, the central's first.
    fn connection(
        &self,
        central: &Address,
        peripheral: &Address,
        service: &'static Service,
        l2cap: bool,
    ) -> (Channel, Channel) {
        let (cut, is_cut) = watch::channel(false);
        let number = self.with(|hub| {
            hub.cuts.retain(|cut| !cut.is_closed());
            hub.cuts.push(cut);
            hub.connections += 1;
            hub.connections
        });
        let has_psm = |it: &Characteristic| it.purpose == Purpose::Psm;
        let l2cap = l2cap && self.stack.l2cap && service.characteristics.iter().any(has_psm);
        let (bearer, bearers) = if l2cap {
            (Bearer::L2cap, 1)
        } else {
            (Bearer::Gatt, self.stack.bearers.max(1))
        };
        let mute = l2cap && self.stack.mute;
        // A peripheral answers the end of a message when it has it.
        let (waits, answers) = match service == &plan::DIDCOMM {
            true => Some(mpsc::unbounded_channel()).unzip(),
            false => (None, None),
        };
        let (there, from_central) = mpsc::channel(self.stack.room.max(1));
        let (back, from_peripheral) = mpsc::channel(self.stack.room.max(1));
        let end = |mtu, with: &Address, tx, rx, seed, waits, answers: Option<Answers>| {
            let longest = match bearer {
                Bearer::Gatt => plan::value(mtu).unwrap_or(plan::LEAST_VALUE),
                Bearer::L2cap => plan::SDU,
            };
            Channel {
                service,
                bearer,
                longest,
                with: with.to_string(),
                tx: Box::new(Sender {
                    air: self.clone(),
                    longest,
                    values: tx,
                    cut: is_cut.clone(),
                    waits,
                    mute,
                }),
                rx: Box::new(Receiver {
                    values: rx,
                    bearers,
                    early: VecDeque::new(),
                    dice: self.stack.seed.wrapping_add(seed),
                    cut: is_cut.clone(),
                }),
                answers,
            }
        };
        let (near, far) = (self.stack.central_mtu, self.stack.peripheral_mtu);
        (
            end(
                near,
                peripheral,
                there,
                from_peripheral,
                number * 2,
                waits,
                None,
            ),
            end(
                far,
                central,
                back,
                from_central,
                number * 2 + 1,
                None,
                answers,
            ),
        )
    }
}

/// One of the devices.
#[derive(Clone)]
pub struct Device {
    air: Air,
    address: Address,
}

impl Radio for Device {
    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            Probe {
                ready: true,
                finding: "a radio in memory".to_owned(),
            }
        })
    }

    fn serve<'a>(
        &'a self,
        _: &'a str,
        offer: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        Box::pin(async move {
            let (door, visitors) = mpsc::channel(WAITING);
            self.air.with(|hub| {
                let old = hub.doors.get(&self.address);
                if old.is_some_and(|old| !old.is_closed()) {
                    return Err(OpenError::from(io::Error::from(io::ErrorKind::AddrInUse)));
                }
                hub.doors.insert(self.address.clone(), door);
                Ok(())
            })?;
            self.show(&offer.advert).await?;
            Ok(Box::new(Door {
                device: self.clone(),
                visitors,
            }) as Box<dyn Peripheral>)
        })
    }

    fn show<'a>(&'a self, advert: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        Box::pin(async {
            let sighting = Sighting {
                address: self.address.clone(),
                data: advert.data(),
            };
            self.air.with(|hub| {
                hub.shown
                    .insert(sighting.address.clone(), sighting.data.clone());
                hub.scans.retain(|scan| !scan.is_closed());
                for scan in &hub.scans {
                    // Whoever looks away misses it, as on the air.
                    let _ = scan.try_send(sighting.clone());
                }
            });
            Ok(())
        })
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        Box::pin(async {
            let (scan, seen) = mpsc::channel(SIGHTINGS);
            self.air.with(|hub| {
                let others = hub.shown.iter().filter(|(at, _)| **at != self.address);
                for (address, data) in others {
                    let sighting = Sighting {
                        address: address.clone(),
                        data: data.clone(),
                    };
                    let _ = scan.try_send(sighting);
                }
                hub.scans.push(scan);
            });
            Ok(Box::new(Eyes(seen)) as Box<dyn Scan>)
        })
    }

    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        l2cap: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        Box::pin(async move {
            let nobody = || OpenError::NoAnswer(format!("no device {to}"));
            let door = self.air.with(|hub| {
                let near = !hub.is_over();
                near.then(|| hub.doors.get(to).cloned()).flatten()
            });
            let door = door.ok_or_else(nobody)?;
            let (near, far) = self.air.connection(&self.address, to, service, l2cap);
            door.try_send(far).map_err(|_| nobody())?;
            Ok(near)
        })
    }
}

struct Door {
    device: Device,
    visitors: mpsc::Receiver<Channel>,
}

impl Peripheral for Door {
    fn address(&self) -> Address {
        self.device.address.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Channel, OpenError>> {
        Box::pin(async {
            let visitor = self.visitors.recv().await;
            visitor.ok_or_else(|| OpenError::NoAnswer("the air is gone".to_owned()))
        })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.device.air.with(|hub| {
            hub.shown.remove(&self.device.address);
            hub.doors.remove(&self.device.address);
        });
    }
}

struct Eyes(mpsc::Receiver<Sighting>);

impl Scan for Eyes {
    fn next(&mut self) -> BoxFut<'_, Result<Sighting, OpenError>> {
        Box::pin(async {
            let seen = self.0.recv().await;
            seen.ok_or_else(|| OpenError::NoAnswer("the air is gone".to_owned()))
        })
    }
}

struct Sender {
    air: Air,
    longest: usize,
    values: mpsc::Sender<Vec<u8>>,
    cut: watch::Receiver<bool>,
    /// Where the other side finds whom to answer, if it answers.
    waits: Option<mpsc::UnboundedSender<oneshot::Sender<()>>>,
    mute: bool,
}

impl LinkTx for Sender {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            // Stacks refuse this with "Invalid Length".
            if value.len() > self.longest {
                return Err(LinkError::TooLarge {
                    bytes: value.len(),
                    limit: self.longest,
                });
            }
            if self.mute {
                return Ok(());
            }
            let (told, answer) = oneshot::channel();
            let waits = self.waits.as_ref().filter(|_| value == profile::END);
            if let Some(waits) = waits {
                waits.send(told).map_err(|_| LinkError::Closed)?;
            }
            let sent = async {
                let room = self.values.reserve().await;
                let room = room.map_err(|_| LinkError::Closed)?;
                self.air.note(value.len());
                room.send(value);
                match waits {
                    Some(_) => answer.await.map_err(|_| LinkError::Closed),
                    None => Ok(()),
                }
            };
            tokio::select! {
                biased;
                () = cut(&mut self.cut) => Err(LinkError::Closed),
                sent = sent => sent,
            }
        })
    }
}

/// Waits until the connection is cut. Where nobody can cut it any more, for ever.
async fn cut(told: &mut watch::Receiver<bool>) {
    if told.wait_for(|cut| *cut).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Receiver {
    values: mpsc::Receiver<Vec<u8>>,
    bearers: usize,
    /// What is on the way, one value of each bearer.
    early: VecDeque<Vec<u8>>,
    dice: u64,
    cut: watch::Receiver<bool>,
}

impl LinkRx for Receiver {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async {
            if self.early.is_empty() {
                let value = tokio::select! {
                    biased;
                    () = cut(&mut self.cut) => None,
                    value = self.values.recv() => value,
                };
                self.early.push_back(value.ok_or(LinkError::Closed)?);
            }
            while self.early.len() < self.bearers
                && let Ok(value) = self.values.try_recv()
            {
                self.early.push_back(value);
            }
            // Knuth's multiplier: enough to mix an order.
            self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005) + 1_442_695;
            let at = usize::try_from(self.dice >> 33).unwrap_or_default() % self.early.len();
            self.early.remove(at).ok_or(LinkError::Closed)
        })
    }
}
