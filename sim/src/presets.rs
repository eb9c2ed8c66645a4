//! What a channel is like, as numbers: one TOML file for each kind in `sim/presets`.
//!
//! What is it: [`Channel`], the composition of latency, jitter, rate, MTU, loss and the other
//! ways in which a medium is not a wire; and the presets, each number with its source beside it
//! in the file. Who calls it: the simulated medium, the real-time proxy, plans (which name a
//! preset or change some of its numbers). What can go wrong: a file with a number that no
//! medium has; refused with the key's name.

mod shape;

use std::time::Duration;

use packmule_bus::link::LinkFacts;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// Burst loss as two states of the air (Gilbert 1960, Elliott 1963). Each PDU first moves the
/// state, then is lost by the state's chance. All four are probabilities.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loss {
    /// Chance that good air turns bad before a PDU.
    pub to_bad: f64,
    /// Chance that bad air turns good before a PDU.
    pub to_good: f64,
    /// Chance that a PDU is lost in good air.
    pub good: f64,
    /// Chance that a PDU is lost in bad air.
    pub bad: f64,
}

impl Loss {
    /// Moves the air, which is bad or not, before a PDU: the chance that this one is lost.
    pub(crate) fn next_chance(&self, bad_air: &mut bool, dice: &mut Dice) -> f64 {
        let turns = if *bad_air { self.to_good } else { self.to_bad };
        if dice.chance(turns) {
            *bad_air = !*bad_air;
        }
        if *bad_air { self.bad } else { self.good }
    }

    /// Independent loss with one chance.
    #[must_use]
    pub const fn even(chance: f64) -> Self {
        Self {
            to_bad: 0.0,
            to_good: 1.0,
            good: chance,
            bad: chance,
        }
    }

    /// The share of PDUs lost in the long run.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let moves = self.to_bad + self.to_good;
        if moves <= 0.0 {
            return self.good;
        }
        let bad = self.to_bad / moves;
        bad * self.bad + (1.0 - bad) * self.good
    }
}

/// What a channel is like. "Forth" is from the side that dialled.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "shape::Written", into = "shape::Shape")]
#[non_exhaustive]
pub struct Channel {
    /// The preset's name, or what the plan calls it.
    pub name: String,
    /// One line for people.
    pub about: String,
    /// From the first try until the first PDU may go: scanning, pairing, a tap, a handshake.
    pub connect: Duration,
    /// One way, from the last bit sent to the PDU handed over.
    pub latency: Duration,
    /// At most so much more, evenly spread.
    pub jitter: Duration,
    /// Bytes a second, forth, of PDUs and their [`Channel::overhead`].
    pub rate: u64,
    /// Bytes a second, back.
    pub rate_back: u64,
    /// Bytes that may go at once after silence: the depth of the token bucket.
    pub burst: u64,
    /// The longest PDU of the first connection, of the second, …; the last one stays.
    pub mtu: Vec<usize>,
    /// Bytes on the medium beside each PDU.
    pub overhead: u64,
    /// Only one side at a time.
    pub half_duplex: bool,
    /// What changing sides costs, if `half_duplex`.
    pub turnaround: Duration,
    /// PDUs that vanish.
    pub loss: Loss,
    /// Chance that a PDU arrives with a flipped bit.
    pub corrupt: f64,
    /// Chance that a PDU arrives twice.
    pub duplicate: f64,
    /// Chance that a PDU is held back.
    pub reorder: f64,
    /// How long it is held back.
    pub reorder_by: Duration,
    /// Every PDU arrives unchanged and once, or the link goes down. (Then `loss`, `corrupt` and
    /// `duplicate` are what the medium below mends, at the price of time.)
    pub reliable: bool,
    /// PDUs arrive in the order they were sent.
    pub ordered: bool,
    /// PDUs go forth only.
    pub one_way: bool,
    /// A connection without traffic ends after this.
    pub idle: Option<Duration>,
    /// The mean life of a connection, exponentially spread; none: until somebody ends it.
    pub life: Option<Duration>,
}

/// Why a channel's description was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// No preset has this name.
    #[error("no preset is called {name:?}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// It is not TOML, or not of this shape.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A number that no medium has.
    #[error("{key}: {why}")]
    Number {
        /// The key in the file.
        key: &'static str,
        /// What it has to be.
        why: &'static str,
    },
}

