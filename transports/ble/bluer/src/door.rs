//! Our service in BlueZ's database, and the one central that uses it.
//!
//! Called by [`crate::serve`], and by BlueZ for each value that is written. What can go wrong: a
//! stranger writes while another one is here, and is refused; floods, and is sent away.
//!
//! BlueZ notifies a value to every central that is subscribed, and gives what several of them
//! write through one socket without a word of whose it is. So values are taken by calls, which
//! name the device, and one central at a time is served; others have L2CAP. It does not tell
//! either when a central has left: the device is watched.
//!
//! The socket by which values are notified is all subscribers' together: it has the name and the
//! MTU of the one who subscribed first, and lives until the last one has left. So one that is over
//! is passed by, and the guest's values fit both.
//!
//! The end of a message of the DIF's profile is answered when the message is durable here. BlueZ
//! waits for five seconds, and then tells the writer that it failed.

use std::sync::{Arc, Mutex, PoisonError};

use bluer::gatt::CharacteristicWriter;
use bluer::gatt::local::{
    Characteristic, CharacteristicControlEvent, CharacteristicControlHandle, CharacteristicNotify,
    CharacteristicNotifyMethod, CharacteristicRead, CharacteristicWrite, CharacteristicWriteMethod,
    ReqError, ReqResult, Service, characteristic_control,
};
use bluer::{Adapter, Device, DeviceEvent, DeviceProperty, Uuid};
use futures_util::{FutureExt, StreamExt};
use packmule_ble::plan::{self, Purpose};
use packmule_ble::profile;
use packmule_ble::radio::{Bearer, Channel};
use packmule_ble::value::opens;
use packmule_bus::link::{BoxFut, LinkError, LinkRx, LinkTx};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::guests::{Guests, Hold};

/// Values that wait to be read. A window is 127 pieces, and grants come between them: whoever
/// sends more than this ahead of us breaks the rules.
const WAITING: usize = 512;

/// The service and whoever uses it.
pub(crate) struct Door {
    adapter: Adapter,
    guests: Guests,
    visitors: mpsc::Sender<Channel>,
    planned: &'static plan::Service,
    guest: Mutex<Option<Guest>>,
    /// By which we notify; BlueZ gives it when somebody subscribes.
    writer: watch::Sender<Option<Arc<CharacteristicWriter>>>,
}

struct Guest {
    device: bluer::Address,
    values: mpsc::Sender<Vec<u8>>,
    /// Those who wait for the end of a message to be answered.
    ends: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

impl Door {
    pub(crate) fn new(
        adapter: &Adapter,
        guests: &Guests,
        visitors: &mpsc::Sender<Channel>,
        planned: &'static plan::Service,
    ) -> Arc<Self> {
        Arc::new(Self {
            adapter: adapter.clone(),
            guests: guests.clone(),
            visitors: visitors.clone(),
            planned,
            guest: Mutex::new(None),
            writer: watch::channel(None).0,
        })
    }

    /// What BlueZ is to have in its database.
    pub(crate) fn service(self: &Arc<Self>, psm: Option<u16>, tasks: &mut JoinSet<()>) -> Service {
        let characteristics = self.planned.characteristics.iter();
        let characteristics = characteristics.map(|one| self.characteristic(one, psm, tasks));
        Service {
            uuid: Uuid::from_u128(self.planned.uuid.0),
            primary: true,
            characteristics: characteristics.collect(),
            ..Service::default()
        }
    }

    fn characteristic(
        self: &Arc<Self>,
        planned: &plan::Characteristic,
        psm: Option<u16>,
        tasks: &mut JoinSet<()>,
    ) -> Characteristic {
        let mut made = Characteristic {
            uuid: Uuid::from_u128(planned.uuid.0),
            ..Characteristic::default()
        };
        match planned.purpose {
            Purpose::ToPeripheral { without_response } => {
                let door = Arc::clone(self);
                made.write = Some(CharacteristicWrite {
                    write: true,
                    write_without_response: without_response,
                    method: CharacteristicWriteMethod::Fun(Box::new(move |value, request| {
                        let from = (request.device_address, usize::from(request.mtu));
                        let taken = door.written(value, from);
                        async { answered(taken?).await }.boxed()
                    })),
                    ..CharacteristicWrite::default()
                });
            }
            Purpose::ToCentral => {
                made.control_handle = self.subscriptions(tasks);
                made.notify = Some(CharacteristicNotify {
                    notify: true,
                    method: CharacteristicNotifyMethod::Io,
                    ..CharacteristicNotify::default()
                });
            }
            Purpose::Psm => {
                made.read = Some(CharacteristicRead {
                    read: true,
                    fun: Box::new(move |_| std::future::ready(Ok(plan::write_psm(psm))).boxed()),
                    ..CharacteristicRead::default()
                });
            }
        }
        made
    }

