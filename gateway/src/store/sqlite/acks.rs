//! Letters that arrived where they belong go.
//!
//! Called by [`super::SqliteStore`] and the writer, inside a transaction. An ack only notes which
//! letters are gone and takes them off the counters; the writer sweeps them out later, many at
//! once: when there are enough of them, or when nothing else is to do. Until then their bodies lie
//! in the file, and in a backup of it. What can go wrong: the disk alone.

use packmule_bus::EnvelopeId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts;
use super::columns::count;
use super::counts::Counts;
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

/// How much there is to sweep: nothing, something, or enough not to wait for a quieter moment.
/// Where that cannot be told, nothing.
pub(super) fn unswept(db: &Connection) -> Unswept {
    let sum = || -> Result<(u64, u64), StoreError> {
        let mut sum = db.prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM acked")?;
        Ok(sum.query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?)
    };
    match sum() {
        Ok((0, _)) | Err(_) => Unswept::Nothing,
        Ok((letters, bytes)) if letters >= MOST || bytes >= MOST_BYTES => Unswept::Enough,
        Ok(_) => Unswept::Some,
    }
}

/// See [`unswept`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unswept {
    Nothing,
    Some,
    Enough,
}
