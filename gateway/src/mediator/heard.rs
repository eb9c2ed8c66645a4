//! How a message came, and what follows from it: what the mediator and the office tell each other.
//!
//! Values without a will of their own; nothing can go wrong here.

use packmule_agent::message::Message;
use packmule_agent::protocol::pickup;
use packmule_bus::EnvelopeId;
use packmule_node::desk::Letter;

use crate::store::{Moment, canonical};

/// Which door a message came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// A request that one answer goes back on.
    Http,
    /// A WebSocket, by its number.
    Socket(u64),
    /// The node: any link or mailbox of it.
    Bus,
    /// It waited at a mediator that we are a client of.
    Uplink,
}

impl Via {
    /// A word for it, for operators.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Socket(_) => "websocket",
            Self::Bus => "link",
            Self::Uplink => "mediator",
        }
    }

    /// The number of its WebSocket, if it came by one.
    #[must_use]
    pub const fn socket(self) -> Option<u64> {
        match self {
            Self::Socket(number) => Some(number),
            _ => None,
        }
    }
}

/// How a message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// By which door.
    pub via: Via,
    /// Whether messages can still be pushed there later.
    pub persistent: bool,
    /// Whether live delivery is on there.
    pub live: bool,
    /// A name for the quota of senders who do not say who they are, such as the class of their
    /// address.
    pub from: Option<String>,
    /// How many forwards to ourselves it was taken out of; see [`Heard::inner`].
    pub nested: u8,
}

impl Visit {
    /// By this door, with nothing more known.
    #[must_use]
    pub const fn by(via: Via) -> Self {
        Self {
            via,
            persistent: matches!(via, Via::Socket(_)),
            live: false,
            from: None,
            nested: 0,
        }
    }
}

/// A message that was put into a mailbox just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Whose mailbox.
    pub account: String,
    /// For which of its DIDs.
    pub recipient: String,
    /// The message's name.
    pub id: EnvelopeId,
    /// The packed message.
    pub packed: Vec<u8>,
    /// Not to be given out before; zero for at once.
    pub not_before: Moment,
    /// When it ends.
    pub expires: Moment,
}

/// A message for somebody who has no mailbox here, to be carried if the gateway's policy is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Whom it is for.
    pub next: String,
    /// The packed message.
    pub packed: Vec<u8>,
    /// When it ends.
    pub expires: Moment,
}

/// A wish about live delivery on the connection that it came by.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// On, or off.
    pub wanted: bool,
    /// Whose messages.
    pub account: String,
    /// The version in which they are delivered.
    pub version: pickup::Version,
    /// What asked for it; deliveries go to its sender.
    pub(super) about: Message,
}

impl Live {
    /// Its account goes by this DID from now on.
    pub fn rename(&mut self, did: &str) {
        self.account = canonical(did).to_owned();
        self.about.from = Some(did.to_owned());
    }
}

/// Why a message was not taken on, for the sender's transport: nobody may believe it is safe here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It makes no sense, and never will.
    Malformed,
    /// It is longer than we take.
    TooLarge,
    /// There is no room now.
    Full,
    /// The store failed.
    Failed,
}

/// What follows from a message.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Heard {
    /// Answers as plaintexts, from us to who asked: to be packed and sent.
    pub replies: Vec<Message>,
    /// Whether the sender wants answers on the connection that the message came by
    /// (`return_route`).
    pub back: bool,
    /// Live delivery on this connection goes on or off.
    pub live: Option<Live>,
    /// What was put into mailboxes.
    pub stored: Vec<Stored>,
    /// What the sender's account has, by its word: names that may be no message of its own.
    pub acked: Vec<EnvelopeId>,
    /// What is for somebody else, if the policy lets it be carried.
    pub strays: Vec<Stray>,
    /// Packed messages in a forward to ourselves: to be opened and heard with
    /// [`Visit::nested`] one higher.
    pub inner: Vec<Vec<u8>>,
    /// No business of a mediator: for the node's desk.
    pub for_us: Option<Letter>,
    /// An account goes by another DID from now on: the old one, the new one.
    pub moved: Option<(String, String)>,
    /// Who was granted a mailbox, by a DID that has a shorter form: its owner may use that from now
    /// on, and only this one tells its keys.
    pub met: Option<String>,
    /// Why it was not taken on. When there is a reply too, that says the same to its sender.
    pub trouble: Option<Trouble>,
}
