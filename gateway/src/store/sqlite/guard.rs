//! The guard against replays: which messages asked for something before.
//!
//! Called by [`super::SqliteStore`] and its writer. It answers from memory and is written along
//! with whatever is committed next, or when nothing else is to do, so that a question does not
//! cost an `fsync`; only what was done is written. What can go wrong: a crash forgets what was not
//! written yet, the last second or so. It holds a bounded number; somebody who sends more makes it forget the oldest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::store::kept::{int, number};
use crate::store::replays::{CLAIM, seen_key};
use crate::store::{Moment, StoreError};

/// A sender and a message, for 16 bytes.
pub(super) type Key = [u8; 16];

/// What was seen.
pub(super) struct Guard {
    memory: Mutex<Memory>,
    most: usize,
    lasts: Duration,
}

#[derive(Default)]
struct Memory {
    until: HashMap<Key, u64>,
    order: VecDeque<Key>,
    unsaved: Vec<(Key, u64)>,
}

impl Guard {
    /// What was written before, at most so many, each for so long.
    pub(super) fn load(db: &Connection, most: u64, lasts: Duration) -> Result<Self, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let mut memory = Memory::default();
        let mut query = db.prepare("SELECT message, until FROM seen ORDER BY until")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (key, until): (Key, i64) = row?;
            memory.learn(key, number(until), most);
        }
        Ok(Self {
            memory: Mutex::new(memory),
            most,
            lasts,
        })
    }

    /// Was it seen before? It is from now on, until somebody says what became of it.
    pub(super) fn seen(&self, sender: &str, message: &str, now: Moment) -> bool {
        let key = seen_key(sender, message);
        let mut memory = self.memory();
        if memory
            .until
            .get(&key)
            .is_some_and(|until| *until > now.as_millis())
        {
            return true;
        }
        let until = (now + CLAIM.min(self.lasts)).as_millis();
        memory.learn(key, until, self.most);
        false
    }

    /// It was done, or was not. Is this the first that waits to be written?
    pub(super) fn settle(&self, sender: &str, message: &str, done: bool, now: Moment) -> bool {
        let key = seen_key(sender, message);
        let mut memory = self.memory();
        if !done {
            memory.forget(&key);
            return false;
        }
        let until = (now + self.lasts).as_millis();
        memory.learn(key, until, self.most);
        memory.unsaved.push((key, until));
        memory.unsaved.len() == 1
    }

    pub(super) fn has_unsaved(&self) -> bool {
        !self.memory().unsaved.is_empty()
    }

    /// What is to be written; whoever takes it writes it, or gives it back.
    pub(super) fn unsaved(&self) -> Vec<(Key, u64)> {
        std::mem::take(&mut self.memory().unsaved)
    }

    pub(super) fn again(&self, unsaved: Vec<(Key, u64)>) {
        let mut memory = self.memory();
        memory.unsaved.extend(unsaved);
        // On a disk that stays full they do not pile up.
        memory.unsaved.truncate(self.most);
    }

    pub(super) fn save(&self, db: &Connection, unsaved: &[(Key, u64)]) -> Result<(), StoreError> {
        for (key, until) in unsaved {
            db.prepare_cached("INSERT OR REPLACE INTO seen (message, until) VALUES (?1, ?2)")?
                .execute(params![key, int(*until)])?;
        }
        Ok(())
    }

    /// Removes from the store what is over, or more than may be known.
    pub(super) fn forget(db: &Connection, most: i64, now: i64) -> Result<(), StoreError> {
        db.execute("DELETE FROM seen WHERE until <= ?1", [now])?;
        db.execute(
            "DELETE FROM seen WHERE message IN (SELECT message FROM seen ORDER BY until
                LIMIT max(0, (SELECT count(*) FROM seen) - ?1))",
            [most],
        )?;
        Ok(())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// It is among the latest.
    fn forget(&mut self, key: &Key) {
        if self.until.remove(key).is_some()
            && let Some(place) = self.order.iter().rposition(|one| one == key)
        {
            self.order.remove(place);
        }
    }

    fn learn(&mut self, key: Key, until: u64, most: usize) {
        if self.until.insert(key, until).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.until.remove(&oldest);
            }
        }
    }
}
