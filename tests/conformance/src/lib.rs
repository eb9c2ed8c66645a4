//! The suite that every transport passes, and links that lose, delay, double and reorder.
//!
//! What is it: [`links()`], [`mailboxes()`], [`beacons()`] and [`requests()`] run every promise of
//! [`packmule_bus::link`] against fresh pairs that a transport's own test makes, mostly by
//! [`pair()`]; each promise is a function of its own in [`links`](mod@links),
//! [`mailboxes`](mod@mailboxes), [`beacons`](mod@beacons) or [`requests`](mod@requests).
//! [`Lossy`], [`Delayed`], [`Reordering`], [`Doubling`] and [`Corrupting`] wrap a link in a
//! hardship, decided by a seed. Who calls it: the tests of transports, of the node and of the
//! session. What can go wrong: an adapter breaks a promise, and [`Broken`] says which and how;
//! `tests/liars` shows that each check can say so.
//!
//! Nothing is measured by a clock: [`PATIENCE`] only ends what would otherwise hang for ever.

pub mod beacons;
mod dice;
pub mod links;
pub mod mailboxes;
mod pair;
mod patience;
pub mod requests;
mod wrap;

use std::fmt;

pub use beacons::beacons;
pub use dice::Dice;
pub use links::links;
pub use mailboxes::mailboxes;
pub use pair::pair;
pub use patience::PATIENCE;
pub use requests::requests;
pub use wrap::{Corrupting, Delayed, Doubling, Lossy, Reordering};

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Which one: the check's name.
    pub promise: &'static str,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.seen)
    }
}

impl std::error::Error for Broken {}
