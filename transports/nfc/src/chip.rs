//! What a back end is: a chip that plays a reader, a card, or both.
//!
//! What is it: [`ApduLink`], one exchange with a card, and [`Chip`], a radio with both roles. Who
//! calls it: tags, and the loops in `tap`; who implements it: the field in memory, the PN532. What
//! can go wrong: the other side is taken away at any moment ([`ChipError::Lost`]), or the device
//! itself is ([`ChipError::Broken`]).
//!
//! Calls block, each for no longer than it is told.

use std::time::Duration;

/// Why an exchange or a chip failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChipError {
    /// The other side has left the field.
    #[error("the other side has left the field")]
    Lost,
    /// Nothing came in the time that was given.
    #[error("nothing came in time")]
    Silent,
    /// What came makes no sense; what follows may.
    #[error("{0}")]
    Odd(String),
    /// Longer than it takes.
    #[error("{0} bytes are too many for the chip")]
    TooLarge(usize),
    /// This chip cannot play that role.
    #[error("this chip cannot do that")]
    Unsupported,
    /// The device is gone or does not answer: open it anew.
    #[error("the chip does not work: {0}")]
    Broken(#[from] std::io::Error),
}

/// A card in the field.
pub trait ApduLink {
    /// Asks, and waits for the answer: an APDU of a card that takes such, else what its kind of
    /// tag takes.
    ///
    /// # Errors
    /// If none came.
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError>;
}

/// What a reader found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// What it calls itself: 4, 7 or 10 bytes. Phones make one up each time.
    pub uid: Vec<u8>,
    /// What it takes.
    pub kind: TargetKind,
}

/// What a card takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TargetKind {
    /// APDUs (ISO/IEC 14443-4): phones, cards, tags of type 4.
    Apdus,
    /// Reads and writes of pages: tags of type 2.
    Pages,
    /// Something else.
    Other,
}

impl TargetKind {
    /// What SAK, the last byte of its selection, says (NXP AN10833).
    #[must_use]
    pub const fn of(sak: u8) -> Self {
        match sak {
            _ if sak & 0x20 != 0 => Self::Apdus,
            0 => Self::Pages,
            _ => Self::Other,
        }
    }
}

/// A radio.
pub trait Chip: ApduLink + Send {
    /// As a reader: looks for a card, for about so long. What it finds is selected.
    ///
    /// # Errors
    /// If the chip does not work.
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError>;

    /// Can it play a card? Those that cannot are readers alone.
    fn plays_card(&self) -> bool {
        true
    }

    /// Lets the card go.
    fn release(&mut self);

    /// As a card: waits for a reader, for about so long. Whether one came.
    ///
    /// # Errors
    /// If the chip does not work.
    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError>;

    /// The reader's next command.
    ///
    /// # Errors
    /// If none comes.
    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError>;

    /// The answer to it.
    ///
    /// # Errors
    /// If the reader has gone. Without an error nobody knows whether it arrived.
    fn answer(&mut self, response: &[u8]) -> Result<(), ChipError>;
}
