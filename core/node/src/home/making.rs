//! Making a home: whole or not at all.
//!
//! Called by `init`. It is built under a temporary name beside its place, synced, then renamed.
//! What can go wrong: something is there already, or the disk is full; then nothing is left.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::BASE64URL_NOPAD;
use packmule_agent::{
    did::NewDid,
    keys::{Curve, Keyring, SecretKey},
    keystore::{self, Cost, KeystoreError},
};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

use super::{Home, IDENTITY, Identity, KEYS, OWN_PASSPHRASE, PRIVATE, STORE, now, sync_dir};
use crate::{error::HomeError, schema};

/// Guessing 256 random bits needs no further cost.
const UNGUESSABLE: Cost = Cost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

/// Settings that may be written before there is a home, and keys and certificates beside them.
const SETTINGS: [&str; 2] = ["node.toml", "gateway.toml"];
const MOST_SETTINGS: u64 = 1 << 20;
const MOST_FILES: usize = 32;

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

impl Home {
    /// Makes a home: complete under a temporary name beside it, synced, then renamed. A crash
    /// leaves no half of one. `dir` must not exist, be an empty folder, or one that holds
    /// `node.toml` or `gateway.toml` and nothing but small files, which stay.
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
        Self::make(dir, new, passphrase, cost, None)
    }

    /// A home that opens itself: its passphrase is made here, of 256 random bits, and kept beside
    /// the keys in a file of mode 0600 ([`Self::own_passphrase`]). For programs that nobody waits
    /// for when they start. Whoever can read the folder has the keys.
    ///
    /// # Errors
    /// [`CreateError`]; nothing is left.
    pub fn create_unattended(dir: &Path, new: &NewDid) -> Result<Self, CreateError> {
        // A fresh key is as good as any other 32 bytes of the system's randomness.
        let random = SecretKey::generate(Curve::X25519)
            .map_err(|error| HomeError::Io(io::Error::other(error)))?;
        let passphrase = Zeroizing::new(BASE64URL_NOPAD.encode(random.raw()));
        let passphrase = passphrase.as_bytes();
        Self::make(dir, new, passphrase, UNGUESSABLE, Some(passphrase))
    }

    fn make(
        dir: &Path,
        new: &NewDid,
        passphrase: &[u8],
        cost: Cost,
        kept: Option<&[u8]>,
    ) -> Result<Self, CreateError> {
        let refused = || CreateError::Exists(dir.to_owned());
        let settings = match fs::read_dir(dir) {
            Ok(entries) => settings(entries).ok_or_else(refused)?,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(refused()),
            Err(_) => Vec::new(),
        };
        let dir = std::path::absolute(dir).map_err(HomeError::from)?;
        let parent = dir.parent().ok_or_else(refused)?;
        fs::create_dir_all(parent).map_err(HomeError::from)?;
        let building = Building::begin(parent)?;
        building.fill(new, passphrase, cost)?;
        building.keep(kept)?;
        building.adopt(&settings).map_err(HomeError::from)?;
        let put = if settings.is_empty() {
            fs::rename(&building.path, &dir)
        } else {
            // What was there goes with the building, its files being in the home now.
            let swap = RenameFlags::EXCHANGE;
            renameat_with(CWD, &building.path, CWD, &dir, swap).map_err(io::Error::from)
        };
        match put {
            Ok(()) => {}
            Err(error) if is_occupied(&error) => return Err(CreateError::Exists(dir)),
            Err(error) => return Err(HomeError::from(error).into()),
        }
        sync_dir(parent).map_err(HomeError::from)?;
        Ok(Self::open(&dir)?)
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
        // SQLite gives the files beside its store the mode of the store.
        let store = self.path.join(STORE);
        write_synced(&store, PRIVATE, &[]).map_err(HomeError::from)?;
        let db = schema::create(&store)?;
        // Closing moves everything from the log into the one file.
        db.close().map_err(|(_, error)| HomeError::from(error))?;
        let write = || {
            write_synced(&self.path.join(KEYS), PRIVATE, &sealed)?;
            write_synced(&self.path.join(IDENTITY), PRIVATE, &identity)?;
            sync_dir(&self.path)
        };
        write().map_err(|error: io::Error| HomeError::from(error).into())
    }

    /// Copies what was prepared for the home.
    fn adopt(&self, settings: &[PathBuf]) -> io::Result<()> {
        for file in settings {
            let copy = self.path.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy)?;
            File::open(&copy)?.sync_all()?;
        }
        sync_dir(&self.path)
    }

    /// The passphrase of a home that opens itself.
    fn keep(&self, passphrase: Option<&[u8]>) -> Result<(), CreateError> {
        let Some(passphrase) = passphrase else {
            return Ok(());
        };
        let write = || {
            write_synced(&self.path.join(OWN_PASSPHRASE), PRIVATE, passphrase)?;
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

/// What somebody prepared for a home: small files, settings among them, and nothing of a home's.
/// None: it is something else, and not to be touched.
fn settings(entries: fs::ReadDir) -> Option<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.ok()?.path();
        let facts = fs::symlink_metadata(&path).ok()?;
        if !facts.is_file() || facts.len() > MOST_SETTINGS || files.len() >= MOST_FILES {
            return None;
        }
        files.push(path);
    }
    let has = |names: &[&str]| {
        files
            .iter()
            .any(|file| names.iter().any(|it| file.ends_with(it)))
    };
    let prepared = has(&SETTINGS) && !has(&[IDENTITY, KEYS, STORE, OWN_PASSPHRASE]);
    (files.is_empty() || prepared).then_some(files)
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

fn is_occupied(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
    )
}
