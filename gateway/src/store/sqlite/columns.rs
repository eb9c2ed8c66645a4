//! Values as `SQLite` keeps them, and back.
//!
//! Called by everything in this folder. What can go wrong: nothing; a number that `SQLite`
//! cannot say, and we never write, becomes the nearest.

use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;
use rusqlite::Row;

use crate::store::Moment;

pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

pub(super) fn millis(moment: Moment) -> i64 {
    int(moment.as_millis())
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Moment> {
    Ok(Moment::from_millis(count(row, column)?))
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(number)
}

pub(super) fn envelope(row: &Row<'_>, column: usize) -> rusqlite::Result<EnvelopeId> {
    row.get(column).map(EnvelopeId::from_bytes)
}

/// What `known` keeps of an id. 16 bytes: nobody finds a message that has those of another's.
pub(super) fn stem(id: &EnvelopeId) -> &[u8] {
    id.as_bytes().split_at(16).0
}

pub(super) const fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::Bulk => 0,
        Priority::Normal => 1,
        Priority::Urgent => 2,
    }
}

pub(super) const fn priority(rank: i64) -> Priority {
    match rank {
        0 => Priority::Bulk,
        2 => Priority::Urgent,
        _ => Priority::Normal,
    }
}
