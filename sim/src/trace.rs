//! Replays a contact trace against the real depot, whole messages at a time.
//!
//! What is it: many nodes, each with a [`Depot`](packmule_bus::depot::Depot) of its own, and no
//! bytes: only lengths move, so that half a day of a city takes about a second. Who calls it:
//! `packmule sim trace`, and the test that holds us against The ONE's Spray-and-Wait. What can
//! go wrong: results depend on the traffic's seed; several are run, mean and range are told.
//!
//! Semantics are those of The ONE (Keränen, Ott, Kärkkäinen 2009) where it has any: a node sends
//! or receives one message at a time; a transfer ends with its contact; delivery probability is
//! delivered / created, overhead (relayed - delivered) / delivered, where every whole message
//! handed from node to node counts as relayed. Three things are ours: what came before a contact
//! ended is kept, takes room, and counts ([`TraceConfig::resume`]); receipts travel and purge
//! copies; and offers, receipts and handshakes are paid for on the link.

mod crowd;
mod person;
mod receipts;
mod story;
mod tally;
mod traffic;
mod transfer;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use packmule_bus::depot::{Policy, WhenFull};
use serde::Serialize;

use crate::contacts::{Contacts, ContactsError, Limits};
use crate::timeline::Timeline;
use crowd::Crowd;

pub(crate) use tally::quantile;

/// How a trace is replayed. The default is the traffic of The ONE's default scenario.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct TraceConfig {
    /// Traffic seeds: each is one replay.
    pub seeds: Range<u64>,
    /// Seconds between one message and the next, at least and at most.
    pub every_s: (f64, f64),
    /// Length of a message in bytes, at least and at most.
    pub bytes: (u64, u64),
    /// Seconds after which a message is worth nothing.
    pub lasts_s: u64,
    /// What a node can hold, in bytes: its own, carried, and partial messages.
    pub buffer: u64,
    /// Bytes a second of contacts that do not say.
    pub rate: u64,
    /// Copies of a message in the world, at most.
    pub copies: u16,
    /// Hops of a message, at most.
    pub hops: u8,
    /// What a node does when a stranger's message does not fit.
    pub full: WhenFull,
    /// What came before a contact ended is kept for the next one, as the bus does it.
    pub resume: bool,
    /// Offers, answers, receipts and handshakes cost time on the link.
    pub control: bool,
    /// Keep the story of the first replay, for a report.
    pub timeline: bool,
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            seeds: 1..6,
            every_s: (25.0, 35.0),
            bytes: (500_000, 1_000_000),
            lasts_s: 300 * 60,
            buffer: 5_000_000,
            rate: 250_000,
            copies: Policy::default().copies,
            hops: Policy::default().hops,
            full: Policy::default().full,
            resume: true,
            control: true,
            timeline: false,
        }
    }
}

/// What came of all replays.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct TraceResult {
    /// Delivered / created, mean of the replays.
    pub delivery: f64,
    /// (Relayed - delivered) / delivered, mean.
    pub overhead: f64,
    /// Seconds from creation to arrival of the middle message, mean.
    pub median_latency_s: f64,
    /// Processor seconds of one replay, mean; without reading the trace.
    pub cpu_s: f64,
    /// Least and greatest delivery.
    pub delivery_range: (f64, f64),
    /// Least and greatest overhead.
    pub overhead_range: (f64, f64),
    /// Nodes in the trace.
    pub nodes: usize,
    /// Contacts in the trace.
    pub contacts: usize,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Each replay.
    pub runs: Vec<Run>,
}

/// One replay.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// Of its traffic.
    pub seed: u64,
    /// Messages that somebody wrote.
    pub created: u64,
    /// Of them, for which there was no room at their own origin.
    pub turned_away: u64,
    /// Whole messages handed from node to node.
    pub relayed: u64,
    /// Messages whose recipient has them.
    pub delivered: u64,
    /// Transfers that a contact's end cut.
    pub aborted: u64,
    /// Transfers that went on where an earlier one was cut.
    pub resumed: u64,
    /// Carried bundles that made room.
    pub evicted: u64,
    /// Bytes of messages on the links, cut ones included.
    pub data_bytes: u64,
    /// Bytes of everything else on the links.
    pub control_bytes: u64,
    /// Delivered / created.
    pub delivery: f64,
    /// (Relayed - delivered) / delivered.
    pub overhead: f64,
    /// Of the delivered.
    pub median_latency_s: f64,
    /// Processor seconds.
    pub cpu_s: f64,
    /// Seconds from creation to arrival, ascending.
    #[serde(skip)]
    pub latencies_s: Vec<f64>,
    /// What happened, if it was asked for.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The trace.
    #[error(transparent)]
    Contacts(#[from] ContactsError),
    /// The trace or the traffic is none.
    #[error("{0}")]
    Nothing(&'static str),
}

/// Reads a trace and replays it, once for each traffic seed.
///
/// # Errors
/// [`TraceError`].
pub fn replay(path: &Path, config: &TraceConfig) -> Result<TraceResult, TraceError> {
    replay_contacts(
        &Contacts::read(path, &Limits::default())?,
        config,
        &mut |_| {},
    )
}

/// Replays contacts that are there already, as many at a time as there are processors; `done`
/// hears of each replay, in the order of the seeds.
///
/// # Errors
/// [`TraceError::Nothing`].
pub fn replay_contacts(
    contacts: &Contacts,
    config: &TraceConfig,
    done: &mut dyn FnMut(&Run),
) -> Result<TraceResult, TraceError> {
    if contacts.nodes().len() < 2 || contacts.contacts().is_empty() {
        return Err(TraceError::Nothing("the trace has no contacts"));
    }
    if config.seeds.is_empty() {
        return Err(TraceError::Nothing("no traffic seeds"));
    }
    if config.every_s.0 <= 0.0 || config.every_s.1 < config.every_s.0 {
        return Err(TraceError::Nothing("messages come no seconds apart"));
    }
    let seeds: Vec<u64> = config.seeds.clone().collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runs = Vec::new();
    for together in seeds.chunks(threads) {
        let batch: Vec<Run> = std::thread::scope(|scope| {
            let replays: Vec<_> = together
                .iter()
                .map(|seed| scope.spawn(|| replay_once(contacts, config, *seed)))
                .collect();
            let ended = replays.into_iter().map(std::thread::ScopedJoinHandle::join);
            ended.collect::<Result<_, _>>()
        })
        .map_err(|_| TraceError::Nothing("a replay broke off"))?;
        batch.iter().for_each(&mut *done);
        runs.extend(batch);
    }
    Ok(tally::sum(contacts, runs))
}

fn replay_once(contacts: &Contacts, config: &TraceConfig, seed: u64) -> Run {
    let before = tally::cpu();
    let keep = config.timeline && seed == config.seeds.start;
    let mut run = Crowd::new(contacts, config, seed, keep).run();
    run.cpu_s = tally::cpu().saturating_sub(before).as_secs_f64();
    run
}

/// The clock that nodes of a replay believe in begins here (posix seconds).
const EPOCH: u64 = 1_790_000_000;

/// Seconds as time after the start.
fn after(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6).max(0.0) as u64)
}
