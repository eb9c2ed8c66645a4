//! A message by its name, whosever it is.
//!
//! Called by [`super::SqliteStore`], inside a transaction. There is no index over names alone:
//! each letter would pay for it, and this is asked by a visitor now and then. So every account is
//! looked into, one step in `known` each, some ten milliseconds for ten thousand of them. What can
//! go wrong: the disk.

use packmule_bus::EnvelopeId;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{count, moment};
use super::endings::ending;
use super::waiting::packed;
use crate::store::kept::{millis, stem};
use crate::store::{Ending, Found, Lot, Moment, StoreError};

pub(super) fn find(
    db: &Connection,
    id: &EnvelopeId,
    now: Moment,
) -> Result<Option<Found>, StoreError> {
    // CROSS JOIN: the accounts outside, as written.
    let held = db
        .prepare_cached(
            "SELECT letters.bytes, received, expires
                FROM accounts CROSS JOIN known USING (account) CROSS JOIN letters USING (seq)
                WHERE known.envelope = ?1 AND letters.envelope = ?2
                AND seq NOT IN (SELECT seq FROM acked)
                ORDER BY expires DESC LIMIT 1",
        )?
        .query_row(params![stem(id), id.as_bytes()], |row| {
            let until = moment(row, 2)?;
            let lot = if until <= now {
                Lot::Ended(Ending::Expired)
            } else {
                Lot::Held
            };
            Ok(Found {
                lot,
                bytes: Some(count(row, 0)?),
                received: Some(moment(row, 1)?),
                until: Some(until),
            })
        })
        .optional()?;
    if held.is_some() {
        return Ok(held);
    }
    // Whoever collected it after it had expired and come again has it.
    let dead = db
        .prepare_cached(
            "SELECT bytes, received, ended, why FROM dead WHERE envelope = ?1
                AND NOT EXISTS (SELECT 1 FROM accounts JOIN known USING (account)
                    WHERE accounts.did = dead.account AND known.envelope = ?2)
                ORDER BY dead DESC LIMIT 1",
        )?
        .query_row(params![id.as_bytes(), stem(id)], |row| {
            Ok(Found {
                lot: Lot::Ended(ending(row.get(3)?)),
                bytes: Some(count(row, 0)?),
                received: Some(moment(row, 1)?),
                until: Some(moment(row, 2)?),
            })
        })
        .optional()?;
    if dead.is_some() {
        return Ok(dead);
    }
    let collected = db
        .prepare_cached(
            "SELECT 1 FROM accounts CROSS JOIN known USING (account) WHERE known.envelope = ?1
                AND (seq IN (SELECT seq FROM acked) OR seq IN (SELECT seq FROM collected))
                LIMIT 1",
        )?
        .exists([stem(id)])?;
    Ok(collected.then_some(Found {
        lot: Lot::Collected,
        bytes: None,
        received: None,
        until: None,
    }))
}

pub(super) fn copy(
    db: &Connection,
    id: &EnvelopeId,
    now: Moment,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT form
            FROM accounts CROSS JOIN known USING (account) CROSS JOIN letters USING (seq)
            WHERE known.envelope = ?1 AND letters.envelope = ?2
                AND seq NOT IN (SELECT seq FROM acked)
                AND not_before <= ?3 AND expires > ?3 LIMIT 1",
    )?;
    let mut rows = query.query(params![stem(id), id.as_bytes(), millis(now)])?;
    match rows.next()? {
        Some(row) => packed(row, 0, *id).map(Some),
        None => Ok(None),
    }
}
