//! `packmule inbox`: list, show, save attachments, see what was refused.

use std::path::Path;

use packmule_node::{Home, InRow};
use serde_json::{Value, json};

use crate::args::{Globals, InboxArgs, InboxVerb};
use crate::cmd::outbox::only;
use crate::fault::Fault;
use crate::flow::attachments;
use crate::flow::letters::Entry;
use crate::flow::party::{self, Party};
use crate::ui::output::{Report, one_line, size};
use crate::ui::time::rfc3339;

/// Rows read at a time.
const PAGE: usize = 500;

/// Runs one of them.
pub(crate) fn run(globals: &Globals, args: &InboxArgs) -> Result<Report, Fault> {
    if args.refused {
        return refused(&crate::home::open(globals)?);
    }
    if let Some(InboxVerb::Retry { id }) = &args.verb {
        return retry(globals, id);
    }
    if let Some(InboxVerb::Discard { id }) = &args.verb {
        return discard(&crate::home::open(globals)?, id);
    }
    let party = crate::home::unlock(globals)?;
    // What came sealed is opened now.
    party::judge(&party, globals.quiet || globals.json)?;
    match &args.verb {
        None | Some(InboxVerb::List) => list(&party, args.all),
        Some(InboxVerb::Show { id }) => show(&party, id),
        Some(InboxVerb::Save { id, dir }) => save(&party, id, dir),
        Some(InboxVerb::Retry { .. } | InboxVerb::Discard { .. }) => {
            Err(Fault::usage("this takes an id"))
        }
    }
}

fn list(party: &Party, all: bool) -> Result<Report, Fault> {
    let mut lines = Vec::new();
    let mut messages = Vec::new();
    let mut hidden = 0;
    let shut = each(party, |entry| {
        if all || entry.is_for_people() {
            lines.push(entry.line());
            messages.push(entry.json());
        } else {
            hidden += 1;
        }
    })?;
    let dead = rows(party.home(), Home::refused)?.len();
    if lines.is_empty() {
        lines.push("no messages".into());
    }
    if hidden > 0 {
        lines.push(format!("({hidden} without words; --all shows them)"));
    }
    for one in &shut {
        let id: String = one.id.chars().take(26).collect();
        lines.push(format!(
            "({id} does not open now: {})",
            one_line(&one.reason, 120)
        ));
    }
    if dead > 0 {
        lines.push(format!("({dead} refused; --refused tells why)"));
    }
    Ok(Report::new(
        lines.join("\n"),
        json!({ "messages": messages, "hidden": hidden, "shut": shut, "refused": dead }),
    ))
}

fn show(party: &Party, id: &str) -> Result<Report, Fault> {
    let entry = find(party, id)?;
    party.home().mark_read(&entry.row.id)?;
    let mut object = entry.json();
    if let Value::Object(map) = &mut object {
        map.insert("message".into(), entry.letter.json());
    }
    Ok(Report::new(entry.full(), object))
}

fn save(party: &Party, id: &str, dir: &Path) -> Result<Report, Fault> {
    let entry = find(party, id)?;
    let saved = attachments::save_all(&entry.letter.message.attachments, dir)?;
    party.home().mark_read(&entry.row.id)?;
    if saved.is_empty() {
        return Err(Fault::not_found("this message has no attachments"));
    }
    let lines: Vec<String> = saved
        .iter()
        .map(|one| match (&one.path, one.bytes) {
            (Some(path), Some(bytes)) => format!("{} ({})", path.display(), size(bytes)),
            _ => format!(
                "{} is only a link; it was not fetched",
                one_line(&one.name, 80)
            ),
        })
        .collect();
    let files: Vec<Value> = saved
        .iter()
        .map(|one| json!({ "name": one.name, "file": one.path, "bytes": one.bytes }))
        .collect();
    Ok(Report::new(
        lines.join("\n"),
        json!({ "id": entry.letter.message.id, "saved": files }),
    ))
}

