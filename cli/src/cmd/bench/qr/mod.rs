//! `packmule bench qr`: how good the codes are, without a camera at hand.
//!
//! Three things. How many frames a reader needs beyond the least that could do, by losses; how long
//! drawing and finding a code takes on this machine; and how many bytes a second cross a modelled
//! camera. Nothing is published or stored. What can go wrong: nothing but a fault of ours.

mod efficiency;
mod shutter;

use std::time::Instant;

use packmule_bus::Envelope;
use packmule_transports::qr::{Frames, Grey, Profile, Show, scan_quickly, show};
use serde_json::{Value, json};

use crate::args::{BenchQrArgs, Globals};
use crate::fault::Fault;
use crate::ui::output::Report;

/// Bytes that byte mode holds of each profile's version at level L (ISO/IEC 18004 table 7).
const BYTE_MODE: [(Profile, usize); 4] = [
    (Profile::Robust, 520),
    (Profile::Normal, 1273),
    (Profile::Fast, 1732),
    (Profile::Max, 2953),
];

/// Codes that are drawn and scanned to time both.
const TIMED: u32 = 20;

/// Measures.
pub(super) fn run(globals: &Globals, args: &BenchQrArgs) -> Result<Report, Fault> {
    let say = |what: &str| {
        if !globals.quiet && !globals.json {
            eprintln!("{what}");
        }
    };
    say("frames needed, by losses");
    let efficiency = efficiency::measure(args.seeds)?;
    say("drawing and finding codes");
    let mut profiles = Vec::new();
    for (profile, bytes) in BYTE_MODE {
        profiles.push(timed(profile, bytes)?);
    }
    say("bytes through a modelled camera");
    let throughput = shutter::measure()?;
    let mut text = efficiency::text(&efficiency);
    text.push_str("\nprofile  symbol  of byte mode  drawn in  found in\n");
    for row in &profiles {
        text.push_str(&format!(
            "{:<8} {:>6} {:>11.1} % {:>6.2} ms {:>6.1} ms\n",
            row["profile"].as_str().unwrap_or_default(),
            row["symbol_bytes"],
            row["useful"].as_f64().unwrap_or_default() * 100.0,
            row["draw_ms"].as_f64().unwrap_or_default(),
            row["scan_ms"].as_f64().unwrap_or_default(),
        ));
    }
    text.push('\n');
    text.push_str(&shutter::text(&throughput));
    Ok(Report::new(
        text.trim_end(),
        json!({
            "seeds": args.seeds,
            "efficiency": efficiency.iter().map(efficiency::Cell::json).collect::<Vec<_>>(),
            "profiles": profiles,
            "throughput": throughput.iter().map(shutter::Row::json).collect::<Vec<_>>(),
        }),
    ))
}

/// The frames of a message that does not compress.
fn frames(bytes: usize, profile: Profile) -> Result<Box<Frames>, Fault> {
    let byte = {
        let mut state = 1u64;
        move |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        }
    };
    let body: Vec<u8> = (0..bytes).map(byte).collect();
    match show(&Envelope::from_packed(&body)?, profile)? {
        Show::Frames(frames) => Ok(frames),
        Show::Single(_) => Err(Fault::usage("too short to be shown in frames")),
    }
}

fn timed(profile: Profile, byte_mode: usize) -> Result<Value, Fault> {
    let frames = frames(100_000, profile)?;
    let began = Instant::now();
    let mut pictures = Vec::new();
    for n in 0..TIMED {
        pictures.push(frames.picture(n)?);
    }
    let draw = began.elapsed().as_secs_f64() * 1000.0 / f64::from(TIMED);
    let mut seen = Vec::new();
    for picture in &pictures {
        seen.push(shutter::flat(picture)?);
    }
    let began = Instant::now();
    let read = seen
        .iter()
        .filter(|seen: &&Grey| scan_quickly(seen).len() == 1)
        .count();
    let scan = began.elapsed().as_secs_f64() * 1000.0 / f64::from(TIMED);
    Ok(json!({
        "profile": profile.to_string(),
        "version": profile.version(),
        "codes_per_second": profile.codes_per_second(),
        "symbol_bytes": profile.symbol_bytes(),
        "byte_mode_bytes": byte_mode,
        "useful": profile.symbol_bytes() as f64 / byte_mode as f64,
        "draw_ms": draw,
        "scan_ms": scan,
        "read": read,
        "of": TIMED,
    }))
}
