//! Letters: taken on, counted, given out, acked.
//!
//! Called by [`super::SqliteStore`], inside a transaction. What can go wrong: besides the disk, a
//! body that is not what was written. Such a one holds up no other: it is told when nothing else
//! is left to give out.

use std::collections::BTreeMap;

use packmule_bus::label::DidTag;
use packmule_bus::{Envelope, EnvelopeId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::{self, Load, pair_is_full};
use super::columns::{count, envelope, moment};
use super::fault::damaged;
use super::room::Room;
use crate::store::kept::{int, millis, number, priority, rank, stem};
use crate::store::{
    Acked, Enqueued, Held, Letter, Limits, Moment, Refusal, Span, StoreError, Waiting, canonical,
};

pub(super) fn enqueue(
    db: &Connection,
    letters: &[Letter],
    limits: &Limits,
    room: &Room,
    now: Moment,
) -> Result<Vec<Enqueued>, StoreError> {
    let bytes = letters
        .iter()
        .map(|letter| letter.form().len() as u64)
        .sum();
    let disk = room.takes(bytes);
    let take = |letter| enqueue_one(db, letter, limits, disk, now);
    letters.iter().map(take).collect()
}

fn enqueue_one(
    db: &Connection,
    letter: &Letter,
    limits: &Limits,
    disk: bool,
    now: Moment,
) -> Result<Enqueued, StoreError> {
    let Some(load) = Load::of(db, &letter.account)? else {
        return Ok(Enqueued::Refused(Refusal::NoAccount));
    };
    let id = letter.id();
    if let Some(known) = known(db, load.account, &id, now)? {
        let sooner = match known {
            Some((seq, span)) => renew(db, seq, span, letter.span(), now)?,
            None => false,
        };
        return Ok(match sooner {
            true => Enqueued::Sooner(load.did),
            false => Enqueued::Duplicate,
        });
    }
    // Who brought it is nobody's business later on: a tag is enough to count by.
    let sender = letter.from.as_deref().map(DidTag::of);
    let sender = sender.as_ref().map(|tag| tag.as_bytes().as_slice());
    if let Some(refusal) = refusal(db, letter, &load, sender, limits, disk, now)? {
        return Ok(Enqueued::Refused(refusal));
    }
    let recipient = recipient(db, load.account, canonical(&letter.recipient))?;
    let seq = db
        .prepare_cached(
            "INSERT INTO letters (account, recipient, envelope, sender, priority, received,
                expires, not_before, bytes, form) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .insert(params![
            load.account,
            recipient,
            id.as_bytes(),
            sender,
            rank(letter.priority),
            millis(now),
            millis(letter.expires),
            millis(letter.not_before),
            int(letter.bytes()),
            letter.form(),
        ])?;
    db.prepare_cached("INSERT OR REPLACE INTO known (account, envelope, seq) VALUES (?1, ?2, ?3)")?
        .execute(params![load.account, stem(&id), seq])?;
    Ok(Enqueued::Stored(number(seq), load.did))
}

/// Is it held, as this letter, or known to have been collected?
fn known(
    db: &Connection,
    account: i64,
    id: &EnvelopeId,
    now: Moment,
) -> Result<Option<Option<(i64, Span)>>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT letters.seq, not_before, expires FROM known
                LEFT JOIN letters ON letters.seq = known.seq
                LEFT JOIN collected ON collected.seq = known.seq
            WHERE known.account = ?1 AND known.envelope = ?2
                AND (letters.seq IS NOT NULL OR until > ?3)",
    )?;
    let known = query.query_row(params![account, stem(id), millis(now)], |row| {
        let Some(seq) = row.get(0)? else {
            return Ok(None);
        };
        let span = Span {
            not_before: moment(row, 1)?,
            expires: moment(row, 2)?,
        };
        Ok(Some((seq, span)))
    });
    Ok(known.optional()?)
}

/// A copy came of what is held. Is it given out sooner for that?
fn renew(
    db: &Connection,
    seq: i64,
    held: Span,
    copy: Span,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(renewed) = held.renewed(copy, now) else {
        return Ok(false);
    };
    let sql = "UPDATE letters SET not_before = ?2, expires = ?3 WHERE seq = ?1";
    let values = params![seq, millis(renewed.not_before), millis(renewed.expires)];
    db.prepare_cached(sql)?.execute(values)?;
    Ok(renewed.is_sooner_than(held, now))
}

fn refusal(
    db: &Connection,
    letter: &Letter,
    load: &Load,
    sender: Option<&[u8]>,
    limits: &Limits,
    disk: bool,
    now: Moment,
) -> Result<Option<Refusal>, StoreError> {
    let bytes = letter.bytes();
    if letter.expires <= now {
        return Ok(Some(Refusal::Expired));
    }
    if bytes > limits.letter_bytes {
        return Ok(Some(Refusal::TooLarge));
    }
    if let Some(sender) = sender
        && pair_is_full(db, load.account, sender, limits)?
    {
        return Ok(Some(Refusal::PairFull));
    }
    if !load.takes(bytes, limits) {
        return Ok(Some(Refusal::AccountFull));
    }
    let (letters, held): (u64, u64) = db
        .prepare_cached("SELECT letters, bytes FROM totals")?
        .query_row([], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    let more = held.saturating_add(bytes);
    if letters >= limits.total_letters || more > limits.total_bytes {
        return Ok(Some(Refusal::StoreFull));
    }
    Ok((!disk).then_some(Refusal::DiskFull))
}

/// The number of a DID for which an account holds letters.
fn recipient(db: &Connection, account: i64, did: &str) -> Result<i64, StoreError> {
    if let Some(known) = find_recipient(db, account, did)? {
        return Ok(known.0);
    }
    let mut insert = db.prepare_cached("INSERT INTO recipients (account, did) VALUES (?1, ?2)")?;
    Ok(insert.insert(params![account, did])?)
}

fn find_recipient(
    db: &Connection,
    account: i64,
    did: &str,
) -> Result<Option<(i64, u64, u64)>, StoreError> {
    let sql = "SELECT recipient, letters, bytes FROM recipients WHERE account = ?1 AND did = ?2";
    let found = db
        .prepare_cached(sql)?
        .query_row(params![account, canonical(did)], |row| {
            Ok((row.get(0)?, count(row, 1)?, count(row, 2)?))
        });
    Ok(found.optional()?)
}

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
            WHERE expires <= ?4 AND account = ?1 AND recipient BETWEEN ?2 AND ?3",
        now,
    )?;
    let later = asked.sum(
        db,
        "SELECT count(*), coalesce(sum(bytes), 0) FROM letters INDEXED BY letters_later
            WHERE not_before > 0 AND account = ?1 AND not_before > ?4 AND expires > ?4
                AND recipient BETWEEN ?2 AND ?3",
        now,
    )?;
    let oldest = asked.first(
        db,
        "SELECT seq, received FROM letters WHERE account = ?1 AND priority = ?5
            AND recipient BETWEEN ?2 AND ?3 AND not_before <= ?4 AND expires > ?4
            ORDER BY seq LIMIT 1",
        now,
    )?;
    let newest = asked.first(
        db,
        "SELECT -seq, received FROM letters WHERE account = ?1 AND priority = ?5
            AND recipient BETWEEN ?2 AND ?3 AND not_before <= ?4 AND expires > ?4
            ORDER BY seq DESC LIMIT 1",
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
