//! Readers of smart cards by PC/SC: the reader's role of NFC.
//!
//! What is it: [`Readers`], who knows the readers of pcscd, and [`Reader`], a chip that cannot play
//! a card. Who calls it: the façade, in a build with the feature `nfc-pcsc`. What can go wrong: no
//! pcscd, no reader, another program has the card; all of it is said, and tried again by whoever
//! listens. PC/SC knows no time limit for an exchange: the reader's own holds.

use std::ffi::{CStr, CString};
use std::io;
use std::time::{Duration, Instant};

use ::pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use packmule_bus::link::{OpenError, Probe};
use packmule_nfc::Chips;
use packmule_nfc::chip::{ApduLink, Chip, ChipError, Target, TargetKind};

/// An answer in short APDUs, with room to spare.
const ROOM: usize = 300;
/// "What is your name?" (PC/SC part 3, 3.2.2.1.3); a reader that knows it not says so.
const NAME: &[u8] = &[0xff, 0xca, 0, 0, 0];
/// In what stands for the first word of a card that takes no APDUs: the id of PC/SC's own
/// workgroup (part 3, 3.1.3.2.3.2).
const STORAGE: &[u8] = &[0xa0, 0, 0, 3, 6];

/// Whoever knows the readers here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readers;

/// The readers that pcscd knows now.
fn readers() -> Result<(Context, Vec<CString>), Error> {
    let context = Context::establish(Scope::User)?;
    let names = context.list_readers_owned()?;
    Ok((context, names))
}

/// What its errors are to people.
fn words(fault: Error) -> String {
    match fault {
        Error::NoService | Error::ServiceStopped => {
            "no pcscd runs: apt install pcscd, and start it".to_owned()
        }
        Error::NoReadersAvailable => "pcscd knows no reader: plug one in".to_owned(),
        Error::SecurityViolation => "pcscd does not let you (polkit)".to_owned(),
        other => other.to_string(),
    }
}

impl Chips for Readers {
    fn probe(&self) -> Probe {
        let (ready, finding) = match readers() {
            Ok((_, names)) if !names.is_empty() => {
                let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
                (true, format!("readers: {}", names.join(", ")))
            }
            Ok(_) => (false, words(Error::NoReadersAvailable)),
            Err(fault) => (false, words(fault)),
        };
        Probe { ready, finding }
    }

    /// The first reader in whose name these words are.
    fn open(&self, device: &str) -> Result<Box<dyn Chip>, OpenError> {
        let missing = OpenError::Unavailable;
        let (context, names) = readers().map_err(|fault| missing(words(fault)))?;
        let wanted = device.to_lowercase();
        let named = |name: &CString| name.to_string_lossy().to_lowercase().contains(&wanted);
        let Some(reader) = names.into_iter().find(named) else {
            let why = format!("pcscd knows no reader with \"{device}\" in its name");
            return Err(missing(why));
        };
        Ok(Box::new(Reader {
            context,
            reader,
            card: None,
        }))
    }
}

/// A reader, and the card in its field.
pub struct Reader {
    context: Context,
    reader: CString,
    card: Option<Card>,
}

/// What its errors are to us.
fn told(fault: Error) -> ChipError {
    match fault {
        Error::RemovedCard
        | Error::ResetCard
        | Error::UnpoweredCard
        | Error::UnresponsiveCard
        | Error::NoSmartcard
        | Error::NotTransacted
        | Error::CommError => ChipError::Lost,
        Error::Timeout => ChipError::Silent,
        Error::NoService
        | Error::ServiceStopped
        | Error::ReaderUnavailable
        | Error::UnknownReader
        | Error::NoReadersAvailable
        | Error::InvalidHandle => ChipError::Broken(io::Error::other(words(fault))),
        other => ChipError::Odd(words(other)),
    }
}

impl Reader {
    /// Connects to the card that is there; `None` if none is.
    fn connect(&mut self) -> Result<Option<Target>, ChipError> {
        let all = Protocols::ANY;
        let card = match self
            .context
            .connect(&self.reader, ShareMode::Exclusive, all)
        {
            Ok(card) => card,
            Err(fault) => {
                return match told(fault) {
                    broken @ ChipError::Broken(_) => Err(broken),
                    // Not there, or not for us now.
                    _ => Ok(None),
                };
            }
        };
        let status = card.status2_owned().map_err(told)?;
        let pages = status.atr().windows(STORAGE.len()).any(|at| at == STORAGE);
        let mut room = [0; ROOM];
        let uid = match card.transmit(NAME, &mut room) {
            Ok([uid @ .., 0x90, 0]) if !uid.is_empty() => uid.to_vec(),
            _ => Vec::new(),
        };
        self.card = Some(card);
        let kind = match pages {
            true => TargetKind::Other,
            false => TargetKind::Apdus,
        };
        Ok(Some(Target { uid, kind }))
    }

    /// Waits until something changes at the reader, a little at most.
    fn wait(&self, wait: Duration) -> Result<(), ChipError> {
        let name: &CStr = &self.reader;
        let mut states = [ReaderState::new(name, State::UNAWARE)];
        let known = self.context.get_status_change(None, &mut states);
        known.map_err(told)?;
        for state in &mut states {
            state.sync_current_state();
        }
        match self.context.get_status_change(wait, &mut states) {
            Ok(()) | Err(Error::Timeout) => Ok(()),
            Err(fault) => Err(told(fault)),
        }
    }
}

impl ApduLink for Reader {
    fn exchange(&mut self, command: &[u8], _: Duration) -> Result<Vec<u8>, ChipError> {
        let Some(card) = &self.card else {
            return Err(ChipError::Lost);
        };
        let mut room = [0; ROOM];
        let answer = card.transmit(command, &mut room).map_err(told)?;
        Ok(answer.to_vec())
    }
}

impl Chip for Reader {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        self.release();
        let until = Instant::now() + wait;
        loop {
            if let Some(target) = self.connect()? {
                return Ok(Some(target));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left.min(Duration::from_millis(100)))?;
        }
    }

    fn plays_card(&self) -> bool {
        false
    }

    fn release(&mut self) {
        if let Some(card) = self.card.take() {
            // Reset: the next one who asks finds nothing selected. It may be gone.
            let _ = card.disconnect(Disposition::ResetCard);
        }
    }

    fn listen(&mut self, _: Duration) -> Result<bool, ChipError> {
        Err(ChipError::Unsupported)
    }

    fn hear(&mut self, _: Duration) -> Result<Vec<u8>, ChipError> {
        Err(ChipError::Unsupported)
    }

    fn answer(&mut self, _: &[u8]) -> Result<(), ChipError> {
        Err(ChipError::Unsupported)
    }
}
