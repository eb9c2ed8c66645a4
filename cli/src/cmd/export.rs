//! `packmule export DIR`: what waits goes into a folder, durably, and is marked sent.

use packmule_transports::drive::Folder;
use serde_json::json;

use crate::args::{ExportArgs, Globals};
use crate::fault::Fault;
use crate::flow::{carry, party};
use crate::ui::output::Report;

/// Exports.
pub(crate) fn run(globals: &Globals, args: &ExportArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let did = match &args.peer {
        Some(name) => Some(party::peer(&home, name)?.did),
        None => None,
    };
    let folder = Folder::open(&args.dir)?;
    let form = carry::Form::of(args.batch);
    let quiet = globals.quiet || globals.json;
    let carried = carry::export(&home, &folder, did.as_deref(), form, quiet)?;
    let mut text = match carried.written {
        0 if carried.duplicate + carried.rests == 0 => String::from(match carried.broken {
            // It waits still: the medium was full, read-only or gone.
            Some(_) => "all of it waits on",
            None => "nothing waits to go",
        }),
        1 => format!("1 message written to {}", folder.path().display()),
        n => format!("{n} messages written to {}", folder.path().display()),
    };
    if carried.duplicate > 0 {
        text.push_str(&format!("; {} lay there already", carried.duplicate));
    }
    if carried.rests > 0 {
        text.push_str(&format!(
            "; the rest of {} as it was asked for",
            carried.rests
        ));
    }
    if carried.purged > 0 {
        text.push_str(&format!(
            "; {} that arrived long since are gone from it",
            carried.purged
        ));
    }
    if carried.expired > 0 {
        text.push_str(&format!("; {} expired and not sent", carried.expired));
    }
    if let Some(mut fault) = carried.broken {
        fault.what = format!("{} ({text})", fault.what);
        return Err(fault);
    }
    if carried.written + carried.duplicate + carried.rests + carried.purged > 0 {
        text.push_str("; safe to remove");
    }
    let report = json!({
        "folder": folder.path(),
        "written": carried.written,
        "duplicate": carried.duplicate,
        "rests": carried.rests,
        "purged": carried.purged,
        "expired": carried.expired,
    });
    Ok(Report::new(text, report))
}
