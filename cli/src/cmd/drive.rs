//! `packmule drive watch`: sticks are taken in and filled as they are plugged in.
//!
//! Who calls it: people, and a unit on a kiosk. A stick with a `DIDCOMM` folder in its root is
//! served; other drives are none of our business. What can go wrong: the stick is pulled out, is
//! full or read-only: that is told, the rest waits for the next one, and the watch goes on.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use packmule_transports::drive::{Folder, Mount, Mounts};
use serde_json::{Value, json};

use super::arrived::{self, Opener};
use crate::args::{DriveVerb, DriveWatchArgs, Globals};
use crate::fault::Fault;
use crate::flow::{carry, node, take};
use crate::ui::output::{Report, one_line, plain};

/// Drives that failed, or had no folder, are looked at again so often.
const LOOK: Duration = Duration::from_secs(60);

/// Does what is asked.
pub(crate) fn run(globals: &Globals, verb: &DriveVerb) -> Result<Report, Fault> {
    match verb {
        DriveVerb::Watch(args) => watch(globals, args),
    }
}

fn watch(globals: &Globals, args: &DriveWatchArgs) -> Result<Report, Fault> {
    // The keys first: nobody is there to type a passphrase when the stick comes.
    let mut opener = Opener::new(globals, args.keep_sealed)?;
    let mut mounts = Mounts::open()?;
    say(globals, "watching", None, "waiting for drives", json!({}))?;
    // Those that are done with.
    let mut known: BTreeSet<Mount> = BTreeSet::new();
    let mut served = 0;
    loop {
        let there: BTreeSet<Mount> = mounts.list()?.into_iter().collect();
        known.retain(|mount| there.contains(mount));
        let new: Vec<Mount> = there.difference(&known).cloned().collect();
        for mount in new {
            if !args.below.iter().any(|dir| mount.at.starts_with(dir)) {
                known.insert(mount);
                continue;
            }
            // Without a folder, or after a failure, it is looked at again.
            let Some(folder) = Folder::on_drive(&mount.at) else {
                continue;
            };
            if !serve(globals, args, &mut opener, &mount.at, &folder)? {
                continue;
            }
            known.insert(mount);
            served += 1;
            if args.count.is_some_and(|count| served >= count) {
                return Ok(Report::told());
            }
        }
        mounts.wait(LOOK)?;
    }
}

/// One stick: did all go well? Its faults are told, and are not the watch's.
fn serve(
    globals: &Globals,
    args: &DriveWatchArgs,
    opener: &mut Opener,
    at: &Path,
    folder: &Folder,
) -> Result<bool, Fault> {
    let exchanged = exchange(args, opener, folder);
    let well = exchanged.is_ok();
    let told = match exchanged {
        Ok((text, mut object)) => {
            if let Value::Object(map) = &mut object {
                map.insert("drive".into(), json!(at));
            }
            say(globals, "exchanged", Some(at), &text, object)
        }
        Err(fault) => {
            let object = json!({ "drive": at, "error": fault.what, "hint": fault.hint });
            say(globals, "failed", Some(at), &fault.to_string(), object)
        }
    };
    node::poke(opener.home().dir());
    told?;
    Ok(well)
}

/// First in, which makes room, then out.
fn exchange(
    args: &DriveWatchArgs,
    opener: &mut Opener,
    folder: &Folder,
) -> Result<(String, Value), Fault> {
    let whose = take::For::of(args.carry);
    let taken = take::take_folder(opener.home(), folder, whose, true)?;
    let (read_only, from_here) = (taken.read_only, taken.carried_ids.clone());
    let judged = opener.judge(true)?;
    let report = arrived::report(taken, judged)?;
    let (mut text, mut object) = (report.text, report.json);
    let form = carry::Form::of(args.batch);
    let (mut written, mut rests, mut purged) = (0, 0, 0);
    if !read_only {
        // What came from this stick goes to the next one.
        let carried = carry::export_again(opener.home(), folder, &from_here, form)?;
        (written, rests, purged) = (carried.written, carried.rests, carried.purged);
        if let Some(mut fault) = carried.broken {
            fault.what = format!("{} ({text}; {written} written)", fault.what);
            return Err(fault);
        }
    }
    text.push_str(&format!("; {written} written; safe to remove"));
    if let Value::Object(map) = &mut object {
        map.insert("written".into(), json!(written));
        map.insert("rests".into(), json!(rests));
        map.insert("purged".into(), json!(purged));
    }
    Ok((text, object))
}

fn say(
    globals: &Globals,
    event: &str,
    at: Option<&Path>,
    text: &str,
    mut object: Value,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if globals.json {
        if let Value::Object(map) = &mut object {
            map.insert("event".into(), json!(event));
        }
        writeln!(out, "{object}")?;
    } else if !(globals.quiet && at.is_none()) {
        let place = at.map(|at| format!("{}: ", one_line(&at.to_string_lossy(), 80)));
        writeln!(
            out,
            "{}",
            plain(&format!("{}{text}", place.unwrap_or_default()))
        )?;
    }
    out.flush()
}
