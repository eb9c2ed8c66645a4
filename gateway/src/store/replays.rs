//! What every store counts as played again.
//!
//! Called by every store, also by those in crates of their own. What can go wrong: the clocks of
//! wallets, which are believed within a day.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Moment;

/// How long a message counts as seen while what it asks for is being done. Should nobody say what
/// became of it, because we were killed, its sender may ask once more after this.
pub const CLAIM: Duration = Duration::from_secs(60);

/// Clocks of wallets may be wrong by so much.
const SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// Was a DID bound to an account, as one that it has left, after its owner said that it goes by
/// that DID? Then somebody plays an old message again. Of a word that is younger than a day the
/// guard against replays tells, and clocks may be wrong; an older one counts to the second.
#[must_use]
pub fn has_left(bound: Moment, told: Moment, now: Moment) -> bool {
    let slack = if told + SKEW > now {
        SKEW
    } else {
        Duration::ZERO
    };
    bound > told + slack
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
