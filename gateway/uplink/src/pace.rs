//! When to try, and when to leave it.
//!
//! What is it: pure numbers, with the time and the dice as arguments: [`Breaker`] spaces the tries
//! at one endpoint, [`Idle`] the looks into an empty mailbox, [`Budget`] the bytes of a metered
//! link. Who calls it: the keeper of an upstream. What can go wrong: nothing. No number of
//! failures is the last one: hours without a network are ordinary here, and when it comes back
//! thousands of boxes must not call in the same second. So every wait is drawn from the whole
//! span up to its bound (full jitter).

mod windows;

use std::time::{Duration, Instant};

pub use windows::{Window, WindowError};
pub(crate) use windows::{closes_in, opens_in};

/// The bound of the first wait; each failure doubles it.
const FIRST: Duration = Duration::from_secs(1);
/// Nobody is called again sooner.
const FLOOR: Duration = Duration::from_millis(50);
/// A refusal is waited out for so many longest waits: what makes no sense today rarely does in a
/// quarter of an hour, yet somebody may have mended it in an hour.
const REFUSED: u32 = 4;
/// Nobody tells us to stay away for longer.
const DAY: Duration = Duration::from_secs(86_400);

/// What a failure says about the next try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It may work any moment.
    Soon,
    /// The other side said when.
    After(Duration),
    /// The same will be refused again, unless somebody changes something.
    Refused,
}

/// The tries at one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    until: Option<Instant>,
}

impl Breaker {
    /// How long until it may be tried.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let until = self.until.unwrap_or(now);
        until.saturating_duration_since(now)
    }

    /// It answered.
    pub(crate) fn worked(&mut self) {
        *self = Self::default();
    }

    /// It did not. `longest` bounds the wait, `draw` is any number.
    pub(crate) fn failed(
        &mut self,
        verdict: Verdict,
        now: Instant,
        longest: Duration,
        draw: u64,
    ) -> Duration {
        let wait = match verdict {
            Verdict::Soon => {
                let doubled = FIRST.saturating_mul(1 << self.failures.min(20));
                within(doubled.min(longest), draw).max(FLOOR)
            }
            // A little later than it said: others were told the same.
            Verdict::After(told) => {
                let told = told.min(DAY);
                told + within(told / 8 + FIRST.min(longest), draw)
            }
            Verdict::Refused => {
                let long = longest.saturating_mul(REFUSED);
                long / 2 + within(long / 2, draw)
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.until = now.checked_add(wait);
        wait
    }
}

/// Looks into a mailbox that has nothing new: soon at first, then ever more rarely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    step: Duration,
    longest: Duration,
}

impl Idle {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            step: FIRST.min(longest),
            longest,
        }
    }

    /// Something came: more may follow.
    pub(crate) fn woken(&mut self) {
        self.step = FIRST.min(self.longest);
    }

    /// Nothing came: how long to leave it. Not the whole span this time: half of it is kept, so
    /// that an empty mailbox costs no more than was meant.
    pub(crate) fn pause(&mut self, draw: u64) -> Duration {
        let step = self.step;
        self.step = step.saturating_mul(2).min(self.longest);
        (step / 2 + within(step / 2, draw)).max(FLOOR)
    }
}

/// The bytes that a link may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    rate: Option<u64>,
    paid: Option<Instant>,
}

impl Budget {
    /// So many bytes a second, both ways together; `None`: any number.
    pub(crate) const fn new(rate: Option<u64>) -> Self {
        Self { rate, paid: None }
    }

    /// These went over the link. What is spent is waited for afterwards: a message cannot be cut.
    pub(crate) fn spend(&mut self, bytes: usize, now: Instant) {
        let Some(rate) = self.rate.filter(|rate| *rate > 0) else {
            return;
        };
        let micros = (bytes as u128).saturating_mul(1_000_000) / u128::from(rate);
        let cost = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(DAY);
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = from.checked_add(cost);
    }

    /// How long until more may go.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let paid = self.paid.unwrap_or(now);
        paid.saturating_duration_since(now)
    }
}

