//! Values out of rows of `SQLite`; what every store does alike stands in `crate::store::kept`.
//!
//! Called by everything in this folder. What can go wrong: a column that is not what was written.

use packmule_bus::EnvelopeId;
use rusqlite::Row;

use crate::store::Moment;
use crate::store::kept::number;

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Moment> {
    Ok(Moment::from_millis(count(row, column)?))
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(number)
}

pub(super) fn envelope(row: &Row<'_>, column: usize) -> rusqlite::Result<EnvelopeId> {
    row.get(column).map(EnvelopeId::from_bytes)
}
