//! A chip in a process of its own: for libraries that a stranger's card can crash.
//!
//! What is it: [`Worker`], a [`Chip`] whose calls go to a child as frames on its standard input
//! and output; [`serve`], the child's side, over any other chip; [`Workers`], which starts a child
//! for each device. Who calls it: the façade, `packmule nfc-worker`. What can go wrong: the child
//! dies or hangs, which breaks the chip and nothing else: whoever listens opens it anew, with
//! another child; what it says makes no sense, which is the same.
//!
//! A frame is two bytes of length, a byte that says what, and what belongs to it: to the child a
//! time limit in milliseconds (four bytes) and an APDU; from it an APDU, a target, or a reason.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use packmule_bus::link::{OpenError, Probe};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};

use crate::chip::{ApduLink, Chip, ChipError, Target, TargetKind};
use crate::transport::Chips;

/// The longest frame: an APDU and its head.
const LONGEST: usize = 600;
/// How much longer than it was told a child may take.
const GRACE: Duration = Duration::from_secs(3);
/// How long it may take to open its device.
const START: Duration = Duration::from_secs(10);

/// What the child is to do.
const SEEK: u8 = b's';
const RELEASE: u8 = b'r';
const LISTEN: u8 = b'l';
const HEAR: u8 = b'h';
const ANSWER: u8 = b'a';
const EXCHANGE: u8 = b'x';

/// What came of it.
const DONE: u8 = 0;
const NOTHING: u8 = 1;
const LOST: u8 = 2;
const SILENT: u8 = 3;
const ODD: u8 = 4;
const TOO_LARGE: u8 = 5;
const UNSUPPORTED: u8 = 6;
const BROKEN: u8 = 7;

/// A chip that a child has.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    /// Keeps other programs of ours from the device.
    _lock: Option<File>,
}

impl Worker {
    /// Starts a child, and waits until it has its device.
    ///
    /// # Errors
    /// If it cannot be started, or says why it has no device.
    pub fn start(command: &mut Command, device: &str) -> io::Result<Self> {
        let lock = lock(device)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let mut worker = Self {
            child,
            to,
            from,
            _lock: lock,
        };
        match worker.heard(START) {
            Ok(_) => Ok(worker),
            Err(ChipError::Broken(why)) => Err(why),
            Err(other) => Err(io::Error::other(other)),
        }
    }

    fn ask(&mut self, what: u8, wait: Duration, apdu: &[u8]) -> Result<Option<Vec<u8>>, ChipError> {
        let wait = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let body = [&wait.to_be_bytes(), apdu].concat();
        if let Err(fault) = write(&mut self.to, what, &body) {
            return Err(self.gone(fault));
        }
        self.heard(Duration::from_millis(u64::from(wait)) + GRACE)
    }

    /// What the child says: done, with something; nothing; or why not.
    fn heard(&mut self, wait: Duration) -> Result<Option<Vec<u8>>, ChipError> {
        let (what, body) = match self.frame(Instant::now() + wait) {
            Ok(frame) => frame,
            Err(fault) => return Err(self.gone(fault)),
        };
        let text = || String::from_utf8_lossy(&body).into_owned();
        Err(match what {
            DONE => return Ok(Some(body)),
            NOTHING => return Ok(None),
            LOST => ChipError::Lost,
            SILENT => ChipError::Silent,
            ODD => ChipError::Odd(text()),
            TOO_LARGE => ChipError::TooLarge(body.len()),
            UNSUPPORTED => ChipError::Unsupported,
            BROKEN => ChipError::Broken(io::Error::other(text())),
            _ => {
                let why = io::Error::new(ErrorKind::InvalidData, "what it says makes no sense");
                self.gone(why)
            }
        })
    }

