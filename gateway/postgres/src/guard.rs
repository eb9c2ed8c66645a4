//! The guard against replays: which messages asked for something before, at any gateway.
//!
//! Called for each message that asks for a change, on a session whose commits need not be on the
//! disk. What can go wrong: a crash of the server forgets the last second or so. It holds a
//! bounded number; somebody who sends more makes it forget the oldest.

use packmule_gateway::store::kept::{int, millis};
use packmule_gateway::store::replays::{CLAIM, seen_key};
use packmule_gateway::store::{Limits, Moment, StoreError};

use crate::columns::get;
use crate::connect::Session;

/// A replay takes no number, so that it makes nothing be forgotten.
const SEEN: &str = "
    WITH before AS (SELECT FROM seen WHERE message = $1 AND until > $2::bigint),
    new AS (
        INSERT INTO seen (message, until) SELECT $1::bytea, $3::bigint WHERE NOT EXISTS (SELECT FROM before)
            ON CONFLICT (message)
                DO UPDATE SET until = excluded.until, number = excluded.number
                WHERE seen.until <= $2
            RETURNING number),
    gone AS (DELETE FROM seen WHERE number <= (SELECT max(number) FROM new) - $4::bigint)
    SELECT NOT EXISTS (SELECT FROM new)";

/// Was it seen before? It is from now on, until somebody says what became of it.
pub(crate) async fn seen(
    db: &Session,
    sender: &str,
    message: &str,
    limits: &Limits,
    now: Moment,
) -> Result<bool, StoreError> {
    let until = millis(now + CLAIM.min(limits.seen_for));
    let most = int(limits.seen.max(1));
    let key = seen_key(sender, message);
    let row = db
        .one(SEEN, &[&key.as_slice(), &millis(now), &until, &most])
        .await?;
    get(&row, 0)
}

/// It was done, or was not.
pub(crate) async fn settle(
    db: &Session,
    sender: &str,
    message: &str,
    done: bool,
    until: Moment,
) -> Result<(), StoreError> {
    let key = seen_key(sender, message);
    let key = key.as_slice();
    if done {
        let sql = "INSERT INTO seen (message, until) VALUES ($1, $2)
            ON CONFLICT (message) DO UPDATE SET until = excluded.until";
        db.change(sql, &[&key, &millis(until)]).await.map(drop)
    } else {
        let sql = "DELETE FROM seen WHERE message = $1";
        db.change(sql, &[&key]).await.map(drop)
    }
}

/// Removes what is over.
pub(crate) async fn forget(db: &Session, now: Moment) -> Result<(), StoreError> {
    let sql = "DELETE FROM seen WHERE until <= $1";
    db.change(sql, &[&millis(now)]).await.map(drop)
}
