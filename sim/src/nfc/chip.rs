//! What one PN532 knows: registers, what it does for its host, whom it holds or is held by.
//!
//! What is it: plain state, and the values that the chip reports. Who calls it:
//! [`super::field`] and [`super::host`]. What can go wrong: nothing by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::frame::Parser;
use super::isodep::Blocks;

/// What the firmware says of itself: a PN532, version 1.6, all of ISO 18092 and 14443.
pub(super) const FIRMWARE: [u8; 4] = [0x32, 1, 6, 7];
/// Bit 7 tells whether the chip puts checksums behind what it sends (CIU_TxMode)...
pub(super) const TX_MODE: u16 = 0x6302;
/// ... and takes them off what it receives (CIU_RxMode).
pub(super) const RX_MODE: u16 = 0x6303;

/// SetParameters: RATS are sent without being asked for.
pub(super) const AUTO_RATS: u8 = 0x10;

/// Statuses (UM0701-02, 7.1).
pub(super) const FINE: u8 = 0;
/// Nobody answers.
pub(super) const TIMEOUT: u8 = 0x01;
/// Not in this role or state.
pub(super) const CONTEXT: u8 = 0x27;
/// The reader has let us go.
pub(super) const RELEASED: u8 = 0x29;

/// Who is in a field of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    Tag(usize),
    Chip(usize),
}

/// What a chip looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sought {
    /// InListPassiveTarget.
    List,
    /// InAutoPoll.
    Poll,
    /// InJumpForDEP: passive or active, and at which rate.
    Dep { active: bool, rate: u8 },
}

/// What a chip pretends to be (TgInitAsTarget).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Guise {
    pub(super) mode: u8,
    pub(super) atqa: [u8; 2],
    pub(super) uid: [u8; 4],
    pub(super) sak: u8,
    pub(super) id3: Vec<u8>,
    pub(super) general: Vec<u8>,
    pub(super) historical: Vec<u8>,
}

impl Guise {
    /// Reads the parameters of TgInitAsTarget.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (mode, rest) = bytes.split_first()?;
        let (&[a0, a1, u1, u2, u3, sak], rest) = rest.split_first_chunk()?;
        let (_felica, rest) = rest.split_at_checked(18)?;
        let (id3, rest) = rest.split_at_checked(10)?;
        let (general, rest) = counted(rest)?;
        let (historical, _) = counted(rest).unwrap_or_default();
        Some(Self {
            mode: *mode,
            // It is told the low byte first, and reports the high one first.
            atqa: [a1, a0],
            uid: [8, u1, u2, u3],
            sak,
            id3: id3.to_vec(),
            general: general.to_vec(),
            historical: historical.to_vec(),
        })
    }

    /// The answer to its selection: frames of 64 bytes, 155 ms to answer.
    pub(super) fn ats(&self) -> Vec<u8> {
        let mut ats = vec![0, 0x75, 0x33, 0x92, 0];
        ats.extend(self.historical.iter().take(48));
        if let Some(length) = u8::try_from(ats.len()).ok()
            && let Some(place) = ats.first_mut()
        {
            *place = length;
        }
        ats
    }

    pub(super) fn takes_apdus(&self) -> bool {
        self.sak & 0x20 != 0 && self.mode & 2 == 0
    }

    pub(super) const fn takes_dep(&self) -> bool {
        self.mode & 4 == 0
    }
}

/// A length, and so many bytes.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// A command whose answer has to wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Running {
    Seek {
        sought: Sought,
        until: Option<Duration>,
    },
    BeTarget(Guise),
    /// A command for the host.
    GetData,
    /// The host's answer is on its way.
    SetData,
    /// A card is to answer; by blocks that the host makes itself, or by the chip.
    Exchange {
        raw: bool,
    },
}

/// As a card: who has activated us.
#[derive(Clone, Debug)]
pub(super) struct Activated {
    pub(super) by: usize,
    /// What came and was not fetched.
    pub(super) inbox: Option<Vec<u8>>,
    /// The blocks, where the reader's host makes its own.
    pub(super) blocks: Option<Blocks>,
    /// Not told to our host yet.
    pub(super) quiet: bool,
}

/// A chip.
#[derive(Debug, Default)]
pub(super) struct Chip {
    pub(super) parser: Parser,
    pub(super) registers: BTreeMap<u16, u8>,
    pub(super) parameters: u8,
    /// Tries of a passive activation and of a jump; 255: for ever.
    pub(super) retries: Option<(u8, u8)>,
    /// Changes with every command: what was due for an old one is not any more.
    pub(super) ticket: u64,
    pub(super) code: u8,
    pub(super) running: Option<Running>,
    pub(super) holds: Option<Held>,
    /// Found last: the next look begins behind it.
    pub(super) found: Option<Held>,
    pub(super) is: Option<Activated>,
    /// Pieces of what goes (MI, TgSetMetaData).
    pub(super) meta: Vec<u8>,
    /// For a host that asks again.
    pub(super) said: Vec<u8>,
}

impl Chip {
    pub(super) fn register(&self, at: u16) -> u8 {
        let reset = if at == RX_MODE || at == TX_MODE {
            0x80
        } else {
            0
        };
        self.registers.get(&at).copied().unwrap_or(reset)
    }

    pub(super) fn sends_rats(&self) -> bool {
        self.parameters & AUTO_RATS != 0
    }
}
