//! Many seeds of one plan, on all cores.
//!
//! What is it: [`run`], which replays a plan once for each seed and adds up what it saw. Who
//! calls it: `sim run`, tests. What can go wrong: a run breaks a promise; its scenario is shrunk
//! and kept. Which thread runs which seed changes nothing in the summary but the speed, unless
//! the run stops at the first find.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::book::Violation;
use crate::engine::{Outcome, replay};
use crate::marks::Fired;
use crate::plan::Plan;
use crate::scenario::{Bug, Scenario};
use crate::shrink::shrink;

/// Failing runs kept in a summary; the count goes on.
const KEPT: usize = 10;
/// Of them, those that are shrunk, and how long each may take: whoever waits wants to know.
const SHRUNK: usize = 3;
const SHRINKING: Duration = Duration::from_secs(60);

/// How a swarm runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Threads; 0: one for each core.
    pub threads: usize,
    /// Stop when one run has broken a promise.
    pub stop_at_first: bool,
    /// A bug put back into every bus.
    pub sabotage: Option<Bug>,
    /// Shrink failing runs, the first three, by at most so many runs and a minute each; 0: keep
    /// them as they are.
    pub shrink: u32,
    /// Hears of every failing run as soon as it has failed, before any is shrunk.
    pub failed: Option<fn(u64, &Violation)>,
}

/// What a swarm saw.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The plan.
    pub plan: String,
    /// Seeds that were run.
    pub seeds: u64,
    /// Runs in which a promise was broken.
    pub violations: u64,
    /// Which faults really happened, and how often.
    pub faults_fired: BTreeMap<String, u64>,
    /// Failing runs, by seed; the first few.
    pub failures: Vec<Failure>,
    /// Messages submitted.
    pub submitted: u64,
    /// Messages that their recipient's agent got.
    pub delivered: u64,
    /// Events.
    pub events: u64,
    /// Mean seconds between the earliest possible arrival and the real one.
    pub gap_s: f64,
    /// All runs' fingerprints, added up: the same seeds, the same number, on every machine.
    pub hash: u64,
    /// Wall-clock speed.
    pub seeds_per_s: f64,
}

/// A run that broke a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What it broke.
    pub violations: Vec<Violation>,
    /// The scenario, shrunk if that was asked for, for `sim replay`.
    pub scenario: Scenario,
}

/// Runs every seed.
#[must_use]
pub fn run(plan: &Plan, seeds: Range<u64>, options: &Options) -> Summary {
    let began = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if options.threads == 0 {
        cores
    } else {
        options.threads
    };
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let mut scenario = plan.scenario(seed);
                    scenario.sabotage = options.sabotage;
                    let outcome = guarded(&scenario);
                    if let Some(first) = outcome.violations.first() {
                        if options.stop_at_first {
                            stop.store(true, Ordering::Relaxed);
                        }
                        if let Some(failed) = options.failed {
                            failed(seed, first);
                        }
                    }
                    tally.add(seed, scenario, outcome);
                }
                if let Ok(mut total) = total.lock() {
                    total.merge(tally);
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_default();
    total.summary(plan, options, began.elapsed().as_secs_f64())
}

/// A panic in a bus is a broken promise like any other.
pub(crate) fn guarded(scenario: &Scenario) -> Outcome {
    let run = catch_unwind(AssertUnwindSafe(|| replay(scenario, false)));
    run.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            violations: vec![Violation {
                at_ms: 0,
                kind: "panic".to_owned(),
                node: None,
                text: text.unwrap_or_default(),
            }],
            ..Outcome::default()
        }
    })
}

#[derive(Default)]
struct Tally {
    seeds: u64,
    bad: BTreeMap<u64, (Vec<Violation>, Scenario)>,
    bad_count: u64,
    fired: Fired,
    submitted: u64,
    delivered: u64,
    events: u64,
    hash: u64,
    gap: f64,
}

impl Tally {
    #[expect(clippy::cast_precision_loss, reason = "a weight of a mean for people")]
    fn add(&mut self, seed: u64, scenario: Scenario, outcome: Outcome) {
        self.seeds += 1;
        self.fired.add(&outcome.fired);
        self.submitted += outcome.submitted;
        self.delivered += outcome.delivered;
        self.events += outcome.events;
        self.hash = self.hash.wrapping_add(outcome.hash ^ seed);
        self.gap += outcome.gap_s * outcome.delivered as f64;
        if !outcome.violations.is_empty() {
            self.bad_count += 1;
            self.bad.insert(seed, (outcome.violations, scenario));
            self.trim();
        }
    }

    fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.fired.add(&other.fired);
        self.submitted += other.submitted;
        self.delivered += other.delivered;
        self.events += other.events;
        self.hash = self.hash.wrapping_add(other.hash);
        self.gap += other.gap;
        self.bad_count += other.bad_count;
        self.bad.extend(other.bad);
        self.trim();
    }

    fn trim(&mut self) {
        while self.bad.len() > KEPT {
            self.bad.pop_last();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "means and speeds for people")]
    fn summary(self, plan: &Plan, options: &Options, seconds: f64) -> Summary {
        let failures =
            self.bad
                .into_iter()
                .enumerate()
                .map(|(n, (seed, (violations, scenario)))| Failure {
                    seed,
                    scenario: if options.shrink > 0 && n < SHRUNK {
                        shrink(&scenario, options.shrink, SHRINKING)
                    } else {
                        scenario
                    },
                    violations,
                });
        Summary {
            plan: plan.name.clone(),
            seeds: self.seeds,
            violations: self.bad_count,
            faults_fired: self.fired.by_name(),
            failures: failures.collect(),
            submitted: self.submitted,
            delivered: self.delivered,
            events: self.events,
            gap_s: self.gap / self.delivered.max(1) as f64,
            hash: self.hash,
            seeds_per_s: self.seeds as f64 / seconds.max(1e-9),
        }
    }
}
