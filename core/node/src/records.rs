//! The bus's records in the store: written by batches, read back at the start.
//!
//! Called by the writer and by whoever starts a node. Besides the tables of its own, a batch
//! changes what people see, in the same transaction: a message for us becomes a row of the inbox,
//! unless it was ever accepted before, by whatever channel; what becomes of our own messages
//! becomes the state of their rows in the outbox. What can go wrong: the disk, and rows that our
//! own writing never makes, which are told and left out.

mod labels;
mod pieces;
mod read;
mod write;

use std::collections::BTreeMap;

use packmule_bus::{EnvelopeId, bus::io::Op};

pub(crate) use labels::{names, priority};
pub(crate) use read::{Restored, has_arrived, unfinished};
pub(crate) use write::{superseded, write};

use crate::{
    HomeError,
    bodies::{INLINE, Shelf, Staged},
    outbox::OwnRow,
};

/// What lands in one transaction or not at all.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The bus's changes.
    pub(crate) ops: Vec<Op>,
    /// Rows of the outbox for messages that this batch takes on and that have none yet.
    pub(crate) rows: Vec<OwnRow>,
    /// Messages that the application has.
    pub(crate) read: Vec<EnvelopeId>,
}

impl Batch {
    /// About how many bytes it makes the store write.
    pub(crate) fn bytes(&self) -> usize {
        let op = |op: &Op| match op {
            Op::Body(_, form) => form.len() + 512,
            _ => 1024,
        };
        self.ops.iter().map(op).sum::<usize>() + 512 * self.rows.len()
    }

    /// Writes and syncs the bodies that are too large for the store, unless they are `there`.
    /// Answers their files; their names are durable after [`Shelf::sync`].
    pub(crate) fn stage(
        &self,
        shelf: &Shelf,
        there: impl Fn(&EnvelopeId) -> bool,
    ) -> Result<Files, HomeError> {
        let mut files = Files::new();
        for op in &self.ops {
            let Op::Body(id, form) = op else { continue };
            // Should it vanish before the transaction, the row takes it.
            if form.len() <= INLINE || there(id) {
                continue;
            }
            match shelf.stage(id, form) {
                Ok(Staged::File(name)) => shelf.remove_all(files.insert(*id, name)),
                Ok(Staged::Row(_)) => {}
                Err(error) => {
                    shelf.remove_all(files.into_values());
                    return Err(error);
                }
            }
        }
        Ok(files)
    }
}

/// The files of staged bodies.
pub(crate) type Files = BTreeMap<EnvelopeId, String>;
