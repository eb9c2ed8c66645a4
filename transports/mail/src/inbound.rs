//! Receiving: a listener to which a mail server hands mails over, by LMTP or SMTP.
//!
//! What is it: visitors with seats, a conversation each, and each mail as a mailbox that holds its
//! messages. Who calls it: the transports `lmtp` and `smtp`. What can go wrong: visitors of every
//! kind: all that they may take (seats, time, lines, recipients, bytes of all together) is one of
//! [`InboundLimits`]. A mail is taken when all its messages are durable, and not before; nothing
//! is ever passed on to others.

mod lines;
mod talk;
mod visit;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Way};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::address::Address;
use crate::read::Limits;

/// Ports that wait to be accepted; further mails wait on their connections.
const WAITING: usize = 64;

/// What visitors may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InboundLimits {
    /// Visitors at once; further ones are told to come again.
    pub connections: usize,
    /// Recipients of a mail.
    pub recipients: usize,
    /// Bytes of mails that are on their way in, of all visitors together.
    pub room: usize,
    /// How long a visitor may think about a command, or about a mail that does not go on.
    pub silence: Duration,
    /// Bytes a second that a mail must go on by, on the whole.
    pub rate: usize,
    /// How long a mail may wait until it is durable.
    pub commit: Duration,
    /// Commands that make no sense, until a visitor is sent away.
    pub patience: usize,
}

impl Default for InboundLimits {
    fn default() -> Self {
        Self {
            connections: 64,
            recipients: 100,
            room: 256 << 20,
            silence: Duration::from_secs(60),
            rate: 4096,
            commit: Duration::from_secs(100),
            patience: 20,
        }
    }
}

/// What mails are taken in.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    /// For whom: addresses, and domains of which every address is taken. Nobody else.
    pub taken: Vec<Taken>,
    /// Of visitors.
    pub limits: InboundLimits,
    /// Of mails.
    pub mail: Limits,
}

/// An address, or all of a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken {
    /// This one.
    Address(Address),
    /// Every address of this domain.
    Domain(String),
}

impl Taken {
    /// `bob@edge.test` or `edge.test`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('@') {
            return Address::parse(text).map(Self::Address);
        }
        let address = Address::parse(&format!("a@{text}"))?;
        Some(Self::Domain(address.domain()))
    }

    fn takes(&self, address: &Address) -> bool {
        match self {
            Self::Address(one) => one.is(address),
            Self::Domain(domain) => *domain == address.domain(),
        }
    }
}

impl Inbound {
    fn takes(&self, address: &Address) -> bool {
        self.taken.iter().any(|one| one.takes(address))
    }
}

/// LMTP answers for each recipient; SMTP once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tongue {
    Lmtp,
    Smtp,
}

pub(crate) struct Door {
    way: Way,
    ports: mpsc::Receiver<Port>,
    /// Dropping it ends the listening and cuts visitors off.
    _serving: JoinSet<()>,
}

impl Door {
    /// Binds, and begins to serve.
    pub(crate) async fn open(
        tongue: Tongue,
        address: SocketAddr,
        inbound: Inbound,
    ) -> Result<Self, OpenError> {
        let listener = TcpListener::bind(address).await?;
        let name = match tongue {
            Tongue::Lmtp => "lmtp",
            Tongue::Smtp => "smtp",
        };
        let way = Way::parse(&format!("{name}://{}", listener.local_addr()?));
        let way = way.ok_or_else(|| OpenError::Unavailable("the way is too long".to_owned()))?;
        let (door, ports) = mpsc::channel(WAITING);
        let house = House {
            tongue,
            room: Arc::new(Semaphore::new(inbound.limits.room >> 10)),
            inbound,
            door,
        };
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::new(house)));
        Ok(Self {
            way,
            ports,
            _serving: serving,
        })
    }
}

impl Listener for Door {
    fn way(&self) -> Way {
        self.way.clone()
    }

    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>> {
        Box::pin(async {
            let gone = || OpenError::NoAnswer("the server has ended".to_owned());
            self.ports.recv().await.ok_or_else(gone)
        })
    }
}

/// What all visitors share.
struct House {
    tongue: Tongue,
    inbound: Inbound,
    /// Of mails on their way in, by the KiB.
    room: Arc<Semaphore>,
    door: mpsc::Sender<Port>,
}

async fn serve(listener: TcpListener, house: Arc<House>) {
    let seats = Arc::new(Semaphore::new(house.inbound.limits.connections));
    let mut visits = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Out of file handles, as a rule: wait for visitors to leave.
            Err(fault) if fault.kind() != io::ErrorKind::ConnectionAborted => {
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            Err(_) => continue,
        };
        while visits.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        match Arc::clone(&seats).try_acquire_owned() {
            Ok(seat) => {
                let house = Arc::clone(&house);
                visits.spawn(async move {
                    let _seat = seat;
                    talk::talk(stream, &house).await;
                });
            }
            Err(_) => {
                // If it does not fit into the system's buffer it is not worth waiting for.
                let _ = stream.try_write(b"421 4.3.2 too many visitors, come again\r\n");
            }
        }
    }
}
