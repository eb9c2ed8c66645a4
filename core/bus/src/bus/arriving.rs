//! Wire forms that are on their way here, in memory.
//!
//! What is it: [`Arriving`]. What is held of a wire form belongs to no link: what one link began
//! another one finishes, and what a checkpoint wrote outlives the process. Who calls it: the
//! bus. What can go wrong: senders that send nothing, too much, or the wrong bytes. Memory is
//! bounded by what really came, not by what was announced; transfers that nobody brings any
//! more give way first; and wrong bytes from two senders cost only the one who sent them: the
//! whole is fetched again from one alone.

mod coming;
mod pieces;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use self::coming::Coming;
pub(super) use self::coming::{Blame, Left, Over, Took};
use super::io::{LinkId, Partial, WireHash};
use crate::label::{DidTag, Label};
use crate::ranges::Ranges;
use crate::time::{Now, Time};
use crate::{EnvelopeId, Fragment};

/// A wire form of a message. Of one message there may be several, by versions or by lies.
pub(super) type Name = (EnvelopeId, WireHash);

/// Checkpoints are this far apart at least: bytes are worth what they cost in time, and on a
/// fast link they cost none.
const PAUSE: Duration = Duration::from_secs(2);

/// Dear bytes are written at once if they are more than this part of what is on the disk, as a
/// checkpoint writes all of it.
const FEW: u64 = 256;

/// A link that brings nothing for so long may be helped by another one.
const STALL: Duration = Duration::from_secs(5);

/// How long what nobody brings any more is kept, in seconds.
const KEPT: u64 = 7 * 24 * 3600;

/// Everything that is on its way here.
#[derive(Debug)]
pub(super) struct Arriving {
    /// Bytes that may be held in all.
    budget: usize,
    cost: usize,
    checkpoint: u64,
    coming: BTreeMap<Name, Coming>,
    /// Those that nobody brings now, oldest first.
    idle: BTreeSet<(u64, Name)>,
    /// Those that several links could bring.
    contested: BTreeSet<Name>,
    /// When to look whether they are really brought.
    look: Option<Time>,
    /// What other media brought of what was not offered yet.
    known: Vec<Fragment>,
}

impl Arriving {
    pub(super) const fn new(budget: usize, checkpoint: u64) -> Self {
        Self {
            budget,
            cost: 0,
            checkpoint,
            coming: BTreeMap::new(),
            idle: BTreeSet::new(),
            contested: BTreeSet::new(),
            look: None,
            known: Vec::new(),
        }
    }

    /// What other media have brought by now; replaces what was said before.
    pub(super) fn know(&mut self, known: Vec<Fragment>) {
        self.known = known;
        // They are held too, and no more of them than a part of what may be.
        while self.known_cost() > self.budget / 2 {
            self.known.pop();
        }
    }

    fn known_cost(&self) -> usize {
        self.known.iter().map(Fragment::cost).sum()
    }

    /// Takes back what a checkpoint wrote. False if it makes no sense or there is no room.
    pub(super) fn restore(&mut self, partial: Partial, now: Now) -> bool {
        let name = (partial.id, partial.wire);
        let mut coming = Coming::new(partial.bytes, partial.label, now);
        coming.restored = true;
        coming.on_disk = true;
        coming.at = partial.at;
        for (range, bytes) in partial.pieces {
            let fits = range.end <= partial.bytes
                && range.end.checked_sub(range.start) == Some(bytes.len() as u64);
            if !fits || !coming.pieces.add(range.start, bytes, partial.bytes) {
                return false;
            }
        }
        let cost = coming.pieces.cost();
        if self.coming.contains_key(&name) || self.cost.saturating_add(cost) > self.budget {
            return false;
        }
        coming.saved = coming.pieces.held();
        self.cost += cost;
        self.idle.insert((coming.at, name));
        self.coming.insert(name, coming);
        true
    }

    /// A link can bring this.
    pub(super) fn joined(&mut self, now: Now, link: LinkId, name: Name, bytes: u64, label: Label) {
        self.coming
            .entry(name)
            .or_insert_with(|| Coming::new(bytes, label, now));
        self.take_up(&name);
        let Some(coming) = self.coming.get_mut(&name) else {
            return;
        };
        self.idle.remove(&(coming.at, name));
        coming.label = label;
        coming.bringers.insert(link);
        if coming.bringers.len() > 1 {
            self.contested.insert(name);
            self.look.get_or_insert(now.time + STALL);
        }
    }

