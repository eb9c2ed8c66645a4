//! One run as a page: self-contained HTML, without scripts, without anything from the network.
//!
//! What is it: [`Report`], a verdict, numbers, the faults that fired, a delivery curve and a
//! timeline of contacts and messages as inline SVG, in the reader's light or dark. Who calls it:
//! `packmule sim run|replay|trace --report`. What can go wrong: names from plans of strangers;
//! everything that is text is escaped. Of large runs only a part is drawn, and the page says so.

mod curve;
mod lanes;
mod page;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::Outcome;
use crate::contacts::Contacts;
use crate::contacts::arrival::{Oracle, Start};
use crate::timeline::{Fate, Timeline};
use crate::trace::{TraceConfig, TraceResult};
use packmule_bus::time::Time;

/// What a page shows.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// A sentence below it.
    pub about: String,
    /// Promises that were broken, for people; none: all was kept.
    pub broken: Vec<String>,
    /// A name and a number, in order.
    pub numbers: Vec<(String, String)>,
    /// Which faults really happened, and how often.
    pub fired: BTreeMap<String, u64>,
    /// The run that is drawn.
    pub timeline: Timeline,
}

impl Report {
    /// A page on one run of a plan. `None` if the run was not asked for a timeline.
    #[must_use]
    pub fn of_run(about: &str, outcome: &Outcome) -> Option<Self> {
        let timeline = outcome.timeline.clone()?;
        let number = |name: &str, value: String| (name.to_owned(), value);
        Some(Self {
            title: format!("{}, seed {}", timeline.name, timeline.seed),
            about: about.to_owned(),
            broken: outcome
                .violations
                .iter()
                .map(|v| {
                    let node = v.node.as_deref().unwrap_or("everywhere");
                    format!("{}: {} ({node}, {})", v.kind, v.text, clock(v.at_ms))
                })
                .collect(),
            numbers: vec![
                number("messages", outcome.submitted.to_string()),
                number("delivered", outcome.delivered.to_string()),
                number("nodes", timeline.nodes.len().to_string()),
                number("contacts", timeline.contacts.len().to_string()),
                number("later than possible, mean", span(outcome.gap_s)),
                number("events", outcome.events.to_string()),
            ],
            fired: outcome.faults_fired.clone(),
            timeline,
        })
    }

    /// A page on the first replay of a trace, which must have been asked for its timeline. Adds
    /// when each message could have arrived at the earliest.
    #[must_use]
    pub fn of_trace(
        name: &str,
        contacts: &Contacts,
        config: &TraceConfig,
        result: &TraceResult,
    ) -> Option<Self> {
        let run = result.runs.first()?;
        let mut timeline = run.timeline.clone()?;
        timeline.contacts = lanes::spans(contacts);
        let oracle = Oracle::new(contacts);
        let index = |name: &str| contacts.nodes().iter().position(|node| node == name);
        for line in &mut timeline.messages {
            let (Some(from), Some(to)) = (index(&line.from), index(&line.to)) else {
                continue;
            };
            let start = Start {
                node: from as u32,
                at: Time::from_micros(line.born * 1000),
                bytes: line.bytes,
                rate: config.rate,
                until: Time::from_micros((line.born / 1000 + config.lasts_s) * 1_000_000),
            };
            let there = oracle.earliest(start, to as u32);
            line.earliest = there.map(|at| at.as_micros() / 1000);
        }
        let possible = timeline.messages.iter().filter(|m| m.earliest.is_some());
        let possible = possible.count();
        let range = |(least, most): (f64, f64)| format!("{least:.3} to {most:.3}");
        let number = |name: &str, value: String| (name.to_owned(), value);
        Some(Self {
            title: format!("Replay of {name}"),
            about: format!(
                "{} nodes, {} contacts, {} traffic seeds; drawn is seed {}.",
                result.nodes,
                result.contacts,
                result.seeds.len(),
                run.seed
            ),
            broken: Vec::new(),
            numbers: vec![
                number("delivery", format!("{:.4}", result.delivery)),
                number("of seeds", range(result.delivery_range)),
                number("overhead", format!("{:.2}", result.overhead)),
                number("median latency", span(result.median_latency_s)),
                number("created", run.created.to_string()),
                number("delivered", run.delivered.to_string()),
                number("whole crossing possible", possible.to_string()),
                number("resumed", run.resumed.to_string()),
                number("processor", format!("{:.2} s", result.cpu_s)),
            ],
            fired: BTreeMap::new(),
            timeline,
        })
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// Seconds from birth to arrival, ascending: what was, and what was possible.
    fn latencies(&self) -> (Vec<f64>, Vec<f64>) {
        let seconds = |born: u64, at: u64| at.saturating_sub(born) as f64 / 1000.0;
        let lines = &self.timeline.messages;
        let mut real: Vec<f64> = lines
            .iter()
            .filter_map(|m| Some(seconds(m.born, m.delivered_at?)))
            .collect();
        let mut possible: Vec<f64> = lines
            .iter()
            .filter_map(|m| Some(seconds(m.born, m.earliest?)))
            .collect();
        real.sort_by(f64::total_cmp);
        possible.sort_by(f64::total_cmp);
        (real, possible)
    }

    /// How many messages ended how.
    fn fates(&self) -> BTreeMap<&'static str, usize> {
        let mut fates = BTreeMap::new();
        for line in &self.timeline.messages {
            let name = match line.fate {
                Fate::Delivered => "delivered",
                Fate::Held => "held",
                Fate::Expired => "expired",
                Fate::Refused(_) => "refused",
                Fate::NeverAccepted => "never accepted",
                Fate::Lost => "lost",
            };
            *fates.entry(name).or_default() += 1;
        }
        fates
    }
}

/// A span of seconds for people.
fn span(seconds: f64) -> String {
    if seconds >= 5400.0 {
        format!("{:.1} h", seconds / 3600.0)
    } else if seconds >= 90.0 {
        format!("{:.1} min", seconds / 60.0)
    } else if seconds >= 1.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} ms", seconds * 1000.0)
    }
}

/// A moment of virtual time for people.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{h}:{m:02}:{s:02}.{:03}", ms % 1000)
}
