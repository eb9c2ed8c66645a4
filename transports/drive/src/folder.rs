//! The endpoint folder: finding it, naming it, making it safe to pull out.
//!
//! [`Folder`] is the handle that the CLI and the driver hold. It keeps a path and no open file,
//! so that it never stops a medium from being unmounted. It never writes before `deliver`.

use std::{
    fs,
    io::{self, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, mkdirat, openat},
    io::Errno,
};

use crate::{
    listing::Listing,
    trouble::{Trouble, errno_of},
    uri::{UriError, path_of_uri, uri_of_path},
};

/// The endpoint folder's name in the root of a drive.
const ENDPOINT: &str = "DIDCOMM";

/// For the person who finds the stick.
const README: &str = "This folder carries DIDComm messages (files ending in .dcem, .dcsm, .dcpm, .dcb).\r\n\
    They are meant for a program, such as packmule; opening them by hand shows nothing useful.\r\n\
    Please leave the files as they are, and pass the drive on to its recipient.\r\n\
    To take messages in:   packmule import <this drive>\r\n";

/// One endpoint folder. Cheap to make; see the front page for its layout on disk.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// `DIDCOMM` below a folder that the user gave: may not exist yet, must not be a link.
    implied: bool,
}

/// Why a path is not an endpoint folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Nothing is there. It is not created: a path that is missing is often a drive that is not
    /// mounted, and messages "sent" to the disk below it would be lost from sight.
    #[error("{0} does not exist; is the drive mounted?")]
    Missing(PathBuf),
    /// Something else than a folder is there (or, for the implied `DIDCOMM`, a symbolic link).
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// The URI of the endpoint is not a local folder's.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The medium was pulled out.
    #[error("{path} is gone: {source}")]
    Gone {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Permissions or anything else.
    #[error("cannot open {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why the medium could not be made safe to remove.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The system could not write everything; what was delivered before is still safe, because
    /// each delivery is synced by itself.
    #[error("the drive could not be synced: {0}")]
    Io(io::Error),
}

