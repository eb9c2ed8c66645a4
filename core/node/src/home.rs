//! The folder that is one party's home: made whole or not at all, opened, unlocked.
//!
//! Called by the CLI for every verb that has a home. What can go wrong: no home, two writers, a
//! full disk, a wrong passphrase; each leaves the home as it was.

mod fragments;
mod making;

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use packmule_agent::{
    did::DidDoc,
    keys::Keyring,
    keystore::{self, KeystoreError},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    bodies::Shelf,
    error::{HomeError, damaged},
    schema,
};

pub use making::CreateError;

const KEYS: &str = "keys.sealed";
const IDENTITY: &str = "identity.json";
/// The passphrase of a home that opens itself.
const OWN_PASSPHRASE: &str = "passphrase";
const STORE: &str = "store.sqlite";
/// The mode of every file: a copy of them in a folder that others may enter still shows them
/// nothing.
const PRIVATE: u32 = 0o600;
/// No identity is larger; a larger file is not one.
const MAX_FILE: u64 = 4 << 20;

/// One party's messages, peers and (sealed) keys on disk.
///
/// It can be shared between threads, and several processes may hold the same home: each change
/// is one transaction, and is on the disk when its method returns.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    db: Mutex<Connection>,
    /// Taken before a transaction that writes begins, by every connection of this process:
    /// waiting here costs less than SQLite's own, which sleeps and tries again.
    turn: Turn,
    shelf: Shelf,
    did: String,
    doc: DidDoc,
    created: u64,
}

/// Whose turn it is to write.
pub(crate) type Turn = Arc<Mutex<()>>;

/// Why the keys were not opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// Wrong passphrase, or sealed keys that are damaged or of an unknown format.
    #[error(transparent)]
    Keys(#[from] KeystoreError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

/// `identity.json`: public, so that `packmule id` needs no passphrase.
#[derive(Serialize, Deserialize)]
struct Identity {
    did: String,
    doc: serde_json::Value,
    created: u64,
}

impl Home {
    /// Opens a home without its keys: peers, outbox and the list of the inbox need none.
    pub fn open(dir: &Path) -> Result<Self, HomeError> {
        let bytes = match read_small(&dir.join(IDENTITY)) {
            Err(error) if is_absent(&error) => return Err(HomeError::NoHome(dir.to_owned())),
            other => other?,
        };
        let identity: Identity = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("{IDENTITY}: {error}")))?;
        let doc = DidDoc::from_json(&identity.doc)
            .map_err(|error| damaged(format!("{IDENTITY}: {error}")))?;
        let store = dir.join(STORE);
        if !store.exists() {
            return Err(damaged(format!("{STORE} is missing")));
        }
        for name in [IDENTITY, STORE, "store.sqlite-wal", "store.sqlite-shm"] {
            close_to_others(&dir.join(name));
        }
        Ok(Self {
            dir: dir.to_owned(),
            db: Mutex::new(schema::open(&store)?),
            turn: Turn::default(),
            shelf: Shelf::in_home(dir),
            did: identity.did,
            doc,
            created: identity.created,
        })
    }

    /// Opens the private keys. Slow on purpose (Argon2id).
    pub fn unlock(&self, passphrase: &[u8]) -> Result<Keyring, UnlockError> {
        let sealed = match read_small(&self.dir.join(KEYS)) {
            Err(error) if is_absent(&error) => {
                return Err(damaged(format!("{KEYS} is missing")).into());
            }
            other => other.map_err(HomeError::from)?,
        };
        Ok(keystore::open(&sealed, passphrase)?)
    }

    /// The passphrase that lies in the home itself, if it was made to open without anybody
    /// ([`Self::create_unattended`]).
    ///
    /// # Errors
    /// The disk.
    pub fn own_passphrase(&self) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        match read_small(&self.dir.join(OWN_PASSPHRASE)) {
            Ok(passphrase) => Ok(Some(Zeroizing::new(passphrase))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Our DID, as it was made (did:peer:4: the long form).
    pub fn did(&self) -> &str {
        &self.did
    }

    /// Our DID and its document.
    pub fn identity(&self) -> (&str, &DidDoc) {
        (&self.did, &self.doc)
    }

    /// When the home was made, in posix seconds.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// The folder of the home.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Does the store hold together? For `packmule doctor`; reads everything.
    pub fn check(&self) -> Result<(), HomeError> {
        let verdict: String = self
            .db()
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(damaged(format!("{STORE}: {verdict}")))
    }

    /// Gives the disk back what removed messages took.
    pub fn shrink(&self) -> Result<(), HomeError> {
        let db = self.db();
        let mut vacuum = db.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        // Each step frees one page.
        while pages.next()?.is_some() {}
        Ok(())
    }

    /// The connection. A thread that panicked while holding it left no transaction open, because
    /// an unfinished one rolls back when dropped: so poison means nothing here.
    pub(crate) fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more connection to the same store, for a thread of its own.
    pub(crate) fn connect(&self) -> Result<Connection, HomeError> {
        schema::open(&self.dir.join(STORE))
    }

    /// Whose turn it is to write, for those with a connection of their own.
    pub(crate) fn turn(&self) -> Turn {
        Arc::clone(&self.turn)
    }

    /// Where bodies are that are too large for the store.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Runs one change as one transaction, synced when this returns. `IMMEDIATE`, so that of two
    /// writers one waits instead of failing half way.
    pub(crate) fn change<T, E: From<HomeError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut db = self.db();
        let tx = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(HomeError::from)?;
        let value = work(&tx)?;
        tx.commit().map_err(HomeError::from)?;
        Ok(value)
    }
}

/// Posix seconds by this machine's clock; 0 before 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Homes of older versions had files that others could read. Where it cannot be changed (a disk
/// that is read-only, or knows no modes) the folder's own mode has to do.
fn close_to_others(path: &Path) {
    if let Ok(facts) = fs::metadata(path)
        && facts.permissions().mode() & 0o077 != 0
    {
        let _ = fs::set_permissions(path, Permissions::from_mode(PRIVATE));
    }
}

pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    match rustix::fs::fsync(File::open(path)?) {
        // File systems that cannot sync folders have nothing better to offer.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
