//! `packmule status`: is a node running, what does it hold, whom does it meet, how full is it.

use packmule_node::control::{Reply, Request, StatusReport};
use packmule_node::{Home, OutState};
use serde_json::{Value, json};

use crate::args::Globals;
use crate::cmd::outbox::word;
use crate::fault::Fault;
use crate::flow::{carry, node};
use crate::ui::events::head;
use crate::ui::output::{Report, one_line, plain, size};
use crate::ui::time::{now, rfc3339};

/// Asks the node; what the home tells is told with or without one.
pub(crate) fn run(globals: &Globals) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let status = match node::running(home.dir())? {
        None => None,
        Some(mut client) => match client.ask(&Request::Status)? {
            Reply::Status(status) => Some(*status),
            other => return Err(node::nonsense(&other)),
        },
    };
    let mut lines = Vec::new();
    let mut object = match &status {
        Some(status) => {
            describe(status, &mut lines);
            serde_json::to_value(status).unwrap_or(Value::Null)
        }
        None => {
            lines.push("no node runs; `packmule run` starts one".into());
            json!({ "did": home.did() })
        }
    };
    let outbox = outbox(&home)?;
    let dead = packmule_node::desk::dead::list(&home)?.len();
    lines.push(format!(
        "outbox:    {}",
        outbox
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    let unopened = home.unopened(0, 1000)?.len();
    if unopened > 0 {
        lines.push(format!("inbox:     {unopened} not opened yet"));
    }
    if dead > 0 {
        lines.push(format!(
            "dead:      {dead}; `packmule dead-letters` tells why"
        ));
    }
    let free = free(&home);
    if let Some(free) = free {
        lines.push(format!("disk:      {} free", size(free)));
    }
    if let Value::Object(map) = &mut object {
        map.insert("running".into(), json!(status.is_some()));
        map.insert("home".into(), json!(home.dir()));
        map.insert(
            "outbox".into(),
            outbox
                .iter()
                .map(|(word, n)| ((*word).to_owned(), json!(n)))
                .collect(),
        );
        map.insert("unopened".into(), json!(unopened));
        map.insert("dead_letters".into(), json!(dead));
        map.insert("disk_free".into(), json!(free));
    }
    Ok(Report::new(lines.join("\n"), object))
}

fn describe(status: &StatusReport, lines: &mut Vec<String>) {
    lines.push(format!(
        "node {} runs since {} (pid {})",
        head(&status.node),
        rfc3339(status.since),
        status.pid
    ));
    for way in &status.listening {
        lines.push(format!("listening: {}", plain(way)));
    }
    if status.listening.is_empty() {
        lines.push("listening: nowhere; it only reaches out".into());
    }
    for link in &status.links {
        let who = match (link.proven.as_slice(), &link.node) {
            ([], Some(node)) => format!("node {}", head(node)),
            ([], None) => "somebody".into(),
            (names, _) => names.join(", "),
        };
        lines.push(format!(
            "link {}:    {} by {}{}; {} out, {} in",
            link.link,
            one_line(&who, 80),
            plain(&link.transport),
            link.way
                .as_deref()
                .map_or_else(String::new, |way| format!(" ({})", plain(way))),
            link.outgoing,
            link.incoming
        ));
    }
    lines.push(format!(
        "held:      {} messages, {}; {} of it for strangers",
        status.count,
        size(status.bytes),
        size(status.strangers_bytes)
    ));
    if let Some(why) = &status.disk {
        lines.push(format!("disk:      nothing is taken on: {}", plain(why)));
    }
    for trouble in &status.troubles {
        lines.push(format!("trouble:   {}", plain(trouble)));
    }
}

/// How many messages of ours are in each state.
fn outbox(home: &Home) -> Result<Vec<(&'static str, usize)>, Fault> {
    // On a full disk nothing expires, and how it stands is asked for most.
    let _ = home.expire(now());
    let rows = carry::rows(home, None)?;
    let states = [
        OutState::Queued,
        OutState::Sent,
        OutState::Acknowledged,
        OutState::Expired,
        OutState::Refused,
    ];
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    Ok(states.map(|state| (word(state), count(state))).to_vec())
}

fn free(home: &Home) -> Option<u64> {
    let stat = rustix::fs::statvfs(home.dir()).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
