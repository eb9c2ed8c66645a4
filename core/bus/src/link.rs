//! What a transport implements: links, mailboxes, beacons, and the transport that opens them.
//!
//! What is it: the traits between the adapters (one crate for each kind of channel) and whoever
//! drives a bus. They name no runtime: futures are boxed, so that adapters are `dyn`. Who calls
//! it: the node's driver, the conformance suite. What can go wrong: each promise below is one
//! that the suite in `tests/conformance` checks; an adapter that breaks one loses messages.
//!
//! An adapter holds no retries, timers, segmentation or queues: if it needs one, the heart lacks
//! something.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use crate::Kind;

/// A boxed future that any runtime can drive.
pub type BoxFut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where and by which transport: `tcp://192.168.1.7:4460`, `drive:/media/stick`.
///
/// The part before the first `:` is the transport's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Way(String);

impl Way {
    /// Reads a way. `None` unless it is a transport's name (lower-case letters and digits), a
    /// colon and something after it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once(':')?;
        let named = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        (named && !rest.is_empty() && text.len() <= 2048).then(|| Self(text.to_owned()))
    }

    /// The transport's name.
    #[must_use]
    pub fn transport(&self) -> &str {
        self.0.split_once(':').map_or("", |(name, _)| name)
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a link is like: facts, not names, decide how a session uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkFacts {
    /// The longest PDU in bytes.
    pub mtu: usize,
    /// PDUs arrive in the order they were sent.
    pub ordered: bool,
    /// Every PDU arrives, unchanged and once, or the link goes down.
    pub reliable: bool,
    /// Only one side can send at a time.
    pub half_duplex: bool,
    /// The link itself keeps strangers from reading: no cipher of ours is needed.
    pub sealed: bool,
    /// About how many bytes it moves in a second, if the adapter knows.
    pub rate: Option<u32>,
}

impl LinkFacts {
    /// One asks, the other answers, and after any of these exchanges both may part, as in a touch:
    /// then what one PDU brings has to be of use without the next one.
    pub(crate) const fn is_brief(&self) -> bool {
        self.half_duplex && self.ordered && self.reliable && self.mtu >= BRIEF
    }

    /// Is it so slow that what one PDU brings is worth a write to the disk?
    pub(crate) fn is_dear(&self) -> bool {
        self.is_brief() && self.rate.is_some_and(|rate| rate <= DEAR)
    }
}

/// In shorter PDUs a record for each would cost too much of them.
const BRIEF: usize = 200;
/// Bytes in a second: 106 to 848 kbit/s of NFC, and no more.
const DEAR: u32 = 32_000;

/// Which side opened a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// This one did: it speaks first.
    Dialer,
    /// The other one did.
    Listener,
}

/// The sending half of a link.
pub trait LinkTx: Send {
    /// Sends one PDU of 1 to MTU bytes, waiting until the medium takes it: back-pressure. `Ok`
    /// means that the medium took it, not that anybody has it. A PDU above the MTU is
    /// [`LinkError::TooLarge`] and the link goes on; so it does after an empty one, which is
    /// carried or [`LinkError::Refused`]. Of a future that is dropped the whole PDU may still go,
    /// or nothing; later ones are whole. Once it fails otherwise, it goes on failing.
    fn send(&mut self, pdu: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>>;
}

/// The receiving half of a link.
pub trait LinkRx: Send {
    /// The next PDU. Cancel-safe: a future that is dropped loses none. [`LinkError::Closed`]
    /// once the other side or the medium is gone, then always; on a reliable link not before
    /// everything that the medium took has come.
    fn recv(&mut self) -> BoxFut<'_, Result<Vec<u8>, LinkError>>;
}

/// A live two-way adjacency. Dropping both halves closes it.
pub struct Link {
    /// What it is like.
    pub facts: LinkFacts,
    /// Who opened it.
    pub role: Role,
    /// A word for the other side, for people: an address, a device name.
    pub with: String,
    /// The sending half.
    pub tx: Box<dyn LinkTx>,
    /// The receiving half.
    pub rx: Box<dyn LinkRx>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("facts", &self.facts)
            .field("role", &self.role)
            .field("with", &self.with)
            .finish_non_exhaustive()
    }
}

/// Tells a source that a message is durable here: delete it, mark it, acknowledge it.
pub trait Settle: Send {
    /// Called after the commit, or not at all; then the message comes again. In a live
    /// conversation (a WebSocket) the sender hears only now that it was taken; dropped instead,
    /// it ends the conversation, so that the sender hears the contrary.
    fn settle(self: Box<Self>) -> BoxFut<'static, Result<(), LinkError>>;
}

