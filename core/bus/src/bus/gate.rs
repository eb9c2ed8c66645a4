//! The law of durability, in the one place where it is decided.
//!
//! What is it: [`Gate`]. Everything that the rest of the bus wants to *say* about an envelope
//! (custody to the node that brought it, a settle to a mailbox, an event to the application, an
//! offer that gives copies away) comes here together with the changes that make it true. With
//! changes it waits for their batch; without, but about an envelope whose own batch is still in
//! flight, it waits for that one; otherwise it may be said at once. Who calls it: the bus, once
//! at the end of every input. What can go wrong: the disk refuses a batch. Then what it was to
//! store is undone, what was to be said about it becomes a refusal, and every other change is
//! written again later, from what is true by then.

mod disk;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::disk::Disk;
use super::io::{BatchId, DiskFault, Event, Key, LinkId, Op, Partial, SettleId, WireHash};
use crate::EnvelopeId;
use crate::depot::Effect;
use crate::label::{DidTag, Label, Priority};
use crate::receipt::Reason;
use crate::time::Now;

/// The record whose only purpose is to need room: written to see whether the disk takes
/// anything, dropped at once.
pub(super) const TRIAL: WireHash = WireHash([0; 16]);

/// Something to be said once it is true.
#[derive(Debug)]
pub(super) enum Said {
    /// The message is durable here; the node at the other end need not care any more.
    Custody(LinkId, EnvelopeId),
    /// A mailbox may let go of it.
    Settle(SettleId, EnvelopeId),
    /// What the depot wants done.
    Depot(Effect),
}

impl Said {
    /// The envelope this is about, if it is about one.
    fn about(&self) -> Option<&EnvelopeId> {
        match self {
            Self::Custody(_, id) | Self::Settle(_, id) => Some(id),
            Self::Depot(Effect::Offer { lot, .. }) => Some(&lot.meta.id),
            Self::Depot(Effect::Event(event)) => event.about(),
            Self::Depot(_) => None,
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Landed {
    /// Messages that are durable now.
    pub(super) durable: Vec<EnvelopeId>,
    /// What may be said now.
    pub(super) said: Vec<Said>,
}

/// What a batch that failed leaves behind.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Messages that were to be stored and are not.
    pub(super) undone: Vec<EnvelopeId>,
    /// What was to be said about them, or must not be said now; to be turned around.
    pub(super) unsaid: Vec<Said>,
}

#[derive(Debug, Default)]
struct Flight {
    /// Everything it changes, but the records of `fresh`.
    keys: Vec<Key>,
    /// Messages whose bodies it stores.
    fresh: Vec<EnvelopeId>,
    said: Vec<Said>,
    bytes: usize,
}

/// What is in flight to the disk, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    next: u64,
    flights: BTreeMap<BatchId, Flight>,
    /// Messages whose first batch is in flight.
    uncertain: BTreeMap<EnvelopeId, BatchId>,
    /// Keys whose record on disk is not what it should be.
    backlog: BTreeSet<Key>,
    /// What waits for the backlog.
    owed: Vec<Said>,
    bytes: usize,
    open: bool,
}

impl Gate {
    /// `open`: the bug of saying everything at once.
    pub(super) fn new(open: bool) -> Self {
        Self {
            open,
            ..Self::default()
        }
    }

    /// Is this message's own batch still in flight?
    pub(super) fn is_uncertain(&self, id: &EnvelopeId) -> bool {
        self.uncertain.contains_key(id)
    }

    /// Bytes of bodies in flight to the disk.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what is to be said without a change of its own; gives back what may be said now.
    pub(super) fn say(&mut self, said: Vec<Said>) -> Vec<Said> {
        if self.open {
            return said;
        }
        let mut now = said;
        if self.uncertain.is_empty() {
            return now;
        }
        let all = std::mem::take(&mut now);
        for word in all {
            match self.flight_of(&word) {
                Some(flight) => flight.said.push(word),
                None => now.push(word),
            }
        }
        now
    }

    /// A batch leaves for the disk with these changes; `said` waits for it, or for the batch of
    /// the message it is about. Gives back what may be said now: nothing, by law.
    pub(super) fn depart(&mut self, ops: &[Op], said: Vec<Said>) -> (BatchId, Vec<Said>) {
        self.next += 1;
        let batch = BatchId(self.next);
        let mut flight = Flight::default();
        for op in ops {
            if let Op::Body(id, wire) = op {
                flight.fresh.push(*id);
                flight.bytes = flight.bytes.saturating_add(wire.len());
            }
        }
        let fresh: BTreeSet<&EnvelopeId> = flight.fresh.iter().collect();
        let keys = ops.iter().filter_map(|op| match op {
            Op::Put(record) => Some(record.key()),
            Op::Drop(key) => Some(key.clone()),
            Op::Body(..) => None,
        });
        flight.keys = keys
            .filter(|key| key.message().is_none_or(|id| !fresh.contains(id)))
            .collect();
        let mut now = Vec::new();
        if self.open {
            now = said;
        } else {
            let changed: BTreeSet<&EnvelopeId> =
                flight.keys.iter().filter_map(Key::message).collect();
            for word in said {
                // What this batch stores anew or changes is true with this batch, not with an
                // earlier one.
                let own = word
                    .about()
                    .is_some_and(|id| fresh.contains(id) || changed.contains(id));
                match self.flight_of(&word) {
                    Some(earlier) if !own => earlier.said.push(word),
                    _ => flight.said.push(word),
                }
            }
        }
        for id in &flight.fresh {
            self.uncertain.insert(*id, batch);
        }
        self.bytes = self.bytes.saturating_add(flight.bytes);
        self.flights.insert(batch, flight);
        (batch, now)
    }

