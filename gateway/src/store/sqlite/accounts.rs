//! Accounts and the DIDs bound to them.
//!
//! Called by [`super::SqliteStore`], inside a transaction. What can go wrong: besides the disk,
//! only what the limits forbid, which is an answer.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{count, moment};
use super::room::Room;
use super::{acks, endings};
use crate::store::kept::{int, millis};
use crate::store::replays::has_left;
use crate::store::{
    Account, AccountView, Change, Ending, Limits, Listing, Moment, Opening, Outcome, StoreError,
    canonical, is_did,
};

/// Bytes of a binding beside its DID, which stands in the table and in an index.
const ROW: u64 = 128;

pub(super) fn open(
    db: &Connection,
    did: &str,
    limits: &Limits,
    now: Moment,
) -> Result<Opening, StoreError> {
    if !is_did(did) {
        return Ok(Opening::Refused);
    }
    let did = canonical(did);
    if find(db, did)?.is_some() {
        return Ok(Opening::Known);
    }
    let accounts = db.query_row("SELECT count(*) FROM accounts", [], |row| count(row, 0))?;
    if accounts >= limits.accounts {
        return Ok(Opening::Refused);
    }
    // A real account outranks a binding.
    db.execute("DELETE FROM bindings WHERE did = ?1", [did])?;
    db.prepare_cached("INSERT INTO accounts (did, opened) VALUES (?1, ?2)")?
        .execute(params![did, millis(now)])?;
    Ok(Opening::New)
}

pub(super) fn close(
    db: &Connection,
    did: &str,
    limits: &Limits,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(account) = find(db, did)? else {
        return Ok(false);
    };
    acks::sweep(db)?;
    endings::bury(
        db,
        "SELECT seq FROM letters WHERE account = ?1",
        params![account],
        Ending::Closed,
        limits,
        now,
    )?;
    db.execute(
        "DELETE FROM collected WHERE seq IN (SELECT seq FROM known WHERE account = ?1)",
        [account],
    )?;
    db.execute("DELETE FROM known WHERE account = ?1", [account])?;
    db.execute("DELETE FROM bindings WHERE account = ?1", [account])?;
    db.execute("DELETE FROM accounts WHERE account = ?1", [account])?;
    Ok(true)
}

/// The number of the account that this DID holds.
pub(super) fn find(db: &Connection, did: &str) -> Result<Option<i64>, StoreError> {
    let mut query = db.prepare_cached("SELECT account FROM accounts WHERE did = ?1")?;
    let found = query.query_row([canonical(did)], |row| row.get(0));
    Ok(found.optional()?)
}

pub(super) fn account_of(db: &Connection, next: &str) -> Result<Option<Account>, StoreError> {
    let recipient = canonical(next);
    let mut query = db.prepare_cached(
        "SELECT did FROM accounts WHERE did = ?1 UNION ALL
            SELECT accounts.did FROM bindings JOIN accounts USING (account)
                WHERE bindings.did = ?1 LIMIT 1",
    )?;
    let did: Option<String> = query.query_row([recipient], |row| row.get(0)).optional()?;
    Ok(did.map(|did| Account {
        did,
        recipient: recipient.to_owned(),
    }))
}

pub(super) fn moved(
    db: &Connection,
    old: &str,
    new: &str,
    told: Moment,
    now: Moment,
) -> Result<bool, StoreError> {
    let (old, new) = (canonical(old), canonical(new));
    let Some(account) = find(db, old)? else {
        return Ok(false);
    };
    if old == new || !is_did(new) {
        return Ok(false);
    }
    let bound: Option<Moment> = db
        .prepare_cached("SELECT since FROM bindings WHERE did = ?1 AND account = ?2")?
        .query_row(params![new, account], |row| moment(row, 0))
        .optional()?;
    if bound.is_some_and(|bound| has_left(bound, told, now)) {
        return Ok(false);
    }
    let heir = find(db, new)?;
    db.execute("DELETE FROM bindings WHERE did = ?1", [new])?;
    let holder = match heir {
        None => {
            let sql = "UPDATE accounts SET did = ?2 WHERE account = ?1";
            db.execute(sql, params![account, new])?;
            account
        }
        Some(heir) => {
            hand_over(db, account, heir, now)?;
            heir
        }
    };
    db.execute(
        "INSERT INTO bindings (did, account, since) VALUES (?1, ?2, ?3)",
        params![old, holder, millis(now)],
    )?;
    Ok(true)
}

