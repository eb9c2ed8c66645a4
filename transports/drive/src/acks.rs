//! Receipts of the link: `ack/<hash>.ack`, an empty file, says "I hold this message durably".
//!
//! Written by the receiver after its commit, read by the sender when the medium comes back. What
//! can go wrong: a read-only or full medium; then the sender simply delivers again, and finds a
//! duplicate.

use std::collections::BTreeSet;

use crate::{
    folder::Folder,
    marks::{MarkError, Marks},
    name::FileHash,
};

/// The subfolder of receipts.
const ACKS: &str = "ack";

impl Folder {
    /// Writes a receipt for each hash, durably. Those that exist already are left.
    pub fn acknowledge<'a>(
        &self,
        hashes: impl IntoIterator<Item = &'a FileHash>,
    ) -> Result<(), MarkError> {
        Marks::of(self, ACKS).put(hashes.into_iter().map(ack_name))
    }

    /// The hashes that receipts on this medium name. A receipt proves nothing: see the front
    /// page's "Extra context".
    pub fn acknowledged(&self) -> Result<BTreeSet<FileHash>, MarkError> {
        let hash = |name: &str| name.strip_suffix(".ack")?.parse().ok();
        Ok(Marks::of(self, ACKS).all(hash)?.into_iter().collect())
    }

    /// Removes a receipt that its addressee, the sender, has taken note of.
    pub fn forget_ack(&self, hash: &FileHash) -> Result<(), MarkError> {
        Marks::of(self, ACKS).remove(&ack_name(hash))
    }
}

fn ack_name(hash: &FileHash) -> String {
    format!("{hash}.ack")
}
