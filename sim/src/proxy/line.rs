//! When a PDU departs and arrives: the arithmetic of a channel, without a clock.

use std::time::Duration;

use crate::dice::Dice;
use crate::presets::Channel;

/// A PDU is sent again at most so often; then it passes. (Loss of .9 gives up on one in 10^4.)
const TRIES: u32 = 100;
/// Timers are no better than a millisecond: so much credit keeps the rate.
const CREDIT: Duration = Duration::from_millis(5);

/// Which way a PDU goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// From the side that dialled.
    Forth,
    /// To it.
    Back,
}

/// What happens to one PDU; times since the connection began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sent {
    /// The line is free again for this way.
    pub(super) departs: Duration,
    /// It is there.
    pub(super) arrives: Duration,
    /// How often it had to be sent again.
    pub(super) resent: u32,
    /// It was held back.
    pub(super) held_back: bool,
}

/// One connection's line.
pub(super) struct Line {
    channel: Channel,
    ways: [Lane; 2],
    /// Of half duplex: who sent last, and until when.
    last: Option<Way>,
    life: Option<Duration>,
}

/// One direction.
struct Lane {
    dice: Dice,
    rate: u64,
    free: Duration,
    arrived: Duration,
    bad_air: bool,
}

impl Line {
    /// The `number`th connection over a channel.
    pub(super) fn new(channel: Channel, seed: u64, number: u64) -> Self {
        let name = format!("connection {number}");
        let lane = |purpose, rate| Lane {
            dice: Dice::new(seed, &name, purpose),
            rate,
            free: Duration::ZERO,
            arrived: Duration::ZERO,
            bad_air: false,
        };
        let life = channel.life.map(|mean| {
            let mut dice = Dice::new(seed, &name, "life");
            Duration::from_secs_f64(dice.exponential(mean.as_secs_f64()))
        });
        Self {
            ways: [lane("forth", channel.rate), lane("back", channel.rate_back)],
            channel,
            last: None,
            life,
        }
    }

    /// From the first try until the first PDU may go.
    pub(super) const fn connect(&self) -> Duration {
        self.channel.connect
    }

    /// How long this connection lives.
    pub(super) const fn life(&self) -> Option<Duration> {
        self.life
    }

    /// How long it may be silent.
    pub(super) const fn idle(&self) -> Option<Duration> {
        self.channel.idle
    }

    /// The longest PDU.
    pub(super) fn mtu(&self) -> usize {
        self.channel.mtu_of(0)
    }

    /// Sends so many bytes at `now`.
    pub(super) fn send(&mut self, way: Way, now: Duration, bytes: usize) -> Sent {
        let channel = &self.channel;
        let other = self.ways[usize::from(way == Way::Forth)].free;
        let lane = &mut self.ways[usize::from(way == Way::Back)];
        let cost = bytes as u64 + channel.overhead;
        let air = Duration::from_secs_f64(cost as f64 / lane.rate as f64);
        let burst = Duration::from_secs_f64(channel.burst as f64 / lane.rate as f64);
        // What was not used of the line while it was silent may go at once: a token bucket.
        let mut start = lane.free.max(now.saturating_sub(burst.max(CREDIT)));
        if channel.half_duplex {
            start = start.max(other);
            if self.last.is_some_and(|last| last != way) {
                start = start.max(now) + channel.turnaround;
            }
            self.last = Some(way);
        }
        let mut departs = start + air;
        let mut resent = 0;
        while resent < TRIES && lane.fails(channel) {
            resent += 1;
            // Known lost after a round trip.
            departs += channel.latency * 2 + channel.jitter + air;
        }
        lane.free = departs;
        let jitter = channel.jitter.mul_f64(lane.dice.unit());
        let held_back = lane.dice.chance(channel.reorder);
        let held = if held_back {
            channel.reorder_by
        } else {
            Duration::ZERO
        };
        // A stream keeps its order: nothing overtakes.
        lane.arrived = lane
            .arrived
            .max(departs.max(now) + channel.latency + jitter + held);
        Sent {
            departs,
            arrives: lane.arrived,
            resent,
            held_back,
        }
    }
}

impl Lane {
    /// Is the next PDU lost or corrupted?
    fn fails(&mut self, channel: &Channel) -> bool {
        let lost = channel.loss.next_chance(&mut self.bad_air, &mut self.dice);
        self.dice.chance(lost) || self.dice.chance(channel.corrupt)
    }
}
