//! How much one visitor may ask for: a bucket of tokens for each.
//!
//! What is it: [`Rates`], a bounded table of buckets by address, or by sender. Who calls it: the
//! office, before it opens a message (address) and before it does what one says (sender). What can
//! go wrong: more visitors than the table holds; those who fill it by their number share one
//! bucket, and those who are known keep theirs.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Visitors that are known at a time.
const KNOWN: usize = 16_384;
/// Full buckets are forgotten not more often than this.
const SWEEP: Duration = Duration::from_secs(1);

/// The network that an address belongs to, for limits: one who has an IPv6 address has 2^64.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// Buckets of tokens.
#[derive(Debug)]
pub struct Rates<K> {
    most: usize,
    table: Mutex<Table<K>>,
}

#[derive(Debug)]
struct Table<K> {
    pace: Pace,
    buckets: HashMap<K, Bucket>,
    /// Of all that found no room.
    others: Bucket,
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Tokens a second; 0: nobody is held back.
    rate: f64,
    burst: f64,
}

impl Pace {
    fn new(rate: u32, burst: u32) -> Self {
        Self {
            rate: f64::from(rate),
            burst: f64::from(burst.max(1)),
        }
    }

    fn hourly(number: u32) -> Self {
        Self {
            rate: f64::from(number) / 3_600.0,
            burst: f64::from(number.max(1)),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// None: as full as it can be.
    state: Option<(f64, Instant)>,
}

impl<K: Hash + Eq> Rates<K> {
    /// So many a second, and so many at once after a silence. A rate of 0 holds nobody back.
    #[must_use]
    pub fn new(rate: u32, burst: u32) -> Self {
        Self::with_room(rate, burst, KNOWN)
    }

    fn with_room(rate: u32, burst: u32, most: usize) -> Self {
        Self::of(Pace::new(rate, burst), most)
    }

    /// So many an hour, and as many at once after a silence. 0 holds nobody back.
    #[must_use]
    pub fn hourly(number: u32) -> Self {
        Self::of(Pace::hourly(number), KNOWN)
    }

    fn of(pace: Pace, most: usize) -> Self {
        Self {
            most,
            table: Mutex::new(Table {
                pace,
                buckets: HashMap::new(),
                others: Bucket::default(),
                swept: None,
            }),
        }
    }

    /// Other numbers from now on; what everybody has left stays, as far as it still may be.
    pub fn set(&self, rate: u32, burst: u32) {
        self.table().pace = Pace::new(rate, burst);
    }

    /// The same, as [`Self::hourly`].
    pub fn set_hourly(&self, number: u32) {
        self.table().pace = Pace::hourly(number);
    }

    fn table(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of this visitor.
    ///
    /// # Errors
    /// How long the visitor should wait.
    pub fn take(&self, who: K, now: Instant) -> Result<(), Duration> {
        let mut table = self.table();
        let pace = table.pace;
        if pace.rate == 0.0 {
            return Ok(());
        }
        if table.buckets.len() >= self.most && !table.buckets.contains_key(&who) {
            table.sweep(now);
        }
        let full = table.buckets.len() >= self.most;
        let bucket = match table.buckets.get_mut(&who) {
            Some(known) => known,
            None if full => &mut table.others,
            None => table.buckets.entry(who).or_default(),
        };
        pace.draw(bucket, now)
    }
}

impl Pace {
    fn draw(self, bucket: &mut Bucket, now: Instant) -> Result<(), Duration> {
        let tokens = self.tokens(*bucket, now);
        if tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - tokens) / self.rate));
        }
        bucket.state = Some((tokens - 1.0, now));
        Ok(())
    }

    fn tokens(self, bucket: Bucket, now: Instant) -> f64 {
        bucket.state.map_or(self.burst, |(left, since)| {
            let waited = now.saturating_duration_since(since).as_secs_f64();
            (left + waited * self.rate).min(self.burst)
        })
    }
}

impl<K> Table<K> {
    /// Forgets those whose buckets are full again: to be unknown is the same.
    fn sweep(&mut self, now: Instant) {
        let due = |since: Instant| now.saturating_duration_since(since) >= SWEEP;
        if self.swept.is_none_or(due) {
            self.swept = Some(now);
            let pace = self.pace;
            self.buckets
                .retain(|_, bucket| pace.tokens(*bucket, now) < pace.burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rates = Rates::new(10, 5);
        let start = Instant::now();
        for _ in 0..5 {
            rates.take("alice", start).unwrap();
        }
        let wait = rates.take("alice", start).unwrap_err();
        assert!(wait <= Duration::from_millis(100) && wait > Duration::from_millis(90));
        rates.take("bob", start).unwrap();
        let later = start + Duration::from_millis(101);
        rates.take("alice", later).unwrap();
        rates.take("alice", later).unwrap_err();
    }

    #[test]
    fn without_a_rate_nobody_is_held_back() {
        let rates = Rates::new(0, 0);
        let now = Instant::now();
        assert!((0..10_000).all(|_| rates.take(1, now).is_ok()));
    }

    #[test]
    fn a_crowd_shares_one_bucket_and_the_known_keep_theirs() {
        let rates = Rates::with_room(1, 2, 3);
        let now = Instant::now();
        for who in 0..3 {
            rates.take(who, now).unwrap();
        }
        let crowd = (100..200).filter(|who| rates.take(*who, now).is_ok());
        assert_eq!(crowd.count(), 2);
        assert!((0..3).all(|who| rates.take(who, now).is_ok()));
        // Silent for long enough, the known are forgotten and there is room again.
        let later = now + Duration::from_secs(10);
        rates.take(300, later).unwrap();
        rates.take(301, later).unwrap();
        rates.take(300, later).unwrap();
    }

    #[test]
    fn one_network_of_version_6_is_one_visitor() {
        let at = |text: &str| network(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2:3::4"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::"), at("2001:db8:1:3::"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[test]
    fn other_numbers_hold_from_the_moment_they_are_set() {
        let rates = Rates::hourly(2);
        let now = Instant::now();
        let take = |after| {
            rates
                .take("mallory", now + Duration::from_secs(after))
                .is_ok()
        };
        assert!(take(0) && take(0) && !take(1_700));
        assert!(take(1_801), "two an hour");
        rates.set(1, 5);
        assert!(!take(1_801) && take(1_803));
        rates.set(0, 1);
        assert!((0..100).all(|_| take(1_803)));
    }
}
