//! Accounts and the DIDs bound to them.
//!
//! What changes something is called by the writer, inside its transaction; the rest by readers.
//! What can go wrong: besides the server, only what the limits forbid, which is an answer.

use packmule_gateway::store::kept::millis;
use packmule_gateway::store::replays::has_left;
use packmule_gateway::store::{
    Account, AccountView, Change, Limits, Listing, Moment, Opening, Outcome, StoreError, is_did,
};

use crate::columns::{count, get, moment, name};
use crate::connect::Session;
use crate::endings;
use crate::room;

pub(crate) async fn open(
    db: &Session,
    did: &str,
    limits: &Limits,
    now: Moment,
) -> Result<Opening, StoreError> {
    if !is_did(did) || name(did).is_empty() {
        return Ok(Opening::Refused);
    }
    let did = name(did);
    if find(db, did).await?.is_some() {
        return Ok(Opening::Known);
    }
    let accounts = db.one("SELECT count(*) FROM accounts", &[]).await?;
    if count(&accounts, 0)? >= limits.accounts {
        return Ok(Opening::Refused);
    }
    // A real account outranks a binding.
    db.change("DELETE FROM bindings WHERE did = $1", &[&did])
        .await?;
    let sql = "INSERT INTO accounts (did, opened) VALUES ($1, $2)";
    db.change(sql, &[&did, &millis(now)]).await?;
    Ok(Opening::New)
}

pub(crate) async fn close(
    db: &Session,
    did: &str,
    limits: &Limits,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(account) = find(db, did).await? else {
        return Ok(false);
    };
    endings::bury_account(db, account, limits, now).await?;
    for sql in [
        "DELETE FROM known WHERE account = $1",
        "DELETE FROM bindings WHERE account = $1",
        "DELETE FROM accounts WHERE account = $1",
    ] {
        db.change(sql, &[&account]).await?;
    }
    Ok(true)
}

/// The number of the account that this DID holds.
async fn find(db: &Session, did: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT account FROM accounts WHERE did = $1";
    let row = db.row(sql, &[&name(did)]).await?;
    row.map(|row| get(&row, 0)).transpose()
}

pub(crate) async fn account_of(db: &Session, next: &str) -> Result<Option<Account>, StoreError> {
    let recipient = name(next);
    let sql = "SELECT did FROM (
            SELECT did, 1 AS rank FROM accounts WHERE did = $1
            UNION ALL SELECT accounts.did, 2 FROM bindings JOIN accounts USING (account)
                WHERE bindings.did = $1) holders
        ORDER BY rank LIMIT 1";
    let Some(row) = db.row(sql, &[&recipient]).await? else {
        return Ok(None);
    };
    Ok(Some(Account {
        did: get(&row, 0)?,
        recipient: recipient.to_owned(),
    }))
}

pub(crate) async fn moved(
    db: &Session,
    old: &str,
    new: &str,
    told: Moment,
    now: Moment,
) -> Result<bool, StoreError> {
    let Some(account) = find(db, old).await? else {
        return Ok(false);
    };
    let (old, new) = (name(old), name(new));
    if old == new || !is_did(new) {
        return Ok(false);
    }
    let sql = "SELECT since FROM bindings WHERE did = $1 AND account = $2";
    let bound = db.row(sql, &[&new, &account]).await?;
    let bound = bound.map(|row| moment(&row, 0)).transpose()?;
    if bound.is_some_and(|bound| has_left(bound, told, now)) {
        return Ok(false);
    }
    let heir = find(db, new).await?;
    db.change("DELETE FROM bindings WHERE did = $1", &[&new])
        .await?;
    let holder = match heir {
        None => {
            let sql = "UPDATE accounts SET did = $2 WHERE account = $1";
            db.change(sql, &[&account, &new]).await?;
            account
        }
        Some(heir) => {
            hand_over(db, account, heir, now).await?;
            heir
        }
    };
    let sql = "INSERT INTO bindings (did, account, since) VALUES ($1, $2, $3)";
    db.change(sql, &[&old, &holder, &millis(now)]).await?;
    Ok(true)
}

