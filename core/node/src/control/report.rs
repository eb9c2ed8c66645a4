//! What a node tells of itself: lines for people and scripts.
//!
//! Called by the node's views and by whoever reads them through the control socket. Ids are the
//! 52 characters of an envelope id, nodes 64 hex digits, times posix seconds.

use serde::{Deserialize, Serialize};

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// Whose node it is.
    pub did: String,
    /// Its process.
    pub pid: u32,
    /// Its link key, as others see it.
    pub node: String,
    /// Since when it runs.
    pub since: u64,
    /// Where it listens.
    pub listening: Vec<String>,
    /// Messages held, for us, and being received.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The most of them.
    pub quota_bytes: u64,
    /// Bytes of what strangers gave.
    pub strangers_bytes: u64,
    /// The most of them.
    pub quota_strangers: u64,
    /// Dead letters.
    pub dead: usize,
    /// Receipts kept to be passed on.
    pub receipts: usize,
    /// Messages that are coming in.
    pub arriving: usize,
    /// Bytes on their way to the disk.
    pub writing_bytes: usize,
    /// Why nothing is taken on now, if the disk refuses.
    pub disk: Option<String>,
    /// Every link.
    pub links: Vec<LinkReport>,
    /// What went wrong with the node itself: ways that cannot be listened on, damaged records, what
    /// cannot be opened or taken from the outbox for the moment.
    pub troubles: Vec<String>,
}

/// How a link stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkReport {
    /// Its number.
    pub link: u64,
    /// The transport's name.
    pub transport: String,
    /// The way that was dialled, if we did.
    pub way: Option<String>,
    /// The node at the other end, once it is known.
    pub node: Option<String>,
    /// The peers it has proven to be, by name; others by tag.
    pub proven: Vec<String>,
    /// What we offer there and they have not settled.
    pub outgoing: usize,
    /// What they offer and we have not settled.
    pub incoming: usize,
}

/// Who holds copies of a message, and what happens to it next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WhyReport {
    /// The message.
    pub id: String,
    /// `own`, `carried` or `mailbox`.
    pub origin: String,
    /// How far it has come: `queued`, `custody`, `delivered`, `expired`, or `refused: …`.
    pub rung: String,
    /// The length of its wire form.
    pub bytes: u64,
    /// When it came.
    pub since: u64,
    /// When its time is over.
    pub expires: Option<u64>,
    /// Hops it may still make.
    pub hops: u8,
    /// Copies this node may still bring into the world, its own included.
    pub copies: u16,
    /// Who has taken copies, or may have.
    pub takers: Vec<TakerReport>,
    /// Who refused it.
    pub refusals: Vec<Refusal>,
    /// What happens next, for people.
    pub next: Vec<String>,
}

/// Who took a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TakerReport {
    /// The node; none for a mailbox.
    pub node: Option<String>,
    /// By which transport.
    pub transport: String,
    /// When.
    pub at: u64,
    /// It said that it has it; otherwise it may have.
    pub sure: bool,
}

/// Who refused a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The node.
    pub node: String,
    /// Why, for people.
    pub why: String,
    /// Seconds until it is offered there again, if it will be.
    pub again_in: Option<u64>,
}

/// What could not be delivered. Its bytes are exported from the home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The message.
    pub id: String,
    /// `own`, `carried` or `mailbox`.
    pub origin: String,
    /// Why, for people.
    pub why: String,
    /// The length of its wire form.
    pub bytes: u64,
    /// When it came.
    pub since: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventLine {
    /// A message for us is durable here.
    Received {
        /// The message.
        id: String,
        /// What brought it.
        transport: String,
    },
    /// A message of ours has come so far.
    Progress {
        /// The message.
        id: String,
        /// `queued`, `custody`, `delivered`, `expired`, or `refused: …`.
        rung: String,
        /// The node that said so.
        node: Option<String>,
        /// The transport.
        transport: Option<String>,
    },
    /// A bundle of somebody else is in our custody now.
    Carrying {
        /// The message.
        id: String,
    },
    /// A message became a dead letter.
    Dead {
        /// The message.
        id: String,
        /// Why, for people.
        why: String,
    },
    /// A carried bundle made room for another.
    Evicted {
        /// The message.
        id: String,
    },
    /// A node is at the other end of a link.
    Met {
        /// The link.
        link: u64,
        /// The node.
        node: String,
    },
    /// It has proven control of a DID.
    Proved {
        /// The link.
        link: u64,
        /// The peer's name, or the DID's tag.
        who: String,
    },
    /// A link's session ended.
    Parted {
        /// The link.
        link: u64,
        /// Why, for people.
        why: String,
    },
    /// The disk refuses: nothing is taken on until it has room.
    DiskFull,
    /// It has room again.
    DiskRoom,
    /// Anything else, for people.
    Other {
        /// What.
        what: String,
    },
}
