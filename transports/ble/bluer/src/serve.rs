//! Being a peripheral: register the service, then be seen, then take who comes.
//!
//! Called by the node's listener. What can go wrong: the adapter is switched off or pulled out,
//! the daemon is restarted: whoever waits is told once, and everything is set up anew as soon as
//! it is there again.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bluer::gatt::local::{Application, ApplicationHandle};
use bluer::l2cap::{SeqPacketListener, SocketAddr};
use bluer::{Adapter, AdapterEvent, AdapterProperty, Session, SessionEvent};
use futures_util::StreamExt;
use packmule_ble::plan;
use packmule_ble::radio::{Address, Channel, Offer, Peripheral};
use packmule_bus::link::{BoxFut, OpenError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::Desk;
use crate::channel::{listen, of_socket, serves};
use crate::door::Door;
use crate::faults::{off, told};
use crate::guests::Guests;

/// Centrals that have come and were not taken yet.
const WAITING: usize = 8;
/// After a visitor who did not come in.
const BREATH: Duration = Duration::from_millis(100);
/// A daemon that was restarted has forgotten us and says nothing: so often it is asked.
const STILL_HERE: Duration = Duration::from_secs(30);

/// Nor does anybody tell that an advertisement is off the air: so often it is shown anew.
const SHOWN_AGAIN: Duration = Duration::from_secs(60);

/// A peripheral that is there again after every fault.
pub(crate) struct Serving {
    desk: Arc<Desk>,
    offer: Offer,
    address: Address,
    served: Option<Served>,
}

/// One registration.
struct Served {
    visitors: mpsc::Receiver<Channel>,
    tasks: JoinSet<()>,
    /// Why it is over.
    over: mpsc::Receiver<OpenError>,
    _application: ApplicationHandle,
}

impl Serving {
    pub(crate) async fn start(desk: &Arc<Desk>, offer: Offer) -> Result<Self, OpenError> {
        let adapter = desk.adapter().await?;
        let served = serve(desk, &adapter, offer).await?;
        let address = adapter.address().await.map_err(|why| told(&why))?;
        Ok(Self {
            desk: Arc::clone(desk),
            offer,
            address: Address(address.to_string()),
            served: Some(served),
        })
    }
}

impl Peripheral for Serving {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Channel, OpenError>> {
        Box::pin(async {
            loop {
                let Some(served) = &mut self.served else {
                    let adapter = self.desk.adapter().await?;
                    powered(&adapter).await?;
                    self.served = Some(serve(&self.desk, &adapter, self.offer).await?);
                    continue;
                };
                let why = tokio::select! {
                    Some(channel) = served.visitors.recv() => return Ok(channel),
                    Some(why) = served.over.recv() => why,
                    else => OpenError::Unavailable("Bluetooth has ended".to_owned()),
                };
                self.served = None;
                self.desk.shown.lock().await.end();
                return Err(why);
            }
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // What shows it once more just now is aborted with the tasks, and waits for nobody then.
        self.served = None;
        let desk = Arc::clone(&self.desk);
        if let Ok(mut shown) = desk.shown.try_lock() {
            shown.end();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { desk.shown.lock().await.end() });
        }
    }
}

async fn serve(desk: &Arc<Desk>, adapter: &Adapter, offer: Offer) -> Result<Served, OpenError> {
    if !adapter.is_powered().await.map_err(|why| told(&why))? {
        return Err(OpenError::Unavailable(off(adapter.name())));
    }
    let (visit, visitors) = mpsc::channel(WAITING);
    let (end, over) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    let listener = match offer.l2cap {
        true => sockets(adapter).await,
        false => None,
    };
    let psm = listener.as_ref().map(|(_, psm)| *psm);
    let mut services = vec![&plan::OURS];
    services.extend(offer.didcomm.then_some(&plan::DIDCOMM));
    let services = services.into_iter().map(|service| {
        let door = Door::new(adapter, &desk.guests, &visit, service);
        door.service(psm, &mut tasks)
    });
    let application = Application {
        services: services.collect(),
        ..Application::default()
    };
    // First this: a quick central finds nothing otherwise, and its system remembers it.
    let application = adapter.serve_gatt_application(application).await;
    let application = application.map_err(|why| told(&why))?;
    if let Some((listener, _)) = listener {
        tasks.spawn(welcome(
            listener,
            adapter.clone(),
            desk.guests.clone(),
            visit,
        ));
    }
    desk.shown.lock().await.start(adapter, offer).await?;
    tasks.spawn(shown_again(Arc::clone(desk)));
    let watched = adapter.clone();
    let session = desk.session().await?;
    tasks.spawn(async move {
        let why = tokio::select! {
            why = ends(&watched) => why,
            why = restarted(&session, &watched) => why,
        };
        let _ = end.send(why).await;
    });
    Ok(Served {
        visitors,
        tasks,
        over,
        _application: application,
    })
}

impl Drop for Served {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

/// A listener for L2CAP channels. Without one there is still GATT.
async fn sockets(adapter: &Adapter) -> Option<(SeqPacketListener, u16)> {
    let address = adapter.address().await.ok()?;
    let kind = adapter.address_type().await.ok()?;
    listen(SocketAddr::new(address, kind, 0)).ok()
}

/// Takes whoever opens an L2CAP channel.
async fn welcome(
    listener: SeqPacketListener,
    adapter: Adapter,
    guests: Guests,
    visit: mpsc::Sender<Channel>,
) {
    loop {
        // One who left before the door was opened; or the adapter is gone, of which others tell.
        let Ok((socket, from)) = listener.accept().await else {
            sleep(BREATH).await;
            continue;
        };
        let Ok(device) = adapter.device(from.addr) else {
            continue;
        };
        if serves(&socket) {
            let channel = of_socket(socket, from.addr.to_string(), guests.hold_now(&device));
            // Too many at once: this one is let go.
            let _ = visit.try_send(channel);
        }
    }
}

/// Whoever has had a guest is seen again; of passers-by who open no channel nobody tells.
async fn shown_again(desk: Arc<Desk>) {
    loop {
        let _ = timeout(SHOWN_AGAIN, desk.guests.left()).await;
        // If it does not work now, it may the next time.
        let _ = desk.shown.lock().await.again().await;
    }
}

/// Until the adapter cannot be used any more; and why.
async fn ends(adapter: &Adapter) -> OpenError {
    let gone_off = || OpenError::Unavailable(off(adapter.name()));
    let events = async {
        let Ok(mut events) = adapter.events().await else {
            return pending().await;
        };
        while let Some(event) = events.next().await {
            if matches!(
                event,
                AdapterEvent::PropertyChanged(AdapterProperty::Powered(false))
            ) {
                return gone_off();
            }
        }
        OpenError::Unavailable(format!("the adapter {} is gone", adapter.name()))
    };
    let asked = async {
        let mut ticks = interval(STILL_HERE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match adapter.active_advertising_instances().await {
                Ok(1..) => {}
                Ok(0) => return OpenError::Unavailable("BlueZ has forgotten us".to_owned()),
                Err(why) => return told(&why),
            }
        }
    };
    tokio::select! {
        why = events => why,
        why = asked => why,
    }
}

/// Until the daemon tells of our adapter as of a new one: then it was started anew, and knows
/// nothing of us.
async fn restarted(session: &Session, adapter: &Adapter) -> OpenError {
    let Ok(events) = session.events().await else {
        return pending().await;
    };
    let mut events = pin!(events);
    while let Some(event) = events.next().await {
        if matches!(event, SessionEvent::AdapterAdded(name) if name == adapter.name()) {
            return OpenError::Unavailable("BlueZ was started anew".to_owned());
        }
    }
    pending().await
}

/// Until the adapter is switched on.
async fn powered(adapter: &Adapter) -> Result<(), OpenError> {
    let mut events = adapter.events().await.map_err(|why| told(&why))?;
    if adapter.is_powered().await.map_err(|why| told(&why))? {
        return Ok(());
    }
    while let Some(event) = events.next().await {
        if matches!(
            event,
            AdapterEvent::PropertyChanged(AdapterProperty::Powered(true))
        ) {
            return Ok(());
        }
    }
    Err(OpenError::Unavailable(format!(
        "the adapter {} is gone",
        adapter.name()
    )))
}