    /// Takes the writer of whoever subscribes.
    fn subscriptions(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> CharacteristicControlHandle {
        let (mut control, handle) = characteristic_control();
        let door = Arc::clone(self);
        tasks.spawn(async move {
            while let Some(event) = control.next().await {
                if let CharacteristicControlEvent::Notify(writer) = event {
                    door.writer.send_replace(Some(Arc::new(writer)));
                }
            }
        });
        handle
    }

    /// A device wrote a value, with this ATT MTU; who tells when it may hear so, if that is later.
    fn written(
        self: &Arc<Self>,
        value: Vec<u8>,
        from: (bluer::Address, usize),
    ) -> ReqResult<Option<oneshot::Receiver<()>>> {
        let (device, mtu) = from;
        let ends = self.planned == &plan::DIDCOMM && value == profile::END;
        let mut seat = self.guest.lock().unwrap_or_else(PoisonError::into_inner);
        let here = seat.as_ref().filter(|guest| !guest.values.is_closed());
        let other = here.is_some_and(|guest| guest.device != device);
        if !other && self.begins(&value, here.is_some()) {
            *seat = None;
            *seat = Some(self.welcome(value, device, mtu)?);
            return Ok(None);
        }
        let Some(guest) = here.filter(|_| !other) else {
            return Err(ReqError::NotPermitted);
        };
        let (told, hears) = oneshot::channel();
        let room = guest.values.try_reserve().is_ok_and(|room| {
            // Before the value, for whoever reads that looks for it here.
            let taken = !ends || guest.ends.send(told).is_ok();
            room.send(value);
            taken
        });
        if !room {
            *seat = None;
            return Err(ReqError::Failed);
        }
        Ok(ends.then_some(hears))
    }

    /// Is it the first value of a channel? Ours say so; of the profile it is the first one that
    /// comes.
    fn begins(&self, value: &[u8], here: bool) -> bool {
        match self.planned.uuid == plan::OURS.uuid {
            true => opens(value),
            false => !here,
        }
    }

    /// Somebody begins a link.
    fn welcome(
        self: &Arc<Self>,
        first: Vec<u8>,
        device: bluer::Address,
        mtu: usize,
    ) -> ReqResult<Guest> {
        let (values, came) = mpsc::channel(WAITING);
        let (ends, answers) = mpsc::unbounded_channel();
        let longest = plan::value(mtu).unwrap_or(plan::LEAST_VALUE);
        let notified = open(self.writer.borrow().as_ref()).and_then(|it| plan::value(it.mtu()));
        let here = self.adapter.device(device).map_err(|_| ReqError::Failed)?;
        let hold = Arc::new(self.guests.hold_now(&here));
        values.try_send(first).map_err(|_| ReqError::Failed)?;
        let (over, is_over) = watch::channel(false);
        let channel = Channel {
            service: self.planned,
            bearer: Bearer::Gatt,
            longest: longest.min(notified.unwrap_or(longest)),
            with: device.to_string(),
            tx: Box::new(Notifying {
                writer: self.writer.subscribe(),
                over: is_over,
                _hold: Arc::clone(&hold),
            }),
            rx: Box::new(Reading { came, _hold: hold }),
            answers: (self.planned == &plan::DIDCOMM).then_some(answers),
        };
        self.visitors
            .try_send(channel)
            .map_err(|_| ReqError::Failed)?;
        let (door, open) = (Arc::clone(self), values.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = gone(&here) => {}
                () = open.closed() => {}
            }
            over.send_replace(true);
            let mut seat = door.guest.lock().unwrap_or_else(PoisonError::into_inner);
            if seat
                .as_ref()
                .is_some_and(|guest| guest.values.same_channel(&open))
            {
                *seat = None;
            }
        });
        Ok(Guest {
            device,
            values,
            ends,
        })
    }
}

/// The answer to a value that was written.
async fn answered(later: Option<oneshot::Receiver<()>>) -> ReqResult<()> {
    match later {
        Some(later) => later.await.map_err(|_| ReqError::Failed),
        None => Ok(()),
    }
}

/// A socket to which somebody is subscribed.
fn open(writer: Option<&Arc<CharacteristicWriter>>) -> Option<&Arc<CharacteristicWriter>> {
    writer.filter(|it| matches!(it.is_closed(), Ok(false)))
}

/// Until a device is not connected any more.
async fn gone(device: &Device) {
    let Ok(mut events) = device.events().await else {
        return;
    };
    if !device.is_connected().await.unwrap_or(false) {
        return;
    }
    while let Some(event) = events.next().await {
        let DeviceEvent::PropertyChanged(property) = event;
        if matches!(property, DeviceProperty::Connected(false)) {
            return;
        }
    }
}

/// Notifies values to the guest.
struct Notifying {
    writer: watch::Receiver<Option<Arc<CharacteristicWriter>>>,
    over: watch::Receiver<bool>,
    _hold: Arc<Hold>,
}

impl LinkTx for Notifying {
    fn send(&mut self, value: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                _ = self.over.wait_for(|over| *over) => Err(LinkError::Closed),
                sent = notify(&mut self.writer, &value) => sent,
            }
        })
    }
}

/// Gives a value to whoever is subscribed; waits for the subscription, which may come after the
/// first value that was written.
async fn notify(
    writer: &mut watch::Receiver<Option<Arc<CharacteristicWriter>>>,
    value: &[u8],
) -> Result<(), LinkError> {
    loop {
        let now = writer.borrow_and_update().clone();
        if let Some(open) = open(now.as_ref())
            && open.send(value).await.is_ok()
        {
            return Ok(());
        }
        writer.changed().await.map_err(|_| LinkError::Closed)?;
    }
}

struct Reading {
    came: mpsc::Receiver<Vec<u8>>,
    _hold: Arc<Hold>,
}

impl LinkRx for Reading {
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(async { self.came.recv().await.ok_or(LinkError::Closed) })
    }
}
