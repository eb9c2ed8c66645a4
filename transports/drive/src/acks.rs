//! Receipts of the link: `ack/<hash>.ack`, an empty file, says "I hold this message durably".
//!
//! Written by the receiver after its commit, read by the sender when the medium comes back.
//! Other implementations ignore the subfolder, since its name is no thread's. What can go wrong:
//! a read-only or full medium; then the sender simply delivers again, and finds a duplicate.

use std::{collections::BTreeSet, io, os::fd::OwnedFd};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, unlinkat},
    io::Errno,
};

use crate::{
    folder::{Folder, FolderError, sync_dir},
    listing::MAX_LISTED,
    name::FileHash,
    trouble::Trouble,
};

/// The subfolder of receipts.
const ACKS: &str = "ack";

/// Why receipts could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
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

impl Folder {
    /// Writes a receipt for each hash, durably. Those that exist already are left.
    pub fn acknowledge<'a>(
        &self,
        hashes: impl IntoIterator<Item = &'a FileHash>,
    ) -> Result<(), AckError> {
        let mut hashes = hashes.into_iter().peekable();
        if hashes.peek().is_none() {
            return Ok(());
        }
        let endpoint = self.dir()?;
        match mkdirat(&endpoint, ACKS, Mode::from_raw_mode(0o777)) {
            Ok(()) => sync_dir(&endpoint).map_err(fault)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fault(errno)),
        }
        let acks = open_acks(&endpoint).map_err(fault)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        for hash in hashes {
            match openat(&acks, ack_name(hash), flags, Mode::from_raw_mode(0o666)) {
                Ok(_) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(fault(errno)),
            }
        }
        sync_dir(&acks).map_err(fault)
    }

    /// The hashes that receipts on this medium name. A receipt proves nothing: see the front
    /// page's "Extra context".
    pub fn acknowledged(&self) -> Result<BTreeSet<FileHash>, AckError> {
        let acks = match self.dir() {
            Ok(endpoint) => open_acks(&endpoint),
            Err(FolderError::Missing(_)) if self.is_implied() => Err(Errno::NOENT),
            Err(error) => return Err(error.into()),
        };
        let acks = match acks {
            Ok(acks) => acks,
            Err(Errno::NOENT) => return Ok(BTreeSet::new()),
            Err(errno) => return Err(fault(errno)),
        };
        let mut found = BTreeSet::new();
        for entry in Dir::read_from(&acks).map_err(fault)?.take(MAX_LISTED) {
            let entry = entry.map_err(fault)?;
            if let Ok(name) = entry.file_name().to_str()
                && let Some(stem) = name.strip_suffix(".ack")
                && let Ok(hash) = stem.parse()
            {
                found.insert(hash);
            }
        }
        Ok(found)
    }

    /// Removes a receipt that its addressee, the sender, has taken note of.
    pub fn forget_ack(&self, hash: &FileHash) -> Result<(), AckError> {
        let removed = open_acks(&self.dir()?)
            .and_then(|acks| unlinkat(&acks, ack_name(hash), AtFlags::empty()));
        match removed {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(fault(errno)),
        }
    }
}

fn ack_name(hash: &FileHash) -> String {
    format!("{hash}.ack")
}

fn open_acks(endpoint: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(endpoint, ACKS, flags, Mode::empty())
}

fn fault(errno: Errno) -> AckError {
    match Trouble::of(errno) {
        Trouble::ReadOnly | Trouble::Denied => AckError::ReadOnly,
        Trouble::Full => AckError::Full,
        Trouble::Gone => AckError::Gone(errno.into()),
        _ => AckError::Io(errno.into()),
    }
}
