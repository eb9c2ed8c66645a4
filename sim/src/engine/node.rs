//! A node: a real bus, a simulated disk, clocks that are wrong, a life that may end at any
//! output.

use std::collections::BTreeMap;
use std::time::Duration;

use packmule_bus::bus::io::{Input, LinkId, Output};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::depot::{Backoff, Policy, Quotas};
use packmule_bus::link::Way;
use packmule_bus::time::{Now, Time};

use super::crowd::Crowd;
use super::mallory::Mallory;
use super::{Ev, Sim};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::keys::Signer;
use crate::marks::Kind;
use crate::medium::End;
use crate::scenario::{Bug, NodeSpec, Scenario};
use crate::world::Micros;

/// Posix seconds when every run begins.
pub(super) const EPOCH: u64 = 1_800_000_000;

/// Somebody who takes part.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) spec: NodeSpec,
    pub(super) signer: Signer,
    pub(super) secret: [u8; 32],
    pub(super) links: BTreeMap<LinkId, (usize, End)>,
    /// Links whose other end is dead, unknown to this one, and since when.
    pub(super) silent: BTreeMap<LinkId, Micros>,
    pub(super) next_link: u64,
    /// How often it was started; what was meant for an earlier life is not heard.
    pub(super) life: u32,
    pub(super) dice: Dice,
    pub(super) body: Body,
}

pub(super) enum Body {
    Honest(Box<Honest>),
    Mallory(Box<Mallory>),
}

/// What the checkers may read: each node's disk; mallory has none.
pub(super) fn disks(nodes: &[Node]) -> Vec<Option<&Disk>> {
    nodes
        .iter()
        .map(|node| match &node.body {
            Body::Honest(honest) => Some(&honest.disk),
            Body::Mallory(_) => None,
        })
        .collect()
}

pub(super) struct Honest {
    pub(super) bus: Option<Bus>,
    pub(super) disk: Disk,
    pub(super) ahead_s: i64,
    /// The power goes at this output from now.
    pub(super) doom: Option<(u32, Dark)>,
    timer: Option<Micros>,
    /// Timeouts at one moment: a bus that asks for one again and again is spinning.
    spins: (Micros, u32),
    /// Turns taken: memory is looked at now and then.
    heard: u64,
    pub(super) crowd: Crowd,
    /// Whatever waits to be let go of: mailbox letters by number, and since when.
    pub(super) settles: BTreeMap<u64, Micros>,
}

/// How the power goes.
#[derive(Clone, Copy)]
pub(super) struct Dark {
    pub(super) down: Micros,
    /// On links that lose PDUs nobody notices.
    pub(super) unnoticed: bool,
    /// On reliable links nobody notices.
    pub(super) silent: bool,
}

