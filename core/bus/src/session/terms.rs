//! The words between a session and whoever runs it: offers, answers, events, limits.
//!
//! What is it: plain values. Who calls it: the bus. What can go wrong: nothing here.

use crate::EnvelopeId;
use crate::bus::Sabotage;
use crate::bus::io::{Claim, NodeKey, WireHash};
use crate::label::Label;
use crate::ranges::Ranges;
use crate::receipt::{Reason, Receipt};

/// What we take from the other side; told to it in our Hello, and held against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest wire form taken, in bytes. A longer offer is refused without a question.
    pub max_bytes: u64,
    /// How many offers may be unsettled at once. One more, and the session is broken.
    pub offers: u32,
    /// How many messages the other side should have sent in part at once. It keeps to that by
    /// itself; what protects our memory is the answer to each offer.
    pub parallel: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            offers: 1024,
            parallel: 64,
        }
    }
}

/// How a session is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionConfig {
    /// What we take.
    pub limits: Limits,
    /// Random, one for each life of the process: whoever sees another one than before knows
    /// that all that was not durable is forgotten.
    pub epoch: u64,
    /// The simulator's bugs.
    #[doc(hidden)]
    pub sabotage: Sabotage,
}

/// A bundle that one side could send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The message.
    pub id: EnvelopeId,
    /// The name of its wire form.
    pub wire: WireHash,
    /// The length of its wire form.
    pub bytes: u64,
    /// Its label, as it is to be at the other side.
    pub label: Label,
    /// Held since when; of equal priority the lowest goes first. Stays here: an offer that
    /// came has 0.
    pub age: u64,
}

/// What is said to an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Send these bytes, and no others. What [`Event::Data`] has brought already is asked for
    /// again if it is in here, so that the same answer serves bytes that turned out damaged.
    Want(Ranges),
    /// It is durable here already; nothing needs to come.
    Have,
    /// It is not taken.
    Refuse(Reason),
}

/// What a session tells the bus.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The other side is there, and it is this node. Comes again after a new handshake on the
    /// same link, with another hash: claims are to be proven anew.
    Up {
        /// Its key: proven if the link is sealed by us, otherwise what it says.
        peer: NodeKey,
        /// The handshake's hash, to sign claims over.
        hash: [u8; 32],
        /// Its epoch.
        peer_epoch: u64,
        /// What it takes.
        their_limits: Limits,
    },
    /// It offers these.
    Offered(Vec<Offer>),
    /// Bytes of an offered message: wanted ones, or such as were pushed before our answer.
    /// No byte comes twice unless it was asked for again.
    Data {
        /// The message.
        id: EnvelopeId,
        /// Where they begin in the wire form.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It takes an offer back: no more bytes of it will come.
    Withdrawn(EnvelopeId),
    /// What we offered is durable there.
    Custody(EnvelopeId),
    /// What we offered was durable there before.
    Have(EnvelopeId),
    /// What we offered is not taken. The offer is over.
    Refused(EnvelopeId, Reason),
    /// Receipts passed on.
    Receipts(Vec<Receipt>),
    /// Claims made.
    Claims(Vec<Claim>),
    /// The body of an offered message is needed now; say [`super::Session::body_came`].
    NeedBody(EnvelopeId),
    /// The other side was born again and has forgotten all that was not settled: every offer
    /// to it is void and has to be made again, and what it had offered is void as well. Comes
    /// just before its new `Up`.
    Forgot,
    /// It says goodbye: nothing more will come.
    Bye,
    /// The session is over and its link has to be closed; why, for people.
    Broken(String),
}

/// Where bodies come from.
pub trait Bodies {
    /// The wire form of a message that was offered, if it is at hand.
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]>;
}