    /// Before a link begins with it: what another medium brought of it, if there is room.
    fn take_up(&mut self, name: &Name) {
        let Some(coming) = self.coming.get_mut(name) else {
            return;
        };
        let of = |one: &Fragment| one.is_of(&name.1, coming.bytes);
        let free = coming.bringers.is_empty() && coming.only.is_none();
        let Some(index) = self.known.iter().position(of).filter(|_| free) else {
            return;
        };
        let fragment = self.known.swap_remove(index);
        if self.cost.saturating_add(fragment.cost()) > self.budget {
            return;
        }
        let mut pieces: Vec<_> = fragment.into_pieces().collect();
        let left = |pieces: &[(Range<u64>, Vec<u8>)]| {
            let mut missing = coming.pieces.missing(coming.bytes);
            for (range, _) in pieces {
                missing.remove(range.clone());
            }
            missing.iter().next().is_some()
        };
        // What ends a transfer is a link's last byte: something is left for it to bring.
        while !left(&pieces) && pieces.pop().is_some() {}
        let before = coming.pieces.cost();
        for (range, bytes) in pieces {
            coming.pieces.add(range.start, bytes, coming.bytes);
        }
        // Should the whole be wrong, nobody is to blame, and all of it comes again.
        coming.restored = true;
        self.cost = (self.cost + coming.pieces.cost()).saturating_sub(before);
    }

    /// The links that can bring this.
    pub(super) fn bringers(&self, name: &Name) -> impl Iterator<Item = LinkId> {
        let coming = self.coming.get(name);
        coming
            .into_iter()
            .flat_map(|coming| coming.bringers.iter().copied())
    }

    /// Is there something of it with another length? Then one of the two is a lie.
    pub(super) fn contradicts(&self, name: &Name, bytes: u64) -> bool {
        self.coming
            .get(name)
            .is_some_and(|coming| coming.bytes != bytes)
    }

    /// For whom it is, and how many bytes of it are here.
    pub(super) fn here(&self, name: &Name) -> Option<(DidTag, u64)> {
        let coming = self.coming.get(name)?;
        Some((coming.label.to, coming.pieces.held()))
    }

    /// What is missing of it.
    pub(super) fn missing(&self, name: &Name) -> Ranges {
        self.coming
            .get(name)
            .map_or_else(Ranges::new, |coming| coming.pieces.missing(coming.bytes))
    }

