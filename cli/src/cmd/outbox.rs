//! `packmule outbox`: what waits, what went, what was acknowledged.

use packmule_node::{Home, OutRow, OutState};
use serde_json::{Value, json};

use crate::args::{Globals, OutboxArgs, OutboxVerb};
use crate::fault::Fault;
use crate::flow::carry;
use crate::ui::output::{Report, one_line, size};
use crate::ui::time::{now, rfc3339};

/// Lists, or lets a message wait again.
pub(crate) fn run(globals: &Globals, args: &OutboxArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    home.expire(now())?;
    match &args.verb {
        Some(OutboxVerb::Again { id }) => again(&home, id),
        Some(OutboxVerb::Prune { sent }) => prune(&home, *sent),
        None | Some(OutboxVerb::List) => list(&home, args.all),
    }
}

fn list(home: &Home, all: bool) -> Result<Report, Fault> {
    let every = carry::rows(home, None)?;
    let total = every.len();
    let shown: Vec<OutRow> = every
        .into_iter()
        .filter(|row| {
            all || matches!(
                row.state,
                OutState::Queued | OutState::Sent | OutState::Refused
            )
        })
        .collect();
    let mut lines = Vec::new();
    let mut messages = Vec::new();
    for row in &shown {
        let name = home.find_peer(&row.peer)?.map(|peer| peer.name);
        lines.push(format!(
            "{:<12} {:<16} {}  {:>9}  {}{}{}",
            word(row.state),
            one_line(name.as_deref().unwrap_or(&row.peer), 16),
            rfc3339(row.created),
            size(row.bytes),
            row.message_id,
            row.sent_by
                .as_deref()
                .map_or_else(String::new, |by| format!("  by {by}")),
            row.reason
                .map_or_else(String::new, |why| format!("  ({why})")),
        ));
        messages.push(json_of(row, name.as_deref()));
    }
    let hidden = total - shown.len();
    if lines.is_empty() {
        lines.push("nothing waits to go".into());
    }
    if hidden > 0 {
        lines.push(format!(
            "({hidden} acknowledged or expired; --all shows them)"
        ));
    }
    Ok(Report::new(
        lines.join("\n"),
        json!({ "messages": messages }),
    ))
}

fn json_of(row: &OutRow, name: Option<&str>) -> Value {
    json!({
        "id": row.message_id,
        "envelope": row.id.to_string(),
        "peer": name,
        "to": row.peer,
        "state": word(row.state),
        "bytes": row.bytes,
        "sent_by": row.sent_by,
        "reason": row.reason.map(|reason| reason.to_string()),
        "created": row.created,
        "expires": row.expires,
        "changed": row.changed,
    })
}

/// The word for a state, in text and JSON.
pub(crate) const fn word(state: OutState) -> &'static str {
    match state {
        OutState::Queued => "queued",
        OutState::Sent => "sent",
        OutState::Acknowledged => "acknowledged",
        OutState::Expired => "expired",
        OutState::Refused => "refused",
        _ => "unknown",
    }
}

fn again(home: &Home, id: &str) -> Result<Report, Fault> {
    let row = find(home, id)?;
    if row.state != OutState::Sent {
        return Err(Fault::usage(format!(
            "message {} is {}, only a sent one can be sent again",
            row.message_id,
            word(row.state)
        )));
    }
    home.requeue(&row.id)?;
    Ok(Report::new(
        format!("{} waits again; `packmule export` sends it", row.message_id),
        json!({ "id": row.message_id, "envelope": row.id.to_string(), "state": "queued" }),
    ))
}

/// The one message of the outbox with this id, or with an id that begins so.
pub(crate) fn find(home: &Home, id: &str) -> Result<OutRow, Fault> {
    let matching = carry::rows(home, None)?;
    only(
        matching.into_iter().filter(|row| names(row, id)).collect(),
        id,
    )
}

/// The outbox's row, and the name that a node knows the message by: what the outbox does not have
/// goes to the node as it was typed.
pub(crate) fn find_for_node(home: &Home, typed: &str) -> (Result<OutRow, Fault>, String) {
    let row = find(home, typed);
    let id = row
        .as_ref()
        .map_or_else(|_| typed.to_owned(), |row| row.id.to_string());
    (row, id)
}

fn prune(home: &Home, sent: Option<u64>) -> Result<Report, Fault> {
    let before = sent.map_or(0, |days| now().saturating_sub(days.saturating_mul(86_400)));
    let removed = home.prune_outbox(before)?;
    Ok(Report::new(
        match removed {
            0 => "nothing to forget".into(),
            n => format!("{n} forgotten"),
        },
        json!({ "removed": removed }),
    ))
}

/// Does this id, or its beginning, name that row?
pub(crate) fn names(row: &OutRow, id: &str) -> bool {
    !id.is_empty() && (row.message_id.starts_with(id) || row.id.to_string().starts_with(id))
}

/// The one match, or what to say when there is none or several.
pub(crate) fn only<T>(mut matching: Vec<T>, id: &str) -> Result<T, Fault> {
    match (matching.pop(), matching.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Fault::not_found(format!("no message {id:?}"))
            .hint("list them, and use the whole id or its beginning")),
        (Some(_), more) => Err(Fault::not_found(format!(
            "{id:?} is the beginning of {} messages' ids",
            more + 1
        ))
        .hint("give more of the id")),
    }
}
