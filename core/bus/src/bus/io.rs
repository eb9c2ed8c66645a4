//! What goes into a bus and what comes out: the whole of its contact with the world.
//!
//! What is it: plain values. Who calls it: drivers (`core/node` in life, `sim` by a seed). What
//! can go wrong: nothing here. The rule that drivers keep: drain every output of one input
//! before giving the next; answer each `Persist`, `Fetch`, `Prove`, `Verify`, `Sign`, `Dial` and
//! `Deliver` once, in any order, whenever it is done.

use std::ops::Range;

use crate::hash::sha256;
use crate::label::{DidTag, Label};
use crate::link::{LinkFacts, Role, Way};
use crate::receipt::{Reason, Receipt, Rung};
use crate::{Envelope, EnvelopeId, Fragment};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u64);
    };
}
number!(/// A link, as its driver numbers it; never used for another one later.
    LinkId);
number!(/// A batch of changes, numbered by the bus.
    BatchId);
number!(/// What a mailbox waits for, numbered by the driver.
    SettleId);
number!(/// A question of the bus, numbered by the bus.
    AskId);

/// The other node's link key (Noise static public key): who a link leads to, and nothing about
/// which person that is. On links without our cipher: what the node says it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeKey(pub [u8; 32]);

/// The name of a wire form: the first 16 bytes of its SHA-256. Partials with equal names merge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WireHash(pub [u8; 16]);

impl WireHash {
    /// The name of these bytes.
    #[must_use]
    pub fn of(wire: &[u8]) -> Self {
        let mut hash = [0; 16];
        hash.copy_from_slice(sha256(wire).split_at(16).0);
        Self(hash)
    }
}

/// A message to carry.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The message's name.
    pub id: EnvelopeId,
    /// Its wire form, by whoever has the message: it is not decoded here.
    pub wire: Vec<u8>,
    /// For whom, and how.
    pub label: Label,
    /// Only by these transports, in this order; empty: whatever works.
    pub by: Vec<String>,
}

impl Submission {
    /// Of this message.
    #[must_use]
    pub fn of(envelope: &Envelope, label: Label, by: Vec<String>) -> Self {
        Self {
            id: envelope.id(),
            wire: envelope.to_wire(),
            label,
            by,
        }
    }
}

/// Control of a DID, to be proven to the other end of one link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The DID.
    pub did: String,
    /// The id of the authentication key that signed.
    pub kid: String,
    /// The signature over [`Claim::statement`].
    pub signature: Vec<u8>,
}

impl Claim {
    /// The bytes that are signed: a domain, the handshake's hash, which end speaks, the DID.
    #[must_use]
    pub fn statement(did: &str, hash: &[u8; 32], speaker: Role) -> Vec<u8> {
        let mut text = b"packmule claim v1\0".to_vec();
        text.push(match speaker {
            Role::Dialer => 1,
            Role::Listener => 2,
        });
        text.extend_from_slice(hash);
        text.extend_from_slice(did.as_bytes());
        text
    }
}

/// What the bus hears.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// The DIDs of this node's own agent; replaces what was said before.
    Identity(Vec<DidTag>),
    /// The ways by which a recipient can be reached, best first; replaces.
    Ways(DidTag, Vec<Way>),
    /// The same, of somebody who is no peer of ours: it is reached, and nothing more is owed to it.
    StrangersWays(DidTag, Vec<Way>),
    /// A message of our own. Answered by an event with its id, after the commit.
    Submit(Submission),
    /// A link is there. It takes no PDU before `Room`.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// What it is like.
        facts: LinkFacts,
        /// Who opened it.
        role: Role,
        /// The transport's name.
        transport: String,
        /// The way that was dialled, if we did.
        way: Option<Way>,
    },
    /// A link is gone.
    LinkDown(LinkId),
    /// A link takes so many more PDUs.
    Room(LinkId, usize),
    /// A PDU came.
    Pdu(LinkId, Vec<u8>),
    /// A way of `Dial` did not open, and why, for people. (If it opened: `LinkUp` with it.)
    DialFailed(Way, String),
    /// A way turned up by itself (discovery on the LAN, a radio in range).
    Sighted(Way),
    /// A way of `Dial` opened, and is a mailbox: hand to it with `Deliver`.
    MailboxUp(Way),
    /// A whole message came by a mailbox.
    Whole {
        /// The transport's name.
        transport: String,
        /// The message.
        envelope: Envelope,
        /// Its recipients, as its header names them.
        to: Vec<DidTag>,
        /// What to settle once it is durable.
        settle: SettleId,
    },
    /// The answer to `Deliver`: taken by the next hop, or not.
    Handed {
        /// The message.
        id: EnvelopeId,
        /// The way.
        way: Way,
        /// Why not.
        outcome: Result<(), HandFault>,
    },
    /// What other media (codes) have brought of wire forms by now; replaces what was said before.
    /// Links are asked for the rest of them.
    Known(Vec<Fragment>),
    /// A batch is durable.
    Committed(BatchId),
    /// A batch is not, and nothing of it is.
    Failed(BatchId, DiskFault),
    /// The answer to `Fetch`: the wire form, if the store has it.
    Fetched(EnvelopeId, Option<Vec<u8>>),
    /// The answer to `Prove`.
    Proven(AskId, Vec<Claim>),
    /// The answer to `Verify`.
    Verified(AskId, bool),
    /// The answer to `Sign`: nothing if no key is at hand.
    Signed(AskId, Option<Receipt>),
    /// The agent has opened a message that came for it: kept, or refused with a reason. The
    /// driver has made that durable in the batch of its own that recorded it.
    Acknowledge(EnvelopeId, Option<Reason>),
    /// The recipient has told our agent, in a message that proves who wrote it, that it has this
    /// one of ours: an acknowledgement where no receipt comes back, by mail for one. That is
    /// durable in the driver's own store.
    Answered(EnvelopeId),
    /// A receipt that came in a message: its signature is asked for like that of any other, and
    /// it travels on by links, so that whoever carries a copy lets go of it.
    Receipt(Receipt),
    /// A person takes a message back.
    Forget(EnvelopeId),
    /// A person lets a dead letter try again.
    Retry(EnvelopeId),
    /// The node stops: say goodbye on every link, as far as there is room, and close them.
    Leave,
    /// The deadline has come.
    Timeout,
}