fn refused(home: &Home) -> Result<Report, Fault> {
    let rows = rows(home, Home::refused)?;
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{}  {}  {:<24} {}",
                rfc3339(row.received),
                row.id.short(),
                one_line(row.problem.as_deref().unwrap_or("?"), 24),
                one_line(row.detail.as_deref().unwrap_or(""), 160)
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push("nothing was refused".into());
    }
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "envelope": row.id.to_string(),
                "problem": row.problem,
                "reason": row.detail,
                "received": row.received,
                "channel": row.channel,
                "bytes": row.bytes,
            })
        })
        .collect();
    Ok(Report::new(lines.join("\n"), json!({ "refused": list })))
}

/// Removes a message's bytes. Needs no passphrase: what is sealed can be removed too.
fn discard(home: &Home, id: &str) -> Result<Report, Fault> {
    let mut matching = home.named(id, 2)?;
    if matching.is_empty() && !id.is_empty() {
        matching = rows(home, Home::inbox)?;
        matching.extend(rows(home, Home::refused)?);
        matching.retain(|row| row.id.to_string().starts_with(id));
    }
    let row = only(matching, id)?;
    home.discard(&row.id)?;
    home.shrink()?;
    Ok(Report::new(
        format!("{} removed ({})", row.id.short(), size(row.bytes)),
        json!({ "envelope": row.id.to_string(), "bytes": row.bytes }),
    ))
}

fn retry(globals: &Globals, id: &str) -> Result<Report, Fault> {
    let party = crate::home::unlock(globals)?;
    let matching: Vec<InRow> = rows(party.home(), Home::refused)?
        .into_iter()
        .filter(|row| !id.is_empty() && row.id.to_string().starts_with(id))
        .collect();
    let row = only(matching, id)?;
    party.home().retry(&row.id)?;
    let judged = party::judge(&party, globals.quiet || globals.json)?;
    match judged.refused.iter().find(|refusal| refusal.id == row.id) {
        Some(again) => Err(Fault::refused(
            again.problem.clone(),
            format!("refused again: {}", again.reason),
        )),
        None => Ok(Report::new(
            "opened this time; `packmule inbox` shows it",
            json!({ "envelope": row.id.to_string(), "opened": true }),
        )),
    }
}

/// The one message with this id, opened; no other one is.
fn find(party: &Party, id: &str) -> Result<Entry, Fault> {
    const SHOWN: usize = 5;
    let matching = party.home().named(id, SHOWN + 1)?;
    if matching.len() > 1 {
        let ids: Vec<String> = matching
            .iter()
            .take(SHOWN)
            .map(|row| row.id.short())
            .collect();
        let more = if matching.len() > SHOWN { ", …" } else { "" };
        return Err(
            Fault::not_found(format!("{id:?} stands for several messages")).hint(format!(
                "name one by its envelope: {}{more}",
                ids.join(", ")
            )),
        );
    }
    let row = only(matching, id)?;
    let envelope = party
        .home()
        .envelope(&row.id)?
        .ok_or_else(|| Fault::not_found(format!("message {id:?} was just removed")))?;
    let letter = party
        .open(&envelope.to_json())
        .map_err(|(problem, reason)| Fault::refused(problem, reason))?;
    Entry::new(party, row, letter)
}

/// Walks all kept messages, opened again each: their words are nowhere on the disk. Gives back
/// those that do not open any more, say because their sender was removed from the peers and its
/// document with it.
fn each(party: &Party, mut see: impl FnMut(Entry)) -> Result<Vec<Shut>, Fault> {
    let mut shut = Vec::new();
    for row in rows(party.home(), Home::inbox)? {
        let Some(envelope) = party.home().envelope(&row.id)? else {
            continue;
        };
        match party.open(&envelope.to_json()) {
            Ok(letter) => see(Entry::new(party, row, letter)?),
            Err((problem, reason)) => shut.push(Shut {
                id: row.id.to_string(),
                problem,
                reason,
            }),
        }
    }
    Ok(shut)
}

/// A kept message that does not open now.
#[derive(serde::Serialize)]
struct Shut {
    #[serde(rename = "envelope")]
    id: String,
    problem: String,
    reason: String,
}

fn rows(
    home: &Home,
    page: impl Fn(&Home, i64, usize) -> Result<Vec<InRow>, packmule_node::HomeError>,
) -> Result<Vec<InRow>, Fault> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let rows = page(home, after, PAGE)?;
        let Some(last) = rows.last() else {
            return Ok(all);
        };
        after = last.seq;
        all.extend(rows);
    }
}
