//! A field in memory: chips by name, one reader and one card in it at a time.
//!
//! What is it: [`Field`], for tests and for machines without a radio: what one chip asks another
//! answers, and the field can be cut after so many exchanges, with the command lost or the answer.
//! Who calls it: tests, `Nfc::over`. What can go wrong: nothing but what it is told to do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chip::{ApduLink, Chip, ChipError, Target, TargetKind};

/// What is lost when the field is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The command, before the card hears it.
    Command,
    /// The answer, after the card gave it.
    Answer,
}

/// A cut: after so many more exchanges, the next one loses this.
pub type Cut = (u32, Lost);

/// The field; every clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Field(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    air: Mutex<Air>,
    change: Condvar,
}

#[derive(Debug, Default)]
struct Air {
    /// Chips that play a card.
    cards: BTreeMap<String, Card>,
    /// Each reader's card.
    pairs: BTreeMap<String, String>,
    cuts: VecDeque<Cut>,
    exchanges: u64,
    lost: u64,
}

/// A chip that plays a card.
#[derive(Debug, Default)]
struct Card {
    active: bool,
    command: Option<Vec<u8>>,
    answer: Option<Vec<u8>>,
}

impl Field {
    /// A chip of this name.
    #[must_use]
    pub fn chip(&self, name: &str) -> FieldChip {
        FieldChip {
            field: self.clone(),
            name: name.to_owned(),
        }
    }

    /// Cuts the field, again and again.
    pub fn cut(&self, cuts: impl IntoIterator<Item = Cut>) {
        self.air().cuts.extend(cuts);
    }

    /// Exchanges so far, and how many were lost of them.
    #[must_use]
    pub fn exchanges(&self) -> (u64, u64) {
        let air = self.air();
        (air.exchanges, air.lost)
    }

    fn air(&self) -> MutexGuard<'_, Air> {
        self.0.air.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds something, or the time is over.
    fn until<T>(&self, wait: Duration, mut look: impl FnMut(&mut Air) -> Option<T>) -> Option<T> {
        let end = Instant::now() + wait;
        let mut air = self.air();
        loop {
            if let Some(found) = look(&mut air) {
                self.0.change.notify_all();
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.0.change.wait_timeout(air, left);
            air = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A chip in the field.
#[derive(Debug)]
pub struct FieldChip {
    field: Field,
    name: String,
}

impl FieldChip {
    /// The reader's card, if it is still active.
    fn leave(&self) {
        let mut air = self.field.air();
        if let Some(card) = air.pairs.remove(&self.name)
            && let Some(card) = air.cards.get_mut(&card)
        {
            *card = Card::default();
        }
        air.cards.remove(&self.name);
        self.field.0.change.notify_all();
    }
}

impl ApduLink for FieldChip {
    fn exchange(&mut self, command: &[u8], wait: Duration) -> Result<Vec<u8>, ChipError> {
        let mut cut = None;
        {
            let mut air = self.field.air();
            air.exchanges += 1;
            if let Some((left, lost)) = air.cuts.front_mut() {
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => {
                        cut = Some(*lost);
                        air.cuts.pop_front();
                        air.lost += 1;
                    }
                }
            }
        }
        if cut == Some(Lost::Command) {
            self.leave();
            return Err(ChipError::Lost);
        }
        {
            let mut air = self.field.air();
            let name = air.pairs.get(&self.name).cloned();
            let card = name.and_then(|name| air.cards.get_mut(&name));
            let card = card.filter(|card| card.active).ok_or(ChipError::Lost)?;
            card.answer = None;
            card.command = Some(command.to_vec());
            self.field.0.change.notify_all();
        }
        let name = &self.name;
        let answer = self.field.until(wait, |air| {
            let card = air.pairs.get(name).cloned();
            match card.and_then(|card| air.cards.get_mut(&card)) {
                Some(card) if card.active => card.answer.take().map(Ok),
                _ => Some(Err(ChipError::Lost)),
            }
        });
        let answer = answer.ok_or(ChipError::Silent)?;
        if cut == Some(Lost::Answer) {
            self.leave();
            return Err(ChipError::Lost);
        }
        answer
    }
}

impl Chip for FieldChip {
    fn seek(&mut self, wait: Duration) -> Result<Option<Target>, ChipError> {
        self.leave();
        let name = &self.name;
        let found = self.field.until(wait, |air| {
            let free = |card: &(&String, &Card)| !card.1.active && card.0 != name;
            let card = air.cards.iter().find(free)?.0.clone();
            if let Some(card) = air.cards.get_mut(&card) {
                card.active = true;
            }
            air.pairs.insert(name.clone(), card);
            Some(())
        });
        Ok(found.map(|()| Target {
            uid: vec![8, 1, 2, 3],
            kind: TargetKind::Apdus,
        }))
    }

    fn release(&mut self) {
        self.leave();
    }

    fn listen(&mut self, wait: Duration) -> Result<bool, ChipError> {
        let name = &self.name;
        let mut air = self.field.air();
        air.cards.insert(name.clone(), Card::default());
        drop(air);
        self.field.0.change.notify_all();
        let found = self.field.until(wait, |air| {
            let card = air.cards.get(name)?;
            card.active.then_some(())
        });
        if found.is_none() {
            // A reader may have come just now.
            let mut air = self.field.air();
            let active = air.cards.get(name).is_some_and(|card| card.active);
            if !active {
                air.cards.remove(name);
            }
            return Ok(active);
        }
        Ok(true)
    }

    fn hear(&mut self, wait: Duration) -> Result<Vec<u8>, ChipError> {
        let name = &self.name;
        let heard = self.field.until(wait, |air| match air.cards.get_mut(name) {
            Some(card) if card.active => card.command.take().map(Ok),
            _ => Some(Err(ChipError::Lost)),
        });
        heard.unwrap_or(Err(ChipError::Silent))
    }

    fn answer(&mut self, response: &[u8]) -> Result<(), ChipError> {
        let mut air = self.field.air();
        match air.cards.get_mut(&self.name) {
            Some(card) if card.active => card.answer = Some(response.to_vec()),
            _ => return Err(ChipError::Lost),
        }
        self.field.0.change.notify_all();
        Ok(())
    }
}

impl Drop for FieldChip {
    fn drop(&mut self) {
        self.leave();
    }
}