/// A whole message that came by a mailbox.
pub struct Collected {
    /// The packed message, or one of our own forms.
    pub bytes: Vec<u8>,
    /// What to call once it is durable.
    pub settle: Box<dyn Settle>,
}

/// A one-way drop of whole messages: HTTP, e-mail, a queue, a folder.
pub trait Mailbox: Send + Sync {
    /// Hands a packed message over. `Ok` means that the next hop has it as durably as the
    /// channel's convention promises.
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>>;

    /// The next message that waits for us. Cancel-safe. [`LinkError::Closed`] when the mailbox
    /// is one that only sends, or is gone.
    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>>;
}

/// A one-way show of frames: QR codes, a tag, advertisements.
pub trait Beacon: Send {
    /// Shows one frame. `Ok` means that it was shown, not that anybody looked.
    fn show(&mut self, frame: Vec<u8>) -> BoxFut<'_, Result<(), LinkError>>;
}

/// What opening a way, or listening on one, leads to.
#[non_exhaustive]
pub enum Port {
    /// A link, for a session.
    Link(Link),
    /// A mailbox.
    Mailbox(Box<dyn Mailbox>),
    /// A beacon.
    Beacon(Box<dyn Beacon>),
}

/// Whoever waits for others to open links or mailboxes.
pub trait Listener: Send {
    /// Where it listens, with everything that the system chose (a port) filled in.
    fn way(&self) -> Way;

    /// The next port that somebody opened. Cancel-safe. One bad visitor is no error: only a
    /// listener that is gone answers with one.
    fn accept(&mut self) -> BoxFut<'_, Result<Port, OpenError>>;
}

/// What a transport needs and whether it is there, for `packmule doctor`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Whether it can work here now.
    pub ready: bool,
    /// What was found, or what is missing and how to get it; for people.
    pub finding: String,
}

impl Probe {
    /// What an attempt tells: `ready` when it went well, else `missing` and the reason.
    #[must_use]
    pub fn tried<T>(attempt: io::Result<T>, ready: &str, missing: &str) -> Self {
        let finding = match &attempt {
            Ok(_) => ready.to_owned(),
            Err(fault) => format!("{missing}: {fault}"),
        };
        Self {
            ready: attempt.is_ok(),
            finding,
        }
    }
}

/// An adapter for one kind of channel.
pub trait Transport: Send + Sync {
    /// Its name: what its ways begin with.
    fn name(&self) -> &'static str;

    /// Is there a radio, a permission, a daemon?
    fn probe(&self) -> BoxFut<'_, Probe>;

    /// Opens a way.
    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>>;

    /// Listens on a way.
    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>>;

    /// Looks for neighbours of our own kind and lets them find what listens at `ours`, without a
    /// word about who we are. `None`: this transport finds nobody by itself.
    fn scout(&self, ours: &[Way]) -> Option<Box<dyn Scout>> {
        let _ = ours;
        None
    }
}

/// Whoever looks for neighbours. Dropping it ends the looking and the being found.
pub trait Scout: Send {
    /// The next way that turned up; the same one may come again. Cancel-safe.
    fn next(&mut self) -> BoxFut<'_, Result<Way, OpenError>>;
}

/// Why a PDU or a message did not go or come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The other side or the medium is gone.
    #[error("the link is closed")]
    Closed,
    /// Longer than the medium takes.
    #[error("{bytes} bytes are more than the medium takes ({limit})")]
    TooLarge {
        /// The length that was refused.
        bytes: usize,
        /// The longest that goes.
        limit: usize,
    },
    /// The other side will not have it, ever.
    #[error("refused: {0}")]
    Refused(String),
    /// Not now; perhaps later.
    #[error("busy: {0}")]
    Busy(String),
    /// The medium.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Why a way did not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The way makes no sense to this transport.
    #[error("{way} is not a way of {transport}: {why}")]
    BadWay {
        /// The transport asked.
        transport: &'static str,
        /// The way.
        way: Way,
        /// What it should be.
        why: String,
    },
    /// What the transport needs is missing; see [`Transport::probe`].
    #[error("{0}")]
    Unavailable(String),
    /// This transport cannot do that.
    #[error("{0} cannot do that")]
    Unsupported(&'static str),
    /// Nobody answered, or not properly.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The medium.
    #[error("{0}")]
    Io(#[from] io::Error),
}
