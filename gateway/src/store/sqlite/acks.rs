//! Letters that arrived where they belong go, and those that end otherwise.
//!
//! Called by [`super::SqliteStore`] and what ends letters, inside a transaction. An ack only notes
//! which letters are gone and takes them off the counters; they are swept out later, many at once,
//! by an ack that finds enough of them or by the writer when nothing else is to do. What can go
//! wrong: the disk alone.

use std::collections::BTreeMap;

use packmule_bus::EnvelopeId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts;
use super::columns::count;
use super::waiting::status;
use crate::store::kept::{millis, stem};
use crate::store::{Acked, Limits, Moment, StoreError};

/// Letters, and their bytes, that wait to be swept out at most.
const MOST: u64 = 128;
const MOST_BYTES: u64 = 4 << 20;

pub(super) fn ack(
    db: &Connection,
    account: &str,
    ids: &[EnvelopeId],
    limits: &Limits,
    now: Moment,
) -> Result<Acked, StoreError> {
    let mut acked = Acked::default();
    let did = account;
    let Some(account) = accounts::find(db, did)? else {
        return Ok(acked);
    };
    let until = millis(now + limits.known_for);
    let mut counts = Counts::default();
    for id in ids {
        // Whoever names one twice means one.
        let mut held = db.prepare_cached(
            "SELECT seq, recipient, bytes FROM known CROSS JOIN letters USING (seq)
                WHERE known.account = ?1 AND known.envelope = ?2
                    AND seq NOT IN (SELECT seq FROM acked)",
        )?;
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let held: Option<(i64, i64, i64)> =
            held.query_row(params![account, stem(id)], row).optional()?;
        let Some((seq, recipient, bytes)) = held else {
            continue;
        };
        db.prepare_cached("INSERT INTO acked (seq, bytes, until) VALUES (?1, ?2, ?3)")?
            .execute([seq, bytes, until])?;
        counts.add(account, recipient, bytes);
        acked.count += 1;
    }
    counts.take_off(db)?;
    acked.left = status(db, did, None, now)?;
    let (letters, bytes) = db
        .prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM acked")?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    if letters >= MOST || bytes >= MOST_BYTES {
        sweep(db)?;
    }
    Ok(acked)
}

/// Removes the letters that were acked. One by one each would rewrite the pages around it; many
/// at once share them, as letters that came one after the other mostly go together.
pub(super) fn sweep(db: &Connection) -> Result<(), StoreError> {
    let acked = db
        .prepare_cached("SELECT seq FROM acked ORDER BY seq")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for seq in &acked {
        db.prepare_cached(
            "INSERT INTO collected (seq, account, envelope, until)
                SELECT seq, account, substr(envelope, 1, 16), until
                    FROM acked CROSS JOIN letters USING (seq) WHERE acked.seq = ?1",
        )?
        .execute([seq])?;
        db.prepare_cached("DELETE FROM letters WHERE seq = ?1")?
            .execute([seq])?;
    }
    if !acked.is_empty() {
        db.prepare_cached("DELETE FROM acked")?.execute([])?;
    }
    Ok(())
}

/// Is there anything to sweep?
pub(super) fn are_left(db: &Connection) -> bool {
    let found = db.prepare_cached("SELECT 1 FROM acked LIMIT 1");
    found
        .and_then(|mut found| found.exists([]))
        .unwrap_or(false)
}

/// Removes letters that end otherwise and takes them off the counters; what is known of them is the caller's.
pub(super) fn remove(db: &Connection, gone: &[i64]) -> Result<(), StoreError> {
    let mut counts = Counts::default();
    let mut delete = db
        .prepare_cached("DELETE FROM letters WHERE seq = ?1 RETURNING account, recipient, bytes")?;
    for seq in gone {
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (account, recipient, bytes) = delete.query_row([seq], row)?;
        counts.add(account, recipient, bytes);
    }
    counts.take_off(db)
}

/// Letters and bytes that go, by account and recipient.
#[derive(Default)]
struct Counts(BTreeMap<(i64, i64), (i64, i64)>);

impl Counts {
    fn add(&mut self, account: i64, recipient: i64, bytes: i64) {
        let (letters, sum) = self.0.entry((account, recipient)).or_default();
        *letters += 1;
        *sum += bytes;
    }

    fn take_off(self, db: &Connection) -> Result<(), StoreError> {
        for ((account, recipient), (letters, bytes)) in self.0 {
            db.prepare_cached(
                "UPDATE accounts SET letters = letters - ?2, bytes = bytes - ?3
                    WHERE account = ?1",
            )?
            .execute([account, letters, bytes])?;
            let held: i64 = db
                .prepare_cached(
                    "UPDATE recipients SET letters = letters - ?2, bytes = bytes - ?3
                        WHERE recipient = ?1 RETURNING letters",
                )?
                .query_row([recipient, letters, bytes], |row| row.get(0))?;
            if held == 0 {
                db.prepare_cached("DELETE FROM recipients WHERE recipient = ?1")?
                    .execute([recipient])?;
            }
            db.prepare_cached("UPDATE totals SET letters = letters - ?1, bytes = bytes - ?2")?
                .execute([letters, bytes])?;
        }
        Ok(())
    }
}
