//! Time as an input: the heart reads no clock.
//!
//! What is it: [`Time`], a monotone clock for timers, and [`Now`], a reading of both clocks that
//! comes with every input. Who calls it: whoever drives a session or a bus. What can go wrong:
//! the wall clock jumps; only expiry looks at it.

use std::ops::Add;
use std::time::Duration;

/// A point on a clock that never goes back while a process lives, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// So many microseconds after the clock's start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// One reading of both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For timers.
    pub time: Time,
    /// Posix seconds, for expiry; may be wrong and may jump.
    pub wall: u64,
}