    fn frame(&mut self, until: Instant) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 3];
        self.fill(&mut head, until)?;
        let [high, low, what] = head;
        let mut body = vec![0; checked(high, low)?];
        self.fill(&mut body, until)?;
        Ok((what, body))
    }

    fn fill(&mut self, mut room: &mut [u8], until: Instant) -> io::Result<()> {
        while !room.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut waits = [PollFd::new(&self.from, PollFlags::IN)];
            match poll(&mut waits, Some(&left)) {
                Ok(0) => return Err(ErrorKind::TimedOut.into()),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(fault) => return Err(fault.into()),
            }
            match self.from.read(room)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => room = room.get_mut(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// The child is no good any more; what became of it is said instead of a broken pipe.
    fn gone(&mut self, fault: io::Error) -> ChipError {
        let why = if fault.kind() == ErrorKind::TimedOut {
            "it did not answer and was ended".to_owned()
        } else {
            // Whoever died did so before the pipe broke, or is about to.
            let until = Instant::now() + Duration::from_millis(500);
            loop {
                match self.child.try_wait() {
                    Ok(Some(status)) => break format!("it ended ({status})"),
                    Ok(None) if Instant::now() < until => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    _ => break fault.to_string(),
                }
            }
        };
        // Gone already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
        io::Error::other(format!("the worker that has it is gone: {why}")).into()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It has nothing to lose, and may hang in its library.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ApduLink for Worker {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.ask(EXCHANGE, wait, command)?.ok_or(ChipError::Silent)
    }
}

impl Chip for Worker {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        let found = self.ask(SEEK, wait, &[])?;
        Ok(found.as_deref().and_then(target))
    }

    fn release(&mut self) {
        // A child that is gone says so at the next call, too.
        let _ = self.ask(RELEASE, Duration::from_millis(500), &[]);
    }

    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError> {
        Ok(self.ask(LISTEN, wait, &[])?.is_some())
    }

    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.ask(HEAR, wait, &[])?.ok_or(ChipError::Silent)
    }

    fn answer(&mut self, response: &[u8]) -> Result<(), ChipError> {
        self.ask(ANSWER, Duration::from_secs(2), response).map(drop)
    }
}

fn target(body: &[u8]) -> Option<Target> {
    let (kind, uid) = body.split_first()?;
    let kind = match kind {
        0 => TargetKind::Apdus,
        1 => TargetKind::Pages,
        _ => TargetKind::Other,
    };
    Some(Target {
        uid: uid.to_vec(),
        kind,
    })
}

/// The device's own file, if its name has one (`pn532_uart:/dev/ttyUSB0`), for us alone: libnfc
/// does not keep two programs apart. Our own driver takes the same lock.
fn lock(device: &str) -> io::Result<Option<File>> {
    let path = device.split(':').find(|part| part.starts_with('/'));
    let Some(path) = path.map(Path::new) else {
        return Ok(None);
    };
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let line = open(path, flags, Mode::empty())?;
    flock(&line, FlockOperation::NonBlockingLockExclusive).map_err(|fault| match fault {
        rustix::io::Errno::AGAIN => {
            io::Error::new(ErrorKind::ResourceBusy, "another program has it")
        }
        other => other.into(),
    })?;
    Ok(Some(File::from(line)))
}

fn checked(high: u8, low: u8) -> io::Result<usize> {
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        let why = "a frame longer than any APDU";
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    Ok(length)
}

fn write(to: &mut impl Write, what: u8, body: &[u8]) -> io::Result<()> {
    let body = body.get(..LONGEST).unwrap_or(body);
    let [high, low] = u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = vec![high, low, what];
    frame.extend_from_slice(body);
    to.write_all(&frame)?;
    to.flush()
}

