//! How far a message has come, and the signed word of its recipient.
//!
//! What is it: the ladder ([`Rung`]), the reasons of a refusal ([`Reason`]), and [`Receipt`], a
//! small signed statement that travels by whatever channel comes first and purges the copies it
//! meets. Who calls it: the depot, sessions, whoever shows a message's state. What can go wrong:
//! a stranger forges one; nothing follows from a receipt before its signature was verified and
//! its DID is the one that the message is for.

use std::fmt;

use crate::EnvelopeId;

/// How far a message has come; in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Rung {
    /// Durable at its sender.
    Queued,
    /// Durable at the next hop, which has taken on the duty to pass it on.
    Custody,
    /// The recipient's agent has acknowledged it.
    Delivered,
    /// Somebody who had to take it would not; see the reason.
    Refused(Reason),
    /// Its time was over before it arrived.
    Expired,
}

/// Why a bundle was not taken. One byte on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// Longer than the refuser takes.
    TooLarge = 1,
    /// The refuser's store is full; later may do.
    Full = 2,
    /// The quota of whoever offers it is used up; later may do.
    Quota = 3,
    /// The refuser carries nothing for strangers, or not this.
    Policy = 4,
    /// Its time is over.
    Expired = 5,
    /// It has made all the hops it may.
    Hops = 6,
    /// The bytes are not what was offered.
    Damaged = 7,
    /// The recipient's agent could not open it or will not have it.
    Rejected = 8,
    /// Nobody knows a way to the recipient.
    NoWay = 9,
    /// A person took it back.
    Forgotten = 10,
    /// The refuser's disk failed; later may do.
    Disk = 11,
}

impl Reason {
    /// Reads the byte of the wire.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::TooLarge,
            2 => Self::Full,
            3 => Self::Quota,
            4 => Self::Policy,
            5 => Self::Expired,
            6 => Self::Hops,
            7 => Self::Damaged,
            8 => Self::Rejected,
            9 => Self::NoWay,
            10 => Self::Forgotten,
            11 => Self::Disk,
            _ => return None,
        })
    }

    /// May the same offer succeed with the same node later?
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Full | Self::Quota | Self::Disk)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it is too large",
            Self::Full => "the store is full",
            Self::Quota => "the quota is used up",
            Self::Policy => "it is not carried here by policy",
            Self::Expired => "its time is over",
            Self::Hops => "it has made all its hops",
            Self::Damaged => "its bytes were damaged",
            Self::Rejected => "the recipient rejected it",
            Self::NoWay => "no way to the recipient is known",
            Self::Forgotten => "it was taken back",
            Self::Disk => "the disk failed",
        })
    }
}

/// A recipient's signed word on messages that reached it: delivered, or refused.
///
/// One receipt speaks of up to [`Receipt::MAX_IDS`] messages, so that acknowledging thousands
/// costs little. The signature is by an authentication key of the DID over
/// [`Receipt::statement`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Receipt {
    /// The messages, ascending.
    pub ids: Vec<EnvelopeId>,
    /// `None`: delivered. A reason: the recipient's agent refused them.
    pub refused: Option<Reason>,
    /// Posix seconds when it was signed.
    pub at: u64,
    /// The DID that speaks.
    pub did: String,
    /// The id of its key.
    pub kid: String,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Receipt {
    /// Most messages in one receipt.
    pub const MAX_IDS: usize = 64;

    /// The bytes that are signed: a domain, then every field but the signature, each with its
    /// length before it where that varies (big-endian).
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        let mut text = b"packmule receipt v1\0".to_vec();
        text.push(self.refused.map_or(0, |reason| reason as u8));
        text.extend_from_slice(&self.at.to_be_bytes());
        for part in [&self.did, &self.kid] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        for id in &self.ids {
            text.extend_from_slice(id.as_bytes());
        }
        text
    }
}
