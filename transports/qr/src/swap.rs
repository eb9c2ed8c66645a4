//! Two that show and scan at the same time: what one shows, knowing what the other has.
//!
//! Called by the CLI's `qr swap` and by the kiosk's page, for each code anew; a
//! [`Reader`](crate::Reader) beside it does the scanning. It has no clock and no camera. A message is
//! shown until its ack says that it is whole, and then the next; what the other holds from before
//! is not shown again, because an ack tells from which symbol on all are new to it. What can go
//! wrong: no ack ever comes (messages take turns, nothing ends), forged ones (see
//! [`Ack`]; at worst symbols are left out that no reader needs).

use std::collections::VecDeque;

use packmule_bus::Envelope;
use packmule_bus::fountain::TransferId;

use crate::ack::Ack;
use crate::picture::Picture;
use crate::profile::Profile;
use crate::show::{Cut, ShowError};

/// Codes of a message between two acks of ours, where there is something to acknowledge.
const BETWEEN: u32 = 3;

/// After so many rounds without any word of the other side, the next message has its turn.
const PATIENCE: u32 = 2;

/// Codes after which an ack tells whether the speed is right.
const SAMPLE: u32 = 8;

/// The slowest and the fastest that codes follow each other, a second.
const SPEEDS: (u16, u16) = (2, 30);

/// What one of two sides shows.
pub struct Swap {
    largest: u8,
    speed: u16,
    outgoing: VecDeque<Outgoing>,
    answers: Vec<Ack>,
    turn: u32,
    /// Which of the answers is next.
    answer: usize,
}

/// A message that the other side has not acknowledged yet.
struct Outgoing {
    object: Vec<u8>,
    cut: Cut,
    /// The symbol to show next.
    next: u32,
    /// Codes of it shown, and how many at the last word of the other side.
    shown: u32,
    heard_at: u32,
    heard: u32,
}

/// How far a message is that is being shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Going {
    /// Which transfer.
    pub transfer: TransferId,
    /// Codes of it shown so far.
    pub shown: u32,
    /// Symbols the other side says it has.
    pub received: u32,
    /// Symbols it needs.
    pub needed: u32,
}

/// What an ack of the other side meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Nothing: it is of no message of ours, or proves nothing.
    Nothing,
    /// It is further.
    Going(TransferId),
    /// The other side has the message. It is not shown any more.
    Done(TransferId),
}

impl Outgoing {
    fn cut(object: Vec<u8>, largest: u8) -> Result<Self, ShowError> {
        let cut = Cut::of(&object, largest)?;
        Ok(Self {
            object,
            cut,
            next: 0,
            shown: 0,
            heard_at: 0,
            heard: 0,
        })
    }

    fn going(&self) -> Going {
        Going {
            transfer: self.cut.transfer(),
            shown: self.shown,
            received: self.heard,
            needed: self.cut.needed(),
        }
    }

    /// How much of what was shown since the last word arrived: hundredths, where that tells.
    fn yield_of(&self, ack: &Ack) -> Option<u32> {
        let shown = self.shown.saturating_sub(self.heard_at);
        let came = ack.received.saturating_sub(self.heard);
        (shown >= SAMPLE).then(|| 100 * came.min(shown) / shown)
    }
}

