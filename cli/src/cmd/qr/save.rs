//! `packmule qr save DIR`: waiting messages as picture files.

use std::path::Path;

use packmule_bus::Envelope;
use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::flow::pictures::{self, Saving};
use crate::flow::{files, read_envelope};
use crate::ui::output::Report;
use crate::ui::time::now;

/// Saves what waits, and marks it sent once the pictures are on the disk.
pub(super) fn waiting(
    globals: &Globals,
    id: Option<&str>,
    peer: Option<&str>,
    dir: &Path,
    how: Saving,
) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let messages = super::waiting(&home, id, peer)?;
    files::make_dir(dir)?;
    let mut lines = Vec::new();
    let mut saved = Vec::new();
    for (row, envelope) in &messages {
        let paths = pictures::save(envelope, dir, how, globals.quiet || globals.json)?;
        home.mark_sent(&[row.id], "qr", now())?;
        lines.push(format!("{}: {}", row.message_id, told(paths.len(), dir)));
        saved.push(json!({
            "id": row.message_id,
            "envelope": row.id.to_string(),
            "files": paths,
        }));
    }
    Ok(Report::new(lines.join("\n"), json!({ "messages": saved })))
}

/// Saves a packed message that lies in a file. No home is used.
pub(super) fn file(
    globals: &Globals,
    file: &Path,
    dir: &Path,
    how: Saving,
) -> Result<Report, Fault> {
    let envelope: Envelope = read_envelope(&files::read_input(Some(file))?)?;
    files::make_dir(dir)?;
    let paths = pictures::save(&envelope, dir, how, globals.quiet || globals.json)?;
    Ok(Report::new(
        told(paths.len(), dir),
        json!({ "messages": [{ "envelope": envelope.id().to_string(), "files": paths }] }),
    ))
}

fn told(count: usize, dir: &Path) -> String {
    match count {
        1 => format!("1 picture in {}", dir.display()),
        n => format!("{n} pictures in {}", dir.display()),
    }
}
