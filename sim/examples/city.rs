//! Replays half a day of a city and prints how it went, seed by seed.
//!
//! `cargo run --release -p packmule-sim --example city -- FILE [SEEDS]`

use std::path::PathBuf;

use packmule_sim::contacts::{Contacts, Limits};
use packmule_sim::trace::{Run, TraceConfig, replay_contacts};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let file = PathBuf::from(words.next().ok_or("which trace?")?);
    let seeds = words.next().map_or(Ok(5), |word| word.parse::<u64>())?;
    let mut config = TraceConfig::default();
    config.seeds = 1..1 + seeds;
    let contacts = Contacts::read(&file, &Limits::default())?;
    let mut tell = |run: &Run| {
        println!(
            "seed {}: delivery {:.4}, overhead {:.2}, median {:.0} s, control {} MB, cpu {:.2} s",
            run.seed,
            run.delivery,
            run.overhead,
            run.median_latency_s,
            run.control_bytes / 1_000_000,
            run.cpu_s,
        );
        println!(
            "        {} written, {} had no room, {} handed on, {} cut, {} gone on with, {} evicted",
            run.created, run.turned_away, run.relayed, run.aborted, run.resumed, run.evicted,
        );
    };
    let result = replay_contacts(&contacts, &config, &mut tell)?;
    println!(
        "mean: delivery {:.4} ({:.4} to {:.4}), overhead {:.2} ({:.2} to {:.2}), cpu {:.2} s",
        result.delivery,
        result.delivery_range.0,
        result.delivery_range.1,
        result.overhead,
        result.overhead_range.0,
        result.overhead_range.1,
        result.cpu_s,
    );
    Ok(())
}
