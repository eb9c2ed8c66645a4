//! What an error number of the system means for a folder: one table for every verb.

use std::io;

use rustix::io::Errno;

/// The few cases that callers act upon differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The medium was pulled out or its server vanished.
    Gone,
    /// No room, or quota used up.
    Full,
    /// The medium is mounted read-only, or its write protection is on.
    ReadOnly,
    /// The permissions forbid it.
    Denied,
    /// Not there (any more).
    Missing,
    /// Anything else.
    Other,
}

impl Trouble {
    pub(crate) fn of(errno: Errno) -> Self {
        match errno {
            // After a yank the mount stays in the table and every call answers one of these.
            Errno::NOTCONN | Errno::IO | Errno::NODEV | Errno::STALE | Errno::NXIO => Self::Gone,
            // What was under way when the driver of a FUSE medium went.
            Errno::CONNABORTED => Self::Gone,
            Errno::NOSPC | Errno::DQUOT => Self::Full,
            Errno::ROFS => Self::ReadOnly,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::NOENT => Self::Missing,
            _ => Self::Other,
        }
    }
}

/// An I/O error's number; those that the standard library made up itself count as `EINVAL`.
pub(crate) fn errno_of(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}