/// Everything of one account becomes another's; what both hold stays once.
fn hand_over(db: &Connection, from: i64, to: i64, now: Moment) -> Result<(), StoreError> {
    acks::sweep(db)?;
    let both = params![from, to];
    // What is over need not be known, and must not stand in the way of what is held.
    db.execute(
        "DELETE FROM known WHERE account IN (?1, ?2)
            AND seq IN (SELECT seq FROM collected WHERE until <= ?3)",
        params![from, to, millis(now)],
    )?;
    // Of two copies the longer life and the shorter delay.
    db.execute(
        "UPDATE letters SET expires = max(letters.expires, ours.expires),
                not_before = min(letters.not_before, ours.not_before)
            FROM letters ours JOIN known ON known.account = ?2
                AND known.envelope = substr(ours.envelope, 1, 16)
            WHERE ours.account = ?1 AND letters.seq = known.seq",
        both,
    )?;
    let doubles: Vec<i64> = db
        .prepare(
            "SELECT seq FROM letters WHERE account = ?1 AND EXISTS (SELECT 1 FROM known
                WHERE known.account = ?2 AND known.envelope = substr(letters.envelope, 1, 16))",
        )?
        .query_map(both, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    endings::remove(db, &doubles)?;
    for step in [
        "INSERT OR IGNORE INTO recipients (account, did)
            SELECT ?2, did FROM recipients WHERE account = ?1",
        "UPDATE letters SET account = ?2, recipient = (SELECT theirs.recipient
            FROM recipients ours JOIN recipients theirs USING (did)
            WHERE ours.recipient = letters.recipient AND theirs.account = ?2)
            WHERE account = ?1",
        "UPDATE collected SET account = ?2 WHERE seq IN (SELECT seq FROM known WHERE account = ?1)",
        "UPDATE OR IGNORE known SET account = ?2 WHERE account = ?1",
        "UPDATE bindings SET account = ?2 WHERE account = ?1",
    ] {
        db.execute(step, both)?;
    }
    db.execute("DELETE FROM known WHERE account = ?1", [from])?;
    db.execute("DELETE FROM accounts WHERE account = ?1", [from])?;
    Ok(())
}

pub(super) fn update(
    db: &Connection,
    did: &str,
    changes: &[Change],
    limits: &Limits,
    room: &Room,
    now: Moment,
) -> Result<Vec<Outcome>, StoreError> {
    let Some(account) = find(db, did)? else {
        return Ok(vec![Outcome::ClientError; changes.len()]);
    };
    // Of what is kept back for acks and removals they get nothing.
    let new = changes.iter().filter(|change| change.add);
    let bytes = new.map(|change| ROW + 2 * change.did.len() as u64).sum();
    let disk = bytes == 0 || room.takes(bytes);
    let change = |change: &Change| match change.add {
        true => bind(db, account, canonical(did), &change.did, limits, disk, now),
        false => unbind(db, account, &change.did),
    };
    changes.iter().map(change).collect()
}

fn bind(
    db: &Connection,
    account: i64,
    own: &str,
    did: &str,
    limits: &Limits,
    disk: bool,
    now: Moment,
) -> Result<Outcome, StoreError> {
    if !is_did(did) {
        return Ok(Outcome::ClientError);
    }
    let did = canonical(did);
    if did == own {
        return Ok(Outcome::NoChange);
    }
    if find(db, did)?.is_some() {
        return Ok(Outcome::ClientError);
    }
    let holder: Option<i64> = db
        .prepare_cached("SELECT account FROM bindings WHERE did = ?1")?
        .query_row([did], |row| row.get(0))
        .optional()?;
    match holder {
        Some(holder) if holder == account => return Ok(Outcome::NoChange),
        Some(_) => return Ok(Outcome::ClientError),
        None => {}
    }
    if !disk || bound(db, account)? >= limits.bindings {
        return Ok(Outcome::ServerError);
    }
    db.prepare_cached("INSERT INTO bindings (did, account, since) VALUES (?1, ?2, ?3)")?
        .execute(params![did, account, millis(now)])?;
    Ok(Outcome::Success)
}

