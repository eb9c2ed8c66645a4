//! An air with tokio's clock, and ports on it: to a host in this process, or over a stream of bytes.
//!
//! What is it: [`Room`], [`Port`] and [`serve`]. Who calls it: tests; whoever lets a foreign host
//! have a controller. What can go wrong: a stream whose bytes are no packets, and it is over.
//! In a runtime whose clock is paused a minute on the air is a moment.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::air::{Air, Id};
use crate::packet::Framer;

/// An air that time passes on; every clone is the same one.
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    began: Instant,
    /// Something else is to happen first, or nothing any more.
    news: Arc<Notify>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.news.notify_one();
    }
}

#[derive(Debug)]
struct Inner {
    air: Air,
    ports: Vec<(Id, Arc<Notify>)>,
}

/// The host's side of a controller. Dropping it takes the controller off the air, as if its power
/// were cut.
#[derive(Debug)]
pub struct Port {
    room: Room,
    id: Id,
    came: Arc<Notify>,
}

impl Room {
    /// An empty room; time passes in it as long as somebody holds it. Call it in a runtime.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                air: Air::new(seed),
                ports: Vec::new(),
            }),
            began: Instant::now(),
            news: Arc::default(),
        });
        tokio::spawn(pass(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// A controller with this public address, lowest octet first.
    #[must_use]
    pub fn port(&self, address: [u8; 6]) -> Port {
        let came = Arc::new(Notify::new());
        let id = self.with(|inner| {
            let id = inner.air.join(address);
            inner.ports.push((id, Arc::clone(&came)));
            id
        });
        Port {
            room: self.clone(),
            id,
            came,
        }
    }

    /// See [`Air::away`].
    pub fn away(&self, id: Id, away: bool) {
        self.with(|inner| inner.air.away(id, away));
    }

    /// See [`Air::lose`].
    pub fn lose(&self, per_mille: u16) {
        self.with(|inner| inner.air.lose(per_mille));
    }

    /// See [`Air::connections`].
    #[must_use]
    pub fn connections(&self) -> usize {
        self.with(|inner| inner.air.connections())
    }

    /// Does something at the present time, and tells everybody whom it concerns.
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let now = self.0.began.elapsed();
        // A panic elsewhere leaves it whole: nothing in here panics.
        let mut inner = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        inner.air.advance(now);
        let next = inner.air.deadline();
        let done = act(&mut inner);
        for (id, came) in &inner.ports {
            if inner.air.has(*id) {
                came.notify_one();
            }
        }
        if inner.air.deadline() != next {
            self.0.news.notify_one();
        }
        done
    }
}

/// Lets time pass until nobody holds the room.
async fn pass(shared: Weak<Shared>) {
    loop {
        let Some(room) = shared.upgrade().map(Room) else {
            return;
        };
        let next = room.with(|inner| inner.air.deadline());
        let due = next.map(|micros| room.0.began + Duration::from_micros(micros));
        let news = Arc::clone(&room.0.news);
        drop(room);
        match due {
            Some(due) => tokio::select! {
                () = news.notified() => {}
                () = sleep_until(due) => {}
            },
            None => news.notified().await,
        }
    }
}

impl Port {
    /// Which controller of the room it is.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// Gives a packet to the controller, its indicator first.
    pub fn write(&self, packet: &[u8]) {
        self.room.with(|inner| inner.air.host(self.id, packet));
    }

    /// The next packet of the controller, its indicator first. Cancel-safe.
    pub async fn read(&self) -> Vec<u8> {
        loop {
            if let Some(packet) = self.room.with(|inner| inner.air.take(self.id)) {
                return packet;
            }
            self.came.notified().await;
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.room.with(|inner| {
            inner.air.leave(self.id);
            inner.ports.retain(|(id, _)| *id != self.id);
        });
    }
}

/// Lets the host at the other end of a stream have a controller, in H4 framing, until it goes.
///
/// # Errors
/// If the stream fails, or carries what is no packet.
pub async fn serve<S>(port: Port, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut from, mut to) = tokio::io::split(stream);
    let hear = async {
        let mut framer = Framer::default();
        let mut bytes = [0; 1024];
        loop {
            let length = from.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            framer.push(bytes.get(..length).unwrap_or_default());
            let no = |what| io::Error::new(io::ErrorKind::InvalidData, what);
            while let Some(packet) = framer.next_packet().map_err(no)? {
                port.write(&packet);
            }
        }
    };
    let speak = async {
        loop {
            let packet = port.read().await;
            to.write_all(&packet).await?;
        }
    };
    tokio::select! {
        ended = hear => ended,
        failed = speak => failed,
    }
}
