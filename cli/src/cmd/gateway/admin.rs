//! `packmule gateway accounts`, `queues`, `dead-letters`: what the gateway that runs here holds.
//!
//! Who calls it: its keeper, and scripts. What can go wrong: none runs on this home.

use std::io::ErrorKind;

use packmule_gateway::admin::ask;
use serde_json::{Value, json};

use crate::args::Globals;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ui::events::short;
use crate::ui::output::{Report, one_line, plain, size};
use crate::ui::time::rfc3339;

/// Every account.
pub(super) fn accounts(globals: &Globals) -> Result<Report, Fault> {
    let all = all_accounts(globals)?;
    let line = |account: &Value| {
        format!(
            "{}  {:>5} DIDs  {:>7}  {:>9}  {}",
            time(account, "opened"),
            number(account, "bindings"),
            number(account, "messages"),
            size(number(account, "bytes")),
            plain(text(account, "did")),
        )
    };
    Ok(list("accounts", &all, line, "no accounts"))
}

/// Those for which something waits.
pub(super) fn queues(globals: &Globals) -> Result<Report, Fault> {
    let mut all = all_accounts(globals)?;
    all.retain(|account| number(account, "messages") > 0);
    all.sort_by_key(|account| std::cmp::Reverse(number(account, "messages")));
    let line = |account: &Value| {
        format!(
            "{:>7}  {:>9}  {}",
            number(account, "messages"),
            size(number(account, "bytes")),
            plain(text(account, "did")),
        )
    };
    Ok(list("queues", &all, line, "nothing waits"))
}

/// What nobody collected, and what could not be carried on.
pub(super) fn dead_letters(globals: &Globals) -> Result<Report, Fault> {
    let told = asked(globals, "dead-letters.json")?;
    let mailboxes = rows(&told, "mailboxes");
    let mut lines: Vec<String> = mailboxes
        .iter()
        .map(|dead| {
            format!(
                "{}  {}  {:>9}  {}  {}",
                time(dead, "ended"),
                short(text(dead, "id")),
                size(number(dead, "bytes")),
                one_line(text(dead, "account"), 60),
                text(dead, "why"),
            )
        })
        .collect();
    let carried = rows(&told, "carried");
    if !carried.is_empty() {
        let many = carried.len();
        lines.push(format!(
            "and {many} that the node could not carry on: `packmule dead-letters` tells why"
        ));
    }
    if lines.is_empty() {
        lines.push("no dead letters".to_owned());
    }
    let json = json!({ "mailboxes": mailboxes, "carried": carried });
    Ok(Report::new(lines.join("\n"), json))
}

fn list(name: &str, all: &[Value], line: impl Fn(&Value) -> String, none: &str) -> Report {
    let mut lines: Vec<String> = all.iter().map(line).collect();
    if lines.is_empty() {
        lines.push(none.to_owned());
    }
    Report::new(lines.join("\n"), json!({ name: all }))
}

fn all_accounts(globals: &Globals) -> Result<Vec<Value>, Fault> {
    let mut all = Vec::new();
    let mut after = None::<String>;
    loop {
        let what = match &after {
            Some(did) => format!("queues.json?after={did}"),
            None => "queues.json".to_owned(),
        };
        let told = asked(globals, &what)?;
        all.extend(rows(&told, "queues"));
        match told.get("next").and_then(Value::as_str) {
            Some(next) if after.as_deref() != Some(next) => after = Some(next.to_owned()),
            _ => return Ok(all),
        }
    }
}

fn asked(globals: &Globals, what: &str) -> Result<Value, Fault> {
    let home = crate::home::dir(globals)?;
    ask(&home, what).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            let what = format!("no gateway runs on {}", home.display());
            Fault::new(Exit::NotFound, what).hint("start one with `packmule gateway`")
        }
        _ => Fault::new(
            Exit::Internal,
            format!("the gateway did not answer: {error}"),
        ),
    })
}

fn rows(told: &Value, name: &str) -> Vec<Value> {
    let rows = told.get(name).and_then(Value::as_array);
    rows.cloned().unwrap_or_default()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(row: &Value, name: &str) -> u64 {
    row.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn time(row: &Value, name: &str) -> String {
    rfc3339(number(row, name))
}
