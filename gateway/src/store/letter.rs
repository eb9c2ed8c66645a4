//! Letters on their way into a mailbox, in it, and out of it without having been collected.
//!
//! Called by every store, the mediator and the office. What can go wrong: the bytes are
//! strangers'; [`Letter::new`] takes any, bounded by [`packmule_bus::MAX_ENVELOPE`].

use std::fmt;
use std::sync::Arc;

use packmule_bus::label::Priority;
use packmule_bus::{Envelope, EnvelopeError, EnvelopeId};

use super::Moment;

/// A packed message for an account, ready to be kept.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Letter {
    /// Whose mailbox it is for: an account's DID, or one bound to an account.
    pub account: String,
    /// For which of its DIDs.
    pub recipient: String,
    /// Who brought it: a name for the quota of a sender and an account together, such as the
    /// sender's DID, or the address class of an anonymous one. `None`: no such quota.
    pub from: Option<String>,
    /// What goes first.
    pub priority: Priority,
    /// When it ends.
    pub expires: Moment,
    /// Not to be given out before; zero for at once.
    pub not_before: Moment,
    id: EnvelopeId,
    bytes: u64,
    form: Vec<u8>,
}

impl Letter {
    /// A letter of usual priority, without delay, from nobody. Names the message, which takes
    /// tens of microseconds for a usual one: call it beside the work of others when it is large.
    ///
    /// # Errors
    /// The message is empty, or longer than any message may be.
    pub fn new(
        account: impl Into<String>,
        recipient: impl Into<String>,
        packed: &[u8],
        expires: Moment,
    ) -> Result<Self, EnvelopeError> {
        let envelope = Envelope::from_packed(packed)?;
        Ok(Self {
            account: account.into(),
            recipient: recipient.into(),
            from: None,
            priority: Priority::Normal,
            expires,
            not_before: Moment::default(),
            id: envelope.id(),
            bytes: packed.len() as u64,
            // Not the wire form: to make that takes longer than all else here, and what waits in
            // a mailbox is ciphertext nearly all.
            form: envelope.into_identity(),
        })
    }

    /// From when until when it is given out.
    #[must_use]
    pub const fn span(&self) -> Span {
        Span {
            not_before: self.not_before,
            expires: self.expires,
        }
    }

    /// The message's name.
    #[must_use]
    pub const fn id(&self) -> EnvelopeId {
        self.id
    }

    /// How long the packed message is; what quotas count. On the disk it is shorter.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The form in which it is kept.
    #[must_use]
    pub fn form(&self) -> &[u8] {
        &self.form
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("account", &self.account)
            .field("id", &self.id)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What became of a letter that was brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Enqueued {
    /// It is held, under this number, by the account of this DID; later ones have higher numbers.
    Stored(u64, Arc<str>),
    /// It is held already, or was collected not long ago.
    Duplicate,
    /// It is held already, and is given out sooner for this copy: its delay is shorter, or what
    /// is held was over and nobody had looked. The DID is the account's.
    Sooner(Arc<str>),
    /// It was not taken.
    Refused(Refusal),
}

/// From when until when a letter is given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Not before.
    pub not_before: Moment,
    /// When it ends.
    pub expires: Moment,
}

impl Span {
    /// What a copy that comes now makes of a letter that is held: the longer life and the shorter
    /// delay, or whoever has seen a message could end it early for its recipient, by bringing it
    /// first. None: nothing changes.
    #[must_use]
    pub fn renewed(self, copy: Self, now: Moment) -> Option<Self> {
        if copy.expires <= now {
            return None;
        }
        let open = self.not_before <= now && self.expires > now;
        let renewed = Self {
            not_before: match open {
                true => self.not_before,
                // From now on, not from some moment before: whoever asks what has come to wait
                // since it asked last is to be told.
                false => self.not_before.min(copy.not_before.max(now)).max(now),
            },
            expires: self.expires.max(copy.expires),
        };
        (renewed != self).then_some(renewed)
    }

