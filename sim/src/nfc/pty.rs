//! Serial lines to the chips of a field, for programs that know nothing of all this.
//!
//! What is it: [`Lines`], a pseudo-terminal for each chip with a link of a stable name to it, and a
//! loop that carries bytes and time. Who calls it: `packmule sim nfc`, tests. What can go wrong: no
//! terminals left; a link of that name is in the way. Programs may come and go: our own end of
//! each line stays open on both sides.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::field::Field;

/// How often the loop looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A line: our end, the other one kept open, and the link to it.
#[derive(Debug)]
struct Line {
    ours: OwnedFd,
    /// While nobody else has it open, reading ours would fail.
    _theirs: OwnedFd,
    link: PathBuf,
    /// Bytes that did not go yet.
    waiting: Vec<u8>,
}

/// A field with a line to each chip.
#[derive(Debug)]
pub struct Lines {
    field: Field,
    lines: Vec<Line>,
}

impl Lines {
    /// Lines to `chips` chips, named `pn532-a`, `pn532-b` and so on in this folder.
    ///
    /// # Errors
    /// If the system gives none, or the names are taken by something else.
    pub fn open(field: Field, chips: usize, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let lines = ('a'..='z').take(chips);
        let lines = lines.map(|letter| Line::open(folder.join(format!("pn532-{letter}"))));
        let lines = lines.collect::<io::Result<Vec<Line>>>()?;
        if lines.len() < chips {
            let why = "there are names for 26 chips";
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        Ok(Self { field, lines })
    }

    /// Where programs find them.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        self.lines.iter().map(|line| line.link.as_path()).collect()
    }

    /// Bytes that chips said to each other, questions whether there is anything to say left out.
    #[must_use]
    pub const fn carried(&self) -> u64 {
        self.field.carried()
    }

    /// Exchanges between chips so far, and breaks.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        self.field.tally()
    }

    /// Carries bytes until it is told to stop.
    ///
    /// # Errors
    /// If a line fails.
    pub fn run(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let began = Instant::now();
        let mut room = [0; 4096];
        while !stop.load(Ordering::Relaxed) {
            let now = began.elapsed();
            self.field.advance(now);
            self.say()?;
            let next = self.field.deadline().map(|at| at.saturating_sub(now));
            let ready = self.wait(next.unwrap_or(LOOK).min(LOOK))?;
            for (chip, _) in ready.iter().enumerate().filter(|(_, ready)| **ready) {
                let Some(line) = self.lines.get(chip) else {
                    continue;
                };
                match rustix::io::read(&line.ours, &mut room) {
                    Ok(count) => {
                        let bytes = room.get(..count).unwrap_or_default();
                        self.field.hear(began.elapsed(), chip, bytes);
                    }
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(fault) => return Err(fault.into()),
                }
            }
        }
        Ok(())
    }

    /// Which lines have something to read.
    fn wait(&self, most: Duration) -> io::Result<Vec<bool>> {
        let flags = |line: &Line| {
            let writing = !line.waiting.is_empty();
            PollFlags::IN
                | if writing {
                    PollFlags::OUT
                } else {
                    PollFlags::empty()
                }
        };
        let lines = self.lines.iter();
        let mut fds: Vec<PollFd<'_>> = lines
            .map(|line| PollFd::new(&line.ours, flags(line)))
            .collect();
        let most = Timespec::try_from(most).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(fault) => return Err(fault.into()),
        }
        Ok(fds
            .iter()
            .map(|fd| fd.revents().contains(PollFlags::IN))
            .collect())
    }

    /// What the chips say, as far as it goes.
    fn say(&mut self) -> io::Result<()> {
        while let Some((chip, bytes)) = self.field.poll() {
            if let Some(line) = self.lines.get_mut(chip) {
                line.waiting.extend_from_slice(&bytes);
                // Nobody reads: a real line would have lost it, too.
                let over = line.waiting.len().saturating_sub(1 << 16);
                line.waiting.drain(..over);
            }
        }
        for line in &mut self.lines {
            while !line.waiting.is_empty() {
                match rustix::io::write(&line.ours, &line.waiting) {
                    Ok(count) => drop(line.waiting.drain(..count)),
                    Err(rustix::io::Errno::AGAIN) => break,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(fault) => return Err(fault.into()),
                }
            }
        }
        Ok(())
    }
}

impl Line {
    fn open(link: PathBuf) -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = open(name.as_c_str(), flags, Mode::empty())?;
        let mut terms = tcgetattr(&theirs)?;
        terms.make_raw();
        tcsetattr(&theirs, OptionalActions::Now, &terms)?;
        fcntl_setfl(&ours, OFlags::RDWR | OFlags::NONBLOCK)?;
        // One of ours that was killed has left its link.
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(name.to_bytes()), &link)?;
        Ok(Self {
            ours,
            _theirs: theirs,
            link,
            waiting: Vec::new(),
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // It leads nowhere any more.
        let _ = fs::remove_file(&self.link);
    }
}
