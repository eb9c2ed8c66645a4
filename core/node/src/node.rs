//! A node that runs: the handle by which a program starts, uses and stops it.
//!
//! What is it: [`Node`], a handle that can be cloned and shared; the last one that is dropped
//! ends the node at once, [`Node::stop`] gracefully. Several nodes, each with a home of its own,
//! may live in one process. Who calls it: the command line's `run`, and programs that embed a
//! node. What can go wrong: see [`StartError`] and [`SubmitError`]; a transport that does not
//! open is a line of [`Node::troubles`], not an error: the others work.

mod inbox;
mod start;
mod submit;

use std::sync::{Arc, Weak};

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::NodeKey;
use packmule_bus::depot::DepotConfig;
use packmule_bus::link::Way;
use packmule_bus::session::Limits;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::control::{DeadLetter, EventLine, StatusReport, WhyReport};
use crate::desk::Desk;
use crate::desk::address::tag_of;
use crate::driver::{Changed, Command, hex};

pub use crate::driver::Seek;

pub use inbox::{DoneError, Received, Undone};
pub use start::StartError;
pub use submit::{Submit, SubmitError};

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where it listens: `tcp://127.0.0.1:4460`, `ws://0.0.0.0:8080/didcomm`.
    pub listen: Vec<Way>,
    /// Look for neighbours, and be found by them.
    pub scout: bool,
    /// Quotas, policy, retries.
    pub depot: DepotConfig,
    /// What is taken from one link.
    pub limits: Limits,
    /// Whose endpoints are asked, of those who are no peers.
    pub seek: Seek,
    /// URLs besides those of `listen` by which others reach this very node: nothing is sent there.
    pub doors: Vec<String>,
    /// Serve the control socket in the home.
    pub control: bool,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            scout: false,
            depot: DepotConfig::default(),
            limits: Limits::default(),
            seek: Seek::default(),
            doors: Vec::new(),
            control: true,
        }
    }
}

/// A running node.
///
/// Two of them, which share the air of one process, exchange a message:
///
/// ```
/// use std::sync::Arc;
///
/// use packmule_agent::did::{Method, NewDid, create};
/// use packmule_agent::keys::Keyring;
/// use packmule_agent::keystore::Cost;
/// use packmule_agent::message::Message;
/// use packmule_bus::link::{Transport, Way};
/// use packmule_mem::Mem;
/// use packmule_node::{Home, Node, NodeConfig, PeerRecord, Submit};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(story())
/// # }
/// # async fn story() -> Result<(), Box<dyn std::error::Error>> {
/// let place = tempfile::tempdir()?;
/// let air: Arc<dyn Transport> = Arc::new(Mem::new());
/// let cheap = Cost { memory_kib: 64, passes: 1, ..Cost::STANDARD };
/// let new = |name: &str| -> Result<(Arc<Home>, Keyring, NewDid), Box<dyn std::error::Error>> {
///     let did = create(Method::Key, &[])?;
///     let home = Home::create_with(&place.path().join(name), &did, b"passphrase", cheap)?;
///     let keys = home.unlock(b"passphrase")?;
///     Ok((Arc::new(home), keys, did))
/// };
/// let (alice, alices_keys, alices_did) = new("alice")?;
/// let (bob, bobs_keys, bobs_did) = new("bob")?;
/// let peer = |name: &str, did: &NewDid| PeerRecord {
///     name: name.to_owned(),
///     did: did.did.clone(),
///     doc: did.doc.to_json(),
///     added: 0,
/// };
/// alice.add_peer(&peer("bob", &bobs_did))?;
/// alice.set_ways("bob", &[Way::parse("mem:bob").ok_or("no way")?])?;
/// bob.add_peer(&peer("alice", &alices_did))?;
///
/// let mut config = NodeConfig::default();
/// let alice = Node::start(alice, alices_keys, vec![Arc::clone(&air)], config.clone()).await?;
/// config.listen = vec![Way::parse("mem:bob").ok_or("no way")?];
/// let bob = Node::start(bob, bobs_keys, vec![air], config).await?;
///
/// let hello = Message::new("https://didcomm.org/basicmessage/2.0/message");
/// alice.send("bob", hello, Submit::default()).await?; // it is on alice's disk now
/// let received = bob.receive().await.ok_or("bob's node ended")?;
/// assert_eq!(received.sender.as_deref(), Some(alices_did.did.as_str()));
/// received.done().await?; // it will not come again
///
/// alice.stop().await;
/// bob.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    desk: Arc<Desk>,
    submits: mpsc::Sender<Command>,
    commands: mpsc::Sender<Command>,
    events: broadcast::Sender<EventLine>,
    opened: watch::Receiver<u64>,
    inbox: Mutex<inbox::Inbox>,
    listening: Vec<Way>,
    troubles: Vec<String>,
    key: NodeKey,
    since: u64,
    depot: DepotConfig,
    driver: AbortHandle,
    /// Closed when the control socket is.
    served: watch::Receiver<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The events of a node, from when it was asked for on.
