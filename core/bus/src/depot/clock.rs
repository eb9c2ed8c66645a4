//! Wall time that forgives a clock that jumps.
//!
//! What is it: [`Clock`], which turns readings into the posix seconds that expiry goes by. Who
//! calls it: the depot, with every `now`. What can go wrong: a clock is set to a wrong year for
//! a while. The rule: a jump forward counts only after it has lasted for [`GRACE`] by the timer
//! clock; a jump back counts at once and only makes things live longer. What has expired stays
//! so, whatever the clock says later.

use std::time::Duration;

use crate::time::{Now, Time};

/// How far the clocks may drift apart between two readings before it is called a jump.
pub(super) const JUMP: Duration = Duration::from_secs(3_600);
/// How long a jump forward must last.
pub(super) const GRACE: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    last: Option<Now>,
    doubted_since: Option<Time>,
}

impl Clock {
    /// The wall time to go by.
    pub(super) fn read(&mut self, now: Now) -> u64 {
        let Some(last) = self.last else {
            self.last = Some(now);
            return now.wall;
        };
        let ran = now.time.since(last.time).as_secs();
        let expected = last.wall.saturating_add(ran);
        if now.wall <= expected.saturating_add(JUMP.as_secs()) {
            self.doubted_since = None;
            self.last = Some(now);
            return now.wall;
        }
        let since = *self.doubted_since.get_or_insert(now.time);
        if now.time.since(since) >= GRACE {
            self.doubted_since = None;
            self.last = Some(now);
            return now.wall;
        }
        expected
    }

    /// When a doubted jump will be believed.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.doubted_since.map(|since| since + GRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, wall: u64) -> Now {
        Now {
            time: Time::from_micros(seconds * 1_000_000),
            wall,
        }
    }

    #[test]
    fn a_clock_set_to_the_next_century_for_a_minute_moves_nothing() {
        let mut clock = Clock::default();
        assert_eq!(clock.read(at(0, 1_000)), 1_000);
        assert_eq!(clock.read(at(10, 9_000_000)), 1_010);
        assert_eq!(clock.read(at(70, 1_070)), 1_070);
        assert_eq!(clock.deadline(), None);
    }

    #[test]
    fn a_jump_that_lasts_is_believed() {
        let mut clock = Clock::default();
        clock.read(at(0, 1_000));
        assert_eq!(clock.read(at(10, 9_000_000)), 1_010);
        assert_eq!(clock.deadline(), Some(Time::from_micros(610_000_000)));
        assert_eq!(clock.read(at(610, 9_000_600)), 9_000_600);
    }

    #[test]
    fn a_clock_set_back_is_believed_at_once() {
        let mut clock = Clock::default();
        clock.read(at(0, 1_000_000));
        assert_eq!(clock.read(at(10, 5_000)), 5_000);
    }
}
