//! `packmule dead-letters`: what could not be delivered, and why; once more, or by other means.

use std::path::Path;

use packmule_bus::{EnvelopeId, Kind};
use packmule_node::Home;
use packmule_node::control::{Reply, Request};
use packmule_node::desk::dead::{self, Dead};
use serde_json::{Value, json};

use crate::args::{DeadLettersVerb, Globals};
use crate::cmd::outbox::only;
use crate::fault::Fault;
use crate::flow::{files, node};
use crate::ui::events::short;
use crate::ui::output::{Report, one_line, size};
use crate::ui::time::rfc3339;

/// Lists, retries, exports.
pub(crate) fn run(globals: &Globals, verb: Option<DeadLettersVerb>) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    match verb {
        None | Some(DeadLettersVerb::List) => list(&home),
        Some(DeadLettersVerb::Retry { id }) => retry(&home, id.as_deref()),
        Some(DeadLettersVerb::Export { dir }) => export(&home, &dir),
    }
}

fn list(home: &Home) -> Result<Report, Fault> {
    let letters = dead::list(home)?;
    let mut lines = Vec::new();
    let mut all = Vec::new();
    for letter in &letters {
        let to = whose(home, letter)?;
        lines.push(format!(
            "{}  {}  {:<12} {:>9}  {}",
            rfc3339(letter.since),
            short(&letter.id.to_string()),
            one_line(&to, 12),
            size(letter.bytes),
            letter.reason
        ));
        all.push(json!({
            "envelope": letter.id.to_string(),
            "id": letter.message_id,
            "peer": to,
            "origin": if letter.own { "own" } else { "carried" },
            "reason": letter.reason.to_string(),
            "bytes": letter.bytes,
            "since": letter.since,
        }));
    }
    if lines.is_empty() {
        lines.push("no dead letters".into());
    }
    Ok(Report::new(
        lines.join("\n"),
        json!({ "dead_letters": all }),
    ))
}

/// The peer's name, its DID, or that nobody here knows.
fn whose(home: &Home, letter: &Dead) -> Result<String, Fault> {
    let Some(did) = &letter.peer else {
        return Ok("a stranger".into());
    };
    Ok(match home.find_peer(did)? {
        Some(peer) => peer.name,
        None => did.clone(),
    })
}

fn retry(home: &Home, id: Option<&str>) -> Result<Report, Fault> {
    let mut letters = dead::list(home)?;
    if let Some(id) = id {
        letters.retain(|letter| {
            let named = |text: &str| !id.is_empty() && text.starts_with(id);
            named(&letter.id.to_string()) || letter.message_id.as_deref().is_some_and(named)
        });
        letters = vec![only(letters, id)?];
    }
    let mut again: Vec<EnvelopeId> = Vec::new();
    let mut client = node::running(home.dir())?;
    for letter in &letters {
        let changed = match &mut client {
            Some(client) => {
                let id = letter.id.to_string();
                match client.ask(&Request::Retry { id })? {
                    Reply::Done { changed } => changed,
                    other => return Err(node::nonsense(&other)),
                }
            }
            None => dead::retry(home, &letter.id)?,
        };
        if changed {
            again.push(letter.id);
        }
    }
    Ok(Report::new(
        match again.len() {
            0 => "nothing tries again".into(),
            1 => "1 tries again".into(),
            n => format!("{n} try again"),
        },
        json!({ "retried": again.iter().map(ToString::to_string).collect::<Vec<_>>() }),
    ))
}

fn export(home: &Home, dir: &Path) -> Result<Report, Fault> {
    files::make_dir(dir)?;
    let mut lines = Vec::new();
    let mut written: Vec<Value> = Vec::new();
    for letter in dead::list(home)? {
        let Some(packed) = home.outgoing(&letter.id)? else {
            lines.push(format!(
                "{} has no bytes left to export",
                short(&letter.id.to_string())
            ));
            continue;
        };
        let name = format!("{}.{}", letter.id.short(), extension(&packed)?);
        let path = files::save_new(dir, &name, &packed)?;
        lines.push(path.display().to_string());
        written.push(json!({ "envelope": letter.id.to_string(), "file": path }));
    }
    if lines.is_empty() {
        lines.push("no dead letters".into());
    }
    Ok(Report::new(
        lines.join("\n"),
        json!({ "exported": written }),
    ))
}

/// As the DIDComm filesystem extension has it.
fn extension(packed: &[u8]) -> Result<&'static str, Fault> {
    Ok(match packmule_bus::Envelope::from_packed(packed)?.kind() {
        Kind::Encrypted => "dcem",
        Kind::Signed => "dcsm",
        _ => "dcpm",
    })
}
