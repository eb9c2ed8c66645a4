//! Random waypoint mobility: everybody walks to a random place, rests, walks on.
//!
//! Walks are straight, so the moments at which two come into range are roots of a quadratic:
//! contacts are exact, without time steps.

use std::time::Duration;

use packmule_bus::time::Time;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::{Contact, Contacts};

/// Who walks where, how fast, and how far they hear each other.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Waypoint {
    /// How many walk: 2 to 2,000.
    pub nodes: u32,
    /// Width and height of the area in metres.
    pub area_m: [f64; 2],
    /// Slowest and fastest walk in metres a second.
    pub speed_m_s: [f64; 2],
    /// Shortest and longest rest in seconds.
    pub pause_s: [f64; 2],
    /// How far a radio reaches, in metres.
    pub range_m: f64,
    /// How long they walk, in seconds: at most 30 days.
    pub duration_s: f64,
}

impl Default for Waypoint {
    /// Twenty people with phones for two hours on a fairground of 300 m.
    fn default() -> Self {
        Self {
            nodes: 20,
            area_m: [300.0, 300.0],
            speed_m_s: [0.5, 1.5],
            pause_s: [0.0, 120.0],
            range_m: 10.0,
            duration_s: 7200.0,
        }
    }
}

/// Why nobody walks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaypointError {
    /// A number that makes no walk.
    #[error("{key}: {why}")]
    Number {
        /// The key in the plan.
        key: &'static str,
        /// What it has to be.
        why: &'static str,
    },
    /// More walks or contacts than we compute.
    #[error("more than {0} walks or contacts: fewer nodes, a shorter time, a larger area")]
    TooMuch(usize),
}

/// Most walks, and most contacts.
const MOST: usize = 4_000_000;

/// A straight walk, or a rest: at `from` seconds here, moving so many metres a second.
#[derive(Clone, Copy)]
struct Leg {
    from: f64,
    to: f64,
    at: [f64; 2],
    velocity: [f64; 2],
}

impl Waypoint {
    /// The contacts of one seed.
    ///
    /// # Errors
    /// [`WaypointError`]: numbers that make no walk, or too many.
    pub fn contacts(&self, seed: u64) -> Result<Contacts, WaypointError> {
        self.check()?;
        let walks: Vec<Vec<Leg>> = (0..self.nodes)
            .map(|node| self.walk(seed, node))
            .collect::<Result<_, _>>()?;
        let mut contacts = Vec::new();
        for (a, first) in walks.iter().enumerate() {
            for (b, second) in walks.iter().enumerate().skip(a + 1) {
                self.meet((a as u32, first), (b as u32, second), &mut contacts);
                if contacts.len() > MOST {
                    return Err(WaypointError::TooMuch(MOST));
                }
            }
        }
        let nodes = (0..self.nodes).map(|node| node.to_string()).collect();
        Ok(Contacts::new(nodes, contacts))
    }

    fn check(&self) -> Result<(), WaypointError> {
        let number = |key, why| Err(WaypointError::Number { key, why });
        let rising = |[low, high]: [f64; 2], floor: f64, ceiling: f64| {
            floor <= low && low <= high && high <= ceiling
        };
        if !(2..=2000).contains(&self.nodes) {
            return number("nodes", "from 2 to 2000");
        }
        if self.area_m.iter().any(|side| !(1.0..=1e7).contains(side)) {
            return number("area_m", "two sides, each from 1 m to 10000 km");
        }
        if !rising(self.speed_m_s, 0.001, 10_000.0) {
            return number("speed_m_s", "slowest and fastest, from .001 to 10000");
        }
        if !rising(self.pause_s, 0.0, 1e7) {
            return number("pause_s", "shortest and longest, from 0");
        }
        if !(0.01..=1e7).contains(&self.range_m) {
            return number("range_m", "from 1 cm");
        }
        if !(0.0..=2_592_000.0).contains(&self.duration_s) {
            return number("duration_s", "from 0 to 30 days");
        }
        Ok(())
    }

