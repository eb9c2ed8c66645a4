//! A session's PDUs as numbered GATT values: in order, none lost unseen, none sent without room.
//!
//! What is it: [`Pipe`], one end of a link without IO. Each piece has a number, so that it does
//! not matter in which order several ATT bearers bring them; none goes without leave of the other
//! side, so that no queue there runs over. Who calls it: [`crate::link`], tests and models that
//! carry the values by hand. What can go wrong: everything that comes is a stranger's; what breaks
//! the rules is a [`PipeError`], and the link is over. A value that the radio loses leaves a gap:
//! nothing behind it is given out, and the session's own silence ends the link.
//!
//! A piece fills a value. A PDU is one piece; only where that would be shorter than a session
//! needs (at the least MTU of all) it is two, and ends with a piece that is not full or with the
//! last one it may have. The reasons are in `docs/adr/0020-numbered-values-over-gatt.md`.

use std::collections::{BTreeMap, VecDeque};

use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::session::MIN_MTU;

use crate::plan;
use crate::value::{LEAST_WINDOW, MOST_WINDOW, Opening, ROUND, Tag, VERSION, Value, ValueError};

/// What one end holds of what came, about, in bytes: so many pieces as this has room for are let
/// in. Six intervals of 30 ms at the highest rate that GATT reaches.
const HELD: usize = 32 << 10;
/// Of each byte of a piece, one is its number.
const NUMBER: usize = 1;
/// A grant is said when such a part of the window is free. A value with nothing but a grant costs a
/// stack as much as a full one: they are to be few …
const GRANT_AT: u64 = 2;
/// … but where values are so short that only the numbers bound the window, that is not much more
/// than an interval carries, and half of it would come too late.
const GRANT_AT_MOST: u64 = 4;

/// Why a link cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// A value that is none.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Another link begins.
    #[error("a second opening")]
    Reopened,
    /// Something before the opening that has to be the first.
    #[error("a value before the opening")]
    TooEarly,
    /// A piece for which no leave was given.
    #[error("a piece for which there is no room")]
    NoRoom,
    /// A piece that came already.
    #[error("a piece that came twice")]
    Twice,
    /// More than a value holds here, or a PDU of nothing.
    #[error("a piece of {0} bytes")]
    Length(usize),
    /// More leave than there are numbers.
    #[error("leave to send more than there are numbers")]
    TooGenerous,
    /// Something after the farewell.
    #[error("a farewell that does not fit what came")]
    Farewell,
}

/// One end of a link.
#[derive(Debug)]
pub struct Pipe {
    role: Role,
    ours: Opening,
    theirs: Option<Opening>,
    said_opening: bool,
    out: Out,
    inward: In,
}

#[derive(Debug, Default)]
struct Out {
    /// The PDU that goes, and how many pieces of it went.
    pdu: Option<(Vec<u8>, usize)>,
    next: u64,
    /// The first number that may not be sent.
    end: u64,
    left: bool,
    said_farewell: bool,
}

#[derive(Debug, Default)]
struct In {
    next: u64,
    /// The first number that may not come.
    end: u64,
    /// Pieces before which one is missing.
    held: BTreeMap<u64, Vec<u8>>,
    /// The pieces of a PDU that is not whole.
    part: Vec<u8>,
    parts: u64,
    /// Whole PDUs, each with the count of its pieces.
    whole: VecDeque<(Vec<u8>, u64)>,
    /// Pieces given out, of which the other side does not know yet.
    owed: u64,
    farewell: Option<u64>,
}

/// How many pieces an end takes whose longest value is this.
#[must_use]
pub fn window(longest: usize) -> u8 {
    let fits = HELD / longest.max(1);
    u8::try_from(fits).map_or(MOST_WINDOW, |fits| fits.clamp(LEAST_WINDOW, MOST_WINDOW))
}

impl Pipe {
    /// An end whose connection carries values up to so many bytes, see [`plan::value`], of a device
    /// that advertises with this tag. `None` if the values are shorter than any may be.
    #[must_use]
    pub fn new(role: Role, longest: usize, tag: Tag) -> Option<Self> {
        if longest < plan::LEAST_VALUE {
            return None;
        }
        let longest = plan::fitting(longest);
        let window = window(longest);
        let ours = Opening {
            version: VERSION,
            tag,
            longest: u16::try_from(longest).ok()?,
            window,
        };
        let inward = In {
            end: u64::from(window),
            ..In::default()
        };
        Some(Self {
            role,
            ours,
            theirs: None,
            said_opening: false,
            out: Out::default(),
            inward,
        })
    }