impl Folder {
    /// The endpoint of a path that a person gave: a drive's root, or the endpoint itself.
    ///
    /// In this order: its subfolder `DIDCOMM` (any case), the path itself if it is called so or
    /// holds messages, else a `DIDCOMM` yet to be made by the first delivery.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let given = path.as_ref();
        let entries = fs::read_dir(given).map_err(|source| folder_error(given, source))?;
        let mut endpoint = None;
        for entry in entries {
            let entry = entry.map_err(|source| folder_error(given, source))?;
            let name = entry.file_name();
            if name == ENDPOINT || (endpoint.is_none() && name.eq_ignore_ascii_case(ENDPOINT)) {
                endpoint = Some(entry);
            }
        }
        if let Some(entry) = endpoint {
            let kind = entry.file_type().map_err(|e| folder_error(given, e))?;
            if !kind.is_dir() {
                return Err(FolderError::NotAFolder(entry.path()));
            }
            return Ok(Self::implied(entry.path()));
        }
        let exact = Self::at(given)?;
        let named = given.file_name();
        if named.is_some_and(|name| name.eq_ignore_ascii_case(ENDPOINT)) || exact.has_messages()? {
            return Ok(exact);
        }
        Ok(Self::implied(given.join(ENDPOINT)))
    }

    /// The endpoint in the root of a drive, if it has one: whoever made it wants messages there.
    #[must_use]
    pub fn on_drive(root: &Path) -> Option<Self> {
        let entries = fs::read_dir(root).ok()?.flatten();
        let is_it = |name: &std::ffi::OsStr| name.eq_ignore_ascii_case(ENDPOINT);
        let names = entries.map(|entry| entry.file_name()).filter(|n| is_it(n));
        // On file systems that tell cases apart there may be several.
        let name = names.max_by_key(|name| name == ENDPOINT)?;
        let folder = Self::implied(root.join(name));
        folder.dir().is_ok().then_some(folder)
    }

    /// Exactly this folder, which must exist.
    pub fn at(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let folder = Self {
            path: path.as_ref().to_owned(),
            implied: false,
        };
        folder.dir()?;
        Ok(folder)
    }

    /// The folder of a service endpoint's `file:` URI, exactly.
    pub fn from_uri(uri: &str) -> Result<Self, FolderError> {
        Self::at(path_of_uri(uri)?)
    }

    /// The folder's path. It may not exist before the first delivery.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `file:` URI for a service endpoint; absolute even if the path given was not.
    pub fn endpoint_uri(&self) -> Result<String, FolderError> {
        let absolute = std::path::absolute(&self.path).map_err(|e| folder_error(&self.path, e))?;
        Ok(uri_of_path(&absolute)?)
    }

    /// Waits until everything on this medium is on the medium: afterwards it may be pulled out.
    pub fn sync(&self) -> Result<(), SyncError> {
        let dir = match self.dir() {
            Err(FolderError::Missing(_)) if self.implied => return Ok(()),
            other => other?,
        };
        match rustix::fs::syncfs(&dir) {
            // A read-only medium has nothing to write back.
            Ok(()) | Err(Errno::ROFS) => Ok(()),
            Err(errno) => Err(SyncError::Io(errno.into())),
        }
    }

    fn implied(path: PathBuf) -> Self {
        Self {
            path,
            implied: true,
        }
    }

    /// May the folder be missing until the first delivery?
    pub(crate) fn is_implied(&self) -> bool {
        self.implied
    }

    fn has_messages(&self) -> Result<bool, FolderError> {
        let dir = self.dir()?;
        Listing::any_message(&dir).map_err(|errno| folder_error(&self.path, errno.into()))
    }

    /// Opens the folder for reading. An implied `DIDCOMM` must be a real folder: a link there
    /// would let a hostile stick direct our writing into the host.
    pub(crate) fn dir(&self) -> Result<OwnedFd, FolderError> {
        let mut flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if self.implied {
            flags |= OFlags::NOFOLLOW;
        }
        openat(CWD, &self.path, flags, Mode::empty())
            .map_err(|errno| folder_error(&self.path, errno.into()))
    }

    /// Opens the folder for writing: makes `DIDCOMM/` and its README when they are missing.
    pub(crate) fn dir_for_writing(&self) -> Result<OwnedFd, FolderError> {
        match self.dir() {
            Err(FolderError::Missing(_)) if self.implied => {}
            Ok(dir) if self.implied => {
                // Whoever made it may have died before it wrote this.
                self.write_readme(&dir);
                return Ok(dir);
            }
            other => return other,
        }
        match mkdirat(CWD, &self.path, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(folder_error(&self.path, errno.into())),
        }
        let dir = self.dir()?;
        // The name DIDCOMM must outlive a power cut, or the messages in it would not.
        if let Some(parent) = self.path.parent() {
            sync_dir_at(parent).map_err(|errno| folder_error(parent, errno.into()))?;
        }
        self.write_readme(&dir);
        Ok(dir)
    }

    /// The README is a courtesy: a drive too full for it may still take a message.
    fn write_readme(&self, dir: &OwnedFd) {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        if let Ok(file) = openat(dir, "README.TXT", flags, Mode::from_raw_mode(0o666)) {
            let _ = fs::File::from(file).write_all(README.as_bytes());
        }
    }
}

fn folder_error(path: &Path, source: io::Error) -> FolderError {
    let path = path.to_owned();
    match errno_of(&source) {
        Errno::NOENT => FolderError::Missing(path),
        Errno::NOTDIR | Errno::LOOP => FolderError::NotAFolder(path),
        errno if Trouble::of(errno) == Trouble::Gone => FolderError::Gone { path, source },
        _ => FolderError::Io { path, source },
    }
}

/// Makes names in this folder durable. File systems without `fsync` on folders answer `EINVAL`;
/// they have nothing better to offer, so that is no failure.
pub(crate) fn sync_dir(dir: &OwnedFd) -> rustix::io::Result<()> {
    match rustix::fs::fsync(dir) {
        Err(Errno::INVAL) => Ok(()),
        other => other,
    }
}

fn sync_dir_at(path: &Path) -> rustix::io::Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    sync_dir(&openat(CWD, path, flags, Mode::empty())?)
}
