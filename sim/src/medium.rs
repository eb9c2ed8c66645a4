//! A link of the simulation: what becomes of each PDU.
//!
//! What is it: [`LinkSpec`], a [`Channel`] and what only a simulation knows of it; and
//! [`Medium`], one link that is up, both directions, composed of token bucket, half duplex,
//! latency, jitter, burst loss, corruption, duplication and reordering. Who calls it: the
//! engine; any simulation. What can go wrong: by design everything, but never behind the back of
//! the facts: a channel that is declared reliable pays with time for what the air loses, and one
//! that is declared ordered lets nothing overtake.

use std::time::Duration;

use packmule_bus::link::LinkFacts;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::marks::{Fired, Kind};
use crate::presets::Channel;
use crate::world::Micros;

/// A link's nature in a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// Latency, rate, MTU, loss …: a preset's name or a table that may start from one
    /// (`like = "ble-185"`).
    pub channel: Channel,
    /// How the jitter spreads.
    #[serde(default)]
    pub spread: Spread,
    /// The link has a cipher of its own, so that the session needs none. What would be
    /// corrupted is lost instead, because that cipher notices.
    #[serde(default)]
    pub sealed: bool,
    /// PDUs that may wait in the adapter.
    #[serde(default = "adapter_queue")]
    pub queue: usize,
}

const fn adapter_queue() -> usize {
    16
}

/// How jitter spreads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Evenly up to the channel's jitter.
    #[default]
    Even,
    /// Exponentially, with half the channel's jitter as mean.
    Exponential,
    /// Half a bell, with half the channel's jitter as deviation.
    Bell,
}

impl LinkSpec {
    /// A link like this channel.
    #[must_use]
    pub const fn of(channel: Channel) -> Self {
        Self {
            channel,
            spread: Spread::Even,
            sealed: false,
            queue: adapter_queue(),
        }
    }

    /// What an honest adapter says of the `n`th connection.
    #[must_use]
    pub fn facts(&self, n: usize) -> LinkFacts {
        LinkFacts {
            sealed: self.sealed,
            ..self.channel.facts(n)
        }
    }
}

/// The end of a link that dialled, or the one that listened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Who opened it.
    Dialer = 0,
    /// The other one.
    Listener = 1,
}

impl End {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

/// What became of a PDU.
#[derive(Debug, Default)]
pub struct Sent {
    /// When the adapter has room for another one.
    pub gone_at: Micros,
    /// What arrives at the other end, and when: nothing, once, or twice.
    pub arrivals: Vec<(Micros, Vec<u8>)>,
}

/// One link that is up.
#[derive(Debug)]
pub struct Medium {
    spec: LinkSpec,
    ways: [Way; 2],
    /// For half duplex: who spoke last, and until when the air is taken.
    turn: Option<(End, Micros)>,
}

#[derive(Debug)]
struct Way {
    dice: Dice,
    /// The token bucket as one number: until when the tokens taken so far would have to drip
    /// (the generic cell rate algorithm).
    paid: Micros,
    bad_air: bool,
    last_arrival: Micros,
}

impl Medium {
    /// The link `name` comes up for the `n`th time, in the run of `seed`.
    #[must_use]
    pub fn new(spec: LinkSpec, seed: u64, name: &str, n: usize) -> Self {
        let way = |purpose: &str| Way {
            dice: Dice::new(seed, name, &format!("{purpose} {n}")),
            paid: 0,
            bad_air: false,
            last_arrival: 0,
        };
        Self {
            ways: [way("forth"), way("back")],
            turn: None,
            spec,
        }
    }

    /// Its nature.
    #[must_use]
    pub const fn spec(&self) -> &LinkSpec {
        &self.spec
    }

