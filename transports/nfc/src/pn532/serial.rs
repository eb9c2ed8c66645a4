//! A serial line, with time limits.
//!
//! What is it: [`Port`], 115,200 bits a second, raw, for us alone. Who calls it: the driver. What
//! can go wrong: no such device, no permission, somebody else has it, it is pulled out.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// What the chip speaks after it was switched on.
const SPEED: u32 = 115_200;
/// How long the system may take to let some bytes go.
const WRITE: Duration = Duration::from_secs(1);

/// A line to a chip.
#[derive(Debug)]
pub(super) struct Port(OwnedFd);

impl Port {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let line = open(path, flags, Mode::empty())?;
        // Two programs on one chip spoil each other's frames; ours at least keep apart.
        flock(&line, FlockOperation::NonBlockingLockExclusive).map_err(|fault| match fault {
            Errno::AGAIN => io::Error::new(ErrorKind::ResourceBusy, "another program has it"),
            other => other.into(),
        })?;
        let mut terms = tcgetattr(&line)?;
        terms.make_raw();
        terms.set_speed(SPEED)?;
        tcsetattr(&line, OptionalActions::Flush, &terms)?;
        Ok(Self(line))
    }

    pub(super) fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let until = Instant::now() + WRITE;
        while !bytes.is_empty() {
            match rustix::io::write(&self.0, bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::AGAIN) => {
                    if !self.wait(PollFlags::OUT, until)? {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(Errno::INTR) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    /// What has come; nothing when the time is over.
    pub(super) fn read<'a>(&self, room: &'a mut [u8], until: Instant) -> io::Result<&'a [u8]> {
        loop {
            match rustix::io::read(&self.0, &mut *room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(room.get(..count).unwrap_or_default()),
                Err(Errno::AGAIN) => {
                    if !self.wait(PollFlags::IN, until)? {
                        return Ok(&[]);
                    }
                }
                Err(Errno::INTR) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    fn wait(&self, what: PollFlags, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.0, what)], Some(&left)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(fault) => Err(fault.into()),
        }
    }
}
