#![doc = include_str!("../README.md")]

mod link;
mod mailbox;

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use packmule_bus::link::{
    BoxFut, Link, LinkFacts, Listener, Mailbox, OpenError, Port, Probe, Transport, Way,
};
use tokio::sync::mpsc;

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

/// Who listens under which name, and the mailboxes.
#[derive(Default)]
struct Hub {
    listeners: BTreeMap<String, mpsc::Sender<Link>>,
    mailboxes: BTreeMap<String, Arc<Slot>>,
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
                (name, false) => Port::Link(self.dial(name)?),
                (name, true) => Port::Mailbox(self.post(name)),
            })
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async {
            let ears = match read(at)? {
                (name, false) => Ears::Links(self.hear(name)?),
                (name, true) => Ears::Mailbox(Some(self.collector(name))),
            };
            let way = at.clone();
            Ok(Box::new(Listening { way, ears }) as Box<dyn Listener>)
        })
    }
}

/// The name in a way, and whether it is a mailbox.
fn read(way: &Way) -> Result<(&str, bool), OpenError> {
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
        None => Ok((name, false)),
        Some((name, "mailbox")) if !name.is_empty() => Ok((name, true)),
        Some(_) => Err(bad("it should be mem:NAME or mem:NAME?mailbox")),
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
