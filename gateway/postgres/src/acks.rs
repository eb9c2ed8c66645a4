//! Acks: letters that arrived are removed; their names are known for some time.
//!
//! Called by the writer, all that wait in one statement. What can go wrong: the server alone. An
//! ack of what is not held, or of another's, does nothing.

use packmule_bus::EnvelopeId;
use packmule_gateway::store::kept::{millis, stem};
use packmule_gateway::store::{Limits, Moment, StoreError};
use tokio_postgres::Statement;

use crate::columns::{count, get, name};
use crate::connect::Session;
use crate::fault::fault;

/// What one caller acks.
pub(crate) struct Ack {
    pub(crate) account: String,
    pub(crate) ids: Vec<EnvelopeId>,
    pub(crate) now: Moment,
}

/// `nth` says whose ack it was; of two who ack the same the first did it.
const END: &str = "
    WITH acked AS MATERIALIZED (
        SELECT DISTINCT ON (known.account, known.envelope)
                known.account, known.envelope, known.seq, known.expires, until_then, nth
            FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[])
                AS wanted (did, envelope, until_then, nth)
            JOIN accounts ON accounts.did = wanted.did
            JOIN known ON known.account = accounts.account
                AND known.envelope = wanted.envelope AND known.until IS NULL
            ORDER BY known.account, known.envelope, nth),
    gone AS (
        DELETE FROM letters USING acked
            WHERE letters.seq = acked.seq AND letters.expires = acked.expires),
    marked AS (
        UPDATE known SET until = until_then FROM acked
            WHERE known.account = acked.account AND known.envelope = acked.envelope)
    SELECT nth, count(*) FROM acked GROUP BY nth";

pub(crate) async fn ready(db: &Session) -> Result<Statement, StoreError> {
    db.ready(END).await
}

/// How many letters each of them ended.
pub(crate) async fn end(
    db: &Session,
    ready: &Statement,
    acks: &[&Ack],
    limits: &Limits,
) -> Result<Vec<u64>, StoreError> {
    let mut ended = vec![0; acks.len()];
    let (mut dids, mut stems) = (Vec::new(), Vec::new());
    let (mut untils, mut nths) = (Vec::new(), Vec::new());
    for (nth, ack) in (0_i64..).zip(acks) {
        for id in &ack.ids {
            dids.push(name(&ack.account));
            stems.push(stem(id));
            untils.push(millis(ack.now + limits.known_for));
            nths.push(nth);
        }
    }
    if dids.is_empty() {
        return Ok(ended);
    }
    let rows = db
        .client()
        .query(ready, &[&dids, &stems, &untils, &nths])
        .await;
    for row in rows.map_err(fault)? {
        let nth = usize::try_from(get::<i64>(&row, 0)?).unwrap_or(usize::MAX);
        if let Some(number) = ended.get_mut(nth) {
            *number = count(&row, 1)?;
        }
    }
    Ok(ended)
}