    /// Bytes came.
    pub(super) fn data(
        &mut self,
        now: Now,
        link: LinkId,
        name: &Name,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Took {
        let Some(coming) = self.coming.get_mut(name) else {
            return Took::Unwanted;
        };
        let end = offset.checked_add(bytes.len() as u64);
        if coming.only.is_some_and(|only| only != link) || end.is_none_or(|e| e > coming.bytes) {
            return Took::Unwanted;
        }
        let before = coming.pieces.cost();
        let taken = coming.pieces.add(offset, bytes, coming.bytes);
        self.cost = (self.cost + coming.pieces.cost()).saturating_sub(before);
        if !taken {
            return Took::Full;
        }
        coming.sources.insert(link);
        coming.last = now.time;
        if coming.pieces.held() == coming.bytes {
            self.cost = self.cost.saturating_sub(coming.pieces.cost());
            return Took::Whole(coming.pieces.take());
        }
        let grown = coming.pieces.held().saturating_sub(coming.saved);
        let due = grown >= self.checkpoint
            && grown >= coming.saved / 4
            && now.time.since(coming.saved_at) >= PAUSE;
        if self.cost > self.budget {
            return Took::Full;
        }
        if due { Took::Checkpoint } else { Took::More }
    }

    /// Should what came be written at once, dear as it was?
    pub(super) fn is_worth_it(&self, name: &Name) -> bool {
        let coming = self.coming.get(name);
        coming.is_some_and(|coming| {
            coming.pieces.held().saturating_sub(coming.saved) > coming.saved / FEW
        })
    }

    /// The record of what is here of it, to be written now. `None` if nothing is.
    pub(super) fn save(&mut self, now: Now, name: &Name) -> Option<Partial> {
        let coming = self.coming.get_mut(name)?;
        if coming.pieces.held() == 0 {
            return None;
        }
        coming.saved = coming.pieces.held();
        coming.saved_at = now.time;
        coming.on_disk = true;
        Some(coming.record(name, now.wall))
    }

    /// The record with this name, as it should be on disk.
    pub(super) fn record(&mut self, now: Now, wire: &WireHash) -> Option<Partial> {
        let (name, coming) = self
            .coming
            .iter_mut()
            .find(|(name, coming)| name.1 == *wire && coming.on_disk)?;
        Some(coming.record(name, now.wall))
    }

    /// A link brings this no longer. Gives back a link that can go on, and whether what is here
    /// should be saved because nobody can.
    pub(super) fn left(&mut self, now: Now, link: LinkId, name: &Name) -> Left {
        let Some(coming) = self.coming.get_mut(name) else {
            return Left::Nothing;
        };
        coming.bringers.remove(&link);
        if coming.bringers.len() < 2 {
            self.contested.remove(name);
        }
        if coming.only == Some(link) {
            coming.only = None;
        }
        if let Some(next) = coming.bringers.first() {
            return Left::Next(*next);
        }
        if coming.pieces.held() == 0 {
            self.coming.remove(name);
            return Left::Nothing;
        }
        let grown = coming.pieces.held() > coming.saved;
        if grown {
            coming.at = now.wall;
        }
        self.idle.insert((coming.at, *name));
        if grown { Left::Save } else { Left::Kept }
    }

    /// The whole had the wrong hash. If only one link can be to blame: that one, and nothing is
    /// kept. Otherwise all is fetched again, from one link alone.
    pub(super) fn wrong(&mut self, name: &Name) -> Blame {
        let Some(coming) = self.coming.get_mut(name) else {
            return Blame::Nobody;
        };
        coming.saved = 0;
        if coming.sources.len() <= 1 && !coming.restored {
            let blamed = coming.sources.pop_first();
            coming.only = None;
            return blamed.map_or(Blame::Nobody, Blame::One);
        }
        coming.restored = false;
        coming.sources.clear();
        coming.only = coming.bringers.first().copied();
        coming.only.map_or(Blame::Nobody, Blame::Again)
    }

    /// A transfer is over: it arrived, or is not wanted any more.
    pub(super) fn over(&mut self, name: &Name) -> Over {
        let Some(coming) = self.coming.remove(name) else {
            return Over::default();
        };
        self.cost = self.cost.saturating_sub(coming.pieces.cost());
        self.idle.remove(&(coming.at, *name));
        self.contested.remove(name);
        Over {
            bringers: coming.bringers,
            on_disk: coming.on_disk,
        }
    }

    /// All wire forms of this message that are on their way.
    pub(super) fn names_of(&self, id: &EnvelopeId) -> Vec<Name> {
        let (first, last) = (WireHash([0; 16]), WireHash([0xFF; 16]));
        self.coming
            .range((*id, first)..=(*id, last))
            .map(|(name, _)| *name)
            .collect()
    }

    /// Something that nobody brings and that has to give way: more is held than may be, or it is
    /// too old.
    pub(super) fn gives_way(&self, now: Now) -> Option<Name> {
        let (at, name) = self.idle.first()?;
        let old = at.saturating_add(KEPT) < now.wall;
        (old || self.cost > self.budget || self.idle.len() > 1024).then_some(*name)
    }

    /// What several links could bring and none has for a while, with those links.
    pub(super) fn stalled(&mut self, now: Time) -> Vec<(Name, Vec<LinkId>)> {
        if self.look.is_none_or(|look| look > now) {
            return Vec::new();
        }
        self.look = (!self.contested.is_empty()).then_some(now + STALL);
        let slow = self.contested.iter().filter_map(|name| {
            let coming = self.coming.get(name)?;
            let stalled = now.since(coming.last) >= STALL && coming.only.is_none();
            stalled.then(|| (*name, coming.bringers.iter().copied().collect()))
        });
        slow.collect()
    }

    /// When to look for what stalls.
    pub(super) const fn deadline(&self) -> Option<Time> {
        self.look
    }

    /// Is no more held than may be?
    pub(super) const fn has_room(&self) -> bool {
        self.cost <= self.budget
    }

    /// Bytes held.
    pub(super) fn cost(&self) -> usize {
        self.cost + self.known_cost()
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.coming.len()
    }
}

#[cfg(test)]
mod tests;
