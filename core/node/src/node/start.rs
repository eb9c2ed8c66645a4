//! From a home to a running node.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use packmule_agent::keys::{Curve, KeyError, Keyring, SecretKey};
use packmule_bus::bus::io::NodeKey;
use packmule_bus::bus::{Bus, Config};
use packmule_bus::link::{Transport, Way};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Inner, Node, NodeConfig, inbox};
use crate::control::Server;
use crate::control::place::{NodeLock, Taken};
use crate::desk::{BookError, Desk};
use crate::driver::{
    self, Boxes, Clerk, Clock, Driver, Ears, Heard, Keys, Links, Mouth, Post, QUEUE, Reach,
    Transports,
};
use crate::home::now;
use crate::records::Restored;
use crate::writer::Writer;
use crate::{Home, HomeError};

/// How often the store is looked at for what other processes changed.
const GLANCE: Duration = Duration::from_millis(400);
/// Events that a watcher may be behind.
const EVENTS: usize = 1024;
/// How long a node of this very process may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// Why no node was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// One runs on this home.
    #[error("a node runs on this home already{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Running {
        /// Its process, if it said.
        pid: Option<u32>,
    },
    /// The documents of self and peers.
    #[error(transparent)]
    Book(#[from] BookError),
    /// There is no key to be somebody with, or the system gave no randomness.
    #[error("the home has no usable key: {0}")]
    Key(#[from] KeyError),
    /// The control socket.
    #[error("cannot open the control socket: {0}")]
    Control(#[source] io::Error),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl Node {
    /// Starts a node on a home: takes up what it was carrying, opens links and listeners.
    ///
    /// # Errors
    /// [`StartError`]; a way that cannot be listened on is none: see [`Node::troubles`].
    pub async fn start(
        home: Arc<Home>,
        keys: Keyring,
        transports: Vec<Arc<dyn Transport>>,
        config: NodeConfig,
    ) -> Result<Self, StartError> {
        let lock = lock(&home).await?;
        let secret = link_secret(&home, &keys)?;
        let own = SecretKey::from_raw(Curve::X25519, &secret)?;
        let key = NodeKey(own.public().raw().try_into().unwrap_or_default());
        let desk = Arc::new(Desk::with_keys(Arc::clone(&home), keys)?);
        let clock = Clock::start();
        let (bus, mut troubles) =
            restore(Arc::clone(&home), bus_config(&config, secret)?, clock).await?;

        let (answers, heard_answers) = mpsc::unbounded_channel();
        let (brought, heard_brought) = mpsc::channel(QUEUE);
        let (submits, heard_submits) = mpsc::channel(QUEUE);
        let (commands, heard_commands) = mpsc::channel(16);
        let mouth = Mouth { answers, brought };
        let (events, _) = broadcast::channel(EVENTS);
        let (opening, opened) = watch::channel(0);

        let transports: Transports = transports.into_iter().map(|it| (it.name(), it)).collect();
        let (listeners, closed) = driver::listen(&config.listen, &transports).await;
        troubles.extend(closed);
        let listening: Vec<Way> = listeners.iter().map(|(_, it)| it.way()).collect();
        let mut tasks = JoinSet::new();
        driver::receive(listeners, &mut tasks, &mouth);
        if config.scout {
            driver::scout(&transports, &listening, &mut tasks, &mouth);
        }
        tasks.spawn(glance(home.connect()?, mouth.clone()));

        let writer = Writer::start(&home)?;
        let driver = Driver {
            bus,
            clock,
            writer,
            keys: Arc::new(Keys::start(&desk)?),
            clerk: Clerk::start(Arc::clone(&desk), mouth.clone(), opening)?,
            reach: Reach::of(
                &desk,
                transports.keys().copied().collect(),
                &config,
                &listening,
            ),
            transports: Arc::new(transports),
            mouth,
            events: events.clone(),
            links: Links::default(),
            boxes: Boxes::default(),
            settles: BTreeMap::new(),
            next_settle: 0,
            waiting: BTreeMap::new(),
            rows: BTreeMap::new(),
            changing: None,
            post: Post::open(&home, config.depot.policy)?,
            scanned: driver::Scanned::default(),
            tasks,
            desk: Arc::clone(&desk),
            lock,
        };
        let server = if config.control {
            Some(Server::bind(home.dir()).map_err(StartError::Control)?)
        } else {
            None
        };
        let ears = Ears {
            answers: heard_answers,
            brought: heard_brought,
            submits: heard_submits,
            commands: heard_commands,
        };
        let driver = tokio::spawn(driver.run(ears)).abort_handle();
        let (serving, served) = watch::channel(());
        let closed = commands.clone();
        let inner = Arc::new(Inner {
            desk,
            submits,
            commands,
            events,
            opened,
            inbox: Mutex::new(inbox::Inbox::default()),
            listening,
            troubles,
            key,
            since: now(),
            depot: config.depot,
            driver,
            served,
        });
        if let Some(server) = server {
            let node = Arc::downgrade(&inner);
            tokio::spawn(async move {
                server.serve(node, closed).await;
                drop(serving);
            });
        }
        Ok(Self { inner })
    }
}

async fn lock(home: &Home) -> Result<NodeLock, StartError> {
    let mut waited = Duration::ZERO;
    loop {
        match NodeLock::take(home.dir()) {
            Ok(lock) => return Ok(lock),
            // The one before it in this process was dropped, and is ending.
            Err(Taken::Running(Some(pid))) if pid == std::process::id() && waited < GRACE => {
                sleep(Duration::from_millis(20)).await;
                waited += Duration::from_millis(20);
            }
            Err(Taken::Running(pid)) => return Err(StartError::Running { pid }),
            Err(Taken::Io(error)) => return Err(HomeError::from(error).into()),
        }
    }
}

/// Who the node is on links: derived, so that there is no further secret to keep.
fn link_secret(home: &Home, keys: &Keyring) -> Result<[u8; 32], KeyError> {
    let mut hash = Sha256::new();
    hash.update(b"packmule link key v1\0");
    hash.update(home.did().as_bytes());
    if keys.is_empty() {
        return Err(KeyError::Secrets);
    }
    for (kid, key) in keys.iter() {
        hash.update((kid.len() as u64).to_be_bytes());
        hash.update(kid.as_bytes());
        hash.update(key.raw());
    }
    Ok(hash.finalize().into())
}

fn bus_config(config: &NodeConfig, secret: [u8; 32]) -> Result<Config, KeyError> {
    // A fresh key is as good as any other 32 bytes of the system's randomness.
    let fresh = SecretKey::generate(Curve::X25519)?;
    let mut bus = Config::new(secret, Sha256::digest(fresh.raw()).into());
    bus.depot = config.depot.clone();
    bus.session = config.limits;
    Ok(bus)
}

async fn restore(
    home: Arc<Home>,
    config: Config,
    clock: Clock,
) -> Result<(Bus, Vec<String>), HomeError> {
    let reading = tokio::task::spawn_blocking(move || {
        let db = home.connect()?;
        let mut records = Restored::begin(&db, home.shelf())?;
        let bus = Bus::restore(&mut records, config, clock.now());
        Ok((bus, records.troubles()))
    });
    match reading.await {
        Ok(outcome) => outcome,
        Err(error) => Err(HomeError::Io(io::Error::other(error))),
    }
}

/// Looks for what other processes write, without reading any of it.
async fn glance(db: Connection, mouth: Mouth) {
    let mut ticks = interval(GLANCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = version(&db);
    loop {
        ticks.tick().await;
        let after = version(&db);
        if after != before && mouth.answers.send(Heard::Poke).is_err() {
            return;
        }
        before = after;
    }
}

fn version(db: &Connection) -> Option<i64> {
    db.query_row("PRAGMA data_version", [], |row| row.get(0))
        .ok()
}
