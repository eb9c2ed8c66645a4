//! What goes between a reader and what it holds: commands, answers, blocks, and breaks.
//!
//! Called by a chip's commands, and by the field when their time on the air is over. What can go
//! wrong: the field is lost by the dice, and rogues answer falsely; a reader hears nothing then, or
//! nonsense, as from a real chip.

use std::time::Duration;

use super::super::air;
use super::super::chip::{CONTEXT, Chip, FINE, Held, RELEASED, Running, TIMEOUT};
use super::super::isodep::{Blocks, Step};
use super::{Due, Field, Rogue, TRY};

/// After so long a card asks a reader for more time.
const PATIENCE: Duration = Duration::from_millis(60);

impl Field {
    fn one_way(&self, bytes: usize) -> Duration {
        let rate = self.setup.rate;
        rate.map_or(Duration::ZERO, |rate| air::one_way(bytes, rate))
    }

    /// InCommunicateThru: a host that makes its own checksums has put one behind it.
    pub(in crate::nfc) fn exchange_raw(&mut self, chip: usize, data: &[u8]) {
        let one = self.chips.get(chip);
        if one.is_none_or(|one| one.register(super::super::chip::TX_MODE) & 0x80 != 0) {
            return self.exchange(chip, true, data);
        }
        match data.split_last_chunk() {
            Some((data, sum)) if crc_a(data) == *sum => self.exchange(chip, true, data),
            // Nobody answers to a frame that is spoilt.
            _ => self.say_later(chip, TRY, vec![TIMEOUT]),
        }
    }

    /// InDataExchange and InCommunicateThru: something goes to what is held.
    pub(in crate::nfc) fn exchange(&mut self, chip: usize, raw: bool, data: &[u8]) {
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
                self.carry(data.len());
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
            .is_none_or(|one| one.register(super::super::chip::RX_MODE) & 0x80 != 0);
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

    pub(super) fn deliver(&mut self, to: usize, by: usize, data: Vec<u8>) {
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
    pub(super) fn hurry(&mut self, card: usize, ticket: u64) {
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
    pub(in crate::nfc) fn fetch(&mut self, card: usize) {
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
    pub(in crate::nfc) fn answer(&mut self, card: usize, data: Vec<u8>) {
        let Some(one) = self.chips.get_mut(card).filter(|one| one.is.is_some()) else {
            return self.say(card, &[RELEASED]);
        };
        one.running = Some(Running::SetData);
        let wait = self.one_way(data.len());
        self.at(wait, Due::Reply { from: card, data });
    }

    pub(super) fn reply(&mut self, from: usize, data: &[u8]) {
        let Some(one) = self.chips.get_mut(from) else {
            return;
        };
        let (Some(Running::SetData), Some(is)) = (&one.running, one.is.as_mut()) else {
            return;
        };
        let by = is.by;
        self.carry(data.len());
        let Some(is) = self.chips.get_mut(from).and_then(|one| one.is.as_mut()) else {
            return;
        };
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
