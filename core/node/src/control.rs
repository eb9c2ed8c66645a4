//! The control socket: how another process asks a running node, and watches it.
//!
//! What is it: a Unix socket in the home (mode 0600, this user only) that speaks one JSON object
//! a line: the node says [`Reply::Hello`] first, then answers each [`Request`] with one
//! [`Reply`]; after [`Request::Watch`] it sends an event a line until either side closes. Who
//! calls it: the command line by [`Client`]; any program that can write JSON. What can go wrong:
//! no node runs ([`ClientError::NoNode`]); a request that makes no sense is answered with
//! [`Reply::Error`], one that is too long ends the conversation. Whoever is slow or hostile costs
//! bounded memory: [`MAX_LINE`] bytes, a bounded number of events, and one of 32 seats.
//!
//! Long messages do not travel here: queue them in the home's outbox, then [`Request::Poke`].

mod client;
mod line;
pub mod place;
mod report;
mod server;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client::{Client, ClientError, Watch};
pub use report::{
    DeadLetter, EventLine, LinkReport, Refusal, StatusReport, TakerReport, WhyReport,
};
pub(crate) use server::Server;

/// The version of this protocol. A client and a node of different ones do not talk.
pub const VERSION: u32 = 1;
/// Longest line in either direction, in bytes.
pub const MAX_LINE: usize = 256 << 10;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Request {
    /// Packs a message for a peer and takes it on. Answered by [`Reply::Queued`], after the
    /// commit.
    Send {
        /// The peer's name or DID.
        to: String,
        /// The plaintext: `type` and `body`, and whatever else a DIDComm message has. `id` and
        /// `from` are filled in.
        message: Value,
        /// Only by these transports.
        #[serde(default)]
        by: Vec<String>,
        /// `bulk`, `normal` or `urgent`.
        #[serde(default)]
        priority: Urgency,
    },
    /// Takes on a packed message. Answered by [`Reply::Queued`], after the commit.
    Submit(Parcel),
    /// Takes on many packed messages, which share what a commit costs. Answered by
    /// [`Reply::QueuedAll`], after the last commit.
    SubmitAll {
        /// As many as a line holds.
        parcels: Vec<Parcel>,
    },
    /// How does the node stand? Answered by [`Reply::Status`].
    Status,
    /// From now on, a line for each event.
    Watch,
    /// Who holds a copy of this message, and what happens next? Answered by [`Reply::Why`].
    Why {
        /// The envelope's id, its beginning, or the message's own id.
        id: String,
    },
    /// Takes a message back. Answered by [`Reply::Done`].
    Forget {
        /// As for `Why`.
        id: String,
    },
    /// Lets a dead letter try again. Answered by [`Reply::Done`].
    Retry {
        /// As for `Why`.
        id: String,
    },
    /// What could not be delivered. Answered by [`Reply::DeadLetters`].
    DeadLetters,
    /// The outbox, the address book or the inbox has changed: look now. Answered by
    /// [`Reply::Done`].
    Poke,
    /// Ends the node, gracefully. Answered by [`Reply::Done`]; the socket is gone when the node
    /// is.
    Stop,
}

/// A packed message, and how it shall go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// The recipient's name or DID.
    pub to: String,
    /// The packed message, as text (JSON).
    pub packed: String,
    /// Posix seconds after which nobody carries it any more.
    #[serde(default)]
    pub expires: Option<u64>,
    /// Only by these transports.
    #[serde(default)]
    pub by: Vec<String>,
    /// `bulk`, `normal` or `urgent`.
    #[serde(default)]
    pub priority: Urgency,
}

/// What became of one of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Taken on, durably; its envelope.
    Queued(String),
    /// Not taken on; why, for people.
    Refused(String),
}

/// What goes first when a link is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// When nothing else waits.
    Bulk,
    /// The usual.
    #[default]
    Normal,
    /// Before everything else.
    Urgent,
}

impl From<Urgency> for packmule_bus::label::Priority {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Bulk => Self::Bulk,
            Urgency::Normal => Self::Normal,
            Urgency::Urgent => Self::Urgent,
        }
    }
}

/// What the node answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reply {
    /// The first line of every conversation.
    Hello {
        /// The protocol's version.
        version: u32,
        /// The node's process.
        pid: u32,
        /// Whose node it is.
        did: String,
    },
    /// Taken on, durably.
    Queued {
        /// The message's own id, where it is known.
        message_id: Option<String>,
        /// Its envelopes.
        ids: Vec<String>,
    },
    /// What became of each parcel, in their order.
    QueuedAll {
        /// Durable, if taken on.
        outcomes: Vec<Outcome>,
    },
    /// How the node stands.
    Status(Box<StatusReport>),
    /// Something happened.
    Event(EventLine),
    /// So many events were left out, because the client read too slowly.
    Missed {
        /// How many.
        events: u64,
    },
    /// Who holds a copy, if the node knows of the message.
    Why {
        /// Nothing: this node does not hold it.
        why: Option<Box<WhyReport>>,
    },
    /// What could not be delivered; as many as a line holds.
    DeadLetters {
        /// The letters.
        letters: Vec<DeadLetter>,
        /// How many more there are.
        more: usize,
    },
    /// It is done, or there was nothing to do.
    Done {
        /// Whether anything changed.
        changed: bool,
    },
    /// It was not done.
    Error {
        /// Why, for people.
        why: String,
    },
}
