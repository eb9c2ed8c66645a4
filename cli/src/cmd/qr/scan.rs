//! `packmule qr scan PATH…`: messages from whatever moves or stands before a camera.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use packmule_bus::fountain::{Partial, TransferId};
use packmule_node::Home;
use packmule_transports::qr::Hints;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::read::{accept, besides};
use crate::args::{Globals, QrScanArgs};
use crate::fault::Fault;
use crate::flow::scanning::{Gathered, Scan, Until};
use crate::flow::{files, partials, pictures};
use crate::ui::output::{Report, size};

/// Scans into a file, or into the home.
pub(super) fn run(globals: &Globals, args: &QrScanArgs) -> Result<Report, Fault> {
    match &args.out {
        Some(out) => into_file(globals, args, out),
        None => into_home(globals, args),
    }
}

fn scan<'a>(
    globals: &Globals,
    args: &'a QrScanArgs,
    held: &'a [Partial],
    until: Until,
) -> Scan<'a> {
    Scan {
        paths: &args.paths,
        held,
        hints: Hints {
            raw: args.raw,
            camera: args.camera_size,
        },
        threads: args.threads,
        until,
        quiet: globals.quiet || globals.json,
        stills: false,
        talk: None,
    }
}

/// Accepts what came as `qr read` does, and tells of frames besides.
fn into_home(globals: &Globals, args: &QrScanArgs) -> Result<Report, Fault> {
    // What has no end of its own ends when nothing more is to be expected.
    let endless = |path: &PathBuf| path == Path::new("-") || path.starts_with("/dev");
    let until = if args.paths.iter().any(endless) {
        Until::NothingLacks
    } else {
        Until::Exhausted
    };
    let gather = |home: &Home, held: &[Partial]| {
        scan(globals, args, held, until).run(&mut |unfinished| partials::keep(home, unfinished))
    };
    let (mut report, gathered) = accept(globals, args.keep_sealed, args.forget, gather)?;
    if let Value::Object(map) = &mut report.json {
        map.extend(contract(&gathered));
    }
    Ok(report)
}

/// Writes the first message that is whole.
fn into_file(globals: &Globals, args: &QrScanArgs, out: &Path) -> Result<Report, Fault> {
    let beside = beside(out)?;
    let held: Vec<Partial> = match fs::read(&beside) {
        Ok(bytes) if !args.forget => Partial::from_bytes(&bytes).into_iter().collect(),
        _ => Vec::new(),
    };
    let gathered = scan(globals, args, &held, Until::FirstMessage)
        .run(&mut |unfinished| keep(&beside, unfinished))?;
    let mut map = contract(&gathered);
    let tally = gathered.tally;
    map.insert("pictures".into(), json!(tally.pictures));
    map.insert("codes".into(), json!(tally.codes));
    map.insert("damaged".into(), json!(tally.damaged));
    map.insert("foreign".into(), json!(tally.foreign));
    map.insert("invitations".into(), json!(gathered.invitations));
    let json = Value::Object(map);
    if let Some(envelope) = gathered.envelopes.first() {
        let packed = envelope.to_json();
        files::write_whole(out, &packed)?;
        // Only now: killed before, the frames are still there.
        let _ = fs::remove_file(&beside);
        let text = format!("{} in {}", size(packed.len() as u64), out.display());
        return Ok(Report::new(text, json));
    }
    keep(&beside, &gathered.partials)?;
    Ok(Report::new(tell_unfinished(&gathered, &beside), json).exit(pictures::exit_of(&gathered)))
}

fn tell_unfinished(gathered: &Gathered, beside: &Path) -> String {
    let tally = gathered.tally;
    let mut lines = vec![format!(
        "no whole message in {} pictures: {} codes, {} foreign, {} damaged",
        tally.pictures, tally.codes, tally.foreign, tally.damaged
    )];
    lines.extend(besides(gathered));
    for transfer in &gathered.unfinished {
        lines.push(format!(
            "  incomplete: {} of {} frames; what was read is kept in {}",
            transfer.received,
            transfer.needed,
            beside.display()
        ));
    }
    lines.join("\n")
}

/// The members that scripts rely on. The hash is that of the packed message as it is written.
fn contract(gathered: &Gathered) -> Map<String, Value> {
    let mut map = Map::new();
    let whole = gathered.envelopes.first();
    let transfer = match whole {
        Some(envelope) => Some(TransferId::of(&envelope.to_wire())),
        None => furthest(gathered.partials.iter()).map(Partial::transfer),
    };
    let frames = transfer.and_then(|transfer| gathered.frames.get(&transfer));
    let frames = frames.or(gathered.foreign.as_ref());
    map.insert("complete".into(), json!(whole.is_some()));
    map.insert("frames_read".into(), json!(frames.map_or(0, |f| f.0)));
    map.insert("frames_needed".into(), json!(frames.map(|f| f.1)));
    let sha256 = whole.map(|envelope| HEXLOWER.encode(&Sha256::digest(envelope.to_json())));
    map.insert("sha256".into(), json!(sha256));
    map
}

/// The transfer of which the largest part is there.
fn furthest<'a>(partials: impl Iterator<Item = &'a Partial>) -> Option<&'a Partial> {
    partials.max_by_key(|partial| {
        let needed = u64::from(partial.shape().source_count());
        partial.symbols().count() as u64 * 1_000_000 / needed.max(1)
    })
}

/// Keeps the one transfer that is furthest: the file is for one message.
fn keep(beside: &Path, unfinished: &[Partial]) -> Result<(), Fault> {
    match furthest(unfinished.iter()) {
        Some(partial) => files::write_whole(beside, &partial.to_bytes()),
        None => Ok(()),
    }
}

/// `message.dcem.partial`
fn beside(out: &Path) -> Result<PathBuf, Fault> {
    let mut name = out
        .file_name()
        .ok_or_else(|| Fault::usage(format!("{} names no file", out.display())))?
        .to_owned();
    name.push(".partial");
    Ok(out.with_file_name(name))
}
