//! Chips of all kinds by libnfc: the inside of a worker process.
//!
//! What is it: [`LibNfc`], a chip by its connection string (`pn532_uart:/dev/ttyUSB0`), and
//! [`work`], what `packmule nfc-worker` does with it. Who calls it: the façade, in a build with the
//! feature `nfc-libnfc`. What can go wrong: whatever is in the field can make libnfc 1.8.0 run over
//! its buffers or call abort(); so it never runs in a node's own process.
//!
//! Rules that follow from faults of libnfc and nfc1 (ADR 22): no more than 262 bytes go, and room
//! for 264 is given, as neither is checked; a time limit is never below a millisecond, as zero is
//! for ever; a target without a name is none, as nothing found is no error; after an error the
//! target is deselected, as a late answer would be taken for the next one's.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nfc1::target_info::{Iso14443a, TargetInfo};
use nfc1::{BaudRate, Context, Device, Error, Modulation, ModulationType, Property, Timeout};
use packmule_nfc::chip::{ApduLink, Chip, ChipError, Target, TargetKind};
use packmule_nfc::worker;
use uuid::Uuid;

/// The longest that libnfc takes without running over its own buffer.
const MOST: usize = 262;
/// What it may write into ours.
const ROOM: usize = 264;
/// Between two looks for a card.
const PAUSE: Duration = Duration::from_millis(10);
/// How long an answer may take to be fetched.
const ANSWER: Duration = Duration::from_secs(2);

const TYPE_A: Modulation = Modulation {
    modulation_type: ModulationType::Iso14443a,
    baud_rate: BaudRate::Baud106,
};

/// Which role the chip was set up for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Idle,
    Reader,
    Card,
}

/// A chip that libnfc drives. It has to go before its context.
pub struct LibNfc {
    device: Device,
    _context: Context,
    mode: Mode,
    holds: bool,
}

impl LibNfc {
    /// The chip of this connection string.
    ///
    /// # Errors
    /// If libnfc has no such device.
    pub fn open(connection: &str) -> io::Result<Self> {
        let failed = |fault: Error| io::Error::other(format!("libnfc: {fault}"));
        if connection.contains('\0') || connection.len() > 1000 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut context = Context::new().map_err(failed)?;
        let device = match connection {
            "" => context.open(),
            named => context.open_with_connstring(named),
        };
        Ok(Self {
            device: device.map_err(failed)?,
            _context: context,
            mode: Mode::Idle,
            holds: false,
        })
    }

    /// Sets it up as a reader that gives up when nothing is there.
    fn read(&mut self) -> Result<(), ChipError> {
        if self.mode != Mode::Reader {
            self.device.initiator_init().map_err(told)?;
            self.device
                .set_property_bool(Property::InfiniteSelect, false)
                .map_err(told)?;
            self.mode = Mode::Reader;
        }
        Ok(())
    }
}

/// What its errors are to us.
fn told(fault: Error) -> ChipError {
    match fault {
        Error::Timeout | Error::OperationAborted => ChipError::Silent,
        Error::RfTransmissionError | Error::TargetReleased => ChipError::Lost,
        Error::Io | Error::NoSuchDeviceFound | Error::NoDeviceFound | Error::Malloc => {
            ChipError::Broken(io::Error::other(format!("libnfc: {fault}")))
        }
        Error::DeviceNotSupported | Error::NotImplemented => ChipError::Unsupported,
        other => ChipError::Odd(format!("libnfc: {other}")),
    }
}

/// Never zero, which would be for ever.
fn limit(wait: Duration) -> Timeout {
    Timeout::Duration(wait.clamp(Duration::from_millis(1), Duration::from_secs(60)))
}

impl ApduLink for LibNfc {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        if command.len() > MOST {
            return Err(ChipError::TooLarge(command.len()));
        }
        if !self.holds {
            return Err(ChipError::Lost);
        }
        let answer = self
            .device
            .initiator_transceive_bytes(command, ROOM, limit(wait));
        answer.map_err(|fault| {
            self.release();
            told(fault)
        })
    }
}

impl Chip for LibNfc {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        self.release();
        self.read()?;
        let until = Instant::now() + wait;
        loop {
            match self.device.initiator_select_passive_target(&TYPE_A) {
                Ok(found) => {
                    if let TargetInfo::Iso14443a(info) = found.target_info
                        && let Some(uid @ [_, ..]) = info.uid.get(..info.uid_len)
                    {
                        self.holds = true;
                        return Ok(Some(Target {
                            uid: uid.to_vec(),
                            kind: TargetKind::of(info.sak),
                        }));
                    }
                }
                Err(fault) => {
                    if let broken @ ChipError::Broken(_) = told(fault) {
                        return Err(broken);
                    }
                    // Some card spoke nonsense: set up anew.
                    self.mode = Mode::Idle;
                    self.read()?;
                }
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.holds) {
            // Gone already, perhaps.
            let _ = self.device.initiator_deselect_target();
        }
    }

    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError> {
        self.release();
        self.mode = Mode::Card;
        let [a, b, c, ..] = *Uuid::new_v4().as_bytes();
        let mut info = Iso14443a {
            atqa: [0, 4],
            sak: 0x20,
            uid: [0; 10],
            uid_len: 4,
            ats: [0; 254],
            ats_len: 0,
        };
        // The first byte of a name that is made up anew.
        for (place, byte) in info.uid.iter_mut().zip([8, a, b, c]) {
            *place = byte;
        }
        let card = nfc1::Target {
            target_info: TargetInfo::Iso14443a(info),
            modulation: TYPE_A,
        };
        // What comes back is how the reader greeted.
        match self.device.target_init(&card, ROOM, limit(wait)) {
            Ok(_) => Ok(true),
            Err(fault) => match told(fault) {
                broken @ (ChipError::Broken(_) | ChipError::Unsupported) => Err(broken),
                _ => Ok(false),
            },
        }
    }

    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError> {
        let heard = self.device.target_receive_bytes(ROOM, limit(wait));
        heard.map_err(told)
    }

    fn answer(&mut self, response: &[u8]) -> Result<(), ChipError> {
        if response.len() > MOST {
            return Err(ChipError::TooLarge(response.len()));
        }
        self.device
            .target_send_bytes(response, limit(ANSWER))
            .map_err(told)
    }
}

/// What a worker does: opens the device and does what its standard input says.
///
/// # Errors
/// If whoever started it is gone, or says nonsense.
pub fn work(device: &str) -> io::Result<()> {
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    match LibNfc::open(device) {
        Ok(mut chip) => worker::serve(Ok(&mut chip), &mut from, &mut to),
        Err(why) => worker::serve(Err(why.to_string()), &mut from, &mut to),
    }
}