    /// A batch is durable. `None`: no such batch is in flight.
    pub(super) fn committed(&mut self, batch: BatchId) -> Option<Landed> {
        let (flight, durable) = self.land(batch)?;
        let mut said = Vec::new();
        for word in flight.said {
            // Batches land in any order: a change of a message that is not there yet says nothing.
            match self.flight_of(&word) {
                Some(first) => first.said.push(word),
                None => said.push(word),
            }
        }
        Some(Landed { durable, said })
    }

    /// A batch is not durable, and nothing of it is.
    pub(super) fn failed(&mut self, batch: BatchId) -> Option<Lost> {
        let (flight, undone) = self.land(batch)?;
        self.backlog.extend(flight.keys);
        let fresh: BTreeSet<EnvelopeId> = flight.fresh.into_iter().collect();
        let mut lost = Lost {
            undone,
            unsaid: Vec::new(),
        };
        // Words that wait with a later change of what is not there now.
        for other in self.flights.values_mut() {
            let undone = |word: &mut Said| {
                let about = word.about();
                about.is_some_and(|id| lost.undone.contains(id) && !other.fresh.contains(id))
            };
            lost.unsaid.extend(other.said.extract_if(.., undone));
        }
        for word in flight.said {
            let about_undone = word.about().is_some_and(|id| fresh.contains(id));
            let gives_away = matches!(word, Said::Depot(Effect::Offer { .. }));
            if about_undone || gives_away {
                lost.unsaid.push(word);
            } else {
                self.owed.push(word);
            }
        }
        Some(lost)
    }

    /// Something has to be written again.
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() || !self.owed.is_empty()
    }

    /// What has to be written again behind these changes, and what waits for it. Keys of messages
    /// that are in flight for the first time, or will be with these changes, stay: their record
    /// must not land without its body.
    pub(super) fn take_backlog(&mut self, ops: &[Op]) -> (Vec<Key>, Vec<Said>) {
        let stores = |id: &EnvelopeId| {
            let mut ops = ops.iter();
            ops.any(|op| matches!(op, Op::Body(of, _) if of == id))
        };
        let (stay, go) = std::mem::take(&mut self.backlog)
            .into_iter()
            .partition(|key| {
                key.message()
                    .is_some_and(|id| self.is_uncertain(id) || stores(id))
            });
        self.backlog = stay;
        (go.into_iter().collect(), std::mem::take(&mut self.owed))
    }

    fn land(&mut self, batch: BatchId) -> Option<(Flight, Vec<EnvelopeId>)> {
        let flight = self.flights.remove(&batch)?;
        self.bytes = self.bytes.saturating_sub(flight.bytes);
        let mut fresh = flight.fresh.clone();
        // What another batch has stored anew since is that batch's business.
        fresh.retain(|id| self.uncertain.get(id) == Some(&batch));
        for id in &fresh {
            self.uncertain.remove(id);
        }
        Some((flight, fresh))
    }

    fn flight_of(&mut self, word: &Said) -> Option<&mut Flight> {
        let batch = self.uncertain.get(word.about()?)?;
        self.flights.get_mut(batch)
    }
}

/// The record of a trial.
pub(super) fn trial(now: Now) -> Partial {
    Partial {
        wire: TRIAL,
        id: EnvelopeId::from_bytes([0; 32]),
        bytes: 4096,
        label: Label {
            to: DidTag::from_bytes([0; 16]),
            expires: None,
            priority: Priority::Bulk,
            hops: 0,
            copies: 0,
        },
        pieces: vec![(0..4096, vec![0; 4096])],
        at: now.wall,
    }
}

impl From<DiskFault> for Reason {
    fn from(fault: DiskFault) -> Self {
        match fault {
            DiskFault::Full => Self::Full,
            DiskFault::Broken => Self::Disk,
        }
    }
}

impl Event {
    /// The envelope that this event promises something about.
    const fn about(&self) -> Option<&EnvelopeId> {
        match self {
            Self::Received(arrived) => Some(&arrived.id),
            Self::Progress { id, .. }
            | Self::Carrying(id)
            | Self::NotTaken(id, _)
            | Self::Dead(id, _)
            | Self::Evicted(id) => Some(id),
            Self::Met(..)
            | Self::Proved(..)
            | Self::Parted(..)
            | Self::DiskFull
            | Self::DiskRoom => None,
        }
    }
}

impl Key {
    /// The message whose body stands beside this record, or whose id it remembers.
    const fn message(&self) -> Option<&EnvelopeId> {
        match self {
            Self::Held(id) | Self::Inbox(id) | Self::Seen(id) => Some(id),
            Self::Receipt(_) | Self::Partial(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
