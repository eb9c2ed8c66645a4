//! Silence on a link that loses nothing: nobody else would notice that the other end is gone.
//!
//! What is it: [`Silence`], the clock of a session over records; packets have acks and probes
//! instead (`flight`). Whoever has said nothing for [`BEAT`] says a ping, one byte in a record of
//! its own; whoever hears one and has not spoken for a while either answers at once, so that the
//! two of them wake a sleeping link once for both. Whoever hears nothing for [`LIMIT`] gives the
//! other up. Who calls it: the session. What can go wrong: a long PDU on a slow link takes longer
//! than that; the limit grows with it. A queue before our own ping matters not: theirs comes
//! unasked.

use std::time::Duration;

use crate::link::LinkFacts;
use crate::time::Time;

/// Longest that one side of a quiet link says nothing: proxies and address translators forget
/// connections that were quiet for a minute or two.
const BEAT: Duration = Duration::from_secs(20);
/// A side that has been quiet for this long answers a ping.
const ANSWER: Duration = Duration::from_secs(10);
/// After so long without a byte the other side is gone: three beats.
const LIMIT: Duration = Duration::from_secs(60);
/// On a link that tells its rate: and so many PDUs of full length.
const PDUS: u64 = 4;

/// What is to be said for its own sake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Beat {
    /// We are here; are you?
    Ping,
    /// We are here too.
    Answer,
}

/// When either side was last heard.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    heard: Time,
    said: Time,
    owed: Option<Beat>,
}

impl Silence {
    pub(super) fn new(now: Time, facts: &LinkFacts) -> Self {
        let longest = facts.rate.map_or(Duration::ZERO, |rate| {
            let bytes = (facts.mtu as u64).saturating_mul(PDUS);
            Duration::from_secs(bytes / u64::from(rate.max(1)))
        });
        Self {
            limit: LIMIT + longest,
            heard: now,
            said: now,
            owed: None,
        }
    }

    /// Bytes came.
    pub(super) const fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// When that was.
    pub(super) const fn last_heard(&self) -> Time {
        self.heard
    }

    /// A ping was among them.
    pub(super) fn pinged(&mut self, now: Time) {
        if now >= self.said + ANSWER {
            self.owed.get_or_insert(Beat::Answer);
        }
    }

    /// A PDU goes: whatever is in it, they will know that we are here.
    pub(super) const fn said(&mut self, now: Time) {
        self.said = now;
        self.owed = None;
    }

    /// What is to be said, if nothing else is.
    pub(super) const fn owed(&self) -> Option<Beat> {
        self.owed
    }

    /// When [`Silence::timeout`] has something to do.
    pub(super) fn deadline(&self) -> Time {
        let end = self.heard + self.limit;
        // A beat that waits for room on the link is not asked for again.
        match self.owed {
            Some(_) => end,
            None => end.min(self.said + BEAT),
        }
    }

    /// False: the other side is gone.
    pub(super) fn timeout(&mut self, now: Time) -> bool {
        if now >= self.said + BEAT {
            self.owed = Some(Beat::Ping);
        }
        now < self.heard + self.limit
    }
}
