//! Values as the server keeps them, and back.
//!
//! Called by everything in this crate. What can go wrong: text with a zero byte, which the server
//! cannot keep: such a DID names nothing here.

use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;
use packmule_gateway::store::{Moment, StoreError, canonical};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::fault::{damaged, fault};

/// A DID by which something may be found; none has the empty one.
pub(crate) fn name(did: &str) -> &str {
    match canonical(did) {
        did if did.contains('\0') => "",
        did => did,
    }
}

pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn number(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

pub(crate) fn millis(moment: Moment) -> i64 {
    int(moment.as_millis())
}

pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(fault)
}

pub(crate) fn count(row: &Row, column: usize) -> Result<u64, StoreError> {
    get(row, column).map(number)
}

pub(crate) fn moment(row: &Row, column: usize) -> Result<Moment, StoreError> {
    count(row, column).map(Moment::from_millis)
}

pub(crate) fn envelope(row: &Row, column: usize) -> Result<EnvelopeId, StoreError> {
    let bytes: &[u8] = get(row, column)?;
    let bytes = bytes
        .try_into()
        .map_err(|_| damaged("the name of a message is cut"))?;
    Ok(EnvelopeId::from_bytes(bytes))
}

/// What `known` keeps of an id. 16 bytes: nobody finds a message that has those of another's.
pub(crate) fn stem(id: &EnvelopeId) -> &[u8] {
    id.as_bytes().split_at(16).0
}

pub(crate) const fn rank(priority: Priority) -> i16 {
    match priority {
        Priority::Bulk => 0,
        Priority::Normal => 1,
        Priority::Urgent => 2,
    }
}

pub(crate) const fn priority(rank: i16) -> Priority {
    match rank {
        0 => Priority::Bulk,
        2 => Priority::Urgent,
        _ => Priority::Normal,
    }
}
