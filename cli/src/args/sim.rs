//! The simulator: `sim run|replay|trace|link|presets|plans`.
//!
//! Who calls it: `cmd/sim`. What can go wrong: see [`super`].

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::ui::time::parse_span;

/// `sim`
#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    pub(crate) verb: SimVerb,
}

/// What to simulate.
#[derive(Debug, Subcommand)]
pub(crate) enum SimVerb {
    /// Run a plan once for each seed, on all cores, and check every promise at every step
    Run(SimRunArgs),
    /// Run one scenario again, as a failing run saved it
    Replay(SimReplayArgs),
    /// Replay a contact trace (The ONE, ION contact plan, timetable) against the real depot
    Trace(SimTraceArgs),
    /// Make a local TCP connection behave like a channel, for tests in any language
    Link(SimLinkArgs),
    /// Play PN532 NFC chips on serial lines, all in one field, for libnfc, nfcpy and the like
    Nfc(SimNfcArgs),
    /// List the channels that are described, or show one with the source of each number
    Presets {
        /// The preset
        name: Option<String>,
    },
    /// List the plans that come with the simulator
    Plans,
}

/// `sim run`
#[derive(Args, Debug)]
pub(crate) struct SimRunArgs {
    /// A plan's file, or the name of one that comes with the simulator
    #[arg(value_name = "PLAN.toml|NAME")]
    pub(crate) plan: PathBuf,
    /// Which seeds: one, or from A to below B
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, default_value = "0..100")]
    pub(crate) seeds: Range<u64>,
    /// Write a page on one run: the first that broke a promise, or else the first
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// How many runs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Go on after the first run that broke a promise
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Save failing scenarios in this directory (made if missing) [default: here]
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
    /// Runs spent on making a failing scenario small, for the first three and a minute each; 0:
    /// leave it as it is
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) shrink: u32,
}

/// `sim replay`
#[derive(Args, Debug)]
pub(crate) struct SimReplayArgs {
    /// The scenario
    pub(crate) file: PathBuf,
    /// Leave out everything that begins after this much virtual time: 90s, 15m, 12h
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) until: Option<u64>,
    /// Write a page on it
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

/// `sim trace`
#[derive(Args, Debug)]
pub(crate) struct SimTraceArgs {
    /// The contacts; may be compressed by zstd
    pub(crate) file: PathBuf,
    /// Which traffic seeds: one, or from A to below B
    #[arg(long, value_name = "A..B", value_parser = parse_seeds, default_value = "1..2")]
    pub(crate) seeds: Range<u64>,
    /// Write a page on the first replay
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// What a node can hold
    #[arg(long, value_name = "BYTES", default_value_t = 5_000_000)]
    pub(crate) buffer: u64,
    /// Bytes a second of contacts that do not say
    #[arg(long, value_name = "BYTES", default_value_t = 250_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: u64,
    /// Copies of a message in the world
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) copies: Option<u16>,
    /// Begin a message anew when its contact ended before its last byte
    #[arg(long)]
    pub(crate) no_resume: bool,
    /// Let offers, answers, receipts and handshakes cost nothing
    #[arg(long)]
    pub(crate) free_control: bool,
}

/// `sim link`
#[derive(Args, Debug)]
pub(crate) struct SimLinkArgs {
    /// The channel: a preset's name, or a file that describes one
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(crate) preset: String,
    /// Where clients connect; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: SocketAddr,
    /// The server behind it
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) to: SocketAddr,
    /// Decides jitter, losses and how long connections live
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Lose this share of PDUs instead, evenly (a stream's bytes come late, not never)
    #[arg(long, value_name = "SHARE")]
    pub(crate) loss: Option<f64>,
    /// End after this time [default: when interrupted]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) duration: Option<u64>,
}

/// `sim nfc`
#[derive(Args, Debug)]
pub(crate) struct SimNfcArgs {
    /// How many chips
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=26))]
    pub(crate) chips: u8,
    /// Where the links to their lines go, pn532-a and so on (made if missing)
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A sticker in the field: ntag213, ntag215 or ntag216 (may be given several times)
    #[arg(long, value_name = "KIND")]
    pub(crate) tag: Vec<String>,
    /// How fast the air is, in kbit/s: 106, 212, 424 or 848 [default: it takes no time]
    #[arg(long, value_name = "KBIT")]
    pub(crate) rate: Option<u32>,
    /// Lose the field after so many exchanges, from A to below B, again and again
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    pub(crate) breaks: Option<Range<u64>>,
    /// Let cards misbehave: ats0, nad, mi-error, garbage or wrong-echo
    #[arg(long, value_name = "FAULT")]
    pub(crate) rogue: Option<String>,
    /// Decides when the field is lost
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// End after this time [default: when interrupted]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) duration: Option<u64>,
}

/// `A..B`, or one number.
fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        text.replace('_', "")
            .parse::<u64>()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    let range = match text.split_once("..") {
        Some((from, to)) => number(from)?..number(to)?,
        None => {
            let one = number(text)?;
            one..one.saturating_add(1)
        }
    };
    if range.is_empty() {
        return Err("no seeds: the second number is the first one that is left out".into());
    }
    Ok(range)
}
