//! Letters are taken on.
//!
//! Called by [`super::SqliteStore`], inside a transaction. What can go wrong: the disk alone.

use packmule_bus::EnvelopeId;
use packmule_bus::label::DidTag;
use rusqlite::{Connection, OptionalExtension, params};

use super::accounts::{Load, pair_is_full};
use super::columns::{count, moment};
use super::room::Room;
use crate::store::kept::{int, millis, number, rank, stem};
use crate::store::{Enqueued, Letter, Limits, Moment, Refusal, Span, StoreError, canonical};

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
                LEFT JOIN acked ON acked.seq = known.seq
                LEFT JOIN letters ON letters.seq = known.seq AND acked.seq IS NULL
                LEFT JOIN collected ON collected.seq = known.seq
            WHERE known.account = ?1 AND known.envelope = ?2
                AND (letters.seq IS NOT NULL OR coalesce(acked.until, collected.until) > ?3)",
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

pub(super) fn find_recipient(
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
