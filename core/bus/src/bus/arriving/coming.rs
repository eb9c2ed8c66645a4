//! One wire form on its way here, and the words for what becomes of it.
//!
//! What is it: [`Coming`] and plain values. Who calls it: [`super::Arriving`]. What can go wrong:
//! nothing here.

use std::collections::BTreeSet;

use super::Name;
use super::pieces::Pieces;
use crate::bus::io::{LinkId, Partial};
use crate::label::Label;
use crate::time::{Now, Time};

/// What is here of it, who brings it, what of it is on the disk.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) bytes: u64,
    pub(super) label: Label,
    pub(super) pieces: Pieces,
    pub(super) bringers: BTreeSet<LinkId>,
    /// Who sent what is here.
    pub(super) sources: BTreeSet<LinkId>,
    /// Some of it is from before.
    pub(super) restored: bool,
    /// After wrong bytes: only this link is listened to.
    pub(super) only: Option<LinkId>,
    pub(super) saved: u64,
    pub(super) saved_at: Time,
    pub(super) on_disk: bool,
    pub(super) at: u64,
    /// When bytes of it came last.
    pub(super) last: Time,
}

impl Coming {
    pub(super) fn new(bytes: u64, label: Label, now: Now) -> Self {
        Self {
            bytes,
            label,
            pieces: Pieces::default(),
            bringers: BTreeSet::new(),
            sources: BTreeSet::new(),
            restored: false,
            only: None,
            saved: 0,
            saved_at: now.time,
            on_disk: false,
            at: now.wall,
            last: now.time,
        }
    }

    pub(super) fn record(&mut self, name: &Name, wall: u64) -> Partial {
        Partial {
            wire: name.1,
            id: name.0,
            bytes: self.bytes,
            label: self.label,
            pieces: self.pieces.record(),
            at: wall,
        }
    }
}

/// What bytes led to.
#[derive(Debug)]
pub(in crate::bus) enum Took {
    /// They were wanted, and more is.
    More,
    /// As before, and it is time for a checkpoint.
    Checkpoint,
    /// It is whole. Its name is free again; check its hash.
    Whole(Vec<u8>),
    /// Nobody waits for them.
    Unwanted,
    /// There is no room for them.
    Full,
}

/// What is left of a transfer that is over.
#[derive(Debug, Default)]
pub(in crate::bus) struct Over {
    /// Who was bringing it.
    pub(in crate::bus) bringers: BTreeSet<LinkId>,
    /// There is a record of it to drop.
    pub(in crate::bus) on_disk: bool,
}

/// What a link that leaves means for a transfer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bus) enum Left {
    /// This one can go on.
    Next(LinkId),
    /// Nobody can; save what is here.
    Save,
    /// Nobody can; what is here is saved.
    Kept,
    /// Nobody can, and nothing is here.
    Nothing,
}

/// Who is to blame for a wrong hash.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bus) enum Blame {
    /// This link.
    One(LinkId),
    /// It cannot be told; this link alone brings all of it again.
    Again(LinkId),
    /// Nobody who is still here.
    Nobody,
}
