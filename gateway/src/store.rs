//! Mailboxes: accounts, the DIDs bound to them, and the messages that wait for them; durable.
//!
//! What is it: the trait [`MailboxStore`] and its values. [`SqliteStore`] is the one that needs
//! no server; `packmule-postgres` has one for several gateways. Who calls it: the mediator for what messages ask for, the office for what arrives,
//! the gateway's clock for [`MailboxStore::expire`], its admin for lists and backups. What can
//! go wrong: the disk is full or fails ([`StoreError`]), and what a limit forbids ([`Refusal`]).
//!
//! Laws that every store keeps, and that the suite in `gateway/tests/store` asks of it:
//! - What was answered is on the disk, whole, whatever is killed when.
//! - A message is held once in an account, for as long and as soon as any copy of it asks, and is
//!   not taken again for some time after its ack. Nothing but an ack makes it known: what has
//!   expired may come again.
//! - Nothing that was taken on is dropped to make room: a full store refuses what is new, letters
//!   and DIDs bound to accounts, and acks, removals and accounts themselves still work.
//! - What ends without an ack leaves a [`DeadLetter`] behind: who, when and why, never the bytes.
//!
//! DIDs are compared and answered in one spelling, [`canonical`]. Times are arguments, so that a
//! store needs no clock: [`Moment`].

mod account;
pub mod kept;
mod letter;
mod limits;
mod moment;
mod news;
pub mod replays;
mod sqlite;

use std::path::Path;

use packmule_bus::EnvelopeId;
use packmule_bus::link::BoxFut;
use tokio::sync::mpsc;

pub use account::{
    Account, AccountView, Change, Listing, MAX_DID, Opening, Outcome, canonical, is_did,
};
pub use letter::{
    Acked, DeadLetter, Ending, Enqueued, Found, Held, Letter, Lot, Refusal, Span, Totals, Waiting,
};
pub use limits::Limits;
pub use moment::Moment;
pub use news::{Arrived, Mark, News};
pub use sqlite::SqliteStore;

/// What a store's verb gives, later.
pub type Fut<'a, T> = BoxFut<'a, Result<T, StoreError>>;

