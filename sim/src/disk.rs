//! A disk that can be full, slow, broken, pulled out, and whose power can fail.
//!
//! What is it: [`Disk`], what is durable and what is only on its way there. A batch is written
//! whole or not at all; a crash discards what is pending, except that the first few batches may
//! have become durable without anybody having heard of it. Who calls it: simulated nodes. What
//! can go wrong: all of the above, when the scenario says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{BatchId, DiskFault, Key, Op, Record};

use crate::dice::Dice;
use crate::marks::{Fired, Kind};
use crate::world::Micros;

/// What somebody wants durable.
#[derive(Debug)]
pub enum Write {
    /// The bus.
    Batch(BatchId, Vec<Op>),
    /// The agent: it has this message now.
    Agent(EnvelopeId),
}

/// A write whose time has come.
#[derive(Debug)]
pub enum Done {
    /// It is durable now; these were its operations.
    Durable(Write),
    /// It is not, and nothing of it is.
    Failed(Write, DiskFault),
}

/// A disk.
#[derive(Debug)]
pub struct Disk {
    room: u64,
    sync: Micros,
    records: BTreeMap<Key, Record>,
    bodies: BTreeMap<EnvelopeId, Arc<[u8]>>,
    agent: BTreeSet<EnvelopeId>,
    used: u64,
    pending: VecDeque<(Micros, Write)>,
    full_until: Micros,
    broken_until: Micros,
    gone_until: Micros,
    slow: (Micros, u64),
    dice: Dice,
}

impl Disk {
    /// An empty disk of so many bytes, on which a sync takes `sync` microseconds, more or less.
    #[must_use]
    pub fn new(room: u64, sync: Micros, dice: Dice) -> Self {
        Self {
            room,
            sync,
            records: BTreeMap::new(),
            bodies: BTreeMap::new(),
            agent: BTreeSet::new(),
            used: 0,
            pending: VecDeque::new(),
            full_until: 0,
            broken_until: 0,
            gone_until: 0,
            slow: (0, 1),
            dice,
        }
    }

    /// Begins to write; the answer is due at the returned time, from [`Disk::finish`].
    pub fn write(&mut self, now: Micros, write: Write, fired: &mut Fired) -> Micros {
        let mut wait = self.sync / 2 + self.dice.below(self.sync + 1);
        if now < self.slow.0 {
            fired.hit(Kind::SlowDisk);
            wait = (wait + 1_000).saturating_mul(self.slow.1);
        }
        // One log: what is begun later is never durable earlier.
        let last = self.pending.back().map_or(0, |(at, _)| *at);
        let at = now.saturating_add(wait).max(last);
        self.pending.push_back((at, write));
        at
    }

