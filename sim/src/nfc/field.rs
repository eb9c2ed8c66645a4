//! The field: who finds whom, what is on the air, what is lost.
//!
//! What is it: [`Field`], a machine without IO for any number of chips and tags in one place:
//! bytes of hosts and a clock in, bytes for hosts and a deadline out. Who calls it: [`super::pty`],
//! tests. What can go wrong: on purpose, by a seed: breaks of the field, and cards that answer
//! falsely ([`Rogue`]).

mod exchange;
mod meeting;

use std::collections::BTreeMap;
use std::time::Duration;

use super::air::Rate;
use super::chip::{Chip, Held, RELEASED, Running, Sought, TIMEOUT};
use super::frame::{ACK, Heard, answer};
use super::tag::{Tag, TagKind};
use crate::dice::Dice;

/// How long a try of finding somebody takes.
pub(super) const TRY: Duration = Duration::from_millis(5);
/// Commands and answers up to this length are questions whether there is anything to say.
const IDLE: usize = 24;

/// A card that breaks the rules; what a reader's chip then tells its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rogue {
    /// An answer to the selection of length 0.
    EmptyAts,
    /// A node address in each status.
    Nad,
    /// More is announced, and then the field is lost.
    MoreThenError,
    /// Bytes that make no frame.
    Garbage,
    /// Another answer than the card's: its bytes turned round.
    WrongEcho,
}

impl Rogue {
    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "ats0" => Self::EmptyAts,
            "nad" => Self::Nad,
            "mi-error" => Self::MoreThenError,
            "garbage" => Self::Garbage,
            "wrong-echo" => Self::WrongEcho,
            _ => return None,
        })
    }
}

/// What is in the field.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// How many chips.
    pub chips: usize,
    /// Stickers.
    pub tags: Vec<TagKind>,
    /// How fast it is; `None`: everything takes no time.
    pub rate: Option<Rate>,
    /// The field breaks after so many exchanges, from and to, again and again.
    pub breaks: Option<(u64, u64)>,
    /// All cards do this.
    pub rogue: Option<Rogue>,
    /// What the dice are thrown by.
    pub seed: u64,
}

/// What becomes due.
#[derive(Debug)]
enum Due {
    /// A command is answered.
    Answer {
        chip: usize,
        ticket: u64,
        data: Vec<u8>,
    },
    /// What a reader sent is at the card.
    Deliver { to: usize, by: usize, data: Vec<u8> },
    /// What a card sent is at the reader.
    Reply { from: usize, data: Vec<u8> },
    /// A look for somebody is over.
    GiveUp { chip: usize, ticket: u64 },
    /// A card has not answered yet.
    Hurry { card: usize, ticket: u64 },
}

/// The field and all that is in it.
#[derive(Debug)]
pub struct Field {
    pub(super) now: Duration,
    pub(super) chips: Vec<Chip>,
    tags: Vec<Tag>,
    due: BTreeMap<(Duration, u64), Due>,
    serial: u64,
    out: Vec<(usize, Vec<u8>)>,
    setup: Setup,
    dice: Dice,
    /// Exchanges between chips until the field breaks.
    until_break: Option<u64>,
    exchanges: u64,
    carried: u64,
    broke: u64,
}