/// Why a way did not take a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HandFault {
    /// Not now.
    Later(String),
    /// Never, by this way.
    Never(String),
}

/// Why a batch was not written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DiskFault {
    /// No room.
    Full,
    /// Anything else.
    Broken,
}

/// What the bus says.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a PDU; never more than there is room for.
    Transmit(LinkId, Vec<u8>),
    /// Write all of these or none, durably.
    Persist(BatchId, Vec<Op>),
    /// Bring the wire form of a message that is held.
    Fetch(EnvelopeId),
    /// Sign claims for our DIDs over this handshake.
    Prove {
        /// Which question.
        ask: AskId,
        /// The handshake's hash.
        hash: [u8; 32],
        /// Which end of the link we are.
        role: Role,
    },
    /// Is this statement signed by an authentication key of this DID?
    Verify {
        /// Which question.
        ask: AskId,
        /// The DID.
        did: String,
        /// The id of the key.
        kid: String,
        /// What is signed.
        statement: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
    /// Sign a receipt for messages to this DID of ours.
    Sign {
        /// Which question.
        ask: AskId,
        /// Which of our DIDs speaks.
        by: DidTag,
        /// The messages, ascending.
        ids: Vec<EnvelopeId>,
        /// Delivered, or refused with this reason.
        refused: Option<Reason>,
        /// Posix seconds to put in.
        at: u64,
    },
    /// Open a way.
    Dial(Way),
    /// Hand a message to a mailbox.
    Deliver {
        /// The message.
        id: EnvelopeId,
        /// Where.
        way: Way,
        /// Its wire form; the driver makes of it what the channel's convention wants.
        wire: Vec<u8>,
    },
    /// Close a link.
    Close(LinkId),
    /// A mailbox may let go of this.
    Settle(SettleId),
    /// This was not taken and is not settled: it goes back to its mailbox, which may give it
    /// again after a while, under another number. Each [`Input::Whole`] leads to one of the two.
    Unsettle(SettleId),
    /// Something to tell.
    Event(Event),
}

/// One change of what is durable. `Record`s are what [`super::Bus::restore`] reads back.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Op {
    /// Writes a record, in place of one with the same key.
    Put(Record),
    /// Removes the record with this key, if it is there.
    Drop(Key),
    /// Keeps a wire form until its `Drop(Key::Held)` or `Drop(Key::Inbox)`.
    Body(EnvelopeId, Vec<u8>),
}

/// Something that outlives the process.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Record {
    /// A bundle that is carried; its body is kept beside it.
    Held(Held),
    /// A message for our own agent that it has not acknowledged; its body is kept beside it.
    Inbox(Arrived),
    /// An id that must not be taken again, until posix seconds (or for ever).
    Seen(EnvelopeId, Option<u64>),
    /// A receipt to pass on.
    Receipt(Receipt),
    /// What is held of a wire form that is still coming.
    Partial(Partial),
}

