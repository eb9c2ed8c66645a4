//! `packmule why MSG`: who holds a copy of a message, and what happens next and when.

use packmule_bus::receipt::Reason;
use packmule_node::control::{Reply, Request, WhyReport};
use packmule_node::desk::dead;
use packmule_node::{Home, OutRow, OutState};
use serde_json::{Value, json};

use crate::args::{Globals, WhyArgs};
use crate::cmd::outbox::{find_for_node, word};
use crate::fault::Fault;
use crate::flow::node;
use crate::ui::events::{head, short};
use crate::ui::output::{Report, plain, size};
use crate::ui::time::rfc3339;

/// Asks the node; without one, tells what the home knows.
pub(crate) fn run(globals: &Globals, args: &WhyArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let (row, id) = find_for_node(&home, &args.id);
    let mut running = false;
    if let Some(mut client) = node::running(home.dir())? {
        running = true;
        match client.ask(&Request::Why { id })? {
            Reply::Why { why: Some(why) } => return told(&home, &why, row.ok().as_ref()),
            Reply::Why { why: None } => {}
            other => return Err(node::nonsense(&other)),
        }
    }
    at_rest(&home, &row?, running)
}

fn told(home: &Home, why: &WhyReport, row: Option<&OutRow>) -> Result<Report, Fault> {
    let mut lines = vec![match row {
        Some(row) => format!("{} to {}", plain(&row.message_id), name(home, row)?),
        None => format!("{} ({})", short(&why.id), why.origin),
    }];
    lines.push(format!(
        "  how far:   {}; here since {}, {}",
        plain(&why.rung),
        rfc3339(why.since),
        size(why.bytes)
    ));
    if why.takers.is_empty() {
        lines.push("  copies:    nobody else has one".into());
    }
    for taker in &why.takers {
        let who = taker.node.as_deref().map_or_else(
            || format!("a mailbox of {}", taker.transport),
            |node| format!("node {} by {}", head(node), taker.transport),
        );
        lines.push(format!(
            "  copies:    {} {}, {}",
            plain(&who),
            if taker.sure {
                "has one"
            } else {
                "may have one"
            },
            rfc3339(taker.at)
        ));
    }
    for refusal in &why.refusals {
        let again = refusal
            .again_in
            .map_or_else(|| "for good".into(), |secs| format!("again in {secs} s"));
        lines.push(format!(
            "  refused:   by node {}: {} ({again})",
            head(&refusal.node),
            plain(&refusal.why)
        ));
    }
    for next in &why.next {
        lines.push(format!("  next:      {}", plain(next)));
    }
    if let Some(expires) = why.expires {
        lines.push(format!("  until:     {}", rfc3339(expires)));
    }
    let mut object = serde_json::to_value(why).unwrap_or(Value::Null);
    if let (Value::Object(map), Some(row)) = (&mut object, row) {
        map.insert("message".into(), json!(row.message_id));
        map.insert("peer".into(), json!(name(home, row)?));
        map.insert("state".into(), json!(word(row.state)));
    }
    if let Value::Object(map) = &mut object {
        map.insert("running".into(), json!(true));
    }
    Ok(Report::new(lines.join("\n"), object))
}

/// What is known of a message of ours that no node holds.
fn at_rest(home: &Home, row: &OutRow, running: bool) -> Result<Report, Fault> {
    let next = match row.state {
        OutState::Queued if running => "the node takes it up in a moment",
        OutState::Queued => {
            "it waits in the outbox and no node runs: `packmule run`, `export` or `qr save` sends it"
        }
        OutState::Sent if running => "it waits for the recipient's word",
        OutState::Sent => {
            "it waits for the recipient's word, which a node (`packmule run`) or `import` brings; \
             `packmule outbox again` sends it once more"
        }
        OutState::Acknowledged => "nothing: the recipient has it",
        OutState::Expired | OutState::Refused if is_dead_letter(home, row)? => {
            "nothing, unless you let it try again: `packmule dead-letters retry`"
        }
        OutState::Expired => "nothing: its time was over before an acknowledgement came",
        OutState::Refused if row.reason == Some(Reason::Forgotten) => "nothing: it was taken back",
        OutState::Refused => "nothing: it was refused for good; what is sent anew is a new message",
        _ => "nothing that this program knows of",
    };
    let peer = name(home, row)?;
    let reason = row.reason.map(|reason| reason.to_string());
    let mut lines = vec![
        format!("{} to {peer}", plain(&row.message_id)),
        format!(
            "  how far:   {}{}{}, since {}",
            word(row.state),
            row.sent_by
                .as_deref()
                .map_or_else(String::new, |by| format!(" by {by}")),
            reason
                .as_deref()
                .map_or_else(String::new, |why| format!(": {why}")),
            rfc3339(row.changed)
        ),
        format!("  next:      {next}"),
    ];
    if let Some(expires) = row.expires {
        lines.push(format!("  until:     {}", rfc3339(expires)));
    }
    Ok(Report::new(
        lines.join("\n"),
        json!({
            "running": running,
            "id": row.id.to_string(),
            "message": row.message_id,
            "peer": peer,
            "origin": "own",
            "state": word(row.state),
            "rung": word(row.state),
            "reason": reason,
            "sent_by": row.sent_by,
            "takers": [],
            "next": [next],
            "since": row.created,
            "expires": row.expires,
        }),
    ))
}

/// Is there anything left of it that could try again?
fn is_dead_letter(home: &Home, row: &OutRow) -> Result<bool, Fault> {
    Ok(dead::list(home)?.iter().any(|letter| letter.id == row.id))
}

fn name(home: &Home, row: &OutRow) -> Result<String, Fault> {
    let peer = home.find_peer(&row.peer)?;
    Ok(peer.map_or_else(|| row.peer.clone(), |peer| peer.name))
}
