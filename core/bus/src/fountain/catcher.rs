//! The receiving side: frames in, in any order and from several transfers, objects out.

use std::collections::VecDeque;

use super::session::{Session, Step, worst_memory};
use super::{Frame, FrameError, MAX_OBJECT, Partial, Shape, TransferId};
use crate::Fragment;

/// What a receiver may be made to hold. Everything a stranger can make it allocate is below these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Transfers held at the same time; the default is 4.
    pub sessions: usize,
    /// The largest object accepted, in bytes; the default is [`MAX_OBJECT`].
    pub object: usize,
    /// Bytes of symbols held over all transfers; the default is 16 MiB. Putting an object
    /// together takes about four times its size for a moment on top.
    pub memory: usize,
    /// How many finished transfers are remembered, so that they are not begun again; 32.
    pub remembered: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 4,
            object: MAX_OBJECT,
            memory: 16 << 20,
            remembered: 32,
        }
    }
}

/// How far a transfer has come. `received / needed` is honest: RaptorQ needs K symbols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Which transfer.
    pub transfer: TransferId,
    /// Different symbols held.
    pub received: u32,
    /// Symbols needed (K).
    pub needed: u32,
    /// Length of the object, in bytes.
    pub object_bytes: u32,
    /// Length of a symbol, in bytes.
    pub symbol_bytes: u16,
    /// Symbols from this id on are all new.
    pub beyond: u32,
    /// How often a symbol came again with other bytes: someone forges frames.
    pub conflicts: u32,
}

/// What a frame led to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Caught {
    /// A symbol not held before.
    Fresh(Progress),
    /// A symbol already held; if its bytes differed, the first is kept and the conflict counted.
    Duplicate(Progress),
    /// The object is whole and its hash begins with the transfer's name. The transfer is over.
    Complete {
        /// Which transfer.
        transfer: TransferId,
        /// The object, exactly as it was sent.
        object: Vec<u8>,
    },
    /// A frame of a transfer that was completed before.
    Again(TransferId),
    /// Enough symbols, but the whole has another hash: at least one was forged. Suspects were
    /// dropped, or all symbols; fresh ones may complete the transfer.
    Mismatch(TransferId),
}

/// A receiver of several transfers at once.
///
/// # Against strangers
/// - Transfers beyond [`Limits::sessions`] push out the one that was quiet longest, except that
///   the one with most symbols is never pushed out by new ones: showing frames of made-up
///   transfers does not reset a good one.
/// - A forged frame of a known transfer spoils the hash. Then symbols that came in two versions
///   are dropped first; a short transfer waits for up to four more symbols and looks for the one
///   that spoils it; failing that, all are dropped and fresh ones are awaited. A sender that goes
///   on showing frames gets through as soon as K in a row are hers.
#[derive(Default)]
pub struct Catcher {
    limits: Limits,
    /// The one that was quiet longest comes first.
    sessions: Vec<Session>,
    done: VecDeque<(TransferId, u32)>,
    evicted: Vec<Progress>,
    /// What other media brought of transfers that were not met yet.
    fragments: Vec<Fragment>,
}

impl Catcher {
    /// A receiver with nothing in it yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// What another medium brought: taken up with the first frame of its transfer.
    pub fn know(&mut self, fragment: Fragment) {
        self.fragments.push(fragment);
    }

    /// Takes in one frame as it was read.
    ///
    /// # Errors
    /// These bytes are not a frame, or announce more than the limits allow; nothing changed.
    pub fn catch(&mut self, frame: &[u8]) -> Result<Caught, FrameError> {
        let frame = Frame::parse(frame)?;
        self.within_limits(frame.shape)?;
        Ok(self.add(frame))
    }

    /// Takes in what a store, or another channel, holds of a transfer. [`Caught::Fresh`] if any
    /// symbol was new.
    ///
    /// # Errors
    /// The transfer is larger than the limits allow; nothing changed.
    pub fn merge(&mut self, partial: &Partial) -> Result<Caught, FrameError> {
        let (transfer, shape) = (partial.transfer(), partial.shape());
        self.within_limits(shape)?;
        let mut outcome = Caught::Duplicate(Session::new(transfer, shape).progress());
        for (esi, symbol) in partial.symbols() {
            let step = self.add(Frame {
                transfer,
                shape,
                esi,
                symbol,
            });
            outcome = match (outcome, step) {
                (_, end @ (Caught::Complete { .. } | Caught::Again(_))) => return Ok(end),
                (Caught::Fresh(_), Caught::Duplicate(progress)) => Caught::Fresh(progress),
                (_, step) => step,
            };
        }
        Ok(outcome)
    }