    /// The next write that is due.
    pub fn finish(&mut self, now: Micros, fired: &mut Fired) -> Option<Done> {
        if self.pending.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, write) = self.pending.pop_front()?;
        let fault = if now < self.gone_until {
            Some((Kind::Yank, DiskFault::Broken))
        } else if now < self.broken_until && self.dice.chance(0.7) {
            Some((Kind::DiskError, DiskFault::Broken))
        } else if self.grows_too_much(now, &write) {
            Some((Kind::DiskFull, DiskFault::Full))
        } else {
            None
        };
        Some(match fault {
            Some((kind, fault)) => {
                fired.hit(kind);
                Done::Failed(write, fault)
            }
            None => {
                self.apply(&write);
                Done::Durable(write)
            }
        })
    }

    /// The power fails: what is pending is gone, but for the first few of which nobody has heard
    /// that they made it. Says what these were.
    pub fn crash(&mut self, now: Micros, fired: &mut Fired) -> Vec<Write> {
        let mut made_it = Vec::new();
        let healthy = now >= self.gone_until && now >= self.broken_until;
        let count = if healthy && self.dice.chance(0.3) {
            self.dice.between(0, self.pending.len() as u64)
        } else {
            0
        };
        for _ in 0..count {
            let Some((_, write)) = self.pending.pop_front() else {
                break;
            };
            if self.grows_too_much(now, &write) {
                break;
            }
            fired.hit(Kind::LateCommit);
            self.apply(&write);
            made_it.push(write);
        }
        if !self.pending.is_empty() {
            fired.hit(Kind::TornWrite);
        }
        self.pending.clear();
        made_it
    }

    /// No room for anything until then.
    pub fn fill_until(&mut self, until: Micros) {
        self.full_until = self.full_until.max(until);
    }

    /// Writes fail until then.
    pub fn break_until(&mut self, until: Micros) {
        self.broken_until = self.broken_until.max(until);
    }

    /// It is not there until then.
    pub fn yank_until(&mut self, until: Micros) {
        self.gone_until = self.gone_until.max(until);
    }

    /// Syncs take so many times as long until then.
    pub fn slow_until(&mut self, until: Micros, times: u32) {
        self.slow = (until, u64::from(times.max(1)));
    }

    /// What is durable.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The durable record with this key.
    #[must_use]
    pub fn record(&self, key: &Key) -> Option<&Record> {
        self.records.get(key)
    }

    /// The durable wire form of a message.
    #[must_use]
    pub fn body(&self, id: &EnvelopeId) -> Option<&Arc<[u8]>> {
        self.bodies.get(id)
    }

    /// Does the agent durably have this message?
    #[must_use]
    pub fn agent_has(&self, id: &EnvelopeId) -> bool {
        self.agent.contains(id)
    }

    /// Bytes in use.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    fn grows_too_much(&self, now: Micros, write: &Write) -> bool {
        let Write::Batch(_, ops) = write else {
            return now < self.full_until;
        };
        let (mut more, mut less) = (0, 0);
        for op in ops {
            match op {
                Op::Put(record) => {
                    more += weight(record);
                    less += self.records.get(&record.key()).map_or(0, weight);
                }
                Op::Body(_, body) => more += body.len() as u64,
                Op::Drop(key) => less += self.weight_under(key),
                _ => {}
            }
        }
        let full = now < self.full_until
            || self.used.saturating_add(more) > self.room.saturating_add(less);
        full && more > less
    }

    fn weight_under(&self, key: &Key) -> u64 {
        let body = match key {
            Key::Held(id) | Key::Inbox(id) => {
                self.bodies.get(id).map_or(0, |body| body.len() as u64)
            }
            _ => 0,
        };
        body + self.records.get(key).map_or(0, weight)
    }

    fn apply(&mut self, write: &Write) {
        let ops = match write {
            Write::Agent(id) => {
                self.agent.insert(*id);
                return;
            }
            Write::Batch(_, ops) => ops,
        };
        for op in ops {
            match op {
                Op::Put(record) => {
                    self.used += weight(record);
                    let old = self.records.insert(record.key(), record.clone());
                    self.used = self.used.saturating_sub(old.as_ref().map_or(0, weight));
                }
                Op::Body(id, body) => {
                    self.used += body.len() as u64;
                    let old = self.bodies.insert(*id, body.as_slice().into());
                    self.used = self
                        .used
                        .saturating_sub(old.map_or(0, |old| old.len() as u64));
                }
                Op::Drop(key) => {
                    self.used = self.used.saturating_sub(self.weight_under(key));
                    self.records.remove(key);
                    if let Key::Held(id) | Key::Inbox(id) = key {
                        self.bodies.remove(id);
                    }
                }
                _ => {}
            }
        }
    }
}

/// About how many bytes a record takes.
fn weight(record: &Record) -> u64 {
    match record {
        Record::Held(held) => 200 + 60 * held.takers.len() as u64,
        Record::Inbox(_) => 120,
        Record::Seen(..) => 48,
        Record::Receipt(receipt) => 150 + 32 * receipt.ids.len() as u64,
        Record::Partial(partial) => {
            let bytes = |(_, bytes): &(_, Vec<u8>)| 16 + bytes.len() as u64;
            120 + partial.pieces.iter().map(bytes).sum::<u64>()
        }
        _ => 64,
    }
}

#[cfg(test)]
mod tests;
