//! A message by its name, whosever it is.
//!
//! Called by readers. There is no index over names alone: each letter would pay for it, and this
//! is asked by a visitor now and then. So every account is looked into, one step in `known` each
//! (`OFFSET 0` keeps the planner to that). What can go wrong: the server alone.

use packmule_bus::{Envelope, EnvelopeId};
use packmule_gateway::store::kept::{millis, stem};
use packmule_gateway::store::{Ending, Found, Lot, Moment, StoreError};
use tokio_postgres::Row;

use crate::columns::{count, get, moment};
use crate::connect::Session;
use crate::endings::ending;
use crate::fault::damaged;

/// Ordered here rather than there: the planner would go through all letters in that order.
const HELD: &str = "
    SELECT letters.bytes, received, letters.expires
        FROM accounts CROSS JOIN LATERAL (SELECT seq, expires FROM known
                WHERE known.account = accounts.account AND known.envelope = $1
                    AND until IS NULL OFFSET 0) one
            JOIN letters ON letters.seq = one.seq AND letters.expires = one.expires
        WHERE letters.envelope = $2";
/// Whoever collected it after it had expired and come again has it.
const DEAD: &str = "SELECT bytes, received, ended, why FROM dead WHERE envelope = $1
        AND NOT EXISTS (SELECT FROM accounts JOIN known USING (account)
            WHERE accounts.did = dead.account AND known.envelope = $2)
    ORDER BY dead DESC LIMIT 1";
const COLLECTED: &str = "
    SELECT 1 FROM accounts CROSS JOIN LATERAL (SELECT FROM known
            WHERE known.account = accounts.account AND known.envelope = $1
                AND until IS NOT NULL OFFSET 0) one
        LIMIT 1";
const COPY: &str = "
    SELECT form
        FROM accounts CROSS JOIN LATERAL (SELECT seq, expires FROM known
                WHERE known.account = accounts.account AND known.envelope = $1
                    AND until IS NULL OFFSET 0) one
            JOIN letters ON letters.seq = one.seq AND letters.expires = one.expires
        WHERE letters.envelope = $2 AND not_before <= $3 AND letters.expires > $3 LIMIT 1";

pub(crate) async fn find(
    db: &Session,
    id: &EnvelopeId,
    now: Moment,
) -> Result<Option<Found>, StoreError> {
    let (stem, whole) = (stem(id), id.as_bytes().as_slice());
    let mut latest: Option<(Moment, Row)> = None;
    for row in db.rows(HELD, &[&stem, &whole]).await? {
        let until = moment(&row, 2)?;
        if latest.as_ref().is_none_or(|(later, _)| *later < until) {
            latest = Some((until, row));
        }
    }
    if let Some((until, row)) = &latest {
        let until = *until;
        let over = until <= now;
        return Ok(Some(Found {
            lot: match over {
                true => Lot::Ended(Ending::Expired),
                false => Lot::Held,
            },
            bytes: Some(count(row, 0)?),
            received: Some(moment(row, 1)?),
            until: Some(until),
        }));
    }
    if let Some(row) = db.rows(DEAD, &[&whole, &stem]).await?.first() {
        return Ok(Some(Found {
            lot: Lot::Ended(ending(get(row, 3)?)),
            bytes: Some(count(row, 0)?),
            received: Some(moment(row, 1)?),
            until: Some(moment(row, 2)?),
        }));
    }
    let collected = !db.rows(COLLECTED, &[&stem]).await?.is_empty();
    Ok(collected.then_some(Found {
        lot: Lot::Collected,
        bytes: None,
        received: None,
        until: None,
    }))
}

pub(crate) async fn copy(
    db: &Session,
    id: &EnvelopeId,
    now: Moment,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (stem, whole) = (stem(id), id.as_bytes().as_slice());
    let rows = db.rows(COPY, &[&stem, &whole, &millis(now)]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let body = Envelope::decode_trusted(get(row, 0)?, *id)
        .map_err(|error| damaged(format!("message {id}: {error}")))?;
    Ok(Some(body.to_json()))
}