    /// The unfinished transfers, by name.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        let mut all: Vec<_> = self.sessions.iter().map(Session::progress).collect();
        all.sort_by_key(|p| (p.transfer, p.object_bytes, p.symbol_bytes));
        all
    }

    /// The transfers that were pushed out, unfinished, since this was asked last: the latest of
    /// them, and at most [`Limits::remembered`]. Their frames must be shown again.
    #[must_use]
    pub fn take_evicted(&mut self) -> Vec<Progress> {
        std::mem::take(&mut self.evicted)
    }

    /// What is held of the unfinished transfers, for the store.
    #[must_use]
    pub fn partials(&self) -> Vec<Partial> {
        let mut all: Vec<_> = self.sessions.iter().map(Session::partial).collect();
        all.sort_by_key(|p| (p.transfer(), p.shape()));
        all
    }

    /// Bytes of symbols held now.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.sessions.iter().map(Session::memory).sum()
    }

    fn within_limits(&self, shape: Shape) -> Result<(), FrameError> {
        let object = shape.object_bytes() as usize;
        if object > self.limits.object || worst_memory(shape) > self.limits.memory {
            return Err(FrameError::OverLimit(shape.object_bytes()));
        }
        Ok(())
    }

    /// Takes in a symbol of a transfer that is within limits.
    fn add(&mut self, frame: Frame<'_>) -> Caught {
        let transfer = frame.transfer;
        if self.done.contains(&(transfer, frame.shape.object_bytes())) {
            return Caught::Again(transfer);
        }
        let known = |s: &Session| s.transfer == transfer && s.shape == frame.shape;
        let mut session = match self.sessions.iter().position(known) {
            Some(index) => self.sessions.remove(index),
            None => {
                let mut session = Session::new(transfer, frame.shape);
                if let Some(object) = self.begin(&mut session) {
                    self.finish(transfer, frame.shape);
                    return Caught::Complete { transfer, object };
                }
                session
            }
        };
        let caught = match session.add(frame.esi, frame.symbol) {
            Step::Fresh => Caught::Fresh(session.progress()),
            Step::Duplicate => Caught::Duplicate(session.progress()),
            Step::Mismatch => Caught::Mismatch(transfer),
            Step::Complete(object) => {
                self.finish(transfer, frame.shape);
                return Caught::Complete { transfer, object };
            }
        };
        while self.sessions.len() >= self.limits.sessions.max(1)
            || (self.memory() + session.memory() > self.limits.memory && !self.sessions.is_empty())
        {
            self.evict();
        }
        self.sessions.push(session);
        caught
    }

    /// Takes up what another medium brought of this transfer. The object, if that was all.
    fn begin(&mut self, session: &mut Session) -> Option<Vec<u8>> {
        let is_it = |one: &Fragment| one.is_shown_as(session.transfer, session.shape);
        // Once: should it spoil the whole, frames alone are to bring it.
        let fragment = self
            .fragments
            .swap_remove(self.fragments.iter().position(is_it)?);
        let partial = fragment.into_symbols(session.shape);
        partial.symbols().find_map(|(esi, symbol)| {
            let step = session.add(esi, symbol);
            match step {
                Step::Complete(object) => Some(object),
                _ => None,
            }
        })
    }

    /// Ends a transfer in every shape it was shown in, and remembers it.
    fn finish(&mut self, transfer: TransferId, shape: Shape) {
        let object_bytes = shape.object_bytes();
        self.sessions
            .retain(|s| s.transfer != transfer || s.shape.object_bytes() != object_bytes);
        self.done.push_back((transfer, object_bytes));
        while self.done.len() > self.limits.remembered {
            self.done.pop_front();
        }
    }

    /// Drops the session that was quiet longest, sparing the fullest if there are others.
    fn evict(&mut self) {
        let fullest = self.sessions.iter().map(Session::received).max();
        let spared = self
            .sessions
            .iter()
            .rposition(|s| Some(s.received()) == fullest);
        let victim = usize::from(spared == Some(0) && self.sessions.len() > 1);
        if victim < self.sessions.len() {
            let victim = self.sessions.remove(victim);
            if self.evicted.len() >= self.limits.remembered.max(1) {
                self.evicted.remove(0);
            }
            self.evicted.push(victim.progress());
        }
    }
}
