//! `packmule gateway check-config`: what is wrong with it, and what is odd.

use std::path::Path;

use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::{Report, plain};

/// Reads it, and starts nothing.
pub(super) fn run(globals: &Globals, named: Option<&Path>) -> Result<Report, Fault> {
    let home = crate::home::dir(globals)?;
    let file = super::file(&home, named);
    let config = super::load(&home, named)?;
    super::mailboxes::database(&config)?;
    let notes: Vec<String> = config.notes().iter().map(ToString::to_string).collect();
    let from = match &file {
        Some(path) => format!("{} and the environment", path.display()),
        None => "no file: the defaults and the environment".to_owned(),
    };
    let mut text = format!("it makes sense ({})", plain(&from));
    for note in &notes {
        text.push_str(&format!("\nnote: {}", plain(note)));
    }
    let json = json!({
        "ok": true,
        "file": file,
        "listen": config.listen.to_string(),
        "notes": notes,
    });
    Ok(Report::new(text, json))
}