impl Node {
    pub(super) fn new(spec: &NodeSpec, scenario: &Scenario) -> Self {
        let name = spec.name.clone();
        let dice = Dice::new(scenario.seed, &name, "life");
        let mut keys = Dice::new(scenario.seed, &name, "key");
        let body = if spec.mallory {
            Body::Mallory(Box::default())
        } else {
            Body::Honest(Box::new(Honest {
                bus: None,
                disk: Disk::new(
                    spec.disk_bytes,
                    micros(spec.sync_ms),
                    Dice::new(scenario.seed, &name, "disk"),
                ),
                ahead_s: spec.ahead_s,
                doom: None,
                timer: None,
                spins: (0, 0),
                heard: 0,
                crowd: Crowd::default(),
                settles: BTreeMap::new(),
            }))
        };
        Self {
            signer: Signer::of(&name, scenario.seed),
            secret: keys.key(),
            links: BTreeMap::new(),
            silent: BTreeMap::new(),
            next_link: 0,
            life: 0,
            spec: spec.clone(),
            name,
            dice,
            body,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        match &self.body {
            Body::Honest(honest) => honest.bus.is_some(),
            Body::Mallory(_) => true,
        }
    }

    pub(super) fn honest(&mut self) -> Option<&mut Honest> {
        match &mut self.body {
            Body::Honest(honest) => Some(honest),
            Body::Mallory(_) => None,
        }
    }

    /// What its clocks say.
    pub(super) fn clocks(&self, now: Micros) -> Now {
        let local = skewed(now, self.spec.skew_ppm);
        let ahead = match &self.body {
            Body::Honest(honest) => honest.ahead_s,
            Body::Mallory(_) => 0,
        };
        Now {
            time: Time::from_micros(local),
            wall: (EPOCH + local / 1_000_000).saturating_add_signed(ahead),
        }
    }

    fn config(&mut self, scenario: &Scenario) -> Config {
        let quota = &self.spec.quota;
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let mut config = Config::new(self.secret, self.dice.key());
        config.depot.quotas = Quotas {
            total_bytes: quota.total_bytes,
            total_count: count(quota.total_count),
            strangers_bytes: quota.strangers_bytes,
            per_stranger_bytes: quota.per_stranger_bytes,
            per_stranger_count: count(quota.per_stranger_count),
            max_message: quota.max_message,
        };
        config.depot.policy = Policy {
            carry_for_strangers: self.spec.carries,
            copies: self.spec.copies,
            ..config.depot.policy
        };
        config.depot.retry = Backoff {
            first: Duration::from_millis(500),
            factor: 2.0,
            max: Duration::from_secs(8),
            jitter: 0.2,
        };
        config.depot.receipts_kept = count(self.spec.receipts);
        config.depot.mailboxes = vec!["post".to_owned()];
        config.body_cache = 64 << 10;
        config.arriving = 1 << 20;
        config.ahead = 256 << 10;
        config.partial_checkpoint = 16 << 10;
        config.sabotage = Bug::flags(scenario.sabotage);
        config
    }
}

impl Sim<'_> {
    /// A node starts, from what its disk has.
    pub(super) fn boot(&mut self, n: usize) {
        let now = self.world.now();
        let ways = self.ways();
        let scenario = self.scenario;
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        node.life += 1;
        let (clocks, config) = (node.clocks(now), node.config(scenario));
        let tag = node.signer.tag();
        if let Body::Honest(honest) = &mut node.body {
            honest.timer = None;
            honest.settles.clear();
            let records: Vec<_> = honest.disk.records().cloned().collect();
            honest.bus = Some(Bus::restore(records, config, clocks));
            self.book.is_up(now, n);
            self.feed(n, Input::Identity(vec![tag]));
            for (other, to, ways) in ways {
                if other != n {
                    self.feed(n, Input::Ways(to, ways));
                }
            }
            self.look_soon(n);
        }
        self.links_of_the_reborn(n);
    }

    fn ways(&self) -> Vec<(usize, packmule_bus::label::DidTag, Vec<Way>)> {
        let way = |node: &Node, kind: &str| Way::parse(&format!("{kind}:{}", node.name));
        let nodes = self.nodes.iter().enumerate();
        nodes
            .map(|(n, node)| {
                let post = (!node.spec.mailbox.is_empty())
                    .then(|| way(node, "post"))
                    .flatten();
                let ways = way(node, "sim").into_iter().chain(post).collect();
                (n, node.signer.tag(), ways)
            })
            .collect()
    }

