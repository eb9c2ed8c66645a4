//! `packmule forget MSG`: take a message back, as far as it can be.

use packmule_node::control::{Reply, Request};
use packmule_node::desk::dead;
use serde_json::json;

use crate::args::{ForgetArgs, Globals};
use crate::cmd::outbox::find_for_node;
use crate::fault::Fault;
use crate::flow::node;
use crate::ui::output::Report;

/// Takes it back: by the node, if one runs.
pub(crate) fn run(globals: &Globals, args: &ForgetArgs) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let (row, id) = find_for_node(&home, &args.id);
    let changed = match (node::running(home.dir())?, &row) {
        (Some(mut client), _) => match client.ask(&Request::Forget { id: id.clone() })? {
            Reply::Done { changed } => changed,
            other => return Err(node::nonsense(&other)),
        },
        (None, Ok(row)) => dead::forget(&home, &row.id)?,
        (None, Err(_)) => false,
    };
    if !changed {
        return Err(match row {
            Err(fault) => fault,
            Ok(row) => Fault::usage(format!(
                "message {} is {} already",
                row.message_id,
                super::outbox::word(row.state)
            )),
        });
    }
    let name = row
        .as_ref()
        .map_or_else(|_| id.clone(), |row| row.message_id.clone());
    Ok(Report::new(
        format!("{name} is taken back; copies that others hold end when their time is over"),
        json!({ "id": name, "envelope": id, "forgotten": true }),
    ))
}
