//! What a gateway counts, and how that is told to Prometheus.
//!
//! What is it: [`Counters`], numbers that only grow, and [`Page`], which writes them with the
//! gauges of the moment in Prometheus' text format. Who calls it: the office counts, `/metrics`
//! writes. What can go wrong: nothing. No label names a person: reasons and doors only.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

/// Seconds up to which answers are counted together.
const STEPS: [f64; 8] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

macro_rules! counted {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Count { $($(#[doc = $doc])+ $name,)+ }

        impl Count {
            const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its family and labels, and what it means.
            const fn told(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($text, concat!($($doc),+)),)+ }
            }
        }
    };
}

counted! {
    /// Messages that came over HTTP.
    ByHttp = "packmule_received_total{door=\"http\"}";
    /// Messages that came over WebSocket.
    BySocket = "packmule_received_total{door=\"websocket\"}";
    /// Messages that came over a link of the node.
    ByLink = "packmule_received_total{door=\"link\"}";
    /// Messages that waited at a mediator.
    ByUplink = "packmule_received_total{door=\"uplink\"}";
    /// Messages that were dropped on the page.
    ByPage = "packmule_received_total{door=\"page\"}";
    /// Copies of held messages that visitors took along.
    Copied = "packmule_copied_total";
    /// Messages pushed to a live connection.
    Pushed = "packmule_pushed_total";
    /// Messages taken on to be carried for others.
    Carried = "packmule_carried_total";
    /// Messages of accounts nearby that were given to the node too.
    NearGiven = "packmule_near_total{what=\"given\"}";
    /// Messages that accounts nearby took from the node.
    NearTaken = "packmule_near_total{what=\"taken\"}";
    /// Answers that went back on the way the question came.
    AnsweredHere = "packmule_answers_total{way=\"back\"}";
    /// Answers that went into a mailbox.
    AnsweredBox = "packmule_answers_total{way=\"mailbox\"}";
    /// Answers that were given to the node.
    AnsweredNode = "packmule_answers_total{way=\"node\"}";
    /// Answers for which there was no way.
    AnswerLost = "packmule_answers_total{way=\"none\"}";
    /// Times that a conversation was read more slowly.
    Paced = "packmule_paced_total";
    /// Messages refused: not to be opened or not to be believed.
    Unopened = "packmule_refused_total{reason=\"unopened\"}";
    /// Messages refused: for nobody here.
    NoRecipient = "packmule_refused_total{reason=\"no-recipient\"}";
    /// Messages refused: more than the visitor may send.
    TooMany = "packmule_refused_total{reason=\"too-many\"}";
    /// Messages refused: the sender is on the list of those turned away.
    Denied = "packmule_refused_total{reason=\"denied\"}";
    /// Messages refused: longer than is taken.
    TooLarge = "packmule_refused_total{reason=\"too-large\"}";
    /// Messages refused: a full mailbox or disk.
    Full = "packmule_refused_total{reason=\"full\"}";
    /// Operators' side asked for without the token.
    NoToken = "packmule_refused_total{reason=\"no-token\"}";
    /// Messages refused: a fault of ours.
    Fault = "packmule_refused_total{reason=\"fault\"}";
}

