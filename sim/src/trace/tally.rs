//! Sums over messages and replays, as The ONE's MessageStatsReport defines them.

use std::time::Duration;

use super::{Run, TraceResult};
use crate::contacts::Contacts;

/// Processor time of this thread.
pub(super) fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(spent.tv_nsec).unwrap_or(0))
}

impl Run {
    /// Fills in what follows from the counts.
    pub(super) fn settle(mut self) -> Self {
        self.latencies_s.sort_by(f64::total_cmp);
        self.delivery = share(self.delivered, self.created);
        self.overhead = share(self.relayed.saturating_sub(self.delivered), self.delivered);
        self.median_latency_s = quantile(&self.latencies_s, 0.5);
        self
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// A quantile of ascending numbers; zero of none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Means and ranges.
pub(super) fn sum(contacts: &Contacts, runs: Vec<Run>) -> TraceResult {
    let mean = |of: fn(&Run) -> f64| {
        let all: f64 = runs.iter().map(of).sum();
        all / runs.len().max(1) as f64
    };
    let range = |of: fn(&Run) -> f64| {
        let least = runs.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = runs.iter().map(of).fold(0.0, f64::max);
        (least, most)
    };
    TraceResult {
        delivery: mean(|run| run.delivery),
        overhead: mean(|run| run.overhead),
        median_latency_s: mean(|run| run.median_latency_s),
        cpu_s: mean(|run| run.cpu_s),
        delivery_range: range(|run| run.delivery),
        overhead_range: range(|run| run.overhead),
        nodes: contacts.nodes().len(),
        contacts: contacts.contacts().len(),
        seeds: runs.iter().map(|run| run.seed).collect(),
        runs,
    }
}
