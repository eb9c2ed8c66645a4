//! How values are kept, whatever keeps them: numbers, names and ranks as columns.
//!
//! Called by every store, also by those in crates of their own. What can go wrong: nothing; a
//! number that a column cannot say, and we never write, becomes the nearest.

use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;
use sha2::{Digest, Sha256};

use super::Moment;

/// How long a message counts as seen while what it asks for is being done. Should nobody say what
/// became of it, because we were killed, its sender may ask once more after this.
pub const CLAIM: Duration = Duration::from_secs(60);

/// Clocks of wallets may be wrong by so much.
const SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Was a DID bound to an account, as one that it has left, after its owner said that it goes by
/// that DID? Then somebody plays an old message again. Within a day of it the guard against
/// replays tells.
#[must_use]
pub fn has_left(bound: Moment, told: Moment) -> bool {
    bound > told + SKEW
}

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

/// By what a message of a sender is known to the guard against replays.
#[must_use]
pub fn seen_key(sender: &str, message: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    // The length keeps two texts from running into each other.
    hash.update((sender.len() as u64).to_be_bytes());
    hash.update(sender.as_bytes());
    hash.update(message.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut key = [0; 16];
    key.copy_from_slice(digest.split_at(16).0);
    key
}