    /// Do both sides know what they need of one another?
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.theirs.is_some() && self.said_opening
    }

    /// The other side's tag, once it is known.
    #[must_use]
    pub fn tag(&self) -> Option<Tag> {
        self.theirs.map(|theirs| theirs.tag)
    }

    /// The longest value on this link; what is our own limit until the other's is known.
    #[must_use]
    pub fn longest(&self) -> usize {
        let theirs = self.theirs.map_or(u16::MAX, |theirs| theirs.longest);
        usize::from(self.ours.longest.min(theirs))
    }

    /// What a full piece holds, and how many a PDU has at most.
    fn sizes(&self) -> (usize, usize) {
        let full = self.longest() - NUMBER;
        (full, MIN_MTU.div_ceil(full))
    }

    /// What the link is like, once it is open.
    #[must_use]
    pub fn facts(&self) -> LinkFacts {
        let (full, pieces) = self.sizes();
        LinkFacts {
            mtu: full * pieces,
            ordered: true,
            reliable: true,
            half_duplex: false,
            sealed: false,
            rate: Some(plan::usual_rate(self.longest())),
        }
    }

    /// Is there room for a PDU to go?
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.out.pdu.is_none() && !self.out.left
    }

    /// A PDU is to go, of 1 byte up to the MTU: asked for by [`Pipe::has_room`]. `false`: it is
    /// not taken.
    pub fn give(&mut self, pdu: Vec<u8>) -> bool {
        let fits = (1..=self.facts().mtu).contains(&pdu.len());
        let taken = fits && self.has_room();
        if taken {
            self.out.pdu = Some((pdu, 0));
        }
        taken
    }

    /// Nobody is left on this side: what remains to be said is a farewell. A PDU of which not
    /// all went is not finished.
    pub fn leave(&mut self) {
        self.out.left = true;
        self.out.pdu = None;
    }

    /// Has the farewell been said?
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.out.said_farewell
    }

    /// The next PDU that came.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let (pdu, pieces) = self.inward.whole.pop_front()?;
        self.inward.owed += pieces;
        Some(pdu)
    }

    /// Has the other side left, and all come that it sent? What came can still be taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.inward.farewell == Some(self.inward.next)
    }

    /// The next value to send. `None`: nothing to say now, or no leave to.
    pub fn say(&mut self) -> Option<Vec<u8>> {
        if !self.said_opening {
            return self.opening();
        }
        if self.theirs.is_none() || self.out.said_farewell {
            return None;
        }
        if self.out.left {
            self.out.said_farewell = true;
            let end = low(self.out.next);
            return Some(Value::Farewell { end }.to_bytes());
        }
        let piece = self.piece();
        let fits = piece
            .as_ref()
            .is_some_and(|(bytes, _)| bytes.len() + NUMBER < self.longest());
        let part = match self.ours.window {
            MOST_WINDOW => GRANT_AT_MOST,
            _ => GRANT_AT,
        };
        let due = self.inward.owed >= (u64::from(self.ours.window) / part).max(1);
        let grant = if due || fits { self.grant() } else { 0 };
        let piece = piece.filter(|_| fits || grant == 0);
        if let Some((_, last)) = &piece {
            self.out.next += 1;
            match &mut self.out.pdu {
                Some((_, gone)) if !last => *gone += 1,
                pdu => *pdu = None,
            }
        }
        if grant == 0 && piece.is_none() {
            return None;
        }
        let number = low(self.out.next.wrapping_sub(1));
        let piece = piece.as_ref().map(|(bytes, _)| (number, bytes.as_slice()));
        Some(Value::Flow { grant, piece }.to_bytes())
    }

    fn opening(&mut self) -> Option<Vec<u8>> {
        if self.role == Role::Listener {
            self.theirs?;
        }
        self.said_opening = true;
        Some(Value::Opening(self.ours).to_bytes())
    }

    /// The next piece, and whether it ends its PDU; if there is leave for it.
    fn piece(&self) -> Option<(Vec<u8>, bool)> {
        let (full, most) = self.sizes();
        let (pdu, gone) = self.out.pdu.as_ref()?;
        if self.out.next >= self.out.end {
            return None;
        }
        let rest = pdu.get(gone * full..).unwrap_or_default();
        let bytes = rest.get(..full).unwrap_or(rest);
        Some((bytes.to_vec(), bytes.len() < full || gone + 1 == most))
    }

    /// What may be granted now.
    fn grant(&mut self) -> u8 {
        let grant = self.inward.owed.min(u64::from(MOST_WINDOW));
        self.inward.owed -= grant;
        self.inward.end += grant;
        low(grant)
    }

    /// A value came.
    ///
    /// # Errors
    /// If the link cannot go on.
    pub fn heard(&mut self, value: &[u8]) -> Result<(), PipeError> {
        match Value::read(value)? {
            Value::Opening(opening) => self.opened(opening),
            Value::Flow { grant, piece } => {
                if grant > 0 {
                    self.granted(grant)?;
                }
                piece.map_or(Ok(()), |(number, bytes)| self.came(number, bytes))
            }
            Value::Farewell { end } => {
                self.expect_open()?;
                let end = self.inward.next + ahead(end, self.inward.next);
                let beyond = self
                    .inward
                    .held
                    .last_key_value()
                    .is_some_and(|(n, _)| *n >= end);
                if self.inward.farewell.is_some() || beyond || end > self.inward.end {
                    return Err(PipeError::Farewell);
                }
                self.inward.farewell = Some(end);
                Ok(())
            }
            Value::Later => Ok(()),
        }
    }

    /// What a peripheral says may overtake its opening; what a central says may not, for it waits
    /// for the answer.
    const fn expect_open(&self) -> Result<(), PipeError> {
        match self.role {
            Role::Listener if !self.is_open() => Err(PipeError::TooEarly),
            _ if !self.said_opening => Err(PipeError::TooEarly),
            _ => Ok(()),
        }
    }

    fn opened(&mut self, opening: Opening) -> Result<(), PipeError> {
        if self.theirs.is_some() {
            return Err(PipeError::Reopened);
        }
        if self.role == Role::Dialer && !self.said_opening {
            return Err(PipeError::TooEarly);
        }
        self.theirs = Some(opening);
        self.out.end += u64::from(opening.window);
        self.bounded()?;
        self.join()
    }

    fn granted(&mut self, grant: u8) -> Result<(), PipeError> {
        self.expect_open()?;
        self.out.end += u64::from(grant);
        self.bounded()
    }

    /// More leave than numbers would make one number mean two pieces.
    const fn bounded(&self) -> Result<(), PipeError> {
        if self.out.end - self.out.next >= ROUND {
            return Err(PipeError::TooGenerous);
        }
        Ok(())
    }

    fn came(&mut self, number: u8, bytes: &[u8]) -> Result<(), PipeError> {
        self.expect_open()?;
        if bytes.len() + NUMBER > self.longest() {
            return Err(PipeError::Length(bytes.len()));
        }
        let inward = &mut self.inward;
        let number = inward.next + ahead(number, inward.next);
        if number >= inward.end {
            return Err(PipeError::NoRoom);
        }
        if inward.farewell.is_some_and(|end| number >= end) {
            return Err(PipeError::Farewell);
        }
        if inward.held.insert(number, bytes.to_vec()).is_some() {
            return Err(PipeError::Twice);
        }
        self.join()
    }

    /// Gives out what has its turn, once it is known how long a full piece is.
    fn join(&mut self) -> Result<(), PipeError> {
        if self.theirs.is_none() {
            return Ok(());
        }
        let (full, most) = self.sizes();
        let inward = &mut self.inward;
        while let Some(bytes) = inward.held.remove(&inward.next) {
            inward.next += 1;
            let length = bytes.len();
            // Nobody hears what comes after we have left.
            if length > full || length == 0 && inward.parts == 0 {
                return Err(PipeError::Length(length));
            }
            inward.parts += 1;
            if inward.part.is_empty() {
                inward.part = bytes;
            } else {
                inward.part.extend_from_slice(&bytes);
            }
            if length < full || inward.parts >= most as u64 {
                let pdu = std::mem::take(&mut inward.part);
                let parts = std::mem::take(&mut inward.parts);
                if !self.out.left {
                    inward.whole.push_back((pdu, parts));
                }
            }
        }
        Ok(())
    }
}

/// A number as it goes.
fn low(number: u64) -> u8 {
    u8::try_from(number % ROUND).unwrap_or_default()
}

/// How far a number that came is ahead of the one whose turn it is.
const fn ahead(number: u8, next: u64) -> u64 {
    (number as u64 + ROUND - next % ROUND) % ROUND
}

#[cfg(test)]
mod tests;
