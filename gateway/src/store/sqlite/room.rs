//! The room on the disk that letters leave to acks, removals and changes of accounts.
//!
//! Called by the writer and by what takes letters on. Letters are refused while the disk has
//! less than the reserve. As others may fill the disk too, a part of the reserve is a file that
//! only holds room: the writer lets it go when something that must work finds none, and takes it
//! again later. What can go wrong: no room for that file either; then it is tried again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Most bytes that the file holds: twice what one group and the log before it need.
const HELD: u64 = 16 << 20;
/// Least bytes that are worth a file.
const LEAST: u64 = 256 << 10;

/// The reserve of one disk.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    file: PathBuf,
    log: PathBuf,
    reserved: u64,
    /// Bytes that were let in since the present transaction began.
    pending: AtomicU64,
    /// Bytes that the file holds at present.
    held: AtomicU64,
    /// Was there too little for what somebody brought, since that was dealt with last?
    short: AtomicBool,
}

impl Room {
    /// Gives back what an earlier process held beside this store. `false`: there was nothing.
    pub(super) fn give_up(path: &Path) -> bool {
        fs::remove_file(named(path, "-room")).is_ok()
    }

    /// For the store at `path`; takes the file's room if there is any.
    pub(super) fn beside(path: &Path, reserved: u64) -> Self {
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        let room = Self {
            dir,
            file: named(path, "-room"),
            log: named(path, "-wal"),
            reserved,
            pending: AtomicU64::new(0),
            held: AtomicU64::new(0),
            short: AtomicBool::new(false),
        };
        room.take();
        room
    }

    /// Bytes of log that may wait before they are moved into the store: both must fit into what
    /// is let go.
    pub(super) fn log_bytes(&self) -> usize {
        usize::try_from(self.size() / 4)
            .unwrap_or_default()
            .clamp(256 << 10, 4 << 20)
    }

    /// A transaction begins: what was let in before is on the disk, or was undone.
    pub(super) fn begin(&self) {
        self.pending.store(0, Ordering::Relaxed);
    }

    /// Is there room for so many bytes of letters? If so they are let in. What is in the log may
    /// still have to find room in the store, and what others of this transaction bring is not on
    /// the disk yet.
    pub(super) fn takes(&self, bytes: u64) -> bool {
        let pending = self.pending.load(Ordering::Relaxed).saturating_add(bytes);
        let log = fs::metadata(&self.log).map_or(0, |facts| facts.len());
        let needed = self.reserved.saturating_add(pending).saturating_add(log);
        let held = self.held.load(Ordering::Relaxed);
        // Where the system does not say how much is free, its own refusal has to do.
        let fits = self
            .free()
            .is_none_or(|free| free.saturating_add(held) >= needed);
        if fits {
            self.pending.store(pending, Ordering::Relaxed);
        } else {
            self.short.store(true, Ordering::Relaxed);
        }
        fits
    }

    /// Was there too little for what somebody brought, since [`Room::dealt_with`]?
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// What could be done for more room was done.
    pub(super) fn dealt_with(&self) {
        self.short.store(false, Ordering::Relaxed);
    }

    /// Bytes that the disk has left.
    pub(super) fn free(&self) -> Option<u64> {
        let disk = statvfs(&self.dir).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Gives the file's room to whoever needs it now. `false`: it held none.
    pub(super) fn let_go(&self) -> bool {
        let held = self.held.swap(0, Ordering::Relaxed);
        let _ = fs::remove_file(&self.file);
        held > 0
    }

    /// Takes the file's room again, where there is as much and as much again.
    pub(super) fn take(&self) {
        let size = self.size();
        let lacks = self.held.load(Ordering::Relaxed) == 0 && size >= LEAST;
        if !lacks
            || self
                .free()
                .is_some_and(|free| free < size.saturating_mul(2))
        {
            return;
        }
        match self.fill(size) {
            Ok(()) => self.held.store(size, Ordering::Relaxed),
            Err(_) => {
                let _ = fs::remove_file(&self.file);
            }
        }
    }

    fn size(&self) -> u64 {
        (self.reserved / 2).min(HELD)
    }

    fn fill(&self, size: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&self.file)?;
        if fallocate(&file, FallocateFlags::empty(), 0, size).is_ok() {
            return Ok(());
        }
        // Not every file system can promise room; zeros take it on most of the others.
        let zeros = [0; 1 << 16];
        for _ in 0..size / zeros.len() as u64 {
            file.write_all(&zeros)?;
        }
        file.sync_data()
    }
}

/// A file beside the store.
fn named(store: &Path, end: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use packmule_places::on_a_disk;

    use super::Room;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_log_and_what_a_transaction_brings_take_room_too() {
        let test =
            "store::sqlite::room::tests::the_log_and_what_a_transaction_brings_take_room_too";
        on_a_disk(test, "size=8m", |disk| {
            let room = Room::beside(&disk.join("mailboxes"), 2 * MIB);
            assert!(room.takes(4 * MIB));
            assert!(!room.takes(3 * MIB), "both come in one transaction");
            room.begin();
            assert!(room.takes(5 * MIB));
            room.begin();
            fs::write(disk.join("mailboxes-wal"), vec![0; 2 << 20]).unwrap();
            assert!(!room.takes(3 * MIB), "the log is in the store some day");
            assert!(room.takes(MIB));
        });
    }
}
