//! Drives that are plugged in, as Linux tells: what is mounted, and when that changes.
//!
//! What is it: [`Mounts`], over `/proc/self/mountinfo` (proc(5)), which the kernel lets programs
//! wait for: a stick is noticed milliseconds after it was mounted, without a daemon. Who calls
//! it: `packmule drive watch`. What can go wrong: nobody mounts sticks on this machine (a desktop
//! or udisks does; a kiosk needs a rule); after a yank the mount stays in the table, and every
//! call on it fails.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{AtFlags, CWD, StatxFlags, statx},
    io::Errno,
};

/// What a table of mounts is read of at most.
const MAX_TABLE: u64 = 4 << 20;
/// File systems that are no drives.
const NO_DRIVES: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// The table of mounts of this process.
#[derive(Debug)]
pub struct Mounts {
    table: File,
}

/// Something mounted that may be a drive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mount {
    /// The kernel's number for it: another one when something is mounted there again. (Before Linux
    /// 6.8 numbers come again, and a stick that takes another one's place within the moment
    /// between two looks is taken for it.)
    pub id: u64,
    /// Where.
    pub at: PathBuf,
}

impl Mounts {
    /// Opens the table.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn open() -> io::Result<Self> {
        let table = File::open("/proc/self/mountinfo")?;
        Ok(Self { table })
    }

    /// What is mounted now and may be a drive: not the root, and none of the kernel's own.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn list(&mut self) -> io::Result<Vec<Mount>> {
        let mut text = Vec::new();
        self.table.seek(SeekFrom::Start(0))?;
        (&self.table).take(MAX_TABLE).read_to_end(&mut text)?;
        let lines = text.split(|byte| *byte == b'\n').filter_map(read);
        Ok(lines.map(told_apart).collect())
    }

    /// Waits until something is mounted or unmounted that [`Mounts::list`] has not told yet, or
    /// so long. `true`: look.
    ///
    /// # Errors
    /// The system cannot wait for it.
    pub fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let mut table = [PollFd::new(&self.table, PollFlags::PRI)];
        let span = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        match poll(&mut table, Some(&span)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// One line: id, parent, device, root, mount point, options, optional fields, `-`, type, …
fn read(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let at = PathBuf::from(OsString::from_vec(unescaped(words.nth(3)?)));
    let mut words = words.skip_while(|word| *word != b"-");
    words.next()?;
    let kind = std::str::from_utf8(words.next()?).ok()?;
    let drive = !NO_DRIVES.contains(&kind) && at.is_absolute() && at.parent().is_some();
    drive.then_some(Mount { id, at })
}

/// With the number that never comes again, if the kernel has one (`STATX_MNT_ID_UNIQUE`).
fn told_apart(mount: Mount) -> Mount {
    const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(CWD, &mount.at, flags, UNIQUE) {
        Ok(stat) if stat.stx_mask & UNIQUE.bits() != 0 => Mount {
            id: stat.stx_mnt_id,
            ..mount
        },
        _ => mount,
    }
}

/// Blanks and backslashes stand as three octal digits after a backslash.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<3>().filter(|_| *byte == b'\\');
        let code = digits.and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        out.push(code.unwrap_or(*byte));
        rest = after
            .get(if code.is_some() { 3 } else { 0 }..)
            .unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_with_a_blank_in_its_name_is_read_and_the_kernels_own_are_not() {
        let stick = b"36 35 8:17 / /media/alice/MY\\040STICK rw,nosuid shared:12 master:1 - exfat /dev/sdb1 rw";
        let mount = read(stick).unwrap();
        assert_eq!(mount.id, 36);
        assert_eq!(mount.at, PathBuf::from("/media/alice/MY STICK"));
        let others: [&[u8]; 7] = [
            b"",
            b"21 26 0:19 / /sys rw - sysfs sysfs rw",
            b"1 1 8:1 / / rw - ext4 /dev/sda1 rw",
            b"40 35 8:17 / /media/x rw",
            b"x 35 8:17 / /media/x rw - exfat /dev/sdb1 rw",
            b"40 35 8:17 / relative rw - exfat /dev/sdb1 rw",
            b"40 35 8:17 / /media/x rw - \xff /dev/sdb1 rw",
        ];
        for line in others {
            assert_eq!(read(line), None, "{}", String::from_utf8_lossy(line));
        }
        assert_eq!(unescaped(b"\\134\\9zz\\04"), b"\\\\9zz\\04");
    }

    #[test]
    fn the_table_of_this_machine_is_read() {
        let mut mounts = Mounts::open().unwrap();
        let list = mounts.list().unwrap();
        assert!(list.iter().all(|mount| mount.at.is_absolute()));
        // Nothing has changed since it was read; if it has, that may be told.
        let _ = mounts.wait(Duration::ZERO).unwrap();
    }
}
