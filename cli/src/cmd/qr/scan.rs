//! `packmule qr scan PATH…`: messages from whatever moves or stands before a camera.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use packmule_bus::fountain::{Partial, TransferId};
use packmule_node::Home;
use packmule_transports::qr::{Hints, Parts};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::read::{accept, besides};
use crate::args::{Globals, QrScanArgs};
use crate::fault::Fault;
use crate::flow::partials::{self, Held};
use crate::flow::scanning::{Gathered, Scan, Until};
use crate::flow::{files, pictures};
use crate::ui::output::{Report, size};

/// Scans into a file, or into the home.
pub(super) fn run(globals: &Globals, args: &QrScanArgs) -> Result<Report, Fault> {
    match &args.out {
        Some(out) => into_file(globals, args, out),
        None => into_home(globals, args),
    }
}

fn scan<'a>(globals: &Globals, args: &'a QrScanArgs, held: &'a Held, until: Until) -> Scan<'a> {
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
    let gather = |home: &Home, held: &Held| {
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
    let held = match fs::read(&beside) {
        Ok(bytes) if !args.forget => held_in(&bytes),
        _ => Held::default(),
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
    keep(&beside, &gathered.held)?;
    Ok(Report::new(tell_unfinished(&gathered, &beside), json).exit(pictures::exit_of(&gathered)))
}

fn tell_unfinished(gathered: &Gathered, beside: &Path) -> String {
    let tally = gathered.tally;
    let mut lines = vec![format!(
        "no whole message in {} pictures: {} codes, {} foreign, {} damaged",
        tally.pictures, tally.codes, tally.foreign, tally.damaged
    )];
    lines.extend(besides(gathered));
    let own = gathered.unfinished.iter().map(|t| (t.received, t.needed));
    let foreign = gathered.foreign_left.iter().map(|t| (t.received, t.needed));
    for (received, needed) in own.chain(foreign) {
        lines.push(format!(
            "  incomplete: {received} of {needed} frames; what was read is kept in {}",
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
        None => furthest(gathered.held.partials.iter()).map(Partial::transfer),
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

/// Keeps the one transfer that is furthest: the file is for one message. A foreign row of codes is
/// kept where there is none, the one that was seen last.
fn keep(beside: &Path, unfinished: &Held) -> Result<(), Fault> {
    let partial = furthest(unfinished.partials.iter()).map(Partial::to_bytes);
    match partial.or_else(|| Some(unfinished.parts.last()?.to_bytes())) {
        Some(bytes) => files::write_whole(beside, &bytes),
        None => Ok(()),
    }
}

/// What such a file holds: our own form tells itself, and codes are what is none of it.
fn held_in(bytes: &[u8]) -> Held {
    match Partial::from_bytes(bytes) {
        Ok(partial) => Held {
            partials: vec![partial],
            ..Held::default()
        },
        Err(_) => Held {
            parts: vec![Parts::from_bytes(bytes)],
            ..Held::default()
        },
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
