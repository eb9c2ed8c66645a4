//! Opening ways, and listening for others who do.
//!
//! Called by the driver and by the node at its start. What can go wrong: nobody answers, which
//! the bus is told; a listener or scout that fails (no network, a laptop asleep), which is an
//! event for people, and is tried again for as long as the node runs; too many visitors, who are
//! turned away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use packmule_bus::bus::io::Input;
use packmule_bus::link::{Listener, Port, Role, Scout, Transport, Way};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::links::Visit;
use super::{Driver, Heard, Mouth};

/// How long a way may take to open.
const PATIENCE: Duration = Duration::from_secs(30);
/// Links that others may have opened at once.
const VISITORS: usize = 256;
/// After a listener or scout failed; twice as long each time, up to the longest.
const BREATH: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) type Transports = BTreeMap<&'static str, Arc<dyn Transport>>;

impl Driver {
    pub(super) fn dial(&mut self, way: Way) {
        let Some(transport) = self.transports.get(way.transport()).cloned() else {
            let why = format!("there is no transport {:?} here", way.transport());
            self.mouth.tell(Input::DialFailed(way, why));
            return;
        };
        let mouth = self.mouth.clone();
        self.tasks.spawn(async move {
            let why = match timeout(PATIENCE, transport.open(&way)).await {
                Ok(Ok(port)) => {
                    let heard = Heard::Port {
                        port,
                        transport: transport.name(),
                        way: Some(way),
                        visit: None,
                    };
                    let _ = mouth.answers.send(heard);
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            mouth.tell(Input::DialFailed(way, why));
        });
    }

    pub(super) fn open(
        &mut self,
        port: Port,
        transport: &'static str,
        way: Option<Way>,
        visit: Option<Visit>,
    ) {
        match port {
            Port::Link(link) => {
                let (facts, role) = (link.facts, link.role);
                let (link, room) = self.links.add(link, visit, &self.mouth);
                self.feed(Input::LinkUp {
                    link,
                    facts,
                    role,
                    transport: transport.to_owned(),
                    way: way.filter(|_| role == Role::Dialer),
                });
                self.feed(Input::Room(link, room));
            }
            Port::Mailbox(mailbox) => {
                let mailbox = self.collect(mailbox, transport, visit);
                if let Some(way) = way {
                    self.boxes.add(way.clone(), mailbox);
                    self.feed(Input::MailboxUp(way));
                }
            }
            // A node shows nothing by itself.
            _ => {
                if let Some(way) = way {
                    let why = "it only shows frames".to_owned();
                    self.feed(Input::DialFailed(way, why));
                }
            }
        }
    }
}

/// Opens the listeners. Answers where they are, and what did not open.
pub(crate) async fn listen(
    ways: &[Way],
    transports: &Transports,
) -> (Vec<(&'static str, Box<dyn Listener>)>, Vec<String>) {
    let (mut listeners, mut troubles) = (Vec::new(), Vec::new());
    for way in ways {
        let Some(transport) = transports.get(way.transport()) else {
            troubles.push(format!("{way}: there is no such transport here"));
            continue;
        };
        match transport.listen(way).await {
            Ok(listener) => listeners.push((transport.name(), listener)),
            Err(error) => troubles.push(format!("{way}: {error}")),
        }
    }
    (listeners, troubles)
}

/// Lets everybody in who comes, up to a number at once.
pub(crate) fn receive(
    listeners: Vec<(&'static str, Box<dyn Listener>)>,
    tasks: &mut JoinSet<()>,
    mouth: &Mouth,
) {
    let seats = Arc::new(Semaphore::new(VISITORS));
    for (transport, listener) in listeners {
        tasks.spawn(welcome(
            listener,
            transport,
            Arc::clone(&seats),
            mouth.clone(),
        ));
    }
}

async fn welcome(
    mut listener: Box<dyn Listener>,
    transport: &'static str,
    seats: Arc<Semaphore>,
    mouth: Mouth,
) {
    let mut pauses = Pauses::default();
    loop {
        let port = match listener.accept().await {
            Ok(port) => port,
            Err(why) => {
                let what = format!("{}: nobody can come in: {why}", listener.way());
                if !pauses.pause(&mouth, what).await {
                    return;
                }
                continue;
            }
        };
        pauses = Pauses::default();
        // Without a seat the port is dropped, and with it the visitor.
        let Ok(visit) = Arc::clone(&seats).try_acquire_owned() else {
            continue;
        };
        let heard = Heard::Port {
            port,
            transport,
            way: None,
            visit: Some(visit),
        };
        if mouth.brought.send(heard).await.is_err() {
            return;
        }
    }
}

/// Tells the bus of every way that turns up by itself.
pub(crate) fn scout(transports: &Transports, ours: &[Way], tasks: &mut JoinSet<()>, mouth: &Mouth) {
    for transport in transports.values() {
        if let Some(scout) = transport.scout(ours) {
            tasks.spawn(look_out(scout, transport.name(), mouth.clone()));
        }
    }
}

async fn look_out(mut scout: Box<dyn Scout>, transport: &'static str, mouth: Mouth) {
    let mut pauses = Pauses::default();
    loop {
        match scout.next().await {
            Ok(way) => {
                pauses = Pauses::default();
                let heard = Heard::Input(Input::Sighted(way));
                if mouth.brought.send(heard).await.is_err() {
                    return;
                }
            }
            Err(why) => {
                let what = format!("{transport}: neighbours cannot be looked for: {why}");
                if !pauses.pause(&mouth, what).await {
                    return;
                }
            }
        }
    }
}

/// How long was waited after the last fault, since something went well.
#[derive(Default)]
struct Pauses(Option<Duration>);

impl Pauses {
    /// Waits for better times; people are told of the first fault. False: the node has ended.
    async fn pause(&mut self, mouth: &Mouth, what: String) -> bool {
        let wait = match self.0 {
            Some(before) => (before * 2).min(LONGEST),
            None if mouth.answers.send(Heard::Trouble(what)).is_err() => return false,
            None => BREATH,
        };
        self.0 = Some(wait);
        sleep(wait).await;
        !mouth.brought.is_closed()
    }
}
