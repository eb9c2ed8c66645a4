//! The field: who finds whom, what is on the air, what is lost.
//!
//! What is it: [`Field`], a machine without IO for any number of chips and tags in one place:
//! bytes of hosts and a clock in, bytes for hosts and a deadline out. Who calls it: [`super::pty`],
//! tests. What can go wrong: on purpose, by a seed: breaks of the field, and cards that answer
//! falsely ([`Rogue`]).

use std::collections::BTreeMap;
use std::time::Duration;

use super::air::{self, Rate};
use super::chip::{
    Activated, CONTEXT, Chip, FINE, Guise, Held, RELEASED, Running, Sought, TIMEOUT,
};
use super::frame::{ACK, Heard, answer};
use super::isodep::{Blocks, Step};
use super::tag::{Tag, TagKind};
use crate::dice::Dice;

/// How long a try of finding somebody takes.
pub(super) const TRY: Duration = Duration::from_millis(5);
/// After so long a card asks a reader for more time.
const PATIENCE: Duration = Duration::from_millis(60);

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
            broke: 0,
            setup,
        }
    }

    /// Exchanges between chips so far, and breaks.
    #[must_use]
    pub const fn tally(&self) -> (u64, u64) {
        (self.exchanges, self.broke)
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

    fn one_way(&self, bytes: usize) -> Duration {
        let rate = self.setup.rate;
        rate.map_or(Duration::ZERO, |rate| air::one_way(bytes, rate))
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

    /// InCommunicateThru: a host that makes its own checksums has put one behind it.
    pub(super) fn exchange_raw(&mut self, chip: usize, data: &[u8]) {
        let one = self.chips.get(chip);
        if one.is_none_or(|one| one.register(super::chip::TX_MODE) & 0x80 != 0) {
            return self.exchange(chip, true, data);
        }
        match data.split_last_chunk() {
            Some((data, sum)) if crc_a(data) == *sum => self.exchange(chip, true, data),
            // Nobody answers to a frame that is spoilt.
            _ => self.say_later(chip, TRY, vec![TIMEOUT]),
        }
    }

    /// InDataExchange and InCommunicateThru: something goes to what is held.
    pub(super) fn exchange(&mut self, chip: usize, raw: bool, data: &[u8]) {
        let held = self.chips.get(chip).and_then(|one| one.holds);
        match held {
            None => {
                let status = if raw { TIMEOUT } else { CONTEXT };
                self.say(chip, &[status]);
            }
            Some(Held::Tag(tag)) => {
                let said = self.tags.get_mut(tag).and_then(|tag| tag.hear(data));
                let wait =
                    self.one_way(data.len()) + self.one_way(said.as_ref().map_or(0, Vec::len));
                let answer = match said {
                    None => vec![TIMEOUT],
                    // The chip keeps the acknowledgement of a write to itself.
                    Some(ack) if !raw && ack == [0x0a] => vec![FINE],
                    Some(said) => self.received(chip, raw, &said),
                };
                self.say_later(chip, wait, answer);
            }
            Some(Held::Chip(card)) => {
                if let Some(one) = self.chips.get_mut(chip) {
                    one.running = Some(Running::Exchange { raw });
                }
                self.exchanges += 1;
                if self.breaks() {
                    // Half of the time the command is lost, else the answer would be.
                    return self.cut(chip);
                }
                let wait = self.one_way(data.len());
                let data = data.to_vec();
                self.at(
                    wait,
                    Due::Deliver {
                        to: card,
                        by: chip,
                        data,
                    },
                );
            }
        }
    }

    fn breaks(&mut self) -> bool {
        let (Some(left), Some((least, most))) = (&mut self.until_break, self.setup.breaks) else {
            return false;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        self.until_break = Some(self.dice.between(least, most));
        self.broke += 1;
        true
    }

    /// The field of this reader is lost for a moment.
    fn cut(&mut self, reader: usize) {
        self.let_go(reader);
        self.say(reader, &[TIMEOUT]);
    }

    /// A status and what came, as the chip tells its host.
    fn received(&self, chip: usize, raw: bool, data: &[u8]) -> Vec<u8> {
        let mut told = vec![FINE];
        told.extend_from_slice(data);
        let checked = self
            .chips
            .get(chip)
            .is_none_or(|one| one.register(super::chip::RX_MODE) & 0x80 != 0);
        if raw && !checked && data.len() > 1 {
            told.extend_from_slice(&crc_a(data));
        }
        match self.setup.rogue {
            Some(Rogue::Nad) => told.splice(..1, [0x80]).for_each(drop),
            Some(Rogue::MoreThenError) => told.splice(..1, [0x40]).for_each(drop),
            Some(Rogue::WrongEcho) => told.get_mut(1..).unwrap_or_default().reverse(),
            _ => {}
        }
        told
    }

    fn deliver(&mut self, to: usize, by: usize, data: Vec<u8>) {
        let mine = |chip: &&Chip| chip.is.as_ref().is_some_and(|is| is.by == by);
        if self.chips.get(to).filter(mine).is_none() {
            return;
        }
        let raw = self
            .chips
            .get(by)
            .is_some_and(|reader| matches!(reader.running, Some(Running::Exchange { raw: true })));
        if raw {
            return self.deliver_block(to, by, &data);
        }
        let _ = card_inbox(self.chips.get_mut(to), data);
        self.fetch(to);
    }

    /// A block that the reader's host made itself.
    fn deliver_block(&mut self, to: usize, by: usize, data: &[u8]) {
        let Some(card) = self.chips.get_mut(to) else {
            return;
        };
        let guise = match &card.running {
            Some(Running::BeTarget(guise)) => Some(guise.clone()),
            _ => None,
        };
        let Some(is) = card.is.as_mut() else {
            return;
        };
        if let ([0xe0, parameter, ..], Some(guise)) = (data, &guise) {
            is.blocks = Some(Blocks::new(*parameter));
            is.quiet = false;
            let ats = guise.ats();
            self.say(to, &[8, 0xe0, *parameter]);
            let told = self.received(by, true, &ats);
            return self.say_later(by, self.one_way(ats.len()), told);
        }
        let step = match is.blocks.as_mut() {
            Some(blocks) => blocks.hear(data),
            None => Step::Nothing,
        };
        match step {
            Step::Say(block) => self.tell_reader(by, &block),
            Step::Gone(block) => {
                self.tell_reader(by, &block);
                self.lose(to);
                if let Some(reader) = self.chips.get_mut(by) {
                    reader.holds = None;
                }
            }
            Step::Command(command) => {
                let ticket = self.chips.get(by).map_or(0, |one| one.ticket);
                let _ = card_inbox(self.chips.get_mut(to), command);
                self.at(PATIENCE, Due::Hurry { card: to, ticket });
                self.fetch(to);
            }
            // Granted time (S(WTX)): the answer is still awaited.
            Step::Nothing if data.first() == Some(&0xf2) => {
                let ticket = self.chips.get(by).map_or(0, |one| one.ticket);
                self.at(PATIENCE, Due::Hurry { card: to, ticket });
            }
            Step::Nothing => self.say_later(by, Duration::from_millis(20), vec![TIMEOUT]),
        }
    }

    fn tell_reader(&mut self, reader: usize, block: &[u8]) {
        let told = self.received(reader, true, block);
        let wait = self.one_way(block.len());
        self.say_later(reader, wait, told);
    }

    /// The card's host takes its time.
    fn hurry(&mut self, card: usize, ticket: u64) {
        let Some(by) = self
            .chips
            .get(card)
            .and_then(|one| one.is.as_ref())
            .map(|is| is.by)
        else {
            return;
        };
        if self.chips.get(by).is_some_and(|one| one.ticket == ticket) {
            self.tell_reader(by, &Blocks::more_time());
        }
    }

    /// The host of a card may have what came.
    pub(super) fn fetch(&mut self, card: usize) {
        let Some(one) = self.chips.get_mut(card) else {
            return;
        };
        match (&one.running, &mut one.is) {
            (Some(Running::GetData), Some(is)) => {
                if let Some(data) = is.inbox.take() {
                    let told = [&[FINE], data.as_slice()].concat();
                    self.say(card, &told);
                }
            }
            // A card without blocks is told of its reader by the first command.
            (Some(Running::BeTarget(_)), Some(is)) if is.quiet => {
                if let Some(data) = is.inbox.take() {
                    is.quiet = false;
                    let told = [&[0], data.as_slice()].concat();
                    self.say(card, &told);
                }
            }
            _ => {}
        }
    }

    /// TgSetData: an answer goes to the reader.
    pub(super) fn answer(&mut self, card: usize, data: Vec<u8>) {
        let Some(one) = self.chips.get_mut(card).filter(|one| one.is.is_some()) else {
            return self.say(card, &[RELEASED]);
        };
        one.running = Some(Running::SetData);
        let wait = self.one_way(data.len());
        self.at(wait, Due::Reply { from: card, data });
    }

    fn reply(&mut self, from: usize, data: &[u8]) {
        let Some(one) = self.chips.get_mut(from) else {
            return;
        };
        let (Some(Running::SetData), Some(is)) = (&one.running, one.is.as_mut()) else {
            return;
        };
        let by = is.by;
        let block = is.blocks.as_mut().map(|blocks| blocks.answer(data));
        let waits = |chip: &Chip| matches!(chip.running, Some(Running::Exchange { .. }));
        if !self.chips.get(by).is_some_and(waits) {
            return self.say(from, &[RELEASED]);
        }
        match (block, self.setup.rogue) {
            (Some(block), _) => self.tell_reader(by, &block),
            (None, Some(Rogue::Garbage)) => self.say_raw(by, b"\x00\x00\xff\x7f\x81\xd5garbage"),
            (None, _) => {
                let told = self.received(by, false, data);
                self.say(by, &told);
            }
        }
        self.say(from, &[FINE]);
    }

    /// Begins a look for somebody.
    pub(super) fn seek(&mut self, chip: usize, sought: Sought) {
        self.let_go(chip);
        self.leave(chip);
        let Some(one) = self.chips.get_mut(chip) else {
            return;
        };
        let (passive, jump) = one.retries.unwrap_or((0xff, 0xff));
        let tries = match sought {
            Sought::Dep { .. } => jump,
            _ => passive,
        };
        let until = (tries != 0xff).then(|| TRY * (u32::from(tries) + 1));
        one.running = Some(Running::Seek { sought, until });
        let ticket = one.ticket;
        if let Some(until) = until {
            self.at(until, Due::GiveUp { chip, ticket });
        }
    }

    /// Readers find cards.
    fn meet(&mut self) {
        for reader in 0..self.chips.len() {
            let Some(one) = self.chips.get(reader) else {
                continue;
            };
            let Some(Running::Seek { sought, .. }) = one.running else {
                continue;
            };
            let behind = one.found;
            let mut there: Vec<Held> = (0..self.chips.len()).map(Held::Chip).collect();
            if !matches!(sought, Sought::Dep { .. }) {
                there.splice(..0, (0..self.tags.len()).map(Held::Tag));
            }
            if let Some(at) = there.iter().position(|one| Some(*one) == behind) {
                there.rotate_left(at + 1);
            }
            let found = there.into_iter().find(|one| match one {
                Held::Tag(_) => true,
                Held::Chip(card) => *card != reader && self.shows(*card, sought),
            });
            if let Some(found) = found {
                self.take(reader, sought, found);
            }
        }
    }

    /// Does this chip play a card of that kind, for nobody yet?
    fn shows(&self, card: usize, sought: Sought) -> bool {
        let Some(one) = self.chips.get(card).filter(|one| one.is.is_none()) else {
            return false;
        };
        let Some(Running::BeTarget(guise)) = &one.running else {
            return false;
        };
        match sought {
            Sought::Dep { .. } => guise.takes_dep(),
            _ => guise.mode & 2 == 0,
        }
    }

    fn take(&mut self, reader: usize, sought: Sought, found: Held) {
        let rats = self.chips.get(reader).is_some_and(Chip::sends_rats);
        let mut target = vec![1];
        match found {
            Held::Tag(tag) => {
                let uid = self.tags.get(tag).map(Tag::uid).unwrap_or_default();
                target.extend_from_slice(&[0, 0x44, 0, 7]);
                target.extend_from_slice(&uid);
            }
            Held::Chip(card) => {
                let running = self.chips.get(card).and_then(|one| one.running.clone());
                let Some(Running::BeTarget(guise)) = running else {
                    return;
                };
                if let Some(one) = self.chips.get_mut(card) {
                    one.is = Some(Activated {
                        by: reader,
                        inbox: None,
                        blocks: None,
                        quiet: true,
                    });
                }
                if let Sought::Dep { active, rate } = sought {
                    return self.take_dep(reader, card, &guise, active, rate);
                }
                target.extend_from_slice(&guise.atqa);
                target.extend_from_slice(&[guise.sak, 4]);
                target.extend_from_slice(&guise.uid);
                if guise.takes_apdus() && rats {
                    let ats = guise.ats();
                    target.extend(match self.setup.rogue {
                        Some(Rogue::EmptyAts) => vec![0],
                        _ => ats,
                    });
                    if let Some(is) = self.chips.get_mut(card).and_then(|one| one.is.as_mut()) {
                        is.quiet = false;
                    }
                    self.say(card, &[8, 0xe0, 0x50]);
                }
            }
        }
        if let Some(one) = self.chips.get_mut(reader) {
            one.holds = Some(found);
            one.found = Some(found);
        }
        let mut told = vec![1];
        if sought == Sought::Poll {
            told.extend_from_slice(&[0x20, u8::try_from(target.len()).unwrap_or_default()]);
        }
        told.extend(target);
        self.say(reader, &told);
    }

    /// A link of NFC-DEP: each side hears of the other.
    fn take_dep(&mut self, reader: usize, card: usize, guise: &Guise, active: bool, rate: u8) {
        if let Some(one) = self.chips.get_mut(reader) {
            one.holds = Some(Held::Chip(card));
        }
        if let Some(is) = self.chips.get_mut(card).and_then(|one| one.is.as_mut()) {
            is.quiet = false;
        }
        let framing = match (active, rate) {
            (true, _) => 1,
            (false, 0) => 0,
            (false, _) => 2,
        };
        let mut told = vec![rate << 4 | 4 | framing];
        let mut request = vec![0xd4, 0];
        request.extend_from_slice(&[1; 10]);
        request.extend_from_slice(&[0, 0, 0, 0x30]);
        told.push(u8::try_from(request.len() + 1).unwrap_or_default());
        told.extend(request);
        self.say(card, &told);
        let mut told = vec![FINE, 1];
        told.extend_from_slice(&guise.id3);
        told.extend_from_slice(&[0, 0, 0, 9, 0x32]);
        told.extend_from_slice(&guise.general);
        self.say(reader, &told);
    }
}

fn card_inbox(chip: Option<&mut Chip>, data: Vec<u8>) -> Option<()> {
    chip?.is.as_mut()?.inbox = Some(data);
    Some(())
}

/// The checksum of ISO/IEC 14443-3, type A, as it goes on the air.
fn crc_a(data: &[u8]) -> [u8; 2] {
    let crc = data.iter().fold(0x6363_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x8408 } else { 0 }
        })
    });
    crc.to_le_bytes()
}

#[cfg(test)]
mod tests;