/// The files, by the name of the preset that each one describes first.
const FILES: [(&str, &str); 12] = [
    ("ble", include_str!("../presets/ble.toml")),
    ("clean", include_str!("../presets/clean.toml")),
    ("internet", include_str!("../presets/internet.toml")),
    ("lora", include_str!("../presets/lora.toml")),
    ("mail", include_str!("../presets/mail.toml")),
    ("nfc", include_str!("../presets/nfc.toml")),
    ("qr", include_str!("../presets/qr.toml")),
    ("satellite", include_str!("../presets/satellite.toml")),
    ("serial", include_str!("../presets/serial.toml")),
    ("stick", include_str!("../presets/stick.toml")),
    ("tcp-lan", include_str!("../presets/tcp-lan.toml")),
    ("wifi", include_str!("../presets/wifi.toml")),
];

impl Default for Channel {
    /// What a file without any key describes: 1 MB/s, reliable, nothing wrong, no latency.
    fn default() -> Self {
        shape::Shape::default().open()
    }
}

impl Channel {
    /// The preset with this name.
    ///
    /// # Errors
    /// [`PresetError::Unknown`], with the names that there are.
    pub fn preset(name: &str) -> Result<Self, PresetError> {
        let table = written(name).ok_or_else(|| PresetError::Unknown {
            name: name.to_owned(),
            known: Self::names().join(", "),
        })?;
        Self::of_table(table)
    }

    /// The names of all presets, sorted.
    #[must_use]
    pub fn names() -> Vec<String> {
        let mut names = Vec::new();
        for (name, text) in FILES {
            names.push(name.to_owned());
            if let Ok(file) = text.parse::<toml::Table>()
                && let Some(toml::Value::Table(variants)) = file.get("variant")
            {
                names.extend(variants.keys().map(|key| format!("{name}-{key}")));
            }
        }
        names.sort();
        names
    }

    /// The text of the file that describes a preset, with the source of each number.
    #[must_use]
    pub fn source(name: &str) -> Option<&'static str> {
        FILES
            .iter()
            .filter(|(file, _)| {
                name.strip_prefix(file)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
            .max_by_key(|(file, _)| file.len())
            .map(|(_, text)| *text)
    }

    /// Reads a description: all keys are optional, `like = "ble-185"` starts from a preset.
    ///
    /// # Errors
    /// [`PresetError`]: not TOML, an unknown key or preset, an impossible number.
    pub fn parse(text: &str) -> Result<Self, PresetError> {
        Self::of_table(text.parse()?)
    }

    /// The longest PDU of the `n`th connection, counted from 0.
    #[must_use]
    pub fn mtu_of(&self, n: usize) -> usize {
        let last = self.mtu.last().copied().unwrap_or(65_535);
        self.mtu.get(n).copied().unwrap_or(last)
    }

    /// What a session is told about the `n`th connection.
    #[must_use]
    pub fn facts(&self, n: usize) -> LinkFacts {
        LinkFacts {
            mtu: self.mtu_of(n),
            ordered: self.ordered,
            reliable: self.reliable,
            half_duplex: self.half_duplex,
            sealed: false,
            rate: u32::try_from(self.rate.min(self.rate_back)).ok(),
        }
    }

    fn of_table(mut table: toml::Table) -> Result<Self, PresetError> {
        if let Some(toml::Value::String(like)) = table.remove("like") {
            let mut base = written(&like).ok_or_else(|| PresetError::Unknown {
                name: like.clone(),
                known: Self::names().join(", "),
            })?;
            overlay(&mut base, table);
            table = base;
        }
        shape::Shape::deserialize(table)?.try_into()
    }
}

/// A preset as its file says it, with its name filled in.
fn written(name: &str) -> Option<toml::Table> {
    let (file, text) = FILES
        .iter()
        .filter(|(file, _)| {
            name.strip_prefix(file)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
        .max_by_key(|(file, _)| file.len())?;
    let mut table: toml::Table = text.parse().ok()?;
    let variants = table.remove("variant");
    if let Some(rest) = name.strip_prefix(file).and_then(|n| n.strip_prefix('-')) {
        match variants?.as_table()?.get(rest)? {
            toml::Value::Table(variant) => overlay(&mut table, variant.clone()),
            _ => return None,
        }
    }
    table.insert("name".into(), name.into());
    Some(table)
}

/// Later keys win.
fn overlay(base: &mut toml::Table, over: toml::Table) {
    base.extend(over);
}

#[cfg(test)]
mod tests;