    /// One node's walk. Each has a stream of its own, so that one more node moves nobody else.
    fn walk(&self, seed: u64, node: u32) -> Result<Vec<Leg>, WaypointError> {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(u64::from(node) + 1);
        let mut draw = |[low, high]: [f64; 2]| {
            let unit = (dice.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            low + (high - low) * unit
        };
        let [width, height] = self.area_m;
        let mut at = [draw([0.0, width]), draw([0.0, height])];
        let mut now = 0.0;
        let mut legs = Vec::new();
        while now < self.duration_s {
            let goal = [draw([0.0, width]), draw([0.0, height])];
            let speed = draw(self.speed_m_s);
            let pause = draw(self.pause_s);
            let way = [goal[0] - at[0], goal[1] - at[1]];
            let metres = (way[0] * way[0] + way[1] * way[1]).sqrt();
            let there = now + metres / speed;
            if there > now {
                let velocity = [way[0] / (there - now), way[1] / (there - now)];
                legs.push(Leg {
                    from: now,
                    to: there,
                    at,
                    velocity,
                });
            }
            now = there;
            at = goal;
            if pause > 0.0 {
                legs.push(Leg {
                    from: now,
                    to: now + pause,
                    at,
                    velocity: [0.0; 2],
                });
                now += pause;
            }
            if legs.len() > MOST / self.nodes as usize {
                return Err(WaypointError::TooMuch(MOST));
            }
        }
        Ok(legs)
    }

    /// Every window in which two walks are within range.
    fn meet(&self, (a, first): (u32, &[Leg]), (b, second): (u32, &[Leg]), out: &mut Vec<Contact>) {
        let (mut firsts, mut seconds) = (first.iter().peekable(), second.iter().peekable());
        let mut since: Option<f64> = None;
        let mut until = 0.0;
        while let (Some(p), Some(q)) = (firsts.peek(), seconds.peek()) {
            let end = p.to.min(q.to).min(self.duration_s);
            if let Some((near, far)) = self.near(p, q, p.from.max(q.from), end) {
                // Windows of neighbouring legs that touch are one contact.
                match since {
                    Some(_) if near <= until + 1e-6 => {}
                    Some(from) => {
                        out.push(window(a, b, from, until));
                        since = Some(near);
                    }
                    None => since = Some(near),
                }
                until = far;
            }
            if p.to <= q.to {
                firsts.next();
            } else {
                seconds.next();
            }
        }
        if let Some(from) = since {
            out.push(window(a, b, from, until));
        }
    }

    /// When, between two moments, two straight walks are within range: one window at most.
    fn near(&self, p: &Leg, q: &Leg, from: f64, to: f64) -> Option<(f64, f64)> {
        if from >= to {
            return None;
        }
        let place = |leg: &Leg, i: usize| leg.at[i] + leg.velocity[i] * (from - leg.from);
        let apart = [place(p, 0) - place(q, 0), place(p, 1) - place(q, 1)];
        let moves = [p.velocity[0] - q.velocity[0], p.velocity[1] - q.velocity[1]];
        // |apart + moves·t|² = range², for t after `from`.
        let a = moves[0] * moves[0] + moves[1] * moves[1];
        let b = apart[0] * moves[0] + apart[1] * moves[1];
        let c = apart[0] * apart[0] + apart[1] * apart[1] - self.range_m * self.range_m;
        if a < 1e-18 {
            return (c <= 0.0).then_some((from, to));
        }
        let root = (b * b - a * c).max(-1.0);
        if root < 0.0 {
            return None;
        }
        let root = root.sqrt();
        let near = ((-b - root) / a).max(0.0);
        let far = ((-b + root) / a).min(to - from);
        (near < far).then_some((from + near, from + far))
    }
}

fn window(a: u32, b: u32, from: f64, to: f64) -> Contact {
    let time = |s: f64| Time::default() + Duration::from_micros((s * 1e6).round() as u64);
    Contact::new(a, b, time(from), time(to))
}
