//! Points in time as stores keep them.
//!
//! Called by whoever calls a store; the store itself reads no clock. What can go wrong: the wall
//! clock jumps; then things expire early or late, and nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: Posix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// As far away as a store can say.
    pub const NEVER: Self = Self(i64::MAX.unsigned_abs());

    /// What the system's clock says.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::default() + since.unwrap_or_default()
    }

    /// So many seconds after 1970, as `expires_time` has it.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// So many milliseconds after 1970. What a store cannot say is [`Self::NEVER`].
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::NEVER.0 {
            Self::NEVER
        } else {
            Self(millis)
        }
    }

    /// Whole seconds after 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds after 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }
}