/// Everything of one account becomes another's; what both hold stays once.
async fn hand_over(db: &Session, from: i64, to: i64, now: Moment) -> Result<(), StoreError> {
    let over = "DELETE FROM known WHERE account IN ($1, $2) AND until <= $3";
    db.change(over, &[&from, &to, &millis(now)]).await?;
    for step in [
        // Of two copies the longer life and the shorter delay.
        "WITH twins AS MATERIALIZED (
            SELECT theirs.seq, theirs.expires AS before, known.envelope,
                    greatest(theirs.expires, ours.expires) AS expires,
                    least(theirs.not_before, ours.not_before) AS not_before
                FROM letters ours
                    JOIN known ON known.account = $2 AND known.until IS NULL
                        AND known.envelope = substr(ours.envelope, 1, 16)
                    JOIN letters theirs
                        ON theirs.seq = known.seq AND theirs.expires = known.expires
                WHERE ours.account = $1),
        renewed AS (
            UPDATE letters SET expires = twins.expires, not_before = twins.not_before FROM twins
                WHERE letters.seq = twins.seq AND letters.expires = twins.before)
        UPDATE known SET expires = twins.expires FROM twins
            WHERE known.account = $2 AND known.envelope = twins.envelope",
        "DELETE FROM letters USING known
            WHERE letters.account = $1 AND known.account = $2
                AND known.envelope = substr(letters.envelope, 1, 16)",
        "UPDATE letters SET account = $2 WHERE account = $1",
        "UPDATE known SET account = $2 WHERE account = $1 AND NOT EXISTS (
            SELECT FROM known theirs
                WHERE theirs.account = $2 AND theirs.envelope = known.envelope)",
        "UPDATE bindings SET account = $2 WHERE account = $1",
    ] {
        db.change(step, &[&from, &to]).await?;
    }
    for step in [
        "DELETE FROM known WHERE account = $1",
        "DELETE FROM accounts WHERE account = $1",
    ] {
        db.change(step, &[&from]).await?;
    }
    Ok(())
}

pub(crate) async fn update(
    db: &Session,
    did: &str,
    changes: &[Change],
    limits: &Limits,
    now: Moment,
) -> Result<Vec<Outcome>, StoreError> {
    let Some(account) = find(db, did).await? else {
        return Ok(vec![Outcome::ClientError; changes.len()]);
    };
    // Of what is kept back for acks and removals they get nothing.
    let disk = match changes.iter().any(|change| change.add) {
        true => room::is_there(db).await?,
        false => false,
    };
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        outcomes.push(match change.add {
            true => bind(db, account, name(did), &change.did, limits, disk, now).await?,
            false => unbind(db, account, name(&change.did)).await?,
        });
    }
    Ok(outcomes)
}

async fn bind(
    db: &Session,
    account: i64,
    own: &str,
    did: &str,
    limits: &Limits,
    disk: bool,
    now: Moment,
) -> Result<Outcome, StoreError> {
    if !is_did(did) || name(did).is_empty() {
        return Ok(Outcome::ClientError);
    }
    let did = name(did);
    if did == own {
        return Ok(Outcome::NoChange);
    }
    if find(db, did).await?.is_some() {
        return Ok(Outcome::ClientError);
    }
    let sql = "SELECT account FROM bindings WHERE did = $1";
    if let Some(holder) = db.row(sql, &[&did]).await? {
        return Ok(match get::<i64>(&holder, 0)? == account {
            true => Outcome::NoChange,
            false => Outcome::ClientError,
        });
    }
    if !disk || bound(db, account).await? >= limits.bindings {
        return Ok(Outcome::ServerError);
    }
    let sql = "INSERT INTO bindings (did, account, since) VALUES ($1, $2, $3)";
    db.change(sql, &[&did, &account, &millis(now)]).await?;
    Ok(Outcome::Success)
}

async fn unbind(db: &Session, account: i64, did: &str) -> Result<Outcome, StoreError> {
    let sql = "DELETE FROM bindings WHERE did = $1 AND account = $2";
    Ok(match db.change(sql, &[&did, &account]).await? {
        0 => Outcome::NoChange,
        _ => Outcome::Success,
    })
}

async fn bound(db: &Session, account: i64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM bindings WHERE account = $1";
    count(&db.one(sql, &[&account]).await?, 0)
}

pub(crate) async fn bindings(
    db: &Session,
    did: &str,
    limit: u32,
    offset: u32,
) -> Result<Listing, StoreError> {
    let Some(account) = find(db, did).await? else {
        return Ok(Listing::default());
    };
    let sql = "SELECT did FROM bindings WHERE account = $1 ORDER BY binding LIMIT $2 OFFSET $3";
    let rows = db
        .rows(sql, &[&account, &i64::from(limit), &i64::from(offset)])
        .await?;
    let dids = rows.iter().map(|row| get(row, 0));
    let dids = dids.collect::<Result<Vec<String>, _>>()?;
    let total = u32::try_from(bound(db, account).await?).unwrap_or(u32::MAX);
    let told = u32::try_from(dids.len()).unwrap_or(u32::MAX);
    Ok(Listing {
        dids,
        remaining: total.saturating_sub(offset).saturating_sub(told),
        total,
    })
}

pub(crate) async fn list(
    db: &Session,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<AccountView>, StoreError> {
    let sql = "SELECT did, opened, letters, bytes,
            (SELECT count(*) FROM bindings WHERE bindings.account = accounts.account)
        FROM accounts WHERE did > $1 ORDER BY did LIMIT $2";
    let after = after.unwrap_or_default().replace('\0', "");
    let rows = db.rows(sql, &[&after, &i64::from(limit)]).await?;
    let view = |row: &tokio_postgres::Row| {
        Ok(AccountView {
            did: get(row, 0)?,
            opened: moment(row, 1)?,
            letters: count(row, 2)?,
            bytes: count(row, 3)?,
            bindings: count(row, 4)?,
        })
    };
    rows.iter().map(view).collect()
}
