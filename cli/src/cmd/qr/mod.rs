//! `packmule qr`: messages as pictures.

mod read;
mod save;
mod scan;
mod show;
mod swap;

use packmule_bus::Envelope;
use packmule_node::{Home, OutRow, OutState};

use crate::args::{Globals, QrVerb};
use crate::cmd::outbox;
use crate::fault::Fault;
use crate::flow::carry;
use crate::ui::output::Report;
use crate::ui::time::now;

/// Runs one of them.
pub(crate) fn run(globals: &Globals, verb: QrVerb) -> Result<Report, Fault> {
    match verb {
        QrVerb::Show(args) => show::run(globals, &args),
        QrVerb::Save(args) => save::run(globals, &args),
        QrVerb::Swap(args) => swap::run(globals, &args),
        QrVerb::Scan(args) => scan::run(globals, &args),
        QrVerb::Read {
            files,
            keep_sealed,
            forget,
        } => read::run(globals, &files, keep_sealed, forget),
    }
}

/// The waiting messages: one by id (which may have been sent already), or all, or a peer's.
fn waiting(
    home: &Home,
    id: Option<&str>,
    peer: Option<&str>,
) -> Result<Vec<(OutRow, Envelope)>, Fault> {
    home.expire(now())?;
    let state = id.is_none().then_some(OutState::Queued);
    let mut rows = carry::rows(home, state)?;
    if let Some(id) = id {
        rows.retain(|row| outbox::names(row, id));
        rows = vec![outbox::only(rows, id)?];
        if let [row] = rows.as_slice()
            && row.state == OutState::Expired
        {
            return Err(Fault::refused(
                packmule_node::desk::EXPIRED,
                format!(
                    "message {} has expired and is not sent any more",
                    row.message_id
                ),
            ));
        }
    }
    if let Some(name) = peer {
        let did = crate::flow::party::peer(home, name)?.did;
        carry::only_for(home, &did, &mut rows)?;
    }
    if rows.is_empty() {
        return Err(
            Fault::not_found("nothing waits to go").hint("`packmule send` writes a message")
        );
    }
    rows.into_iter()
        .map(|row| {
            let (packed, _) = carry::packed(home, &row)?;
            Ok((row, Envelope::from_packed(&packed)?))
        })
        .collect()
}
