//! A channel as TOML writes it: milliseconds and bytes a second, every key optional.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Channel, Loss, PresetError};

/// A channel in a plan: a preset's name, or a table that may start from one.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Written(toml::Value);

impl TryFrom<Written> for Channel {
    type Error = PresetError;

    fn try_from(written: Written) -> Result<Self, PresetError> {
        match written.0 {
            toml::Value::String(name) => Self::preset(&name),
            toml::Value::Table(table) => Self::of_table(table),
            _ => Err(PresetError::Number {
                key: "channel",
                why: "is the name of a preset, or a table",
            }),
        }
    }
}

/// The keys of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Shape {
    name: String,
    about: String,
    connect_ms: f64,
    latency_ms: f64,
    jitter_ms: f64,
    bytes_per_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    back_bytes_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst_bytes: Option<u64>,
    mtu: Vec<usize>,
    overhead_bytes: u64,
    half_duplex: bool,
    turnaround_ms: f64,
    corrupt: f64,
    duplicate: f64,
    reorder: f64,
    reorder_ms: f64,
    reliable: bool,
    ordered: bool,
    one_way: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    life_ms: Option<f64>,
    loss: Loss,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            name: "custom".into(),
            about: String::new(),
            connect_ms: 0.0,
            latency_ms: 0.0,
            jitter_ms: 0.0,
            bytes_per_s: 1_000_000,
            back_bytes_per_s: None,
            burst_bytes: None,
            mtu: vec![65_535],
            overhead_bytes: 0,
            half_duplex: false,
            turnaround_ms: 0.0,
            corrupt: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_ms: 0.0,
            reliable: true,
            ordered: true,
            one_way: false,
            idle_ms: None,
            life_ms: None,
            loss: Loss::default(),
        }
    }
}

impl TryFrom<Shape> for Channel {
    type Error = PresetError;

    fn try_from(shape: Shape) -> Result<Self, PresetError> {
        let loss = shape.loss;
        for (key, share) in [
            ("loss.to_bad", loss.to_bad),
            ("loss.to_good", loss.to_good),
            ("loss.good", loss.good),
            ("loss.bad", loss.bad),
            ("corrupt", shape.corrupt),
            ("duplicate", shape.duplicate),
            ("reorder", shape.reorder),
        ] {
            if !(0.0..=1.0).contains(&share) {
                let why = "is a probability, from 0 to 1";
                return Err(PresetError::Number { key, why });
            }
        }
        let back = shape.back_bytes_per_s.unwrap_or(shape.bytes_per_s);
        for (key, rate) in [
            ("bytes_per_s", shape.bytes_per_s),
            ("back_bytes_per_s", back),
        ] {
            if !(1..=1_000_000_000_000).contains(&rate) {
                let why = "is from 1 to 10^12 bytes a second";
                return Err(PresetError::Number { key, why });
            }
        }
        if shape.mtu.is_empty() || shape.mtu.iter().any(|mtu| !(16..=16_777_216).contains(mtu)) {
            let why = "is a list of lengths, each from 16 to 16777216 bytes";
            return Err(PresetError::Number { key: "mtu", why });
        }
        for (key, ms) in [
            ("connect_ms", Some(shape.connect_ms)),
            ("latency_ms", Some(shape.latency_ms)),
            ("jitter_ms", Some(shape.jitter_ms)),
            ("turnaround_ms", Some(shape.turnaround_ms)),
            ("reorder_ms", Some(shape.reorder_ms)),
            ("idle_ms", shape.idle_ms),
            ("life_ms", shape.life_ms),
        ] {
            // A year is more than any channel waits, and far from what a float cannot hold.
            if ms.is_some_and(|ms| !(0.0..=31_622_400_000.0).contains(&ms)) {
                let why = "is from 0 ms to a year";
                return Err(PresetError::Number { key, why });
            }
        }
        Ok(shape.open())
    }
}

impl Shape {
    /// The channel of numbers that were checked.
    pub(super) fn open(self) -> Channel {
        let longest = self.mtu.iter().copied().max().unwrap_or(0) as u64;
        Channel {
            connect: span(self.connect_ms),
            latency: span(self.latency_ms),
            jitter: span(self.jitter_ms),
            turnaround: span(self.turnaround_ms),
            reorder_by: span(self.reorder_ms),
            idle: self.idle_ms.map(span),
            life: self.life_ms.map(span),
            name: self.name,
            about: self.about,
            rate: self.bytes_per_s,
            rate_back: self.back_bytes_per_s.unwrap_or(self.bytes_per_s),
            burst: self
                .burst_bytes
                .unwrap_or_else(|| longest.saturating_add(self.overhead_bytes)),
            mtu: self.mtu,
            overhead: self.overhead_bytes,
            half_duplex: self.half_duplex,
            loss: self.loss,
            corrupt: self.corrupt,
            duplicate: self.duplicate,
            reorder: self.reorder,
            reliable: self.reliable,
            ordered: self.ordered,
            one_way: self.one_way,
        }
    }
}

/// Milliseconds as whole microseconds.
fn span(ms: f64) -> Duration {
    Duration::from_micros((ms * 1000.0).round() as u64)
}

impl From<Channel> for Shape {
    fn from(channel: Channel) -> Self {
        let ms = |span: Duration| span.as_micros() as f64 / 1000.0;
        Self {
            name: channel.name,
            about: channel.about,
            connect_ms: ms(channel.connect),
            latency_ms: ms(channel.latency),
            jitter_ms: ms(channel.jitter),
            bytes_per_s: channel.rate,
            back_bytes_per_s: Some(channel.rate_back),
            burst_bytes: Some(channel.burst),
            mtu: channel.mtu,
            overhead_bytes: channel.overhead,
            half_duplex: channel.half_duplex,
            turnaround_ms: ms(channel.turnaround),
            corrupt: channel.corrupt,
            duplicate: channel.duplicate,
            reorder: channel.reorder,
            reorder_ms: ms(channel.reorder_by),
            reliable: channel.reliable,
            ordered: channel.ordered,
            one_way: channel.one_way,
            idle_ms: channel.idle.map(ms),
            life_ms: channel.life.map(ms),
            loss: channel.loss,
        }
    }
}
