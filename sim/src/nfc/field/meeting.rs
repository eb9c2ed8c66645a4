//! Readers look for somebody, and find cards and stickers.
//!
//! Called by a chip's commands, and by the field whenever something has changed. What can go wrong:
//! nobody is there; then the look ends in its time, or never, as the chip was told.

use super::super::chip::{Activated, Chip, FINE, Guise, Held, Running, Sought};
use super::super::tag::Tag;
use super::{Due, Field, Rogue, TRY};

impl Field {
    /// Begins a look for somebody.
    pub(in crate::nfc) fn seek(&mut self, chip: usize, sought: Sought) {
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
    pub(super) fn meet(&mut self) {
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
