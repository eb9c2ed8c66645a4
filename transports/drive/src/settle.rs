//! Removing messages: those that the receiver has made durable on its own side.
//!
//! Called after the commit of whatever [`Folder::collect`] gave; and by senders, for what has arrived
//! long since by another way. What can go wrong: the medium is
//! read-only (an answer, not a failure), gone, or the file is no longer the one that was read.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::{
    fs::{AtFlags, Stat, statat, unlinkat},
    io::Errno,
};

use crate::{
    folder::{Folder, FolderError},
    listing::{Entry, Listing, modified},
    name::FileHash,
    trouble::Trouble,
};

/// Names one file exactly as it was read, or a message in it.
#[derive(Clone, Debug)]
pub struct Token {
    file: Arc<Read>,
    /// Of a message in a batch: its number, and those that are not settled yet.
    share: Option<(u32, Arc<Mutex<BTreeSet<u32>>>)>,
}

/// A file as it was read.
#[derive(Debug)]
struct Read {
    entry: Entry,
    hash: FileHash,
    inode: u64,
    size: i64,
    modified: i128,
}

impl Token {
    pub(crate) fn new(entry: Entry, stat: &Stat, hash: FileHash) -> Self {
        let file = Arc::new(Read {
            entry,
            hash,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: modified(stat),
        });
        Self { file, share: None }
    }

    /// One for each of so many messages in the file: it goes when all are settled.
    pub(crate) fn shared(self, count: u32) -> impl Iterator<Item = Self> {
        let rest = Arc::new(Mutex::new((0..count).collect()));
        (0..count).map(move |number| Self {
            share: Some((number, Arc::clone(&rest))),
            ..self.clone()
        })
    }

    /// Is this the last of its file?
    fn is_last(&self) -> bool {
        self.share.as_ref().is_none_or(|(number, rest)| {
            let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
            rest.remove(number);
            rest.is_empty()
        })
    }

    /// The hash of the bytes that were read: what a receipt names.
    pub fn hash(&self) -> &FileHash {
        &self.file.hash
    }

    fn still_names(&self, stat: &Stat) -> bool {
        // exFAT and FAT drivers make inode numbers up anew after a remount; size and time hold.
        let file = &self.file;
        file.size == stat.st_size
            && file.modified == modified(stat)
            && (file.inode == stat.st_ino || file.entry.name.hash.is_some())
    }
}

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settled {
    /// Removed.
    Removed,
    /// Somebody removed it before.
    AlreadyGone,
    /// The medium or its permissions forbid removing. The message will be seen again at the next
    /// collect, and is then a duplicate.
    ReadOnly,
    /// Another file has taken its name since; that one was not touched.
    Changed,
    /// Others in the same file are not settled yet; it goes with the last of them.
    Shared,
}

/// Why a file could not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// The folder cannot be opened.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The medium was pulled out; the message will be seen again.
    #[error("the drive is gone: {0}")]
    Gone(io::Error),
    /// Anything else.
    #[error("cannot remove the message: {0}")]
    Io(io::Error),
}

impl Folder {
    /// Removes what nobody waits for any more: the messages whose names bear these hashes. Which of them were there; on a medium that lets nothing be removed,
    /// none.
    ///
    /// # Errors
    /// The folder cannot be read, or the medium was pulled out.
    pub fn retract(&self, hashes: &BTreeSet<FileHash>) -> Result<BTreeSet<FileHash>, SettleError> {
        let endpoint = match self.dir() {
            Err(FolderError::Missing(_)) if self.is_implied() => return Ok(BTreeSet::new()),
            other => other?,
        };
        let fault = |errno: Errno| match Trouble::of(errno) {
            Trouble::Gone => SettleError::Gone(errno.into()),
            _ => SettleError::Io(errno.into()),
        };
        let mut removed = BTreeSet::new();
        for entry in Listing::ordered(&endpoint).map_err(fault)?.entries {
            let Some(hash) = entry
                .name
                .hash
                .as_ref()
                .filter(|hash| hashes.contains(hash))
            else {
                continue;
            };
            let unlink = |dir: OwnedFd| unlinkat(&dir, &entry.file, AtFlags::empty());
            match entry.parent(&endpoint).and_then(unlink) {
                Ok(()) => _ = removed.insert(hash.clone()),
                Err(errno) if matches!(Trouble::of(errno), Trouble::Gone) => {
                    return Err(fault(errno));
                }
                // Read-only, or something else of that name.
                Err(_) => {}
            }
        }
        Ok(removed)
    }

    /// Removes a collected message. Call it only once the message is durable on this side.
    ///
    /// The removal itself is not synced: if a power cut undoes it, the message shows up again and
    /// is a duplicate. [`Folder::sync`] at the end makes all removals last.
    pub fn settle(&self, token: &Token) -> Result<Settled, SettleError> {
        if !token.is_last() {
            return Ok(Settled::Shared);
        }
        let endpoint = self.dir()?;
        let attempt = || {
            let parent = token.file.entry.parent(&endpoint)?;
            let stat = statat(&parent, &token.file.entry.file, AtFlags::SYMLINK_NOFOLLOW)?;
            if !token.still_names(&stat) {
                return Ok(Settled::Changed);
            }
            unlinkat(&parent, &token.file.entry.file, AtFlags::empty())?;
            Ok(Settled::Removed)
        };
        attempt().or_else(|errno: Errno| match Trouble::of(errno) {
            Trouble::Missing => Ok(Settled::AlreadyGone),
            Trouble::ReadOnly | Trouble::Denied => Ok(Settled::ReadOnly),
            Trouble::Gone => Err(SettleError::Gone(errno.into())),
            _ => Err(SettleError::Io(errno.into())),
        })
    }
}
