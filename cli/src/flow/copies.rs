//! Copies that we left on sticks: gone from there once their messages have arrived.
//!
//! Who calls it: `carry`, which notes what it wrote and looks when a stick is here again. What can
//! go wrong: the stick never comes back, or is read-only; then its recipient finds a message that
//! it knows. Batches are left to their recipient: they go when it has all of them.

use std::collections::{BTreeMap, BTreeSet};

use packmule_bus::EnvelopeId;
use packmule_node::{ApplyError, Change, Home, OutState};
use packmule_transports::drive::{FileHash, Folder};

use crate::fault::Fault;

/// The topic of notes on files: the hash in a file's name, and the envelope in it.
const TOPIC: &str = "on-stick";

/// Notes that these files hold these messages.
pub(crate) fn note(home: &Home, files: &BTreeMap<FileHash, EnvelopeId>) -> Result<(), ApplyError> {
    let note = |(hash, id): (&FileHash, &EnvelopeId)| change(hash.as_str(), Some(id.to_string()));
    home.apply(&files.iter().map(note).collect::<Vec<_>>())?;
    Ok(())
}

/// Removes from the folder what has arrived. How many files that were. Best effort: whoever writes
/// next tells what is wrong with the medium.
pub(crate) fn purge(home: &Home, folder: &Folder) -> Result<usize, Fault> {
    let (mut arrived, mut forgotten) = (BTreeSet::new(), Vec::new());
    for (hash, id) in home.notes(TOPIC)? {
        let row = match id.parse() {
            Ok(id) => home.outbox_row(&id)?,
            Err(_) => None,
        };
        match row.map(|row| row.state) {
            // There may be a copy on another stick: the note stays as long as its row.
            Some(OutState::Acknowledged) => arrived.extend(hash.parse::<FileHash>().ok()),
            Some(_) => {}
            None => forgotten.push(change(&hash, None)),
        }
    }
    if !forgotten.is_empty() {
        home.apply(&forgotten)?;
    }
    if arrived.is_empty() {
        return Ok(0);
    }
    Ok(folder.retract(&arrived).map_or(0, |removed| removed.len()))
}

fn change(hash: &str, value: Option<String>) -> Change {
    Change::Note {
        topic: TOPIC.to_owned(),
        key: hash.to_owned(),
        value,
    }
}