/// The durable mailboxes of a gateway. See the module for the laws.
///
/// Whoever drops a future before its end does not know whether its work was done, as after a
/// crash.
pub trait MailboxStore: Send + Sync + 'static {
    /// Makes an account for a DID. Who may have one is the caller's policy; only how many there
    /// are is judged here.
    fn open_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, Opening>;

    /// Ends an account with its bindings; what it held becomes dead letters
    /// ([`Ending::Closed`]). `false`: there is none.
    fn close_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, bool>;

    /// Whose mailbox it is that `next` names: a DID or DID URL, an account's own or one bound to
    /// an account. A real account outranks a binding.
    fn account_of<'a>(&'a self, next: &'a str) -> Fut<'a, Option<Account>>;

    /// The account goes by another DID from now on (`from_prior`), with all it has; its old DID
    /// is bound to it, as senders still use that. An account that `new` holds already takes
    /// everything over. `false`: `old` has no account, the two are one DID, or `new` is one that
    /// the account has left for `old` since its owner said so ([`replays::has_left`]).
    fn moved<'a>(&'a self, old: &'a str, new: &'a str, told: Moment, now: Moment) -> Fut<'a, bool>;

    /// Binds and unbinds DIDs, in order; one outcome for each change. A DID belongs to the
    /// account that bound it first. Without such an account all are [`Outcome::ClientError`].
    fn update<'a>(
        &'a self,
        account: &'a str,
        changes: &'a [Change],
        now: Moment,
    ) -> Fut<'a, Vec<Outcome>>;

    /// The DIDs bound to an account, oldest first.
    fn bindings<'a>(&'a self, account: &'a str, limit: u32, offset: u32) -> Fut<'a, Listing>;

    /// Takes letters on, all of them in one transaction, for the accounts as [`Self::account_of`]
    /// tells them then; one answer for each. A full disk is [`Refusal::DiskFull`], not an error.
    fn enqueue(&self, letters: Vec<Letter>, now: Moment) -> Fut<'_, Vec<Enqueued>>;

    /// What waits for an account, or for one of its DIDs. Letters that are still delayed or have
    /// expired do not wait.
    fn status<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        now: Moment,
    ) -> Fut<'a, Waiting>;

    /// The letters that are next: the more urgent first, then the older. At most `limit`, and as
    /// many as have `max_bytes` of JSON together; the first whatever its size.
    fn page<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        limit: u32,
        max_bytes: u64,
        now: Moment,
    ) -> Fut<'a, Vec<Held>>;

    /// Removes letters that arrived where they belong. Answers how many there were, and what
    /// waits now.
    fn ack<'a>(&'a self, account: &'a str, ids: &'a [EnvelopeId], now: Moment) -> Fut<'a, Acked>;

    /// Ends what has expired ([`Ending::Expired`]) and forgets what need not be known any more.
    /// Answers how many letters ended. Called now and then; expired letters are not given out
    /// whether or not it was.
    fn expire(&self, now: Moment) -> Fut<'_, u64>;

    /// The latest dead letters, latest first.
    fn dead_letters(&self, limit: u32) -> Fut<'_, Vec<DeadLetter>>;

    /// Accounts in the order of their DIDs, those after `after`.
    fn accounts<'a>(&'a self, after: Option<&'a str>, limit: u32) -> Fut<'a, Vec<AccountView>>;

    /// What became of a message, whosever it is: for who knows its name, which is as good as
    /// having had it. Where several accounts got it, the one that still holds it is told of, else
    /// one that did not collect it. Looks into every account: callers bound how often.
    fn find<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Found>>;

    /// The packed message, if an account holds it and it may be given out. It stays held.
    fn copy<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Vec<u8>>>;

    /// What the store holds altogether.
    fn totals(&self) -> Fut<'_, Totals>;

    /// Writes a whole copy, as of one moment, while others go on. A file `to` is replaced when
    /// the copy is whole. The store tells how a copy is restored: that of [`SqliteStore`] is
    /// opened.
    fn backup<'a>(&'a self, to: &'a Path) -> Fut<'a, ()>;

    /// Do several gateways use this store, so that there may be news?
    fn is_shared(&self) -> bool {
        false
    }

    /// Who has got something from another gateway. Only a wake-up: some may be missing, or of
    /// nothing new. None where nobody else uses the store.
    fn news(&self) -> Option<mpsc::Receiver<News>> {
        None
    }

    /// What has come to wait in an account since `mark`, whoever stored it, at most `limit`, in
    /// the order in which it came; and where the mailbox is now. Without a mark only that.
    fn since<'a>(
        &'a self,
        _account: &'a str,
        _mark: Option<Mark>,
        _limit: u32,
        _now: Moment,
    ) -> Fut<'a, Arrived> {
        Box::pin(std::future::ready(Ok(Arrived::default())))
    }

    /// Was this message of this sender seen before? If not it is from now on, for the time of
    /// [`replays::CLAIM`], in which whoever asked does the work and then says what became of it
    /// ([`Self::settle_message`]). Among a bounded number. Guards against replays of what asks
    /// for a change; unlike all else here a crash may forget the last second's.
    fn seen_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        now: Moment,
    ) -> Fut<'a, bool>;

    /// What that message asked for was done, so that it is known for long; or it was not, and its
    /// sender may ask for it once more with the same message.
    fn settle_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        done: bool,
        now: Moment,
    ) -> Fut<'a, ()>;
}

/// Why a store did not do what was asked. Nothing was changed, but for
/// [`Self::Unreachable`], where that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full, even of what was kept back.
    #[error("the disk that holds the mailboxes is full; nothing was lost: free some space")]
    DiskFull,
    /// The disk is read-only, or permissions forbid writing.
    #[error("the mailboxes cannot be written to; check permissions and the disk")]
    ReadOnly,
    /// Made by a newer packmule.
    #[error("the mailboxes have format {version}, made by a newer packmule; use that one")]
    TooNew {
        /// The format's number.
        version: i64,
    },
    /// What is on the disk is not what was written.
    #[error("the mailboxes are damaged: {what}; restore them from a backup")]
    Damaged {
        /// Which part, and what is wrong with it.
        what: String,
    },
    /// The server that holds the mailboxes cannot be asked now. What was asked for may have been
    /// done, as after a crash.
    #[error("the server that holds the mailboxes cannot be reached: {what}")]
    Unreachable {
        /// Why, in its words or those of the way there.
        what: String,
    },
    /// The store was shut, or its thread ended.
    #[error("the mailboxes are shut")]
    Shut,
    /// The disk or the store failed in a way that has no name of its own here.
    #[error("the mailboxes failed: {what}")]
    Broken {
        /// In the words of the store.
        what: String,
    },
}
