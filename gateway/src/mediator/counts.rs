//! What a mediator counts: numbers that only grow.
//!
//! Called by the mediator; read by whoever shows metrics. What can go wrong: nothing. Nothing
//! here names a person.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Count {
    /// Forwards read.
    Forward,
    /// Messages put into a mailbox.
    Stored,
    /// Messages that were there already.
    Duplicate,
    /// Messages for somebody who has no mailbox here.
    Stray,
    /// Messages that came after their time.
    Expired,
    /// Messages refused for want of room.
    Full,
    /// Messages refused for their length.
    TooLarge,
    /// Forwards that make no sense, go in circles or hold too many others.
    Malformed,
    /// Messages from nobody that only somebody known may send.
    Anonymous,
    /// Asks for a change that were heard before.
    Replayed,
    /// Accounts opened.
    Opened,
    /// Accounts refused.
    Denied,
    /// Accounts refused because many were made from the same place.
    Crowded,
    /// Accounts that moved to another DID.
    Moved,
    /// Messages delivered.
    Delivered,
    /// Messages acknowledged.
    Acked,
    /// Problem reports.
    Problem,
    /// Problems not reported any more.
    Silenced,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Forward,
        Self::Stored,
        Self::Duplicate,
        Self::Stray,
        Self::Expired,
        Self::Full,
        Self::TooLarge,
        Self::Malformed,
        Self::Anonymous,
        Self::Replayed,
        Self::Opened,
        Self::Denied,
        Self::Crowded,
        Self::Moved,
        Self::Delivered,
        Self::Acked,
        Self::Problem,
        Self::Silenced,
    ];

    /// A stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forwards",
            Self::Stored => "stored",
            Self::Duplicate => "duplicates",
            Self::Stray => "strays",
            Self::Expired => "expired",
            Self::Full => "full",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Anonymous => "anonymous",
            Self::Replayed => "replayed",
            Self::Opened => "accounts-opened",
            Self::Denied => "accounts-denied",
            Self::Crowded => "accounts-crowded",
            Self::Moved => "accounts-moved",
            Self::Delivered => "delivered",
            Self::Acked => "acked",
            Self::Problem => "problems",
            Self::Silenced => "silenced",
        }
    }
}

/// The numbers of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts([u64; Count::ALL.len()]);

impl Counts {
    /// How many of this.
    #[must_use]
    pub fn of(&self, what: Count) -> u64 {
        self.0.get(what as usize).copied().unwrap_or(0)
    }

    /// All, with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Count::ALL
            .into_iter()
            .map(|what| (what.name(), self.of(what)))
    }
}

/// The numbers as they grow.
#[derive(Debug, Default)]
pub(super) struct Tally([AtomicU64; Count::ALL.len()]);

impl Tally {
    pub(super) fn add(&self, what: Count) {
        self.add_many(what, 1);
    }

    pub(super) fn add_many(&self, what: Count, many: u64) {
        if let Some(one) = self.0.get(what as usize) {
            one.fetch_add(many, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts(self.0.each_ref().map(|one| one.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_place_and_name() {
        let tally = Tally::default();
        for (n, what) in Count::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, n);
            tally.add_many(what, n as u64);
        }
        let told: Vec<_> = tally.counts().iter().collect();
        let names: std::collections::BTreeSet<_> = told.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), told.len());
        assert!(
            told.iter()
                .enumerate()
                .all(|(n, (_, count))| n as u64 == *count)
        );
    }
}