fn unbind(db: &Connection, account: i64, did: &str) -> Result<Outcome, StoreError> {
    let gone = db
        .prepare_cached("DELETE FROM bindings WHERE did = ?1 AND account = ?2")?
        .execute(params![canonical(did), account])?;
    Ok(match gone {
        0 => Outcome::NoChange,
        _ => Outcome::Success,
    })
}

fn bound(db: &Connection, account: i64) -> Result<u64, StoreError> {
    let mut query = db.prepare_cached("SELECT bindings FROM accounts WHERE account = ?1")?;
    Ok(query.query_row([account], |row| count(row, 0))?)
}

pub(super) fn bindings(
    db: &Connection,
    did: &str,
    limit: u32,
    offset: u32,
) -> Result<Listing, StoreError> {
    let Some(account) = find(db, did)? else {
        return Ok(Listing::default());
    };
    let dids = db
        .prepare_cached(
            "SELECT did FROM bindings WHERE account = ?1 ORDER BY binding LIMIT ?2 OFFSET ?3",
        )?
        .query_map(params![account, limit, offset], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let total = u32::try_from(bound(db, account)?).unwrap_or(u32::MAX);
    let told = u32::try_from(dids.len()).unwrap_or(u32::MAX);
    Ok(Listing {
        dids,
        remaining: total.saturating_sub(offset).saturating_sub(told),
        total,
    })
}

pub(super) fn list(
    db: &Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<AccountView>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT did, opened, bindings, letters, bytes FROM accounts
            WHERE did > ?1 ORDER BY did LIMIT ?2",
    )?;
    let rows = query.query_map(params![after.unwrap_or(""), limit], |row| {
        Ok(AccountView {
            did: row.get(0)?,
            opened: moment(row, 1)?,
            bindings: count(row, 2)?,
            letters: count(row, 3)?,
            bytes: count(row, 4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The most that an account may hold is judged here, beside its number and its DID.
pub(super) struct Load {
    pub(super) account: i64,
    pub(super) did: Arc<str>,
    letters: u64,
    bytes: u64,
}

impl Load {
    /// Of the account that this DID names, its own or one bound to it.
    pub(super) fn of(db: &Connection, next: &str) -> Result<Option<Self>, StoreError> {
        let mut query = db.prepare_cached(
            "SELECT account, did, letters, bytes FROM accounts WHERE did = ?1 UNION ALL
                SELECT account, accounts.did, letters, bytes
                    FROM bindings JOIN accounts USING (account)
                    WHERE bindings.did = ?1 LIMIT 1",
        )?;
        let found = query.query_row([canonical(next)], |row| {
            Ok(Self {
                account: row.get(0)?,
                did: row.get(1)?,
                letters: count(row, 2)?,
                bytes: count(row, 3)?,
            })
        });
        Ok(found.optional()?)
    }

    pub(super) const fn takes(&self, bytes: u64, limits: &Limits) -> bool {
        self.letters < limits.account_letters
            && self.bytes.saturating_add(bytes) <= limits.account_bytes
    }
}

/// Has this sender as many letters in this account as one may?
pub(super) fn pair_is_full(
    db: &Connection,
    account: i64,
    sender: &[u8],
    limits: &Limits,
) -> Result<bool, StoreError> {
    let most = int(limits.pair_letters);
    let held: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM letters WHERE account = ?1 AND sender = ?2
                AND seq NOT IN (SELECT seq FROM acked) LIMIT ?3)",
        )?
        .query_row(params![account, sender, most], |row| row.get(0))?;
    Ok(held >= most)
}