/// Numbers that only grow.
#[derive(Debug)]
pub struct Counters {
    counts: Vec<AtomicU64>,
    steps: [AtomicU64; STEPS.len() + 1],
    micros: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            counts: Count::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            steps: Default::default(),
            micros: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// One more.
    pub fn one(&self, what: Count) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&self, what: Count, more: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// How many so far.
    #[must_use]
    pub fn of(&self, what: Count) -> u64 {
        let count = self.counts.get(what as usize);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// What was counted, by family and label: `{"refused": {"full": 3, …}, "pushed": 7, …}`.
    #[must_use]
    pub fn values(&self) -> Value {
        let mut values = Map::new();
        for what in Count::ALL {
            let (series, _) = what.told();
            let (family, label) = series.split_once('{').unwrap_or((series, ""));
            let family = family.trim_start_matches("packmule_");
            let family = family.trim_end_matches("_total").to_owned();
            match label.split('"').nth(1) {
                Some(label) => {
                    let labels = values.entry(family).or_insert_with(|| json!({}));
                    labels[label] = self.of(*what).into();
                }
                None => drop(values.insert(family, self.of(*what).into())),
            }
        }
        Value::Object(values)
    }

    /// A message was answered for after this time.
    pub fn took(&self, time: Duration) {
        let step = STEPS.iter().position(|most| time.as_secs_f64() <= *most);
        if let Some(step) = self.steps.get(step.unwrap_or(STEPS.len())) {
            step.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Everything that was counted, as the beginning of a page.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut page = Page::default();
        for what in Count::ALL {
            let (series, help) = what.told();
            page.line(series, "counter", help.trim(), self.of(*what));
        }
        let name = "packmule_answer_seconds";
        page.head(name, "histogram", "Time until a message was answered for.");
        let mut below = 0;
        for (most, count) in STEPS.iter().zip(&self.steps) {
            below += count.load(Ordering::Relaxed);
            page.series(&format!("{name}_bucket{{le=\"{most}\"}}"), below);
        }
        if let Some(rest) = self.steps.last() {
            below += rest.load(Ordering::Relaxed);
        }
        page.series(&format!("{name}_bucket{{le=\"+Inf\"}}"), below);
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        page.series(&format!("{name}_sum"), seconds);
        page.series(&format!("{name}_count"), below);
        page
    }
}

/// A page in Prometheus' text format.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    family: String,
}

impl Page {
    /// A number that only grows, of somebody else's.
    pub fn counter(&mut self, series: &str, help: &str, value: impl Display) {
        self.line(series, "counter", help, value);
    }

    /// A number of this moment.
    pub fn gauge(&mut self, series: &str, help: &str, value: impl Display) {
        self.line(series, "gauge", help, value);
    }

    /// The whole text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, series: &str, kind: &str, help: &str, value: impl Display) {
        let family = series.split('{').next().unwrap_or_default();
        if family != self.family {
            self.head(family, kind, help);
        }
        self.series(series, value);
    }

    fn head(&mut self, family: &str, kind: &str, help: &str) {
        family.clone_into(&mut self.family);
        // Writing into a String does not fail.
        let _ = writeln!(self.text, "# HELP {family} {help}\n# TYPE {family} {kind}");
    }

    fn series(&mut self, series: &str, value: impl Display) {
        let _ = writeln!(self.text, "{series} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_a_place_of_its_own() {
        let counters = Counters::default();
        for (n, what) in Count::ALL.iter().enumerate() {
            counters.add(*what, n as u64 + 1);
        }
        for (n, what) in Count::ALL.iter().enumerate() {
            assert_eq!(counters.of(*what), n as u64 + 1, "{what:?}");
        }
    }

    #[test]
    fn values_are_found_by_family_and_label() {
        let counters = Counters::default();
        counters.add(Count::Full, 3);
        counters.add(Count::Pushed, 7);
        let values = counters.values();
        assert_eq!(values["refused"]["full"], 3);
        assert_eq!(values["refused"]["denied"], 0);
        assert_eq!(values["pushed"], 7);
        assert!(values["received"]["http"].is_u64());
    }

    #[test]
    fn a_family_has_one_head_and_its_series_follow_it() {
        let counters = Counters::default();
        counters.took(Duration::from_millis(2));
        counters.took(Duration::from_secs(9));
        let mut page = counters.page();
        page.gauge("packmule_accounts", "Accounts.", 3);
        let text = page.into_text();
        let mut families = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                families.push(rest.split(' ').next().unwrap().to_owned());
            } else if !line.starts_with('#') {
                let family = families.last().unwrap();
                assert!(line.starts_with(family.as_str()), "{line} after {family}");
                let (_, value) = line.rsplit_once(' ').unwrap();
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        let mut once = families.clone();
        once.dedup();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), families.len(), "{families:?}");
        assert!(text.contains("packmule_answer_seconds_bucket{le=\"0.0025\"} 1\n"));
        assert!(text.contains("packmule_answer_seconds_bucket{le=\"+Inf\"} 2\n"));
        assert!(text.ends_with("packmule_accounts 3\n"));
    }
}