impl Swap {
    /// Shows in codes of this profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            largest: profile.version(),
            speed: profile.codes_per_second(),
            outgoing: VecDeque::new(),
            answers: Vec::new(),
            turn: 0,
            answer: 0,
        }
    }

    /// Adds a message to what is to be shown.
    ///
    /// # Errors
    /// As [`show_within`](crate::show_within).
    pub fn offer(&mut self, envelope: &Envelope) -> Result<TransferId, ShowError> {
        let outgoing = Outgoing::cut(envelope.to_wire(), self.largest)?;
        let transfer = outgoing.cut.transfer();
        if self.outgoing.iter().all(|o| o.cut.transfer() != transfer) {
            self.outgoing.push_back(outgoing);
        }
        Ok(transfer)
    }

    /// From now on in codes up to version `largest`: what the screen has room for, or the other
    /// camera resolves. A reader counts another size for itself, and keeps what it has.
    ///
    /// # Errors
    /// As [`show_within`](crate::show_within); then nothing changed.
    pub fn resize(&mut self, largest: u8) -> Result<(), ShowError> {
        if largest == self.largest {
            return Ok(());
        }
        let cut = |o: &Outgoing| Outgoing::cut(o.object.clone(), largest);
        let anew: Result<VecDeque<_>, _> = self.outgoing.iter().map(cut).collect();
        self.outgoing = anew?;
        self.largest = largest;
        Ok(())
    }

    /// The largest version shown.
    #[must_use]
    pub fn largest(&self) -> u8 {
        self.largest
    }

    /// How many codes a second to show: as the profile says, until acks tell that most are lost,
    /// or hardly any.
    #[must_use]
    pub fn speed(&self) -> u16 {
        self.speed
    }

    /// Sets it, for whoever sees that it is too fast.
    pub fn set_speed(&mut self, codes_per_second: u16) {
        self.speed = codes_per_second.clamp(SPEEDS.0, SPEEDS.1);
    }

    /// What our reader would tell the other side ([`Reader::acks`](crate::Reader::acks)).
    pub fn answer(&mut self, acks: &[Ack]) {
        let whole = |acks: &[Ack]| acks.iter().filter(|a| a.is_whole()).count();
        if whole(acks) > whole(&self.answers) {
            // The other side may stop: it is told at once.
            self.turn = 0;
            self.answer = 0;
        }
        self.answers = acks.iter().rev().copied().collect();
    }

    /// Hears what the other side told.
    pub fn hear(&mut self, ack: &Ack) -> Heard {
        let ours = |o: &Outgoing| o.cut.transfer() == ack.transfer;
        let Some(place) = self.outgoing.iter().position(ours) else {
            return Heard::Nothing;
        };
        let Some(outgoing) = self.outgoing.get_mut(place) else {
            return Heard::Nothing;
        };
        if ack.is_whole() {
            // In whatever codes it came across.
            if !ack.proves(&outgoing.object) {
                return Heard::Nothing;
            }
            self.outgoing.remove(place);
            return Heard::Done(ack.transfer);
        }
        if ack.shape != outgoing.cut.shape() {
            return Heard::Nothing;
        }
        let part = outgoing.yield_of(ack);
        if part.is_some() || ack.received > outgoing.heard {
            outgoing.heard_at = outgoing.shown;
        }
        outgoing.heard = ack.received;
        outgoing.next = outgoing.next.max(ack.beyond);
        match part {
            Some(0..50) => self.set_speed(self.speed * 3 / 4),
            Some(90..) => self.set_speed(self.speed + 1),
            _ => {}
        }
        Heard::Going(ack.transfer)
    }

    /// The code to show now; none where there is nothing to tell.
    ///
    /// # Errors
    /// None in practice: everything was cut to fit.
    pub fn next_code(&mut self) -> Result<Option<Picture>, ShowError> {
        let turn = self.turn % (BETWEEN + 1);
        self.turn = self.turn.wrapping_add(1);
        if (turn == 0 || self.outgoing.is_empty()) && !self.answers.is_empty() {
            let ack = self.answers.get(self.answer % self.answers.len());
            self.answer = self.answer.wrapping_add(1);
            return ack.map(Ack::picture).transpose().map_err(Into::into);
        }
        if let Some(first) = self.outgoing.front()
            && first.shown - first.heard_at >= PATIENCE * first.cut.loop_length()
        {
            self.outgoing.rotate_left(1);
            if let Some(next) = self.outgoing.front_mut() {
                next.heard_at = next.shown;
            }
        }
        let Some(first) = self.outgoing.front_mut() else {
            return Ok(None);
        };
        let picture = first.cut.picture(first.next)?;
        // Symbols end at 2^24; whoever watches so long begins anew.
        first.next = (first.next + 1) % (1 << 24);
        first.shown = first.shown.wrapping_add(1);
        Ok(Some(picture))
    }

    /// What is shown, that which has its turn first.
    pub fn going(&self) -> impl Iterator<Item = Going> {
        self.outgoing.iter().map(Outgoing::going)
    }

    /// Shows no message any more.
    pub fn clear(&mut self) {
        self.outgoing.clear();
    }

    /// Whether the other side has everything.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outgoing.is_empty()
    }
}
