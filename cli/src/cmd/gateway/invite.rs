//! `packmule gateway invite`: what others need to ask this gateway for a mailbox.

use packmule_agent::protocol::{mediation, out_of_band};
use packmule_gateway::founding::endpoint;
use packmule_transports::qr::show_text;
use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::Report;

/// Where the invitation's URL leads if the home names no web address; it is read, not opened.
const NOWHERE: &str = "https://didcomm.org/";

/// Prints one. It names the DID and holds for everybody: who may have a mailbox is configured.
pub(super) fn run(globals: &Globals, qr: bool) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let goal = "Hold messages for me until I collect them";
    let invitation = out_of_band::invitation(home.did(), Some(mediation::GOAL), Some(goal));
    let base = endpoint(&home).filter(|url| url.starts_with("http"));
    let url = out_of_band::to_url(&invitation, base.unwrap_or(NOWHERE))?;
    let mut text = url.clone();
    if qr {
        text = format!("{}{text}", show_text(&url)?.terminal());
    }
    let json = json!({ "id": invitation.id, "url": url, "did": home.did() });
    Ok(Report::new(text, json))
}
