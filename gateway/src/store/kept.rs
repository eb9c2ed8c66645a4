//! How values are kept, whatever keeps them: numbers, names and ranks as columns.
//!
//! Called by every store, also by those in crates of their own. What can go wrong: nothing; a
//! number that a column cannot say, and we never write, becomes the nearest.

use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;

use super::Moment;

/// A count as a column.
#[must_use]
pub fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column as a count.
#[must_use]
pub fn number(int: i64) -> u64 {
    u64::try_from(int).unwrap_or_default()
}

/// A moment as a column.
#[must_use]
pub fn millis(moment: Moment) -> i64 {
    int(moment.as_millis())
}

/// What is kept of an id to know a message again. 16 bytes: nobody finds a message that has those
/// of another's.
#[must_use]
pub fn stem(id: &EnvelopeId) -> &[u8] {
    id.as_bytes().split_at(16).0
}

/// A priority as a column: the more urgent is the greater.
#[must_use]
pub const fn rank(priority: Priority) -> i16 {
    match priority {
        Priority::Bulk => 0,
        Priority::Normal => 1,
        Priority::Urgent => 2,
    }
}

/// A column as a priority.
#[must_use]
pub const fn priority(rank: i16) -> Priority {
    match rank {
        0 => Priority::Bulk,
        2 => Priority::Urgent,
        _ => Priority::Normal,
    }
}
