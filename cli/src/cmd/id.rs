//! `packmule id`: who we are. Needs no passphrase.

use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::Report;

/// Shows the DID; with `--json` the document too.
pub(crate) fn run(globals: &Globals) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let (did, doc) = home.identity();
    Ok(Report::new(
        did,
        json!({ "did": did, "doc": doc.to_json() }),
    ))
}
