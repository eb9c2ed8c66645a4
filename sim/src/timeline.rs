//! What happened in one run, as data: for reports, for people, for other programs.
//!
//! What is it: plain values with serde. Who calls it: the engine fills one, the HTML report and
//! `sim replay --json` read it. What can go wrong: nothing; a run that was not asked for a
//! timeline has none. All times are milliseconds of virtual time since the run began.

use serde::{Deserialize, Serialize};

/// One run, drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The scenario's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// When the run ended.
    pub ends_ms: u64,
    /// From when on no fault was started.
    pub calm_ms: u64,
    /// Who took part, in the order of the plan.
    pub nodes: Vec<NodeLine>,
    /// When who could talk to whom.
    pub contacts: Vec<ContactSpan>,
    /// What became of every message, in the order of birth.
    pub messages: Vec<MessageLine>,
    /// Everything else worth a mark, in order.
    pub events: Vec<Mark>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLine {
    /// Its name.
    pub name: String,
    /// `honest` or `mallory`.
    pub role: String,
    /// When it was not running: pairs of (from, to).
    pub down: Vec<(u64, u64)>,
}

/// A time window in which a link existed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactSpan {
    /// Who opened it.
    pub a: String,
    /// The other end.
    pub b: String,
    /// The link's name in the plan.
    pub link: String,
    /// When it was up.
    pub from: u64,
    /// When it ended.
    pub to: u64,
    /// Bytes that it carried, both ways.
    pub bytes: u64,
}

/// A message's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageLine {
    /// Its number in the scenario.
    pub id: usize,
    /// Who wrote it.
    pub from: String,
    /// For whom.
    pub to: String,
    /// Its length in bytes, packed.
    pub bytes: u64,
    /// When it was submitted.
    pub born: u64,
    /// Each time that a node made it durable.
    pub hops: Vec<Hop>,
    /// When the recipient's agent had it.
    pub delivered_at: Option<u64>,
    /// When it could have been there at the earliest, by the contacts alone.
    pub earliest: Option<u64>,
    /// How it ended.
    pub fate: Fate,
}

/// A node made a message durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Whence it came.
    pub from: String,
    /// Who has it now too.
    pub to: String,
    /// When.
    pub at: u64,
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The recipient's agent has it.
    Delivered,
    /// Somebody honest, or its origin, still holds it.
    Held,
    /// Its time was over.
    Expired,
    /// Refused, with the reason.
    Refused(String),
    /// Its origin was cut off before it had promised anything.
    NeverAccepted,
    /// None of these: a violation.
    Lost,
}

/// A moment worth a mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: u64,
    /// Where, if at one node.
    pub node: Option<String>,
    /// What kind: the name of a fault, `violation`, `delivered` …
    pub kind: String,
    /// For people.
    pub text: String,
}