impl Field {
    /// A field in which nothing has happened.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let mut dice = Dice::new(setup.seed, "field", "breaks");
        let until_break = setup.breaks.map(|(least, most)| dice.between(least, most));
        let tags = setup.tags.iter().zip(1..);
        Self {
            now: Duration::ZERO,
            chips: (0..setup.chips).map(|_| Chip::default()).collect(),
            tags: tags.map(|(kind, serial)| Tag::new(*kind, serial)).collect(),
            due: BTreeMap::new(),
            serial: 0,
            out: Vec::new(),
            dice,
            until_break,
            exchanges: 0,
            carried: 0,
            broke: 0,
            setup,
        }
    }

    /// Exchanges between chips so far, and breaks.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        (self.exchanges, self.broke)
    }

    /// Bytes that chips said to each other, but for what is so short that it carries nothing.
    #[must_use]
    pub const fn carried(&self) -> u64 {
        self.carried
    }

    /// So many bytes are on the air between chips.
    fn carry(&mut self, bytes: usize) {
        if bytes > IDLE {
            self.carried += bytes as u64;
        }
    }

    /// Bytes from the host of this chip.
    pub fn hear(&mut self, now: Duration, chip: usize, bytes: &[u8]) {
        self.advance(now);
        let Some(heard) = self.chips.get_mut(chip).map(|one| one.parser.feed(bytes)) else {
            return;
        };
        for one in heard {
            match one {
                Heard::Ack => self.stop(chip),
                Heard::Nack => {
                    let said = self.chips.get(chip).map(|one| one.said.clone());
                    self.out.extend(said.map(|said| (chip, said)));
                }
                // The host repeats what has no ACK.
                Heard::Spoilt => {}
                Heard::Command(command) => {
                    self.stop(chip);
                    self.out.push((chip, ACK.to_vec()));
                    if let Some((code, parameters)) = command.split_first() {
                        self.obey(chip, *code, parameters);
                    }
                }
            }
            self.meet();
        }
    }

    /// When something will happen by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Time has come to this.
    pub fn advance(&mut self, now: Duration) {
        while let Some(((at, serial), ())) = self.due.keys().next().map(|key| (*key, ())) {
            if at > now {
                break;
            }
            self.now = self.now.max(at);
            if let Some(due) = self.due.remove(&(at, serial)) {
                self.happen(due);
                self.meet();
            }
        }
        self.now = self.now.max(now);
    }

    /// Bytes for a host.
    pub fn poll(&mut self) -> Option<(usize, Vec<u8>)> {
        (!self.out.is_empty()).then(|| self.out.remove(0))
    }

    fn at(&mut self, wait: Duration, due: Due) {
        self.serial += 1;
        self.due.insert((self.now + wait, self.serial), due);
    }

    /// The answer to the command that runs.
    pub(super) fn say(&mut self, chip: usize, data: &[u8]) {
        if let Some(one) = self.chips.get_mut(chip) {
            one.running = None;
            one.ticket += 1;
            let frame = answer(one.code, data);
            one.said.clone_from(&frame);
            self.out.push((chip, frame));
        }
    }

    pub(super) fn say_raw(&mut self, chip: usize, bytes: &[u8]) {
        self.out.push((chip, bytes.to_vec()));
    }

    fn say_later(&mut self, chip: usize, wait: Duration, data: Vec<u8>) {
        let ticket = self.chips.get(chip).map_or(0, |one| one.ticket);
        self.at(wait, Due::Answer { chip, ticket, data });
    }

    /// A new command, or an ACK of the host's: what runs ends without an answer.
    fn stop(&mut self, chip: usize) {
        let Some(one) = self.chips.get_mut(chip) else {
            return;
        };
        one.ticket += 1;
        let ran = one.running.take();
        match ran {
            Some(Running::Exchange { .. }) => self.let_go(chip),
            Some(Running::BeTarget(_)) => self.leave(chip),
            _ => {}
        }
    }

    /// A reader's chip lets go of what it holds.
    pub(super) fn let_go(&mut self, chip: usize) {
        let held = self.chips.get_mut(chip).and_then(|one| one.holds.take());
        if let Some(Held::Chip(card)) = held {
            self.lose(card);
        }
    }

    /// A card's chip does not play a card any more: its reader finds nobody.
    pub(super) fn leave(&mut self, chip: usize) {
        let was = self.chips.get_mut(chip).and_then(|one| one.is.take());
        let Some(was) = was else {
            return;
        };
        if let Some(reader) = self.chips.get_mut(was.by) {
            reader.holds = None;
            if matches!(reader.running, Some(Running::Exchange { .. })) {
                self.say(was.by, &[TIMEOUT]);
            }
        }
    }

    /// A card hears that its reader is gone.
    fn lose(&mut self, card: usize) {
        let Some(one) = self.chips.get_mut(card) else {
            return;
        };
        one.is = None;
        if matches!(one.running, Some(Running::GetData | Running::SetData)) {
            self.say(card, &[RELEASED]);
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Answer { chip, ticket, data } => {
                if self.chips.get(chip).is_some_and(|one| one.ticket == ticket) {
                    self.say(chip, &data);
                }
            }
            Due::GiveUp { chip, ticket } => {
                if let Some(one) = self.chips.get(chip)
                    && one.ticket == ticket
                    && let Some(Running::Seek { sought, .. }) = one.running
                {
                    let none: &[u8] = match sought {
                        Sought::List | Sought::Poll => &[0],
                        Sought::Dep { .. } => &[TIMEOUT],
                    };
                    self.say(chip, none);
                }
            }
            Due::Deliver { to, by, data } => self.deliver(to, by, data),
            Due::Reply { from, data } => self.reply(from, &data),
            Due::Hurry { card, ticket } => self.hurry(card, ticket),
        }
    }
}

#[cfg(test)]
mod tests;
