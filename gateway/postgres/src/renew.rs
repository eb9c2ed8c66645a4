//! Copies of letters that are held: they live as long and come as soon as any copy asks.
//!
//! Called by `enqueue`, which judges, and by the writer for what is to be written; inside its
//! transaction. What can go wrong: the server alone.

use std::collections::HashMap;

use packmule_gateway::store::kept::{millis, number};
use packmule_gateway::store::{Moment, Span, StoreError};
use tokio_postgres::{Row, Statement};

use crate::columns::{get, moment};
use crate::connect::Session;
use crate::enqueue::Name;
use crate::fault::{damaged, fault};

/// Of what is held, when it is given out; it may come to lie in another day's table.
const RENEW: &str = "
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::bigint[]) AS one (account, envelope, seq, before, expires, not_before)),
    renewed AS (
        UPDATE letters SET expires = wanted.expires, not_before = wanted.not_before FROM wanted
            WHERE letters.seq = wanted.seq AND letters.expires = wanted.before)
    UPDATE known SET expires = wanted.expires FROM wanted
        WHERE known.account = wanted.account AND known.envelope = wanted.envelope";

pub(crate) async fn ready(db: &Session) -> Result<Statement, StoreError> {
    db.ready(RENEW).await
}

/// Why a message is not new.
pub(crate) enum Known {
    Held(Kept),
    /// It was collected, and is known until then.
    Until(u64),
}

/// A letter that is held, or will be when this is committed.
pub(crate) struct Kept {
    /// Where it lies, if it does already.
    place: Option<(i64, i64)>,
    pub(crate) span: Span,
    renewed: bool,
}

impl Known {
    /// A letter that is taken now.
    pub(crate) const fn new(span: Span) -> Self {
        Self::Held(Kept {
            place: None,
            span,
            renewed: false,
        })
    }

    /// Columns from the third on: `until`; `seq`, `expires` and `not_before` of what is held.
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        if let Some(until) = get::<Option<i64>>(row, 2)? {
            return Ok(Self::Until(number(until)));
        }
        let lost = || damaged("a letter that is held has no body");
        let seq: Option<i64> = get(row, 3)?;
        Ok(Self::Held(Kept {
            place: Some((seq.ok_or_else(lost)?, get(row, 4)?)),
            span: Span {
                expires: moment(row, 4)?,
                not_before: moment(row, 5)?,
            },
            renewed: false,
        }))
    }
}

impl Kept {
    /// A copy came of it: is it given out sooner now?
    pub(crate) fn renew(&mut self, copy: Span, now: Moment) -> bool {
        let Some(span) = self.span.renewed(copy, now) else {
            return false;
        };
        let before = std::mem::replace(&mut self.span, span);
        self.renewed = true;
        span.is_sooner_than(before, now)
    }
}

/// Writes when letters are given out of which copies came.
pub(crate) async fn write(
    db: &Session,
    ready: &Statement,
    all: &HashMap<Name, Known>,
) -> Result<(), StoreError> {
    let (mut accounts, mut stems) = (Vec::new(), Vec::new());
    let (mut seqs, mut before) = (Vec::new(), Vec::new());
    let (mut expires, mut not_before) = (Vec::new(), Vec::new());
    for ((account, stem), known) in all {
        if let Known::Held(kept) = known
            && let Some((seq, expired)) = kept.place.filter(|_| kept.renewed)
        {
            accounts.push(*account);
            stems.push(stem.as_slice());
            seqs.push(seq);
            before.push(expired);
            expires.push(millis(kept.span.expires));
            not_before.push(millis(kept.span.not_before));
        }
    }
    if accounts.is_empty() {
        return Ok(());
    }
    db.client()
        .execute(
            ready,
            &[&accounts, &stems, &seqs, &before, &expires, &not_before],
        )
        .await
        .map(drop)
        .map_err(fault)
}
