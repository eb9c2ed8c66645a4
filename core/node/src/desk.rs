//! What a party's agent does with letters and arrivals: the desk.
//!
//! What is it: [`Desk`], an unlocked home with its keys and the documents it knows. It packs and
//! queues letters ([`Desk::submit`]), and opens what was accepted ([`Desk::judge`]): kept,
//! answered, or refused with a reason. Who calls it: the command line's verbs, and the node's
//! driver, which hands the verdicts to the bus. What can go wrong: the passphrase; a kept
//! document that is damaged (told, not skipped); the disk.

pub mod address;
mod at_hand;
mod book;
pub mod date;
pub mod dead;
pub mod invitation;
mod judge;
mod submit;
pub mod verdict;
mod ways;
pub(crate) mod word;

use std::fmt;
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

use packmule_agent::did::DidDoc;
use packmule_agent::keys::{Keyring, SecretKey};
use packmule_agent::resolve::{DocBook, ResolveError, Resolver};
use packmule_bus::{Envelope, EnvelopeId};

use crate::{Home, HomeError, PeerRecord, UnlockError};

pub use book::BookError;
pub use judge::{
    ENDED, EXPIRED, ID_USED_TWICE, JudgeError, Judged, Letter, NOT_A_MESSAGE, NOT_ADDRESSED,
    Refusal, answers_to, sender_of,
};
pub use submit::{Dispatch, Protection, Queued, SubmitError};

use at_hand::AtHand;
use book::{Book, fill};

/// A home with its keys in memory. It can be shared between threads.
pub struct Desk {
    home: Arc<Home>,
    keys: Keyring,
    book: RwLock<Book>,
    at_hand: Mutex<AtHand>,
    /// The key that signs for us, and its id; sought once.
    own: OnceLock<Option<(String, SecretKey)>>,
}

/// Why a desk was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The passphrase or the sealed keys.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The documents of self and peers.
    #[error(transparent)]
    Book(#[from] BookError),
}

impl Desk {
    /// Opens the keys with the passphrase and gathers the documents of self and peers.
    pub fn unlock(home: impl Into<Arc<Home>>, passphrase: &[u8]) -> Result<Self, DeskError> {
        let home = home.into();
        let keys = home.unlock(passphrase)?;
        Ok(Self::with_keys(home, keys)?)
    }

    /// The same, with keys that are open already.
    pub fn with_keys(home: impl Into<Arc<Home>>, keys: Keyring) -> Result<Self, BookError> {
        let home = home.into();
        let book = RwLock::new(fill(&home)?);
        Ok(Self {
            home,
            keys,
            book,
            at_hand: Mutex::default(),
            own: OnceLock::new(),
        })
    }

    /// The home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The home, to be shared.
    pub fn shared_home(&self) -> Arc<Home> {
        Arc::clone(&self.home)
    }

    /// The keys.
    pub const fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// The documents that are known now.
    pub fn docs(&self) -> DocBook {
        self.book().docs.clone()
    }

    /// Our DID.
    pub fn did(&self) -> &str {
        self.home.did()
    }

    /// The peer with this DID; a did:peer:4 by its short form too, once its long one was seen.
    pub fn known(&self, did: &str) -> Result<Option<PeerRecord>, HomeError> {
        if let Some(peer) = self.home.find_peer(did)? {
            return Ok(Some(peer));
        }
        let long = self.book().docs.long_form(did).map(str::to_owned);
        match long {
            Some(long) if long != did => self.home.find_peer(&long),
            _ => Ok(None),
        }
    }

    /// Is this an invitation of ours that still makes peers of those who answer it?
    pub fn awaits(&self, invitation: &str) -> Result<bool, HomeError> {
        let note = self.home.note(invitation::ISSUED, invitation)?;
        let terms = note.as_deref().and_then(invitation::Terms::read);
        Ok(terms.is_some_and(|terms| terms.hold_at(crate::home::now())))
    }

    /// Keeps a body that was checked against this id, for when it is opened in a moment.
    pub(crate) fn keep_at_hand(&self, id: EnvelopeId, form: &[u8]) {
        self.at_hand().put(id, form);
    }

    /// An accepted message: from memory if it came just now. One that is encrypted carries its
    /// own proof that it is whole; others are checked against their ids.
    fn accepted(&self, id: &EnvelopeId) -> Result<Option<Envelope>, HomeError> {
        match self.at_hand().take(id) {
            Some(envelope) => Ok(Some(envelope)),
            None => self.home.envelope_to_open(id),
        }
    }

    /// Whoever panicked here left whole bodies, or fewer.
    fn at_hand(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread that panicked while it held the book left whole documents in it: each change is
    /// one insertion. So poison means nothing here.
    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without a copy of all that is known.
impl Resolver for Desk {
    fn resolve(&self, did: &str) -> Result<Arc<DidDoc>, ResolveError> {
        self.book().docs.resolve(did)
    }
}

/// The keys stay out of it.
impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("home", &self.home.dir())
            .finish_non_exhaustive()
    }
}
