//! How long a transfer will still take, from how fast it came of late.
//!
//! Called by whoever tells a person of progress. It has no clock: the caller says what time it is.
//! A transfer needs K symbols and no more, so that received of needed is honest, and so is this.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back it looks. Longer, and a hand that covered the camera is remembered for too long.
const WINDOW: Duration = Duration::from_secs(5);

/// Below this no rate is told.
const LEAST: Duration = Duration::from_millis(300);

/// The pace of one transfer.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// When how many symbols were there, oldest first.
    marks: VecDeque<(Duration, u32)>,
}

impl Pace {
    /// At time `now`, counted from any moment, `received` symbols are there.
    pub fn note(&mut self, now: Duration, received: u32) {
        self.marks.push_back((now, received));
        // One mark older than the window stays, so that it is covered from its beginning.
        while let Some((second, _)) = self.marks.get(1)
            && *second + WINDOW <= now
        {
            self.marks.pop_front();
        }
    }

    /// Symbols a second.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let (first, before) = self.marks.front()?;
        let (last, after) = self.marks.back()?;
        let span = last.saturating_sub(*first);
        if span < LEAST || after <= before {
            return None;
        }
        Some(f64::from(after - before) / span.as_secs_f64())
    }

    /// How long until `needed` symbols are there; none while it does not advance.
    #[must_use]
    pub fn left(&self, needed: u32) -> Option<Duration> {
        let (_, received) = self.marks.back()?;
        let rest = f64::from(needed.saturating_sub(*received)) / self.rate()?;
        Duration::try_from_secs_f64(rest).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn steady_codes_tell_the_time_left() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(100), None);
        for n in 0..=40u32 {
            pace.note(s(u64::from(n) * 100), n);
        }
        assert_eq!(pace.rate(), Some(10.0));
        assert_eq!(pace.left(100), Some(s(6000)));
        assert_eq!(pace.left(40), Some(s(0)));
    }

    #[test]
    fn a_covered_camera_has_no_time_left_to_tell_and_is_soon_forgotten() {
        let mut pace = Pace::default();
        for n in 0..=10u32 {
            pace.note(s(u64::from(n) * 100), n);
        }
        for n in 11..=80u64 {
            pace.note(s(n * 100), 10);
        }
        assert_eq!(pace.left(100), None);
        for n in 0..=60u32 {
            pace.note(s(8100 + u64::from(n) * 100), 10 + n);
        }
        let rate = pace.rate().expect("a rate");
        assert!((9.0..=10.0).contains(&rate), "{rate}");
        assert!(pace.marks.len() < 60, "{}", pace.marks.len());
    }
}
