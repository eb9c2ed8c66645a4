//! Making a home: whole or not at all.
//!
//! Called by `init` and by a gateway. It is built under a temporary name beside its place, synced,
//! then renamed; in a folder with settings file by file. What can go wrong: something is there
//! already, or the disk is full; then nothing is left. A power cut may leave the building, whose
//! name begins with `.packmule-`: no home, and of no use.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::BASE64URL_NOPAD;
use packmule_agent::{
    did::NewDid,
    keys::{Curve, Keyring, SecretKey},
    keystore::{self, Cost, KeystoreError},
};
use zeroize::Zeroizing;

use super::{Home, IDENTITY, Identity, KEYS, OWN_PASSPHRASE, PRIVATE, STORE, now, sync_dir};
use crate::{error::HomeError, schema};

/// Guessing 256 random bits needs no further cost.
const UNGUESSABLE: Cost = Cost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

/// Settings that may be written before there is a home.
const SETTINGS: [&str; 2] = ["node.toml", "gateway.toml"];

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
    /// leaves no half of one. `dir` must not exist, be an empty folder, or one in which
    /// `node.toml` or `gateway.toml` was written already: what is there stays as it is.
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
        let occupied = match fs::read_dir(dir) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() == io::ErrorKind::NotADirectory,
        };
        let within = occupied && is_prepared(dir);
        if occupied && !within {
            return Err(refused());
        }
        let dir = std::path::absolute(dir).map_err(HomeError::from)?;
        let place = if within {
            &dir
        } else {
            dir.parent().ok_or_else(refused)?
        };
        fs::create_dir_all(place).map_err(HomeError::from)?;
        let building = Building::begin(place)?;
        building.fill(new, passphrase, cost)?;
        building.keep(kept)?;
        if within {
            building.move_in(&dir)?;
        } else {
            match fs::rename(&building.path, &dir) {
                Ok(()) => {}
                Err(error) if is_occupied(&error) => return Err(CreateError::Exists(dir)),
                Err(error) => return Err(HomeError::from(error).into()),
            }
            sync_dir(place).map_err(HomeError::from)?;
        }
        drop(building);
        Ok(Self::open(&dir)?)
    }
}

/// Has somebody written settings for a home that is not there yet?
fn is_prepared(dir: &Path) -> bool {
    let has = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok();
    let ours = [IDENTITY, KEYS, STORE, OWN_PASSPHRASE];
    SETTINGS.into_iter().any(has) && !ours.into_iter().any(has)
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

    /// Moves in with settings, which are not touched. Who puts the keys there first makes the
    /// home; what names it a home comes last. What fails leaves nothing of ours.
    fn move_in(&self, dir: &Path) -> Result<(), CreateError> {
        let mut placed = Vec::new();
        for name in [KEYS, OWN_PASSPHRASE, STORE, IDENTITY] {
            let (from, to) = (self.path.join(name), dir.join(name));
            if !from.exists() {
                continue;
            }
            match place(&from, &to).and_then(|()| sync_dir(dir)) {
                Ok(()) => placed.push(to),
                Err(error) => {
                    for file in placed.iter().rev() {
                        let _ = fs::remove_file(file);
                    }
                    return Err(match error.kind() {
                        io::ErrorKind::AlreadyExists => CreateError::Exists(dir.to_owned()),
                        _ => HomeError::from(error).into(),
                    });
                }
            }
        }
        let own = Permissions::from_mode(0o700);
        fs::set_permissions(dir, own).map_err(|error| HomeError::from(error).into())
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

/// Gives a file its place, and replaces nothing there.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        // A file system without second names.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !to.exists() => {
            fs::rename(from, to)
        }
        linked => linked,
    }
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
