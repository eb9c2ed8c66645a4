//! Carrying messages out: written durably to a folder, and marked sent afterwards.
//!
//! Who calls it: `export`, the demo. What can go wrong: a full, read-only or vanished medium;
//! what was written is marked, the rest waits on. Killed between the two steps, the next run
//! finds the same bytes in the folder, writes nothing, and marks them then.

use packmule_bus::{Envelope, EnvelopeId, Kind};
use packmule_node::{Home, OutRow, OutState};
use packmule_transports::drive::Folder;

use crate::fault::Fault;
use crate::ui::progress::Progress;
use crate::ui::time::now;

/// Rows read at a time.
const PAGE: usize = 1000;

/// What an export did.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// Messages written now.
    pub(crate) written: usize,
    /// Messages whose bytes lay in the folder already.
    pub(crate) duplicate: usize,
    /// Messages that had expired and were not sent.
    pub(crate) expired: usize,
    /// Why it stopped before the end.
    pub(crate) broken: Option<Fault>,
}

/// Every row of the outbox in one state (or all), oldest first.
pub(crate) fn rows(home: &Home, state: Option<OutState>) -> Result<Vec<OutRow>, Fault> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let page = home.outbox(state, after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(rows);
        };
        after = last.seq;
        rows.extend(page);
    }
}

/// Keeps the rows for this peer (a name or a DID): those to its former DIDs too, which it reads.
pub(crate) fn only_for(home: &Home, peer: &str, rows: &mut Vec<OutRow>) -> Result<(), Fault> {
    let dids = home.dids_of(peer)?;
    rows.retain(|row| dids.contains(&row.peer));
    Ok(())
}

/// Writes what waits (for all, or for the peer with this name or DID) into a folder.
pub(crate) fn export(
    home: &Home,
    folder: &Folder,
    peer: Option<&str>,
    quiet: bool,
) -> Result<Carried, Fault> {
    let now = now();
    let mut carried = Carried {
        expired: home.expire(now)?,
        ..Carried::default()
    };
    let mut waiting = rows(home, Some(OutState::Queued))?;
    if let Some(did) = peer {
        only_for(home, did, &mut waiting)?;
    }
    if waiting.is_empty() {
        return Ok(carried);
    }
    let mut progress = Progress::new("exporting", waiting.len() as u64, quiet);
    let mut unread = None;
    let mut unmarked: Vec<EnvelopeId> = Vec::new();
    let mut mark_fault = None;
    let messages = waiting.iter().map_while(|row| match packed(home, row) {
        Ok(message) => Some(message),
        Err(fault) => {
            unread = Some(fault);
            None
        }
    });
    let delivered = folder.deliver_all(messages, now, |index, one| {
        if let Some(row) = waiting.get(index) {
            unmarked.push(row.id);
        }
        if one.duplicate {
            carried.duplicate += 1;
        } else {
            carried.written += 1;
        }
        progress.add(1);
        // Often enough that a kill makes the next run re-read little.
        if unmarked.len() >= PAGE && mark_fault.is_none() {
            mark_fault = home.mark_sent(&unmarked, "drive", now).err();
            unmarked.clear();
        }
    });
    home.mark_sent(&unmarked, "drive", now)?;
    if let Some(err) = mark_fault {
        return Err(err.into());
    }
    if let Err(err) = delivered {
        carried.broken = Some(err.into());
    } else if let Some(fault) = unread {
        carried.broken = Some(fault);
    } else {
        folder.sync()?;
    }
    Ok(carried)
}

/// The bytes of one waiting message, and what they are.
pub(crate) fn packed(home: &Home, row: &OutRow) -> Result<(Vec<u8>, Kind), Fault> {
    let bytes = home.outgoing(&row.id)?.ok_or_else(|| {
        Fault::not_found(format!(
            "message {} left the outbox meanwhile",
            row.message_id
        ))
    })?;
    let kind = Envelope::from_packed(&bytes)?.kind();
    Ok((bytes, kind))
}
