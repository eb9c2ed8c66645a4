//! The PN532 on a serial line (HSU), as reader and as card; no library of the system.
//!
//! What is it: [`Pn532`], a [`Chip`] by NXP's UM0701-02, and [`Serial`], which opens one by the
//! name of its line. Who calls it: the transport, `packmule nfc`. What can go wrong: the line; a
//! chip that does not answer; statuses of the chip, which come from whatever is in the field.

pub mod frame;
mod serial;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use packmule_bus::link::{OpenError, Probe};
use uuid::Uuid;

use crate::chip::{ApduLink, Chip, ChipError, Target, TargetKind};
use crate::transport::Chips;
use frame::{ACK, Parser, Said};
use serial::Port;

/// How long the chip may take to say that it has heard a command.
const HEARD: Duration = Duration::from_millis(300);
/// How long it may take for what needs no radio.
const AT_ONCE: Duration = Duration::from_millis(500);
/// How long a card's answer may take to be fetched.
const ANSWER: Duration = Duration::from_secs(2);
/// The most data in one exchange: 264 less target and code.
const MOST: usize = 262;
/// What a chained answer may come to.
const LONGEST: usize = 1024;

/// A PN532.
#[derive(Debug)]
pub struct Pn532 {
    port: Port,
    parser: Parser,
    holds: bool,
}

impl Pn532 {
    /// The chip on this line: woken, asked what it is, set up for both roles.
    ///
    /// # Errors
    /// If the line cannot be opened, or what is on it does not answer as a PN532.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut chip = Self {
            port: Port::open(path)?,
            parser: Parser::default(),
            holds: false,
        };
        // It sleeps, perhaps in the middle of a command of somebody who was killed.
        chip.port
            .write(&[0x55, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        chip.port.write(&ACK)?;
        let plain = |fault| match fault {
            ChipError::Broken(fault) => fault,
            other => io::Error::other(other),
        };
        // SAMConfiguration: no security module.
        chip.command(&[0x14, 1], AT_ONCE).map_err(plain)?;
        let firmware = chip.command(&[2], AT_ONCE).map_err(plain)?;
        if firmware.first() != Some(&0x32) {
            let why = format!("it is no PN532 (it says {firmware:02x?})");
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        // SetParameters: selection by itself, in both roles. RFConfiguration: look until told to
        // stop.
        chip.command(&[0x12, 0x34], AT_ONCE).map_err(plain)?;
        chip.command(&[0x32, 5, 0xff, 1, 0xff], AT_ONCE)
            .map_err(plain)?;
        Ok(chip)
    }

    /// Does a command; what comes back behind its code.
    fn command(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        let framed = frame::command(command).ok_or(ChipError::TooLarge(command.len()))?;
        let code = command.first().copied().unwrap_or_default();
        self.parser.clear();
        self.port.write(&framed)?;
        // What comes before the ACK is of an earlier command.
        let until = Instant::now() + HEARD;
        loop {
            match self.next(until)? {
                Some(Said::Ack) => break,
                Some(_) => {}
                None => {
                    let why = "it does not answer";
                    return Err(io::Error::new(ErrorKind::TimedOut, why).into());
                }
            }
        }
        let until = Instant::now() + wait;
        loop {
            match self.next(until)? {
                Some(Said::Answer(of, data)) if of == code => return Ok(data),
                Some(Said::Error) => {
                    return Err(ChipError::Odd(
                        "the chip does not know the command".to_owned(),
                    ));
                }
                Some(_) => {}
                None => {
                    self.port.write(&ACK)?;
                    return Err(ChipError::Silent);
                }
            }
        }
    }

    /// The next frame; `None` when the time is over.
    fn next(&mut self, until: Instant) -> Result<Option<Said>, ChipError> {
        loop {
            // Byte by byte: what is behind a frame belongs to the next call.
            let mut one = [0];
            let Some(byte) = self.port.read(&mut one, until)?.first() else {
                return Ok(None);
            };
            if let Some(said) = self.parser.feed(*byte) {
                return Ok(Some(said));
            }
        }
    }

    /// Does a command whose answer is a status and data, in pieces if it is chained.
    fn whole(
        &mut self,
        command: &[u8],
        again: &[u8],
        wait: Duration,
    ) -> Result<Vec<u8>, ChipError> {
        let mut whole = Vec::new();
        let mut answer = self.command(command, wait)?;
        loop {
            let Some((status, data)) = answer.split_first() else {
                return Err(ChipError::Odd("an answer without a status".to_owned()));
            };
            match status {
                0 | 0x40 => whole.extend_from_slice(data),
                // Nobody answers; not in that state; let go; gone from the field.
                0x01 | 0x27 | 0x29 | 0x2b => return Err(ChipError::Lost),
                other => return Err(ChipError::Odd(format!("the chip says {other:#04x}"))),
            }
            if status & 0x40 == 0 {
                return Ok(whole);
            }
            if whole.len() > LONGEST {
                return Err(ChipError::Odd("an answer without end".to_owned()));
            }
            answer = self.command(again, wait)?;
        }
    }
}

impl ApduLink for Pn532 {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        if command.len() > MOST {
            return Err(ChipError::TooLarge(command.len()));
        }
        let mut exchange = vec![0x40, 1];
        exchange.extend_from_slice(command);
        self.whole(&exchange, &[0x40, 1], wait)
    }
}

