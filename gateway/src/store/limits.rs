//! How much a store takes on.
//!
//! Called by whoever opens a store, from the configuration. What can go wrong: a limit that is
//! lower than what is held already drops nothing; it refuses until there is less.

use std::time::Duration;

/// What is kept back of a disk when nobody says otherwise, at most.
const RESERVE: u64 = 64 << 20;

/// How much a store takes on. Everything above a limit is refused; nothing is dropped to make
/// room. The defaults suit a kiosk with a small disk and some thousand visitors.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Accounts. 10,000.
    pub accounts: u64,
    /// DIDs bound to one account. 256: a wallet that uses one for each contact.
    pub bindings: u64,
    /// Longest message, in bytes. 8 MiB.
    pub letter_bytes: u64,
    /// Letters in one account. 1,000, as Affinidi's inbox.
    pub account_letters: u64,
    /// Bytes in one account. 64 MiB.
    pub account_bytes: u64,
    /// Letters of one sender in one account. 200: a fifth of the account, so that one stranger
    /// does not fill it, and a friend may write for some weeks. (Affinidi has 50; a mailbox in
    /// the field is emptied less often.)
    pub pair_letters: u64,
    /// Letters altogether. A million: bounds what tiny ones cost beside their bytes.
    pub total_letters: u64,
    /// Bytes altogether. 1 GiB.
    pub total_bytes: u64,
    /// Bytes of the disk that letters leave free, so that acks and changes of accounts find
    /// room, in the log and in the store. A part of it is held by a file that is let go in need.
    /// None: 5 % of `total_bytes`, 64 MiB at most.
    pub reserve: Option<u64>,
    /// How long a message that was collected is known, and not taken again. 7 days.
    pub known_for: Duration,
    /// How many such messages are known at most; the first to be forgotten go. 1,000,000.
    pub known: u64,
    /// How long a message that asked for something is known to the guard against replays.
    /// A day.
    pub seen_for: Duration,
    /// How many such messages are known at most; the oldest go. 100,000.
    pub seen: u64,
    /// How many dead letters are listed; the oldest go. 5,000.
    pub dead: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            accounts: 10_000,
            bindings: 256,
            letter_bytes: 8 << 20,
            account_letters: 1_000,
            account_bytes: 64 << 20,
            pair_letters: 200,
            total_letters: 1_000_000,
            total_bytes: 1 << 30,
            reserve: None,
            known_for: DAY * 7,
            known: 1_000_000,
            seen_for: DAY,
            seen: 100_000,
            dead: 5_000,
        }
    }
}

impl Limits {
    /// Bytes of the disk that letters leave free.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        let usual = (self.total_bytes / 20).min(RESERVE);
        self.reserve.unwrap_or(usual)
    }
}