    /// The power goes: what was not durable is gone.
    pub(super) fn crash(&mut self, n: usize, dark: Dark) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let Some(honest) = node.honest().filter(|honest| honest.bus.is_some()) else {
            return;
        };
        honest.bus = None;
        honest.doom = None;
        honest.crowd.clear();
        let made_it = honest.disk.crash(now, &mut self.fired);
        // Whatever was to be heard in this life is not.
        node.life += 1;
        node.silent.clear();
        self.fired.hit(Kind::Crash);
        self.book.is_down(now, n);
        for write in made_it {
            self.landed(n, &write);
        }
        self.links_of_the_dead(n, dark);
        self.world.after(dark.down.max(1), Ev::Boot(n));
    }

    /// What was meant for a life that is over is not heard.
    pub(super) fn feed_in(&mut self, n: usize, life: u32, input: Input) {
        if self.nodes.get(n).is_some_and(|node| node.life == life) {
            self.feed(n, input);
        }
    }

    /// A node's bus is given these, and it does what follows.
    pub(super) fn give(&mut self, n: usize, inputs: Vec<Input>) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let clocks = node.clocks(now);
        if node.spec.skew_ppm != 0 {
            self.fired.hit(Kind::ClockSkew);
        }
        let honest = match &mut node.body {
            Body::Honest(honest) => honest,
            Body::Mallory(_) => {
                for input in inputs {
                    self.mallory_hears(n, input);
                }
                return;
            }
        };
        let Some(bus) = &mut honest.bus else {
            return;
        };
        let outputs: Vec<Output> = bus.handle_all(clocks, inputs).collect();
        honest.heard += 1;
        if honest.heard.is_multiple_of(32) {
            let memory = bus.memory();
            self.book.memory(now, n, memory, node.links.len());
        }
        let count = outputs.len();
        for (at, output) in outputs.into_iter().enumerate() {
            if self.doomed(n) {
                if at > 0 && at < count {
                    self.fired.hit(Kind::CrashMidOutput);
                }
                return;
            }
            self.carry_out(n, output);
        }
        self.set_timer(n);
    }

    /// Counts an output down; at the last one the power goes.
    fn doomed(&mut self, n: usize) -> bool {
        let Some(honest) = self.nodes.get_mut(n).and_then(Node::honest) else {
            return false;
        };
        match honest.doom {
            Some((0, dark)) => {
                self.crash(n, dark);
                true
            }
            Some((left, dark)) => {
                honest.doom = Some((left - 1, dark));
                false
            }
            None => false,
        }
    }

    fn set_timer(&mut self, n: usize) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let (life, skew) = (node.life, node.spec.skew_ppm);
        let Some(honest) = node.honest() else {
            return;
        };
        let Some(deadline) = honest.bus.as_ref().and_then(Bus::deadline) else {
            return;
        };
        let at = unskewed(deadline.as_micros(), skew).max(now);
        if honest.timer.is_none_or(|timer| at < timer) {
            honest.timer = Some(at);
            self.world.at(at, Ev::Timer(n, life, at));
        }
    }

    pub(super) fn timer(&mut self, n: usize, life: u32, at: Micros) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.life == life) else {
            return;
        };
        let clocks = node.clocks(now);
        let Some(honest) = node.honest().filter(|honest| honest.timer == Some(at)) else {
            return self.mallory_timer(n, at);
        };
        honest.timer = None;
        let due = honest.bus.as_ref().and_then(Bus::deadline);
        if due.is_none_or(|due| due > clocks.time) {
            return self.set_timer(n);
        }
        honest.spins = match honest.spins {
            (when, count) if when == now => (when, count + 1),
            _ => (now, 1),
        };
        if honest.spins.1 > 1000 {
            return self.accuse("spin", n, "asks for a timeout again and again".to_owned());
        }
        self.feed(n, Input::Timeout);
    }
}

/// What a clock that runs too fast says.
fn skewed(now: Micros, ppm: i32) -> Micros {
    let rate = 1_000_000_i64 + i64::from(ppm);
    let wide = u128::from(now) * u128::from(rate.unsigned_abs());
    u64::try_from(wide / 1_000_000).unwrap_or(u64::MAX)
}

/// When such a clock will say this.
fn unskewed(local: Micros, ppm: i32) -> Micros {
    let rate = u128::from((1_000_000_i64 + i64::from(ppm)).unsigned_abs().max(1));
    let wide = (u128::from(local) * 1_000_000).div_ceil(rate);
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn micros(millis: f64) -> Micros {
    (millis * 1000.0) as Micros
}
