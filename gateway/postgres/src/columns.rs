//! Names for the server, and values out of its rows; the rest stands in the gateway's `kept`.
//!
//! Called by everything in this crate. What can go wrong: text with a zero byte, which the server
//! cannot keep: such a DID names nothing here.

use packmule_bus::EnvelopeId;
use packmule_gateway::store::kept::number;
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
