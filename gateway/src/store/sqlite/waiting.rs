//! Letters that wait: counted, and given out.
//!
//! Called by [`super::SqliteStore`], inside a transaction. What can go wrong: besides the disk, a
//! body that is not what was written. Such a one holds up no other: it is told when nothing else
//! is left to give out.

use packmule_bus::{Envelope, EnvelopeId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, envelope, moment};
use super::enqueue::find_recipient;
use super::fault::damaged;
use crate::store::kept::{millis, number, priority};
use crate::store::{Held, Moment, StoreError, Waiting, canonical};

/// Whose letters are asked for: an account's, or those for one of its DIDs.
struct Asked {
    account: i64,
    /// Numbers of recipients from and to: all of them, or one.
    from: i64,
    to: i64,
    letters: u64,
    bytes: u64,
}

impl Asked {
    fn find(
        db: &Connection,
        did: &str,
        recipient: Option<&str>,
    ) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT account, letters, bytes FROM accounts WHERE did = ?1";
        let account: Option<(i64, u64, u64)> = db
            .prepare_cached(sql)?
            .query_row([canonical(did)], |row| {
                Ok((row.get(0)?, count(row, 1)?, count(row, 2)?))
            })
            .optional()?;
        let Some((account, letters, bytes)) = account else {
            return Ok(None);
        };
        let Some(recipient) = recipient else {
            return Ok(Some(Self {
                account,
                from: 0,
                to: i64::MAX,
                letters,
                bytes,
            }));
        };
        let found = find_recipient(db, account, recipient)?;
        Ok(found.map(|(recipient, letters, bytes)| Self {
            account,
            from: recipient,
            to: recipient,
            letters,
            bytes,
        }))
    }

    /// Adds up what a condition finds among these letters.
    fn sum(&self, db: &Connection, sql: &str, now: Moment) -> Result<(u64, u64), StoreError> {
        let values = params![self.account, self.from, self.to, millis(now)];
        let sum = db
            .prepare_cached(sql)?
            .query_row(values, |row| Ok((count(row, 0)?, count(row, 1)?)))?;
        Ok(sum)
    }

    /// When the first in this order came.
    fn first(&self, db: &Connection, sql: &str, now: Moment) -> Result<Option<Moment>, StoreError> {
        let mut query = db.prepare_cached(sql)?;
        let mut found: Option<(i64, Moment)> = None;
        for rank in [2_i64, 1, 0] {
            let values = params![self.account, self.from, self.to, millis(now), rank];
            let one = query.query_row(values, |row| Ok((row.get(0)?, moment(row, 1)?)));
            let one: Option<(i64, Moment)> = one.optional()?;
            found = [found, one].into_iter().flatten().min_by_key(|one| one.0);
        }
        Ok(found.map(|(_, received)| received))
    }
}

pub(super) fn status(
    db: &Connection,
    account: &str,
    recipient: Option<&str>,
    now: Moment,
) -> Result<Waiting, StoreError> {
    let Some(asked) = Asked::find(db, account, recipient)? else {
        return Ok(Waiting::default());
    };
    // Counters tell all that is held; the few that do not wait are looked up.
    let expired = asked.sum(
        db,
        "SELECT count(*), coalesce(sum(bytes), 0) FROM letters INDEXED BY letters_expires
            WHERE expires <= ?4 AND account = ?1 AND recipient BETWEEN ?2 AND ?3
                AND seq NOT IN (SELECT seq FROM acked)",
        now,
    )?;
    let later = asked.sum(
        db,
        "SELECT count(*), coalesce(sum(bytes), 0) FROM letters INDEXED BY letters_later
            WHERE not_before > 0 AND account = ?1 AND not_before > ?4 AND expires > ?4
                AND recipient BETWEEN ?2 AND ?3 AND seq NOT IN (SELECT seq FROM acked)",
        now,
    )?;
    let oldest = asked.first(
        db,
        "SELECT seq, received FROM letters WHERE account = ?1 AND priority = ?5
            AND recipient BETWEEN ?2 AND ?3 AND not_before <= ?4 AND expires > ?4
            AND seq NOT IN (SELECT seq FROM acked) ORDER BY seq LIMIT 1",
        now,
    )?;
    let newest = asked.first(
        db,
        "SELECT -seq, received FROM letters WHERE account = ?1 AND priority = ?5
            AND recipient BETWEEN ?2 AND ?3 AND not_before <= ?4 AND expires > ?4
            AND seq NOT IN (SELECT seq FROM acked) ORDER BY seq DESC LIMIT 1",
        now,
    )?;
    Ok(Waiting {
        count: asked.letters.saturating_sub(expired.0 + later.0),
        bytes: asked.bytes.saturating_sub(expired.1 + later.1),
        oldest,
        newest,
    })
}

pub(super) fn page(
    db: &Connection,
    account: &str,
    recipient: Option<&str>,
    limit: u32,
    max_bytes: u64,
    now: Moment,
) -> Result<Vec<Held>, StoreError> {
    let Some(asked) = Asked::find(db, account, recipient)? else {
        return Ok(Vec::new());
    };
    // The bodies are read one by one, as long as they fit.
    let mut query = db.prepare_cached(
        "SELECT seq, envelope, did, priority, received, expires, form
            FROM letters JOIN recipients USING (recipient)
            WHERE letters.account = ?1 AND letters.recipient BETWEEN ?2 AND ?3
                AND not_before <= ?4 AND expires > ?4
                AND seq NOT IN (SELECT seq FROM acked)
            ORDER BY priority DESC, seq",
    )?;
    let mut rows = query.query(params![asked.account, asked.from, asked.to, millis(now)])?;
    let (mut page, mut bytes, mut broken) = (Vec::new(), 0_u64, None);
    while page.len() < limit as usize {
        let Some(row) = rows.next()? else { break };
        match held(row) {
            Ok(held) => {
                bytes = bytes.saturating_add(held.packed.len() as u64);
                if bytes > max_bytes && !page.is_empty() {
                    break;
                }
                page.push(held);
            }
            Err(error) => broken = Some(error),
        }
    }
    match broken {
        Some(error) if page.is_empty() => Err(error),
        _ => Ok(page),
    }
}

fn held(row: &Row<'_>) -> Result<Held, StoreError> {
    let id = envelope(row, 1)?;
    Ok(Held {
        seq: row.get(0).map(number)?,
        id,
        recipient: row.get(2)?,
        packed: packed(row, 6, id)?,
        priority: priority(row.get(3)?),
        received: moment(row, 4)?,
        expires: moment(row, 5)?,
    })
}

/// The packed message of a form.
pub(super) fn packed(row: &Row<'_>, column: usize, id: EnvelopeId) -> Result<Vec<u8>, StoreError> {
    let form = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| damaged(error.to_string()))?;
    let body = Envelope::decode_trusted(form, id)
        .map_err(|error| damaged(format!("message {id}: {error}")))?;
    Ok(body.to_json())
}