    /// Sends a PDU from one end.
    pub fn send(&mut self, now: Micros, from: End, pdu: Vec<u8>, fired: &mut Fired) -> Sent {
        let Self { spec, ways, turn } = self;
        let [forth, back] = ways;
        let (way, rate) = match from {
            End::Dialer => (forth, spec.channel.rate),
            End::Listener => (back, spec.channel.rate_back),
        };
        let mut gone_at = way.depart(now, pdu.len(), rate, &spec.channel, fired);
        if spec.channel.half_duplex {
            gone_at = take_turn(turn, from, gone_at, pdu.len(), rate, &spec.channel, fired);
        }
        if spec.channel.one_way && from == End::Listener {
            fired.hit(Kind::OneWay);
            return Sent {
                gone_at,
                arrivals: Vec::new(),
            };
        }
        Sent {
            gone_at,
            arrivals: way.travel(gone_at, pdu, spec, fired),
        }
    }
}

/// Waits for the air, and for turning it round.
fn take_turn(
    turn: &mut Option<(End, Micros)>,
    from: End,
    ready: Micros,
    bytes: usize,
    rate: u64,
    channel: &Channel,
    fired: &mut Fired,
) -> Micros {
    let mut at = ready;
    if let Some((last, until)) = *turn
        && last != from
    {
        let free = until.saturating_add(micros(channel.turnaround));
        if free > at {
            fired.hit(Kind::HalfDuplex);
            at = free.saturating_add(airtime(bytes, rate, channel));
        }
    }
    *turn = Some((from, at));
    at
}

impl Way {
    /// When the last bit is on the medium.
    fn depart(
        &mut self,
        now: Micros,
        bytes: usize,
        rate: u64,
        channel: &Channel,
        fired: &mut Fired,
    ) -> Micros {
        let depth = channel.burst.saturating_mul(1_000_000) / rate.max(1);
        self.paid = self
            .paid
            .max(now)
            .saturating_add(airtime(bytes, rate, channel));
        let gone_at = self.paid.saturating_sub(depth).max(now);
        if gone_at > now {
            fired.hit(Kind::Bandwidth);
        }
        gone_at
    }

    fn travel(
        &mut self,
        gone_at: Micros,
        mut pdu: Vec<u8>,
        spec: &LinkSpec,
        fired: &mut Fired,
    ) -> Vec<(Micros, Vec<u8>)> {
        let channel = &spec.channel;
        let mut at = gone_at
            .saturating_add(micros(channel.latency))
            .saturating_add(self.jitter(spec, fired));
        // A reliable medium sends again below us: each try costs a round trip and a timer.
        let again = 2 * micros(channel.latency) + 10_000;
        while self.lost(spec, fired) {
            if !channel.reliable {
                return Vec::new();
            }
            at = at.saturating_add(again);
        }
        if !channel.reliable && !spec.sealed && self.dice.chance(channel.corrupt) {
            fired.hit(Kind::Corruption);
            let place = usize::try_from(self.dice.below(pdu.len() as u64)).unwrap_or(0);
            let bit = 1_u8 << self.dice.below(8);
            if let Some(byte) = pdu.get_mut(place) {
                *byte ^= bit;
            }
        }
        if !channel.ordered && self.dice.chance(channel.reorder) {
            at = at.saturating_add(micros(channel.reorder_by));
        }
        let mut arrivals = Vec::with_capacity(1);
        if !channel.reliable && self.dice.chance(channel.duplicate) {
            fired.hit(Kind::Duplication);
            let later = at.saturating_add(self.dice.below(micros(channel.reorder_by).max(1000)));
            arrivals.push((self.arrive(later, channel, fired), pdu.clone()));
        }
        arrivals.push((self.arrive(at, channel, fired), pdu));
        arrivals
    }

    fn arrive(&mut self, at: Micros, channel: &Channel, fired: &mut Fired) -> Micros {
        if channel.ordered {
            self.last_arrival = self.last_arrival.max(at);
            return self.last_arrival;
        }
        if at < self.last_arrival {
            fired.hit(Kind::Reordering);
        }
        self.last_arrival = self.last_arrival.max(at);
        at
    }

    fn lost(&mut self, spec: &LinkSpec, fired: &mut Fired) -> bool {
        let loss = &spec.channel.loss;
        let chance = loss.next_chance(&mut self.bad_air, &mut self.dice);
        let spoilt =
            (spec.sealed || spec.channel.reliable) && self.dice.chance(spec.channel.corrupt);
        // However bad the air: what is tried a hundred times gets through once.
        let lost = spoilt || self.dice.chance(chance.min(0.99));
        if lost {
            fired.hit(if self.bad_air {
                Kind::LossBurst
            } else {
                Kind::Loss
            });
        }
        lost
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a jitter is at most a year of microseconds, not negative, and need not be exact"
    )]
    fn jitter(&mut self, spec: &LinkSpec, fired: &mut Fired) -> Micros {
        let scale = micros(spec.channel.jitter);
        if scale == 0 {
            return 0;
        }
        fired.hit(Kind::Jitter);
        let half = scale as f64 / 2.0;
        match spec.spread {
            Spread::Even => self.dice.below(scale + 1),
            Spread::Exponential => self.dice.exponential(half) as u64,
            Spread::Bell => (self.dice.normal().abs() * half) as u64,
        }
    }
}

fn airtime(bytes: usize, rate: u64, channel: &Channel) -> Micros {
    (bytes as u64)
        .saturating_add(channel.overhead)
        .saturating_mul(1_000_000)
        / rate.max(1)
}

fn micros(span: Duration) -> Micros {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
