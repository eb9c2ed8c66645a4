//! Letters that arrived where they belong go, and those that end otherwise.
//!
//! Called by [`super::SqliteStore`] and [`super::endings`], inside a transaction. What can go
//! wrong: the disk alone.

use std::collections::BTreeMap;

use packmule_bus::EnvelopeId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts;
use super::waiting::status;
use crate::store::kept::{millis, stem};
use crate::store::{Acked, Limits, Moment, StoreError};

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
    let mut gone = Vec::with_capacity(ids.len());
    for id in ids {
        let seq: Option<i64> = db
            .prepare_cached(
                "SELECT seq FROM known CROSS JOIN letters USING (seq)
                    WHERE known.account = ?1 AND known.envelope = ?2",
            )?
            .query_row(params![account, stem(id)], |row| row.get(0))
            .optional()?;
        let Some(seq) = seq else { continue };
        // Whoever names one twice means one.
        let first = db
            .prepare_cached(
                "INSERT OR IGNORE INTO collected (seq, account, envelope, until)
                    VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![seq, account, stem(id), until])?;
        if first == 1 {
            gone.push(seq);
        }
    }
    remove(db, &gone)?;
    acked.count = gone.len() as u64;
    acked.left = status(db, did, None, now)?;
    Ok(acked)
}

/// Removes letters and takes them off the counters; what is known of them is the caller's.
pub(super) fn remove(db: &Connection, gone: &[i64]) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    let mut delete = db
        .prepare_cached("DELETE FROM letters WHERE seq = ?1 RETURNING account, recipient, bytes")?;
    for seq in gone {
        let row = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get(2)?));
        let (whose, bytes): (_, i64) = delete.query_row([seq], row)?;
        let (letters, sum) = counts.entry(whose).or_default();
        *letters += 1;
        *sum += bytes;
    }
    for ((account, recipient), (letters, bytes)) in counts {
        db.prepare_cached(
            "UPDATE accounts SET letters = letters - ?2, bytes = bytes - ?3 WHERE account = ?1",
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