/// The child's side: tells whether there is a chip, and does what it is told until nobody tells
/// it anything.
///
/// # Errors
/// If whoever started it says nonsense.
pub fn serve(
    chip: Result<&mut dyn Chip, String>,
    from: &mut impl Read,
    to: &mut impl Write,
) -> io::Result<()> {
    match work(chip, from, to) {
        // Whoever started it has ended: that is how it is told to.
        Err(fault)
            if matches!(
                fault.kind(),
                ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

fn work(
    chip: Result<&mut dyn Chip, String>,
    from: &mut impl Read,
    to: &mut impl Write,
) -> io::Result<()> {
    let chip = match chip {
        Ok(chip) => chip,
        Err(why) => return write(to, BROKEN, why.as_bytes()),
    };
    write(to, DONE, &[])?;
    loop {
        let mut head = [0; 3];
        from.read_exact(&mut head)?;
        let [high, low, what] = head;
        let mut body = vec![0; checked(high, low)?];
        from.read_exact(&mut body)?;
        let Some((wait, apdu)) = body.split_first_chunk() else {
            return Err(ErrorKind::InvalidData.into());
        };
        let wait = Duration::from_millis(u64::from(u32::from_be_bytes(*wait)));
        let came = act(chip, what, wait, apdu);
        let (what, body) = match came {
            Ok(Some(body)) => (DONE, body),
            Ok(None) => (NOTHING, Vec::new()),
            Err(ChipError::Lost) => (LOST, Vec::new()),
            Err(ChipError::Silent) => (SILENT, Vec::new()),
            Err(ChipError::Odd(why)) => (ODD, why.into_bytes()),
            Err(ChipError::TooLarge(_)) => (TOO_LARGE, apdu.to_vec()),
            Err(ChipError::Unsupported) => (UNSUPPORTED, Vec::new()),
            Err(ChipError::Broken(why)) => (BROKEN, why.to_string().into_bytes()),
        };
        write(to, what, &body)?;
    }
}

fn act(
    chip: &mut dyn Chip,
    what: u8,
    wait: Duration,
    apdu: &[u8],
) -> Result<Option<Vec<u8>>, ChipError> {
    match what {
        SEEK => Ok(chip.seek(wait)?.map(|target| {
            let kind = match target.kind {
                TargetKind::Apdus => 0,
                TargetKind::Pages => 1,
                TargetKind::Other => 2,
            };
            [&[kind], &target.uid[..]].concat()
        })),
        RELEASE => {
            chip.release();
            Ok(Some(Vec::new()))
        }
        LISTEN => Ok(chip.listen(wait)?.then(Vec::new)),
        HEAR => chip.hear(wait).map(Some),
        ANSWER => chip.answer(apdu).map(|()| Some(Vec::new())),
        EXCHANGE => chip.exchange(apdu, wait).map(Some),
        _ => Err(ChipError::Unsupported),
    }
}

/// Chips by the names of their devices, each in a child: `PROGRAM nfc-worker --device DEVICE`.
#[derive(Clone, Debug)]
pub struct Workers {
    program: Option<PathBuf>,
}

impl Workers {
    /// By this very program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            program: std::env::current_exe().ok(),
        }
    }

    /// By another one.
    #[must_use]
    pub const fn of(program: PathBuf) -> Self {
        Self {
            program: Some(program),
        }
    }
}

impl Chips for Workers {
    fn probe(&self) -> Probe {
        Probe {
            ready: self.program.is_some(),
            finding: "libnfc in a process of its own: nfc:libnfc:pn532_uart:/dev/ttyUSB0"
                .to_owned(),
        }
    }

    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        let missing = |why: String| OpenError::Unavailable(format!("no chip on {device}: {why}"));
        let Some(program) = &self.program else {
            return Err(missing(
                "this program does not know its own file".to_owned(),
            ));
        };
        let mut command = Command::new(program);
        command.args(["nfc-worker", "--device", device]);
        // A stranger's card may take it over: it need not know what opens the home.
        command.env_remove("PACKMULE_PASSPHRASE");
        let worker = Worker::start(&mut command, device);
        Ok(Box::new(worker.map_err(|why| missing(why.to_string()))?))
    }
}

#[cfg(test)]
mod tests;
