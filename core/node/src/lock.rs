//! One judge a home: who opens messages holds a lock from choosing them to the last commit.
//!
//! Called by whoever opens what was accepted. Two that judge the same message at once would each
//! take the other's verdict for an earlier arrival of it. What can go wrong: a file system
//! without locks, which is told. A process that dies gives its lock back.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::{error::HomeError, home::Home};

/// Only its holder judges messages of the home; dropping it lets the next one.
#[derive(Debug)]
#[must_use = "dropping it lets others judge"]
pub struct JudgeLock {
    _folder: File,
}

impl Home {
    /// Waits, as long as it takes, until nobody else judges messages of this home. Not to be
    /// called by one who holds the lock already: that waits for ever.
    ///
    /// The lock is on the folder itself, so that it needs no room on a full disk, and none of
    /// the files that `SQLite` locks in its own way.
    pub fn judging(&self) -> Result<JudgeLock, HomeError> {
        let folder = File::open(self.dir())?;
        loop {
            match flock(&folder, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(JudgeLock { _folder: folder }),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(HomeError::Io(errno.into())),
            }
        }
    }
}
