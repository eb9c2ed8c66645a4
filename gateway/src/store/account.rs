//! Accounts and the DIDs bound to them, as values.
//!
//! Called by every store and by the mediator. What can go wrong: strangers write DIDs; what is
//! no DID, or too long for one, is told by [`is_did`] and never kept.

use packmule_agent::{Did, did_of, short_form};

use super::Moment;

/// The longest DID that can be bound, in bytes.
pub const MAX_DID: usize = 2048;

/// The one spelling of a DID by which mailboxes are found: of a DID URL or key id its DID, of a
/// did:peer:4 its short form.
#[must_use]
pub fn canonical(did: &str) -> &str {
    let did = did_of(did);
    short_form(did).unwrap_or(did)
}

/// Can this name a mailbox: is it a DID, and none that is too long?
#[must_use]
pub fn is_did(text: &str) -> bool {
    text.len() <= MAX_DID && Did::parse(canonical(text)).is_ok()
}

/// How an account was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// It is there now.
    New,
    /// It was there already.
    Known,
    /// There are as many accounts as there may be, or this is no DID.
    Refused,
}

/// Whose mailbox a name leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The account's DID.
    pub did: String,
    /// The DID that was asked for, in its one spelling: the account's, or one bound to it.
    pub recipient: String,
}

/// To bind a DID to an account, or to unbind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Which DID.
    pub did: String,
    /// Bind it; else unbind it.
    pub add: bool,
}

/// What became of a [`Change`]; the words of coordinate-mediation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Success,
    /// It was so already.
    NoChange,
    /// It cannot be: no DID, another's, or one that holds an account.
    ClientError,
    /// It could be, but the account has as many as it may.
    ServerError,
}

/// A part of an account's bindings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
    /// The DIDs, oldest binding first.
    pub dids: Vec<String>,
    /// How many come after these.
    pub remaining: u32,
    /// How many there are.
    pub total: u32,
}

/// An account as its gateway's keeper sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountView {
    /// Its DID.
    pub did: String,
    /// Since when.
    pub opened: Moment,
    /// How many DIDs are bound to it.
    pub bindings: u64,
    /// How many letters it holds, delayed ones included.
    pub letters: u64,
    /// Their bytes.
    pub bytes: u64,
}
