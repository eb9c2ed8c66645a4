#![doc = include_str!("../README.md")]

mod beacon;
mod link;
mod mailbox;

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use packmule_bus::link::{
    Beacon, BoxFut, Link, LinkFacts, Listener, Mailbox, OpenError, Port, Probe, Transport, Way,
};
use tokio::sync::{broadcast, mpsc};

pub use beacon::Eye;
use beacon::{AFTERGLOW, Lamp};
pub use link::pair;
use mailbox::{Collector, Post, Slot};

/// What a link of [`Mem::new`] is like: as TCP is, but sealed by nobody.
pub const FACTS: LinkFacts = LinkFacts {
    mtu: 65_535,
    ordered: true,
    reliable: true,
    half_duplex: false,
    sealed: false,
    rate: None,
};

/// PDUs that a link of [`Mem::new`] holds in each direction.
pub const ROOM: usize = 16;

/// Visitors that a listener holds before it accepts them.
const BACKLOG: usize = 64;

/// The air in which names are heard: a hub, of which every clone is the same one.
#[derive(Clone)]
pub struct Mem {
    facts: LinkFacts,
    room: usize,
    hub: Arc<Mutex<Hub>>,
}

/// Who listens under which name, the mailboxes and the lights.
#[derive(Default)]
struct Hub {
    listeners: BTreeMap<String, mpsc::Sender<Link>>,
    mailboxes: BTreeMap<String, Arc<Slot>>,
    lights: BTreeMap<String, broadcast::Sender<Vec<u8>>>,
    /// Links opened so far: to tell visitors apart.
    visitors: u64,
}

impl Mem {
    /// A hub where nobody listens yet, with [`FACTS`] and [`ROOM`].
    #[must_use]
    pub fn new() -> Self {
        Self::with(FACTS, ROOM)
    }

    /// A hub whose links are like this and hold `room` PDUs (at least one) in each direction.
    #[must_use]
    pub fn with(facts: LinkFacts, room: usize) -> Self {
        Self {
            facts,
            room,
            hub: Arc::default(),
        }
    }

    /// The same hub, opening links of another kind.
    #[must_use]
    pub fn like(&self, facts: LinkFacts, room: usize) -> Self {
        Self {
            facts,
            room,
            hub: Arc::clone(&self.hub),
        }
    }

    fn with_hub<T>(&self, act: impl FnOnce(&mut Hub) -> T) -> T {
        // A panic elsewhere leaves the hub whole: every change of it is one insert.
        act(&mut self.hub.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn dial(&self, name: &str) -> Result<Link, OpenError> {
        let (listener, visitor) = self.with_hub(|hub| {
            hub.visitors += 1;
            (hub.listeners.get(name).cloned(), hub.visitors)
        });
        let nobody = || OpenError::NoAnswer(format!("nobody listens on mem:{name}"));
        let listener = listener.ok_or_else(nobody)?;
        let (mut near, mut far) = pair(self.facts, self.room);
        near.with = format!("mem:{name}");
        far.with = format!("visitor {visitor} of mem:{name}");
        match listener.try_send(far) {
            Ok(()) => Ok(near),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(nobody()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(OpenError::NoAnswer(format!(
                "too many wait at mem:{name} already"
            ))),
        }
    }

    fn hear(&self, name: &str) -> Result<mpsc::Receiver<Link>, OpenError> {
        let (tx, rx) = mpsc::channel(BACKLOG);
        self.with_hub(|hub| {
            // A listener that was dropped leaves its name to the next one.
            if hub.listeners.get(name).is_some_and(|old| !old.is_closed()) {
                return Err(io::Error::from(io::ErrorKind::AddrInUse).into());
            }
            hub.listeners.insert(name.to_owned(), tx);
            Ok(rx)
        })
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        self.with_hub(|hub| Arc::clone(hub.mailboxes.entry(name.to_owned()).or_default()))
    }

    /// What collects from the mailbox `name`, without a listener around it.
    #[must_use]
    pub fn collector(&self, name: &str) -> Box<dyn Mailbox> {
        Box::new(Collector(self.slot(name)))
    }

    /// What delivers to the mailbox `name`.
    #[must_use]
    pub fn post(&self, name: &str) -> Box<dyn Mailbox> {
        Box::new(Post(self.slot(name)))
    }
}

impl Mem {
    fn light(&self, name: &str) -> broadcast::Sender<Vec<u8>> {
        let new = || broadcast::Sender::new(AFTERGLOW);
        self.with_hub(|hub| {
            hub.lights
                .entry(name.to_owned())
                .or_insert_with(new)
                .clone()
        })
    }

    /// What shows at the beacon `name`: frames as long as a link's PDUs.
    #[must_use]
    pub fn beacon(&self, name: &str) -> Box<dyn Beacon> {
        Box::new(Lamp {
            light: self.light(name),
            longest: self.facts.mtu,
        })
    }

    /// Somebody who looks at the beacon `name` from now on.
    #[must_use]
    pub fn eye(&self, name: &str) -> Eye {
        Eye(self.light(name).subscribe())
    }
}

impl Default for Mem {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Mem {
    fn name(&self) -> &'static str {
        "mem"
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            Probe {
                ready: true,
                finding: "memory is there".to_owned(),
            }
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async {
            Ok(match read(to)? {
                (name, Kind::Link) => Port::Link(self.dial(name)?),
                (name, Kind::Mailbox) => Port::Mailbox(self.post(name)),
                (name, Kind::Beacon) => Port::Beacon(self.beacon(name)),
            })
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async {
            let ears = match read(at)? {
                (name, Kind::Link) => Ears::Links(self.hear(name)?),
                (name, Kind::Mailbox) => Ears::Mailbox(Some(self.collector(name))),
                // Frames are looked at by an [`Eye`]: a port has no reader.
                (_, Kind::Beacon) => return Err(OpenError::Unsupported("mem")),
            };
            let way = at.clone();
            Ok(Box::new(Listening { way, ears }) as Box<dyn Listener>)
        })
    }
}

/// What a way leads to.
enum Kind {
    Link,
    Mailbox,
    Beacon,
}

/// The name in a way, and what it leads to.
fn read(way: &Way) -> Result<(&str, Kind), OpenError> {
    let bad = |why: &str| OpenError::BadWay {
        transport: "mem",
        way: way.clone(),
        why: why.to_owned(),
    };
    let name = way
        .as_str()
        .strip_prefix("mem:")
        .ok_or_else(|| bad("it should begin with mem:"))?;
    match name.split_once('?') {
        None => Ok((name, Kind::Link)),
        Some((name, "mailbox")) if !name.is_empty() => Ok((name, Kind::Mailbox)),
        Some((name, "beacon")) if !name.is_empty() => Ok((name, Kind::Beacon)),
        Some(_) => Err(bad(
            "it should be mem:NAME, mem:NAME?mailbox or mem:NAME?beacon",
        )),
    }
}

struct Listening {
    way: Way,
    ears: Ears,
}

enum Ears {
    Links(mpsc::Receiver<Link>),
    /// Taken out when it was accepted: a mailbox comes once.
    Mailbox(Option<Box<dyn Mailbox>>),
}

impl Listener for Listening {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            match &mut self.ears {
                Ears::Links(links) => match links.recv().await {
                    Some(link) => Ok(Port::Link(link)),
                    None => Err(OpenError::NoAnswer("the hub is gone".to_owned())),
                },
                Ears::Mailbox(mailbox) => match mailbox.take() {
                    Some(mailbox) => Ok(Port::Mailbox(mailbox)),
                    None => pending().await,
                },
            }
        })
    }
}

#[cfg(test)]
mod tests;