pub struct Events {
    from: broadcast::Receiver<EventLine>,
}

impl Events {
    /// The next event; none when the node has ended. Whoever is slow misses some, and is told
    /// how many.
    pub async fn next(&mut self) -> Option<EventLine> {
        match self.from.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(left_out(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event, if it has happened already.
    pub(crate) fn ready(&mut self) -> Option<EventLine> {
        match self.from.try_recv() {
            Ok(event) => Some(event),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Some(left_out(missed)),
            Err(_) => None,
        }
    }
}

fn left_out(missed: u64) -> EventLine {
    EventLine::Other {
        what: format!("{missed} events were left out"),
    }
}

impl Node {
    /// What happens, from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            from: self.inner.events.subscribe(),
        }
    }

    /// Where it listens, with ports that the system chose.
    #[must_use]
    pub fn listening(&self) -> Vec<Way> {
        self.inner.listening.clone()
    }

    /// What does not work, for people: ways that did not open, damaged records.
    #[must_use]
    pub fn troubles(&self) -> &[String] {
        &self.inner.troubles
    }

    /// Who it is on links; says nothing about whose it is.
    #[must_use]
    pub fn key(&self) -> NodeKey {
        self.inner.key
    }

    /// The agent's side: home, keys, documents.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.inner.desk
    }

    /// How it stands. None when it has ended.
    pub async fn status(&self) -> Option<StatusReport> {
        let mut status = self.ask(Command::Status).await?;
        let mut troubles = self.inner.troubles.clone();
        troubles.append(&mut status.troubles);
        Some(StatusReport {
            did: self.inner.desk.did().to_owned(),
            pid: std::process::id(),
            node: hex(self.inner.key),
            since: self.inner.since,
            quota_bytes: self.inner.depot.quotas.total_bytes,
            quota_strangers: self.inner.depot.quotas.strangers_bytes,
            listening: self
                .inner
                .listening
                .iter()
                .map(ToString::to_string)
                .collect(),
            troubles,
            ..status
        })
    }

    /// Is whoever has proven control of this DID at the other end of a link now?
    pub async fn is_here(&self, did: &str) -> bool {
        let here = self.ask(|answer| Command::Here(tag_of(did), answer));
        here.await.unwrap_or_default()
    }

    /// Who holds a copy of a message, and what happens to it next; none if this node holds it
    /// not.
    pub async fn why(&self, id: EnvelopeId) -> Option<WhyReport> {
        self.ask(|answer| Command::Why(id, answer)).await?
    }

    /// What could not be delivered.
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.ask(Command::DeadLetters).await.unwrap_or_default()
    }

    /// Takes a message back. Copies that others hold live on until they expire. Answers, after the
    /// commit, whether there was anything to take back: what was delivered is not.
    ///
    /// # Errors
    /// The disk did not take it, or the node has ended: the message may go on all the same.
    pub async fn forget(&self, id: EnvelopeId) -> Result<bool, DoneError> {
        self.changed(|answer| Command::Forget(id, answer)).await
    }

    /// Lets a dead letter try again. Answers, after the commit, whether it was one.
    ///
    /// # Errors
    /// The disk did not take it, or the node has ended: after a restart it may be dead again.
    pub async fn retry(&self, id: EnvelopeId) -> Result<bool, DoneError> {
        self.changed(|answer| Command::Retry(id, answer)).await
    }

    async fn changed(&self, command: impl FnOnce(Changed) -> Command) -> Result<bool, DoneError> {
        match self.ask(command).await {
            Some(outcome) => outcome.map_err(DoneError::Disk),
            None => Err(DoneError::Ended),
        }
    }

    /// The home was changed through another handle of it: look now, instead of soon.
    pub async fn poke(&self) {
        let _ = self.ask(Command::Poke).await;
    }

    /// Ends it gracefully: what was given to links is sent, what is being written is committed.
    pub async fn stop(self) {
        self.halt().await;
        self.ended().await;
    }

    /// Waits until it has ended, for whatever reason.
    pub async fn ended(&self) {
        self.inner.commands.closed().await;
        let mut served = self.inner.served.clone();
        while served.changed().await.is_ok() {}
    }

    /// The same as [`Self::stop`], for a client that still has to hear of it.
    pub(crate) async fn halt(&self) {
        let _ = self.ask(Command::Stop).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.inner.commands.send(command(answer)).await.ok()?;
        answered.await.ok()
    }

    /// From a handle that does not keep the node alive.
    pub(crate) fn upgrade(weak: &Weak<Inner>) -> Option<Self> {
        Some(Self {
            inner: weak.upgrade()?,
        })
    }
}