/// What a record is replaced and removed by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Key {
    /// Of [`Record::Held`].
    Held(EnvelopeId),
    /// Of [`Record::Inbox`].
    Inbox(EnvelopeId),
    /// Of [`Record::Seen`].
    Seen(EnvelopeId),
    /// Of [`Record::Receipt`]: its signature.
    Receipt(Vec<u8>),
    /// Of [`Record::Partial`].
    Partial(WireHash),
}

impl Record {
    /// The key of this record.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Held(held) => Key::Held(held.id),
            Self::Inbox(arrived) => Key::Inbox(arrived.id),
            Self::Seen(id, _) => Key::Seen(*id),
            Self::Receipt(receipt) => Key::Receipt(receipt.signature.clone()),
            Self::Partial(partial) => Key::Partial(partial.wire),
        }
    }
}

/// A bundle in custody, without its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The message.
    pub id: EnvelopeId,
    /// The name of its wire form.
    pub wire: WireHash,
    /// The length of its wire form.
    pub bytes: u64,
    /// Recipient, expiry, priority, hops, copies; as they are here.
    pub label: Label,
    /// Whose it is.
    pub origin: Origin,
    /// When it came, posix seconds.
    pub since: u64,
    /// Only by these transports; empty: any.
    pub by: Vec<String>,
    /// Who has taken copies, when (posix seconds), by which transport.
    pub takers: Vec<Taker>,
    /// How it stands.
    pub state: HeldState,
}

/// Whose a bundle is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Our own agent's.
    Own,
    /// Carried, as this node gave it: a stranger's.
    From(NodeKey),
    /// Carried, as this node gave it, which had proven the DID of a peer of ours.
    Friend(NodeKey),
    /// Carried, as a mailbox gave it: a stranger's.
    Mailbox,
}

/// Who took a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taker {
    /// The node; none for a mailbox.
    pub node: Option<NodeKey>,
    /// By which transport.
    pub transport: String,
    /// Posix seconds.
    pub at: u64,
    /// Copies that went with it.
    pub copies: u16,
    /// It said that it has custody. `false`: copies were promised to it, durably, before the
    /// offer left; they are its until it says that it did not take them.
    pub sure: bool,
}

/// How a held bundle stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeldState {
    /// It waits for a contact.
    Waiting,
    /// Our own, delivered: kept as a row without a body, for whoever asks.
    Delivered,
    /// A dead letter: a person may retry or export it.
    Dead(Reason),
}

/// A message for our own agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    /// The message.
    pub id: EnvelopeId,
    /// Which of our DIDs it is for.
    pub to: DidTag,
    /// The length of its wire form.
    pub bytes: u64,
    /// The transport's name.
    pub transport: String,
    /// Posix seconds.
    pub at: u64,
    /// When it may be forgotten that it was ever seen.
    pub expires: Option<u64>,
    /// The agent has acknowledged it: kept or refused. Its receipt may not have gone yet.
    pub acknowledged: Option<Verdict>,
}

/// What the agent said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It has it.
    Kept,
    /// It will not have it.
    Refused(Reason),
}

/// What is held of a wire form that is still coming. Belongs to the store, not to a link.
#[derive(Clone, PartialEq, Debug)]
pub struct Partial {
    /// The wire form.
    pub wire: WireHash,
    /// The message it will be.
    pub id: EnvelopeId,
    /// Its length.
    pub bytes: u64,
    /// Its label as last offered.
    pub label: Label,
    /// The ranges that are here and their bytes, ascending, not adjacent.
    pub pieces: Vec<(Range<u64>, Vec<u8>)>,
    /// Posix seconds when it last grew.
    pub at: u64,
}

/// Something that whoever runs the bus may want to show.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A message for our own agent is durable here. Said again after a restart, until it is
    /// acknowledged.
    Received(Arrived),
    /// A message of ours has come so far. `Queued` means fsynced.
    Progress {
        /// The message.
        id: EnvelopeId,
        /// How far.
        rung: Rung,
        /// The node that said so.
        by: Option<NodeKey>,
        /// The transport.
        transport: Option<String>,
    },
    /// A bundle of somebody else is in our custody now.
    Carrying(EnvelopeId),
    /// A submission was not taken.
    NotTaken(EnvelopeId, Reason),
    /// A bundle became a dead letter.
    Dead(EnvelopeId, Reason),
    /// A carried bundle made room for another: others hold copies of it.
    Evicted(EnvelopeId),
    /// A node is at the other end of a link.
    Met(LinkId, NodeKey),
    /// It has proven control of a DID.
    Proved(LinkId, DidTag),
    /// A link's session ended, and why, for people.
    Parted(LinkId, String),
    /// The disk refuses: nothing is taken on until it has room.
    DiskFull,
    /// It has room again.
    DiskRoom,
}
