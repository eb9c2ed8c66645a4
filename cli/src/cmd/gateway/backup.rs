//! `packmule gateway backup` and `restore`: the mailboxes as one file.

use std::path::{Path, PathBuf};

use packmule_gateway::mailboxes;
use packmule_gateway::store::SqliteStore;
use packmule_node::control::place::{NodeLock, Taken};
use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::{Report, plain};

/// Writes a copy, whether the gateway runs or not.
pub(super) fn write(globals: &Globals, to: &Path) -> Result<Report, Fault> {
    let store = store(globals)?;
    if !store.is_file() {
        let what = format!(
            "there are no mailboxes in {}",
            plain(&store.display().to_string())
        );
        return Err(Fault::not_found(what).hint("has the gateway of this home ever run?"));
    }
    SqliteStore::back_up(&store, to)?;
    let bytes = to.metadata().map_err(|err| Fault::file("read", to, &err))?;
    let text = format!(
        "{} bytes written to {}",
        bytes.len(),
        plain(&to.display().to_string())
    );
    Ok(Report::new(
        text,
        json!({ "file": to, "bytes": bytes.len() }),
    ))
}

/// Puts one back.
pub(super) fn restore(globals: &Globals, from: &Path) -> Result<Report, Fault> {
    let store = store(globals)?;
    from.metadata()
        .map_err(|err| Fault::file("read", from, &err))?;
    // Nobody starts a gateway here meanwhile: it would write to what is being put away.
    let home = crate::home::dir(globals)?;
    let _alone = NodeLock::take(&home).map_err(|taken| match taken {
        Taken::Running(pid) => {
            let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let what = format!("a gateway or node runs on this home{who}");
            Fault::usage(what).hint("stop it, restore, and start it again")
        }
        Taken::Io(err) => Fault::file("lock", &home, &err),
    })?;
    let before = SqliteStore::restore(from, &store)?;
    let mut text = format!(
        "the mailboxes are those of {}",
        plain(&from.display().to_string())
    );
    if let Some(before) = &before {
        let kept = format!(
            "\nthose before are kept in {}",
            plain(&before.display().to_string())
        );
        text.push_str(&kept);
    }
    Ok(Report::new(text, json!({ "ok": true, "before": before })))
}

fn store(globals: &Globals) -> Result<PathBuf, Fault> {
    let home = crate::home::dir(globals)?;
    if super::load(&home, None)?.mailboxes.postgres.is_some() {
        let what = "the mailboxes of this gateway are in PostgreSQL";
        return Err(Fault::usage(what.to_owned()).hint("pg_dump and pg_restore copy them"));
    }
    Ok(mailboxes(&home))
}
