//! Sending: the submission server, its connections, and ways as mailboxes.
//!
//! What is it: [`Outbox`] keeps some connections open for all ways; each way's mailbox delivers by
//! them. Who calls it: the transport `mailto`. What can go wrong: as [`crate::smtp`] has it. A
//! connection on which the server hung up while nothing was said is replaced once, and nothing
//! else is tried again here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use packmule_bus::Kind;
use packmule_bus::link::{BoxFut, Collected, LinkError, Mailbox};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::address::Address;
use crate::compose::compose;
use crate::server::Server;
use crate::smtp::{Connection, Fault};

/// Connections at once; further mails wait for one.
const AT_ONCE: usize = 8;
/// Kept open for so long while nothing is said. Servers wait for minutes, firewalls do not.
const IDLE: Duration = Duration::from_secs(60);
/// After so long a connection is asked whether it lives before it gets a mail.
const DOUBT: Duration = Duration::from_secs(5);

/// A submission server, and who we are there.
pub struct Outbox {
    server: Server,
    from: Address,
    turns: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Outbox {
    /// Mails go to this server, and are from this address.
    #[must_use]
    pub fn new(server: Server, from: Address) -> Self {
        Self {
            server,
            from,
            turns: Semaphore::new(AT_ONCE),
            idle: Mutex::default(),
        }
    }

    /// Who mails are from.
    #[must_use]
    pub const fn from(&self) -> &Address {
        &self.from
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Connects, or finds that a connection lives; what the server has against us, otherwise.
    ///
    /// # Errors
    /// For people.
    pub async fn greet(&self) -> Result<(), String> {
        let _turn = self.turn().await;
        let connection = self.connection().await.map_err(|fault| match fault {
            Fault::Never(words) | Fault::Later(words) | Fault::Broken(words) => words,
            Fault::TooLarge(_) => "it takes nothing".to_owned(),
        })?;
        self.keep(connection);
        Ok(())
    }

    /// Sends one packed message.
    ///
    /// # Errors
    /// As a mailbox has them.
    pub async fn send(&self, packed: &[u8], to: &[Address]) -> Result<(), LinkError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let Some(letter) = compose(packed, &self.from, to, now) else {
            let why = "mail carries DIDComm messages only".to_owned();
            return Err(LinkError::Refused(why));
        };
        let _turn = self.turn().await;
        let bytes = letter.bytes.len();
        let sent = self.pass_on(to, &letter.bytes).await;
        sent.map_err(|fault| fault.into_link(bytes))
    }

    async fn pass_on(&self, to: &[Address], mail: &[u8]) -> Result<(), Fault> {
        let mut connection = self.connection().await?;
        let sent = connection.send(&self.from, to, mail).await;
        if !connection.is_over() && !matches!(sent, Err(Fault::Broken(_))) {
            self.keep(connection);
        }
        sent
    }

    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, or a new one.
    async fn connection(&self) -> Result<Connection, Fault> {
        loop {
            let last = {
                let mut idle = self.idle();
                idle.retain(|(_, since)| since.elapsed() < IDLE);
                idle.pop()
            };
            match last {
                Some((connection, since)) if since.elapsed() < DOUBT => return Ok(connection),
                Some((mut connection, _)) => {
                    if connection.is_alive().await {
                        return Ok(connection);
                    }
                }
                None => return Connection::open(&self.server).await,
            }
        }
    }

    fn keep(&self, connection: Connection) {
        self.idle().push((connection, Instant::now()));
    }
}

/// The recipients of one way.
pub(crate) struct Drop {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) to: Vec<Address>,
}

impl Mailbox for Drop {
    fn deliver(&self, packed: Vec<u8>, _: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        Box::pin(async move { self.outbox.send(&packed, &self.to).await })
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }
}
