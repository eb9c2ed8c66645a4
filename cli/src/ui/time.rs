//! Times: Unix seconds in the store and in JSON, RFC 3339 in UTC for people.
//!
//! What it is: the clock's one reader, and the conversions. Who calls it: verbs.
//! What can go wrong: a clock before 1970 reads as 0; a date past the year 9999 is printed
//! as its number of seconds.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use packmule_node::desk::date::rfc3339;
pub(crate) use packmule_node::units::parse_span;

/// Now, in Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
