//! The folder that is one party's home: made whole or not at all, opened, unlocked.
//!
//! Called by the CLI for every verb that has a home. What can go wrong: no home, two writers, a
//! full disk, a wrong passphrase; each leaves the home as it was.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use packmule_agent::{
    did::{DidDoc, NewDid},
    keys::Keyring,
    keystore::{self, Cost, KeystoreError},
};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};

use crate::{
    error::{HomeError, damaged},
    schema,
};

const KEYS: &str = "keys.sealed";
const IDENTITY: &str = "identity.json";
const STORE: &str = "store.sqlite";
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
    did: String,
    doc: DidDoc,
    created: u64,
}

/// Why no home was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Something is there already; it was not touched.
    #[error("{0} is not empty; choose another folder with --home, or use the home in it")]
    Exists(PathBuf),
    /// The keys could not be sealed.
    #[error("cannot seal the keys: {0}")]
    Seal(#[source] KeystoreError),
    /// The disk.
    #[error(transparent)]
    Home(#[from] HomeError),
}

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
    /// Makes a home: complete under a temporary name beside it, synced, then renamed. A crash
    /// leaves no half of one. `dir` must not exist, or be an empty folder.
    pub fn create(dir: &Path, new: &NewDid, passphrase: &[u8]) -> Result<Self, CreateError> {
        Self::create_with(dir, new, passphrase, Cost::STANDARD)
    }

    /// The same, with another cost of guessing the passphrase: less for small devices.
    pub fn create_with(
        dir: &Path,
        new: &NewDid,
        passphrase: &[u8],
        cost: Cost,
    ) -> Result<Self, CreateError> {
        let refused = || CreateError::Exists(dir.to_owned());
        let occupied = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() == io::ErrorKind::NotADirectory,
        };
        if occupied {
            return Err(refused());
        }
        let dir = std::path::absolute(dir).map_err(HomeError::from)?;
        let parent = dir.parent().ok_or_else(refused)?;
        fs::create_dir_all(parent).map_err(HomeError::from)?;
        let building = Building::begin(parent)?;
        building.fill(new, passphrase, cost)?;
        match fs::rename(&building.path, &dir) {
            Ok(()) => {}
            Err(error) if is_occupied(&error) => return Err(CreateError::Exists(dir)),
            Err(error) => return Err(HomeError::from(error).into()),
        }
        sync_dir(parent).map_err(HomeError::from)?;
        Ok(Self::open(&dir)?)
    }

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
        Ok(Self {
            dir: dir.to_owned(),
            db: Mutex::new(schema::open(&store)?),
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

    /// Seals these keys with a passphrase in place of the present ones: for a new passphrase and
    /// for keys of a rotated DID. Written beside the old file, synced, renamed.
    pub fn reseal(&self, keys: &Keyring, passphrase: &[u8]) -> Result<(), UnlockError> {
        let sealed = keystore::seal(keys, passphrase)?;
        let replace = || {
            let fresh = self.dir.join(format!("{KEYS}.{}.tmp", std::process::id()));
            let _ = fs::remove_file(&fresh);
            write_synced(&fresh, 0o600, &sealed)?;
            fs::rename(&fresh, self.dir.join(KEYS))?;
            sync_dir(&self.dir)
        };
        replace().map_err(|error: io::Error| HomeError::from(error).into())
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

    /// Runs one change as one transaction, synced when this returns. `IMMEDIATE`, so that of two
    /// writers one waits instead of failing half way.
    pub(crate) fn change<T, E: From<HomeError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut db = self.db();
        let tx = db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(HomeError::from)?;
        let value = work(&tx)?;
        tx.commit().map_err(HomeError::from)?;
        Ok(value)
    }
}

/// A home under construction; dropping it removes what is left under the temporary name.
struct Building {
    path: PathBuf,
}

impl Building {
    fn begin(parent: &Path) -> Result<Self, HomeError> {
        for attempt in 0..1000 {
            let path = parent.join(format!(".packmule-{}-{attempt}.new", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(HomeError::Io(io::ErrorKind::AlreadyExists.into()))
    }

    fn fill(&self, new: &NewDid, passphrase: &[u8], cost: Cost) -> Result<(), CreateError> {
        let mut keys = Keyring::new();
        for (kid, secret) in &new.secrets {
            keys.insert(kid.clone(), secret.clone());
        }
        let sealed = keystore::seal_with(&keys, passphrase, cost).map_err(CreateError::Seal)?;
        let identity = Identity {
            did: new.did.clone(),
            doc: new.doc.to_json(),
            created: now(),
        };
        let identity =
            serde_json::to_vec_pretty(&identity).map_err(|error| HomeError::Io(error.into()))?;
        let db = schema::create(&self.path.join(STORE))?;
        // Closing moves everything from the log into the one file.
        db.close().map_err(|(_, error)| HomeError::from(error))?;
        let write = || {
            write_synced(&self.path.join(KEYS), 0o600, &sealed)?;
            write_synced(&self.path.join(IDENTITY), 0o644, &identity)?;
            sync_dir(&self.path)
        };
        write().map_err(|error: io::Error| HomeError::from(error).into())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Posix seconds by this machine's clock; 0 before 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}

fn write_synced(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sync_dir(path: &Path) -> io::Result<()> {
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

fn is_occupied(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
    )
}
