//! Empty files in a subfolder, whose names say all: receipts and wishes.
//!
//! Who calls it: `acks`, `rest`. An empty file is there or not, and never torn. Other
//! implementations ignore the subfolders, since their names are no thread's. What can go wrong: a
//! read-only or full medium, a subfolder that is none; names that nobody here wrote are left out.

use std::io;
use std::os::fd::OwnedFd;

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, unlinkat},
    io::Errno,
};

use crate::{
    folder::{Folder, FolderError, sync_dir},
    listing::MAX_LISTED,
    trouble::Trouble,
};

/// Why receipts or wishes could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The medium or its permissions forbid writing.
    #[error("the drive is read-only")]
    ReadOnly,
    /// No room for an empty file.
    #[error("the drive is full")]
    Full,
    /// The medium was pulled out.
    #[error("the drive is gone: {0}")]
    Gone(io::Error),
    /// Anything else, such as an `ack` that is no folder.
    #[error("cannot handle receipts: {0}")]
    Io(io::Error),
}

/// One subfolder.
pub(crate) struct Marks<'a> {
    folder: &'a Folder,
    name: &'static str,
}

impl<'a> Marks<'a> {
    /// The subfolder of this name.
    pub(crate) fn of(folder: &'a Folder, name: &'static str) -> Self {
        Self { folder, name }
    }

    /// Makes a file of each name, durably. Those that exist are left.
    pub(crate) fn put(&self, names: impl IntoIterator<Item = String>) -> Result<(), MarkError> {
        let mut names = names.into_iter().peekable();
        if names.peek().is_none() {
            return Ok(());
        }
        let endpoint = self.folder.dir_for_writing()?;
        match mkdirat(&endpoint, self.name, Mode::from_raw_mode(0o777)) {
            Ok(()) => sync_dir(&endpoint).map_err(fault)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fault(errno)),
        }
        let marks = self.open(&endpoint).map_err(fault)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        for name in names {
            match openat(&marks, name, flags, Mode::from_raw_mode(0o666)) {
                Ok(_) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(fault(errno)),
            }
        }
        sync_dir(&marks).map_err(fault)
    }

    /// What can be read of their names; of a subfolder that was never made, nothing.
    pub(crate) fn all<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, MarkError> {
        let marks = match self.folder.dir() {
            Ok(endpoint) => self.open(&endpoint),
            Err(FolderError::Missing(_)) if self.folder.is_implied() => Err(Errno::NOENT),
            Err(error) => return Err(error.into()),
        };
        let marks = match marks {
            Ok(marks) => marks,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(errno) => return Err(fault(errno)),
        };
        let mut found = Vec::new();
        for entry in Dir::read_from(&marks).map_err(fault)?.take(MAX_LISTED) {
            let entry = entry.map_err(fault)?;
            found.extend(entry.file_name().to_str().ok().and_then(&read));
        }
        Ok(found)
    }

    /// Removes the file of this name, if it is there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), MarkError> {
        let removed = self
            .open(&self.folder.dir()?)
            .and_then(|marks| unlinkat(&marks, name, AtFlags::empty()));
        match removed {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(fault(errno)),
        }
    }

    fn open(&self, endpoint: &OwnedFd) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(endpoint, self.name, flags, Mode::empty())
    }
}

fn fault(errno: Errno) -> MarkError {
    match Trouble::of(errno) {
        Trouble::ReadOnly | Trouble::Denied => MarkError::ReadOnly,
        Trouble::Full => MarkError::Full,
        Trouble::Gone => MarkError::Gone(errno.into()),
        _ => MarkError::Io(errno.into()),
    }
}
