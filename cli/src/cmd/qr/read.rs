//! `packmule qr read FILES…`: messages and invitations from pictures, in any order.

use std::path::PathBuf;

use packmule_node::Home;
use serde_json::{Value, json};

use crate::args::Globals;
use crate::cmd::arrived::{self, Opener};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::flow::node;
use crate::flow::partials::{self, Held};
use crate::flow::pictures;
use crate::flow::scanning::Gathered;
use crate::flow::take;
use crate::ui::output::{Report, one_line};

/// Reads, accepts, keeps what is unfinished, opens.
pub(super) fn run(
    globals: &Globals,
    paths: &[PathBuf],
    keep_sealed: bool,
    forget: bool,
) -> Result<Report, Fault> {
    let quiet = globals.quiet || globals.json;
    let gather = |_: &Home, held: &Held| pictures::read(paths, held, quiet);
    Ok(accept(globals, keep_sealed, forget, gather)?.0)
}

/// Gathers, with what earlier readings left; accepts, keeps what is unfinished, opens.
pub(super) fn accept(
    globals: &Globals,
    keep_sealed: bool,
    forget: bool,
    gather: impl FnOnce(&Home, &Held) -> Result<Gathered, Fault>,
) -> Result<(Report, Gathered), Fault> {
    let mut opener = Opener::new(globals, keep_sealed)?;
    let held = if forget {
        Held::default()
    } else {
        partials::load(opener.home())?
    };
    let gathered = gather(opener.home(), &held)?;
    // Accept first, drop the frames after: killed in between, they are only kept too long.
    let taken = take::take_envelopes(opener.home(), &gathered.envelopes, "qr")?;
    partials::keep(opener.home(), &gathered.held)?;
    // A node of this home asks links for the rest only.
    node::poke(opener.home().dir());
    let judged = opener.judge(globals.quiet || globals.json)?;
    let report = tell(arrived::report(taken, judged)?, &gathered);
    Ok((report, gathered))
}

/// What could not be read, and the invitations that were there.
pub(super) fn besides(gathered: &Gathered) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, why) in &gathered.unreadable {
        let path = path.display().to_string();
        let why = if why.contains(&path) {
            why.clone()
        } else {
            format!("{path}: {why}")
        };
        lines.push(format!("  not read: {why}"));
    }
    for url in &gathered.invitations {
        let url = one_line(url, 4000);
        lines.push(format!("  an invitation: packmule accept '{url}'"));
    }
    lines
}

/// Adds what the pictures held to a report of what became of the messages.
fn tell(mut report: Report, gathered: &Gathered) -> Report {
    let tally = gathered.tally;
    let mut lines = vec![format!(
        "{} pictures: {} codes, {} new, {} known, {} foreign, {} damaged, {} without a code",
        tally.pictures,
        tally.codes,
        tally.fresh,
        tally.duplicate,
        tally.foreign,
        tally.damaged,
        tally.blank
    )];
    lines.extend(besides(gathered));
    for transfer in &gathered.unfinished {
        lines.push(format!(
            "  incomplete: {} of about {} frames; what was read is kept, read more pictures",
            transfer.received, transfer.needed
        ));
    }
    for row in &gathered.foreign_left {
        lines.push(format!(
            "  incomplete: {} of about {} foreign codes; what was read is kept, read more pictures",
            row.received, row.needed
        ));
    }
    if !gathered.dropped.is_empty() {
        lines.push(format!(
            "  {} unfinished too many were dropped; show their pictures again, fewer at a time",
            gathered.dropped.len()
        ));
    }
    lines.push(report.text);
    report.text = lines.join("\n");
    // A refused message weighs more than one that is still coming.
    if report.exit == Exit::Ok {
        report.exit = pictures::exit_of(gathered);
    }
    if let Value::Object(map) = &mut report.json {
        map.insert("pictures".into(), json!(tally.pictures));
        map.insert("codes".into(), json!(tally.codes));
        map.insert("invitations".into(), json!(gathered.invitations));
        let dropped: Vec<String> = gathered
            .dropped
            .iter()
            .map(|t| t.transfer.to_string())
            .collect();
        map.insert("dropped".into(), json!(dropped));
        map.insert(
            "incomplete".into(),
            Value::Array(
                gathered
                    .unfinished
                    .iter()
                    .map(|t| {
                        json!({
                            "transfer": t.transfer.to_string(),
                            "received": t.received,
                            "needed": t.needed,
                            "bytes": t.object_bytes,
                        })
                    })
                    .collect(),
            ),
        );
        map.insert(
            "unreadable".into(),
            Value::Array(
                gathered
                    .unreadable
                    .iter()
                    .map(|(path, why)| {
                        json!({
                            "file": path, "reason": why,
                        })
                    })
                    .collect(),
            ),
        );
    }
    report
}
