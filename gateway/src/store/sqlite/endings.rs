//! Letters that end without an ack, and what is kept of them; what is forgotten; totals.
//!
//! Called by [`super::SqliteStore`], inside a transaction. What can go wrong: the disk alone.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::acks;
use super::columns::{count, envelope, moment};
use super::counts::Counts;
use super::guard::Guard;
use crate::store::kept::{int, millis, number, stem};
use crate::store::{DeadLetter, Ending, Limits, Moment, StoreError, Totals};

/// Letters that end in one transaction, and names that are forgotten: others wait meanwhile.
pub(super) const STEP: u64 = 500;

/// Ends some of what has expired. Answers how many; fewer than [`STEP`] were the last.
pub(super) fn expire(db: &Connection, limits: &Limits, now: Moment) -> Result<u64, StoreError> {
    // What was collected does not expire.
    acks::sweep(db)?;
    let sql = "SELECT seq FROM letters WHERE expires <= ?1 ORDER BY expires LIMIT ?2";
    let which = params![millis(now), int(STEP)];
    bury(db, sql, which, Ending::Expired, limits, now)
}

/// Ends the letters that `sql` selects; a dead letter stays of each, up to the limit.
pub(super) fn bury(
    db: &Connection,
    sql: &str,
    which: impl Params,
    why: Ending,
    limits: &Limits,
    now: Moment,
) -> Result<u64, StoreError> {
    let ending: Vec<i64> = db
        .prepare_cached(sql)?
        .query_map(which, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let why = match why {
        Ending::Expired => 1,
        Ending::Closed => 2,
    };
    for seq in &ending {
        db.prepare_cached(
            "INSERT INTO dead (envelope, account, recipient, bytes, received, ended, why)
                SELECT envelope, accounts.did, recipients.did, letters.bytes, received, ?2, ?3
                FROM letters JOIN accounts USING (account)
                    JOIN recipients USING (recipient) WHERE seq = ?1",
        )?
        .execute(params![seq, millis(now), why])?;
        let (account, id): (i64, _) = db
            .prepare_cached("SELECT account, envelope FROM letters WHERE seq = ?1")?
            .query_row([seq], |row| Ok((row.get(0)?, envelope(row, 1)?)))?;
        // Nobody has it: it may come again, with more time.
        db.prepare_cached("DELETE FROM known WHERE account = ?1 AND envelope = ?2")?
            .execute(params![account, stem(&id)])?;
    }
    remove(db, &ending)?;
    if !ending.is_empty() {
        db.prepare_cached("DELETE FROM dead WHERE dead <= (SELECT max(dead) FROM dead) - ?1")?
            .execute([int(limits.dead)])?;
    }
    Ok(ending.len() as u64)
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

/// Forgets some of what need not be known any more. Answers whether there is more of it.
pub(super) fn forget(db: &Connection, limits: &Limits, now: Moment) -> Result<bool, StoreError> {
    Guard::forget(db, int(limits.seen), millis(now))?;
    let over = db
        .prepare_cached("SELECT count(*) FROM collected WHERE until <= ?1")?
        .query_row([millis(now)], |row| count(row, 0))?;
    let all = db
        .prepare_cached("SELECT count(*) FROM collected")?
        .query_row([], |row| count(row, 0))?;
    let gone = over.max(all.saturating_sub(limits.known));
    let first: Vec<(i64, i64, Vec<u8>)> = db
        .prepare_cached("SELECT seq, account, envelope FROM collected ORDER BY until LIMIT ?1")?
        .query_map([int(gone.min(10 * STEP))], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (seq, account, envelope) in first {
        db.prepare_cached("DELETE FROM collected WHERE seq = ?1")?
            .execute([seq])?;
        // It may have come again since, and be held under another number.
        db.prepare_cached("DELETE FROM known WHERE account = ?1 AND envelope = ?2 AND seq = ?3")?
            .execute(params![account, envelope, seq])?;
    }
    Ok(gone > 10 * STEP)
}

pub(super) fn dead_letters(db: &Connection, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT envelope, account, recipient, bytes, received, ended, why FROM dead
            ORDER BY dead DESC LIMIT ?1",
    )?;
    let rows = query.query_map([limit], |row| {
        Ok(DeadLetter {
            id: envelope(row, 0)?,
            account: row.get(1)?,
            recipient: row.get(2)?,
            bytes: count(row, 3)?,
            received: moment(row, 4)?,
            ended: moment(row, 5)?,
            why: ending(row.get(6)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) const fn ending(why: i64) -> Ending {
    match why {
        2 => Ending::Closed,
        _ => Ending::Expired,
    }
}

/// All but the sizes of files.
pub(super) fn totals(db: &Connection) -> Result<Totals, StoreError> {
    let (letters, bytes) = db
        .prepare_cached("SELECT letters, bytes FROM totals")?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    let rows = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        let all = db.prepare_cached(&sql)?.query_row([], |row| row.get(0));
        all.map(number)
    };
    let oldest = db
        .prepare_cached(
            "SELECT received FROM letters WHERE seq NOT IN (SELECT seq FROM acked)
                ORDER BY seq LIMIT 1",
        )?
        .query_row([], |row| moment(row, 0))
        .optional()?;
    Ok(Totals {
        accounts: rows("accounts")?,
        bindings: rows("bindings")?,
        letters,
        bytes,
        oldest,
        dead: rows("dead")?,
        disk: 0,
        free: None,
    })
}
