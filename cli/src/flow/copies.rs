//! Copies that we left on sticks: gone from there once their messages have arrived.
//!
//! Who calls it: `carry`, which notes what it wrote and looks when a stick is here again. What can
//! go wrong: the stick never comes back, or is read-only; then its recipient finds a message that
//! it knows. Batches are left to their recipient: they go when it has all of them.

use std::collections::{BTreeMap, BTreeSet};

use packmule_bus::EnvelopeId;
use packmule_node::{ApplyError, Change, Home, OutState};
use packmule_transports::drive::{FileHash, Folder, SettleError};

use crate::fault::Fault;

/// The topic of notes on files: the hash in a file's name, and the envelope in it.
const TOPIC: &str = "on-stick";

/// Notes that these files hold these messages.
pub(crate) fn note(home: &Home, files: &BTreeMap<FileHash, EnvelopeId>) -> Result<(), ApplyError> {
    let note = |(hash, id): (&FileHash, &EnvelopeId)| change(hash.as_str(), Some(id.to_string()));
    home.apply(&files.iter().map(note).collect::<Vec<_>>())?;
    Ok(())
}

/// Removes from the folder what nobody waits for any more. How many files that were.
pub(crate) fn purge(home: &Home, folder: &Folder) -> Result<usize, Fault> {
    let (mut over, mut forgotten) = (BTreeSet::new(), Vec::new());
    for (hash, id) in home.notes(TOPIC)? {
        let state = match id.parse() {
            Ok(id) => home.outbox_row(&id)?.map(|row| row.state),
            Err(_) => None,
        };
        if matches!(state, Some(OutState::Queued | OutState::Sent)) {
            continue;
        }
        if state.is_none() {
            forgotten.push(change(&hash, None));
        }
        over.extend(hash.parse::<FileHash>().ok());
    }
    if over.is_empty() {
        return Ok(0);
    }
    let removed = match folder.retract(&over) {
        Ok(removed) => removed,
        // Whoever writes next tells of it.
        Err(SettleError::Folder(_)) => return Ok(0),
        Err(err) => return Err(err.into()),
    };
    forgotten.extend(removed.iter().map(|hash| change(hash.as_str(), None)));
    home.apply(&forgotten)?;
    Ok(removed.len())
}

fn change(hash: &str, value: Option<String>) -> Change {
    Change::Note {
        topic: TOPIC.to_owned(),
        key: hash.to_owned(),
        value,
    }
}