    /// Is it given out sooner than it would be as `before`?
    #[must_use]
    pub fn is_sooner_than(self, before: Self, now: Moment) -> bool {
        self.not_before < before.not_before || before.expires <= now
    }
}

/// Why a letter was not taken on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such account (any more).
    #[error("no such account")]
    NoAccount,
    /// It has expired already.
    #[error("the message has expired")]
    Expired,
    /// It is longer than this store takes.
    #[error("the message is too large")]
    TooLarge,
    /// This sender has as many letters waiting for this account as one sender may.
    #[error("too many messages of one sender wait for this recipient")]
    PairFull,
    /// The account has as many letters, or bytes of them, as it may.
    #[error("the recipient's mailbox is full")]
    AccountFull,
    /// All mailboxes together have as much as they may.
    #[error("the mailboxes are full")]
    StoreFull,
    /// The disk has no more room than is kept back.
    #[error("the disk is full")]
    DiskFull,
}

impl Refusal {
    /// A stable name for logs and counters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAccount => "no-account",
            Self::Expired => "expired",
            Self::TooLarge => "too-large",
            Self::PairFull => "pair-full",
            Self::AccountFull => "account-full",
            Self::StoreFull => "store-full",
            Self::DiskFull => "disk-full",
        }
    }

    /// May the same letter be taken later?
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::PairFull | Self::AccountFull | Self::StoreFull | Self::DiskFull
        )
    }
}

/// What waits for an account or for one of its DIDs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waiting {
    /// How many letters.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the one that waits longest came.
    pub oldest: Option<Moment>,
    /// When the latest came.
    pub newest: Option<Moment>,
}

/// What an ack did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Acked {
    /// How many letters are gone by it.
    pub count: u64,
    /// What waits for the account now.
    pub left: Waiting,
}

/// A letter that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its number.
    pub seq: u64,
    /// The message's name; what is acked.
    pub id: EnvelopeId,
    /// For which of the account's DIDs.
    pub recipient: String,
    /// The packed message. Of a JWE or JWS every member equals the original's; everything else
    /// is byte for byte what came.
    pub packed: Vec<u8>,
    /// What goes first.
    pub priority: Priority,
    /// When it came.
    pub received: Moment,
    /// When it ends.
    pub expires: Moment,
}

/// Why a letter ended that nobody collected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ending {
    /// Its time was over.
    Expired,
    /// Its account was closed.
    Closed,
}

impl Ending {
    /// A stable name for lists and counters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Closed => "account-closed",
        }
    }
}

/// What is kept of a letter that nobody collected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeadLetter {
    /// The message's name.
    pub id: EnvelopeId,
    /// The account's DID.
    pub account: String,
    /// For which of its DIDs.
    pub recipient: String,
    /// How long the packed message was.
    pub bytes: u64,
    /// When it came.
    pub received: Moment,
    /// When it ended.
    pub ended: Moment,
    /// Why.
    pub why: Ending,
}

/// What became of a message, told by its name alone: nobody's DID is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// What became of it.
    pub lot: Lot,
    /// How long the packed message is; not known of what was collected.
    pub bytes: Option<u64>,
    /// When it came; not known of what was collected.
    pub received: Option<Moment>,
    /// Of what is held, until when; of what ended, when it did.
    pub until: Option<Moment>,
}

/// What became of a letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lot {
    /// It waits for its account.
    Held,
    /// Its account has it.
    Collected,
    /// It ended without that.
    Ended(Ending),
}

/// What a store holds altogether.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Accounts.
    pub accounts: u64,
    /// DIDs bound to them.
    pub bindings: u64,
    /// Letters held, delayed ones included.
    pub letters: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them came.
    pub oldest: Option<Moment>,
    /// Dead letters listed.
    pub dead: u64,
    /// Bytes of the store's files.
    pub disk: u64,
    /// Bytes that the disk still has; none where that is not known.
    pub free: Option<u64>,
}
