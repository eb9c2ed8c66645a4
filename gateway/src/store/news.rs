//! What came into a mailbox since somebody looked, where others may have put it.
//!
//! Called by the office, for accounts with a live connection. What can go wrong: nothing here.

use super::{Held, Moment};

/// That something came, by another gateway's hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// For this account.
    Of(String),
    /// Perhaps for any: nobody listened for a while.
    Perhaps,
}

/// Where a mailbox was at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// No letter with a higher number was there.
    pub seq: u64,
    /// Letters that were delayed beyond this were not given out.
    pub at: Moment,
}

/// What came since a mark.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Arrived {
    /// The letters.
    pub held: Vec<Held>,
    /// To ask with the next time.
    pub mark: Mark,
    /// There is more of it.
    pub more: bool,
}
