//! What a party's agent does with letters and arrivals: the desk.
//!
//! What is it: [`Desk`], an unlocked home with its keys and the documents it knows. It packs and
//! queues letters ([`Desk::submit`]), and opens what was accepted ([`Desk::judge`]): kept,
//! answered, or refused with a reason. Who calls it: the command line's verbs, and the node's
//! driver, which hands the verdicts to the bus. What can go wrong: the passphrase; a kept
//! document that is damaged (told, not skipped); the disk.

pub mod address;
mod book;
pub mod date;
pub mod dead;
pub mod invitation;
mod judge;
mod submit;
pub mod verdict;
mod ways;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use packmule_agent::keys::Keyring;
use packmule_agent::resolve::DocBook;

use crate::{Home, HomeError, PeerRecord, UnlockError};

pub use book::BookError;
pub use judge::{
    ENDED, EXPIRED, ID_USED_TWICE, JudgeError, Judged, Letter, NOT_A_MESSAGE, NOT_ADDRESSED,
    Refusal, answers_to, sender_of,
};
pub use submit::{Dispatch, Protection, Queued, SubmitError};

use book::{Book, fill};

/// A home with its keys in memory. It can be shared between threads.
pub struct Desk {
    home: Arc<Home>,
    keys: Keyring,
    book: RwLock<Book>,
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
        Ok(Self { home, keys, book })
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

    /// A thread that panicked while it held the book left whole documents in it: each change is
    /// one insertion. So poison means nothing here.
    fn book(&self) -> RwLockReadGuard<'_, Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn book_mut(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
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
