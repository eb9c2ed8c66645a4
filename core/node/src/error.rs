//! What can go wrong with a home as a whole; each verb adds its own in a small enum beside it.

use std::{io, path::PathBuf};

use rusqlite::ErrorCode;

/// A fault of the disk or of the store. Whatever the verb: nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// There is no home in this folder.
    #[error("no home in {0}; make one with `packmule init`, or name another with --home")]
    NoHome(PathBuf),
    /// The disk is full. Nothing that was accepted before is lost.
    #[error(
        "the disk that holds the home is full; nothing was lost: free some space and try again"
    )]
    DiskFull,
    /// Another process kept the store busy for 20 seconds.
    #[error("the home is in use by another packmule; try again when it is done")]
    Busy,
    /// The disk is read-only or permissions forbid writing.
    #[error("the home cannot be written to; check its permissions and its disk")]
    ReadOnly,
    /// Made by a newer packmule.
    #[error("the home has format {version}, made by a newer packmule; use that one")]
    TooNew {
        /// The format's number.
        version: i64,
    },
    /// A file of the home is not what was written. Restore it from a backup.
    #[error("the home is damaged: {what}; restore it from a backup")]
    Damaged {
        /// Which part, and what is wrong with it.
        what: String,
    },
    /// The disk failed.
    #[error("cannot use the home: {0}")]
    Io(io::Error),
    /// The store failed in a way that has no name of its own here.
    #[error("the store failed: {0}")]
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for HomeError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            // In WAL mode even reading makes files beside the store: a read-only disk shows up so.
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly
            }
            Some(ErrorCode::SystemIoFailure) if is_shm_full(&error) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                what: format!("store.sqlite: {error}"),
            },
            _ => Self::Store(error),
        }
    }
}

impl From<io::Error> for HomeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Io(error),
        }
    }
}

/// Growing the shared index of the log fails in its own way when the disk is full.
fn is_shm_full(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|code| code.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// A value in the store that our own writing never puts there.
pub(crate) fn damaged(what: impl Into<String>) -> HomeError {
    HomeError::Damaged { what: what.into() }
}
