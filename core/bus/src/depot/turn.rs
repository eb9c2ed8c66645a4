//! The words between a depot and the bus around it.
//!
//! What is it: plain values. Who calls it: the bus, the trace replay, tests. What can go wrong:
//! whoever lets an effect out before the ops of the same turn are committed breaks the law of
//! durability; the bus's gate is the one place that sees to it.

use crate::EnvelopeId;
use crate::bus::io::{Event, LinkId, NodeKey, Op, Origin, Taker, WireHash};
use crate::label::{DidTag, Label};
use crate::link::Way;
use crate::receipt::{Reason, Receipt, Rung};

/// A bundle without its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meta {
    /// The message.
    pub id: EnvelopeId,
    /// The name of its wire form.
    pub wire: WireHash,
    /// The length of its wire form.
    pub bytes: u64,
    /// As it was offered, or as it is to be offered.
    pub label: Label,
}

/// Something to offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lot {
    /// What; its label is the one for the wire.
    pub meta: Meta,
    /// Within a priority, smaller goes first.
    pub age: u64,
}

/// What a call changed, and what to say once that is durable.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Turn {
    /// Changes, to be committed together, in this order.
    pub ops: Vec<Op>,
    /// What happens after the commit; at once if there are no changes.
    pub effects: Vec<Effect>,
}

impl Turn {
    pub(super) fn tell(&mut self, event: Event) {
        self.effects.push(Effect::Event(event));
    }
}

/// What happens after a commit.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Offer this now. If the batch fails instead: [`super::Depot::recall`].
    Offer {
        /// On which link.
        link: LinkId,
        /// What.
        lot: Lot,
    },
    /// Take an offer back: the bundle is gone.
    Withdraw {
        /// On which link.
        link: LinkId,
        /// Which.
        id: EnvelopeId,
    },
    /// Drop what is here of a message whose link is gone: it makes way for another.
    Discard(EnvelopeId),
    /// Pass receipts on, to everyone met.
    Tell {
        /// New ones.
        receipts: Vec<Receipt>,
        /// Not to where they came from.
        except: Option<LinkId>,
    },
    /// Have a receipt signed; [`super::Depot::signed`] is the answer.
    Sign {
        /// Which of our DIDs speaks.
        by: DidTag,
        /// The messages, ascending.
        ids: Vec<EnvelopeId>,
        /// Delivered, or refused with this reason.
        refused: Option<Reason>,
    },
    /// Something to show.
    Event(Event),
}

/// What to answer to an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Judgement {
    /// Wanted; room is kept for it until it has arrived or is abandoned.
    Want,
    /// Wanted, but another link is bringing it: answer when it is here, ask again if it breaks.
    Coming,
    /// It is or was here, durably.
    Have,
    /// Not wanted.
    Refuse(Reason),
}

/// Where a whole message came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A link.
    Node {
        /// Who.
        key: NodeKey,
        /// The transport's name.
        transport: String,
    },
    /// A mailbox.
    Mailbox {
        /// The transport's name.
        transport: String,
    },
}

/// What became of a whole message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Arrival {
    /// It is for us: keep its body for the agent.
    Inbox,
    /// It is carried: keep its body.
    Carry,
    /// It was here before.
    Have,
    /// It is not kept.
    Refuse(Reason),
}

/// Sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Messages held, for us, and being received.
    pub count: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of what strangers gave, or are giving.
    pub strangers_bytes: u64,
    /// Of `bytes`: kept for what is being received.
    pub reserved_bytes: u64,
    /// Dead letters.
    pub dead: usize,
    /// Receipts kept.
    pub receipts: usize,
    /// Ids remembered.
    pub seen: usize,
    /// Bundles that made room for others since the start.
    pub evicted: u64,
}

/// Who holds a copy of a message, and what happens to it next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Why {
    /// The message.
    pub id: EnvelopeId,
    /// The length of its wire form.
    pub bytes: u64,
    /// As it is here.
    pub label: Label,
    /// Whose it is.
    pub origin: Origin,
    /// How far it has come.
    pub rung: Rung,
    /// When it came, posix seconds.
    pub since: u64,
    /// Who has taken copies, or may have.
    pub takers: Vec<Taker>,
    /// Who refused it; the seconds until it is offered there again, if it will be.
    pub refusals: Vec<(NodeKey, Reason, Option<u64>)>,
    /// What happens next.
    pub next: Vec<Next>,
}

/// What happens next to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Next {
    /// It is being written.
    Writing,
    /// It is offered or under way to this node.
    Offered(NodeKey),
    /// It is being handed to, or dialled for, this way.
    Trying(Way),
    /// This way is tried in so many seconds, after so many failures.
    TryIn(Way, u64, u32),
    /// This way will never take it, and why, for people.
    Barred(Way, String),
    /// Its recipient has it; the recipient's receipt is awaited.
    AwaitReceipt,
    /// It waits to meet its recipient.
    AwaitRecipient,
    /// It waits to meet anybody who takes so many copies on.
    AwaitCarriers(u16),
    /// It becomes a dead letter (or is dropped, if it is carried) at these posix seconds.
    ExpireAt(u64),
    /// Nothing, unless a person acts.
    Person,
}