/// Any time from nothing up to `most`.
fn within(most: Duration, draw: u64) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(draw % micros.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(900);
    /// The highest draw of every span that is a whole number of seconds here.
    const fn most(span: Duration) -> u64 {
        span.as_micros() as u64
    }

    #[test]
    fn failures_wait_up_to_twice_as_long_each_time_and_never_give_up() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.wait(start), Duration::ZERO);
        for bound in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900] {
            let bound = Duration::from_secs(bound);
            let mut low = breaker;
            assert_eq!(low.failed(Verdict::Soon, start, LONGEST, 0), FLOOR);
            let high = breaker.failed(Verdict::Soon, start, LONGEST, most(bound));
            assert_eq!(high, bound, "the whole span may be drawn");
            assert_eq!(breaker.wait(start), bound);
            assert_eq!(breaker.wait(start + bound), Duration::ZERO);
        }
        for _ in 0..1_000 {
            let wait = breaker.failed(Verdict::Soon, start, LONGEST, u64::MAX);
            assert!(wait <= LONGEST);
        }
        breaker.worked();
        assert_eq!(breaker.wait(start), Duration::ZERO);
        let wait = breaker.failed(Verdict::Soon, start, LONGEST, u64::MAX);
        assert!(
            wait <= FIRST,
            "one answer, and it is as if nothing had been"
        );
    }

    #[test]
    fn who_is_told_when_comes_then_and_a_little_later() {
        let now = Instant::now();
        for (verdict, low, high) in [
            (Verdict::After(Duration::from_secs(80)), 80, 91),
            (Verdict::After(Duration::ZERO), 0, 1),
            (Verdict::After(Duration::from_secs(1 << 40)), 86_400, 97_201),
            (Verdict::Refused, 1_800, 3_600),
        ] {
            for draw in [0, 1, 7_777_777, u64::MAX / 3, u64::MAX] {
                let wait = Breaker::default().failed(verdict, now, LONGEST, draw);
                let (low, high) = (Duration::from_secs(low), Duration::from_secs(high));
                assert!(low <= wait && wait <= high, "{verdict:?} {wait:?}");
            }
        }
    }

    #[test]
    fn a_thousand_boxes_do_not_come_back_together() {
        let now = Instant::now();
        let mut seconds = [0_u32; 900];
        for number in 0..1_000_u64 {
            let mut breaker = Breaker::default();
            let mut wait = Duration::ZERO;
            for tries in 0..12_u64 {
                // Any spread of numbers stands for the dice.
                let draw = (number * 12 + tries).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                wait = breaker.failed(Verdict::Soon, now, LONGEST, draw);
            }
            if let Some(second) = seconds.get_mut(wait.as_secs() as usize) {
                *second += 1;
            }
        }
        assert!(seconds.iter().all(|together| *together < 10));
    }

    #[test]
    fn an_empty_mailbox_is_looked_into_ever_more_rarely() {
        let longest = Duration::from_secs(60);
        let mut idle = Idle::new(longest);
        for bound in [1, 2, 4, 8, 16, 32, 60, 60] {
            let pause = idle.pause(u64::MAX);
            let bound = Duration::from_secs(bound);
            assert!(
                bound / 2 <= pause && pause <= bound,
                "{pause:?} of {bound:?}"
            );
        }
        idle.woken();
        assert!(idle.pause(u64::MAX) <= FIRST);
        let mut quick = Idle::new(Duration::from_millis(200));
        assert!(quick.pause(u64::MAX) <= Duration::from_millis(200));
    }

    #[test]
    fn a_metered_link_rests_after_what_it_carried() {
        let start = Instant::now();
        let mut budget = Budget::new(Some(1_000));
        budget.spend(5_000, start);
        assert_eq!(budget.wait(start), Duration::from_secs(5));
        let later = start + Duration::from_secs(3);
        budget.spend(1_000, later);
        assert_eq!(budget.wait(later), Duration::from_secs(3));
        // A long silence saves nothing up.
        let much_later = start + Duration::from_secs(1_000);
        budget.spend(500, much_later);
        assert_eq!(budget.wait(much_later), Duration::from_millis(500));
        for rate in [None, Some(0)] {
            let mut free = Budget::new(rate);
            free.spend(usize::MAX, start);
            assert_eq!(free.wait(start), Duration::ZERO);
        }
    }
}