impl Chip for Pn532 {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        self.release();
        // One target, type A at 106 kbit/s.
        let found = match self.command(&[0x4a, 1, 0], wait) {
            Ok(found) => found,
            Err(ChipError::Silent) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        self.holds = found.first().is_some_and(|count| *count > 0);
        Ok(target(&found))
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.holds) {
            // A chip that does not work says so at the next command, too.
            let _ = self.command(&[0x52, 0], AT_ONCE);
        }
    }

    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError> {
        self.release();
        let [a, b, c, ..] = *Uuid::new_v4().as_bytes();
        // Passive, a card of ISO/IEC 14443-4 only; its name is made up anew.
        let mut command = vec![0x8c, 5, 4, 0, a, b, c, 0x20];
        // Nothing of FeliCa, no third name, no general or historical bytes.
        command.extend_from_slice(&[0; 18 + 10 + 2]);
        match self.command(&command, wait) {
            // Bit 3: it was selected as that card.
            Ok(mode) => Ok(mode.first().is_some_and(|mode| mode & 8 != 0)),
            Err(ChipError::Silent) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError> {
        self.whole(&[0x86], &[0x86], wait)
    }

    fn answer(&mut self, response: &[u8]) -> Result<(), ChipError> {
        if response.len() > MOST {
            return Err(ChipError::TooLarge(response.len()));
        }
        let mut command = vec![0x8e];
        command.extend_from_slice(response);
        self.whole(&command, &[0x86], ANSWER).map(drop)
    }
}

/// What InListPassiveTarget tells of the first card: number, two bytes, SAK, its name.
fn target(found: &[u8]) -> Option<Target> {
    let [count, _, _, _, sak, length, rest @ ..] = found else {
        return None;
    };
    if *count == 0 {
        return None;
    }
    Some(Target {
        uid: rest.get(..usize::from(*length))?.to_vec(),
        kind: TargetKind::of(*sak),
    })
}

/// Chips by the names of their serial lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Serial {
    /// Lines on which a PN532 may be: USB adapters, those of small boards.
    #[must_use]
    pub fn candidates() -> Vec<PathBuf> {
        let named = |name: &str| {
            let kinds = ["ttyUSB", "ttyACM", "ttyAMA", "serial0"];
            kinds.iter().any(|kind| name.starts_with(kind))
        };
        let all = fs::read_dir("/dev").into_iter().flatten().flatten();
        let mut lines: Vec<PathBuf> = all
            .filter(|entry| entry.file_name().to_str().is_some_and(named))
            .map(|entry| entry.path())
            .collect();
        lines.sort();
        lines
    }
}

impl Chips for Serial {
    fn probe(&self) -> Probe {
        // Opening one might wake what is no chip at all: only `nfc:/dev/...` does that.
        let lines = Self::candidates();
        let names: Vec<String> = lines
            .iter()
            .map(|line| line.display().to_string())
            .collect();
        let finding = if lines.is_empty() {
            "no serial line: plug a PN532 in by USB or UART, and name it as nfc:/dev/ttyUSB0"
                .to_owned()
        } else {
            format!("a PN532 may be on {}", names.join(", "))
        };
        Probe {
            ready: !lines.is_empty(),
            finding,
        }
    }

    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        let chip = Pn532::open(Path::new(device))
            .map_err(|fault| OpenError::Unavailable(format!("no PN532 on {device}: {fault}")))?;
        Ok(Box::new(chip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_within_what_came() {
        let phone = target(&[1, 1, 0, 4, 0x20, 4, 8, 1, 2, 3, 5, 0x75]).expect("a target");
        assert_eq!(
            (phone.uid, phone.kind),
            (vec![8, 1, 2, 3], TargetKind::Apdus)
        );
        let sticker = target(&[1, 1, 0, 0x44, 0, 7, 4, 1, 2, 3, 4, 5, 6]).expect("a target");
        assert_eq!((sticker.uid.len(), sticker.kind), (7, TargetKind::Pages));
        for odd in [
            &[][..],
            &[0],
            &[1],
            &[1, 1, 0, 4, 0x20],
            &[1, 1, 0, 4, 0x20, 9, 1],
        ] {
            assert_eq!(target(odd), None, "{odd:?}");
        }
    }
}
