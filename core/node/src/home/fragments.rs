//! Unfinished messages: what links began is in the store, what scans of codes began in files.
//!
//! Who calls it: the driver, so that links bring the rest of what was scanned; scans, so that fewer
//! codes are needed for what links began. What can go wrong: a file or a row that makes no sense;
//! it is left out.

use std::path::PathBuf;

use packmule_bus::label::DidTag;
use packmule_bus::{EnvelopeId, Fragment, fountain};

use super::{Home, HomeError};
use crate::desk::address::{own_dids, tag_of};
use crate::records::{has_arrived, unfinished};

/// The folder of what scans have begun.
const SCANNED: &str = "partials";
/// Ends the names of its files, each in the form of [`fountain::Partial`].
const EXTENSION: &str = "partial";
/// Of so many files.
const MOST: usize = 16;
/// Each at most so long.
const LONGEST: u64 = 16 << 20;

impl Home {
    /// Where scans keep what they have begun: files that end in `.partial`, each in the form of
    /// [`fountain::Partial`], and whatever else a scan keeps.
    #[must_use]
    pub fn scans(&self) -> PathBuf {
        self.dir().join(SCANNED)
    }

    /// What scans have begun and not finished, and where it lies.
    #[must_use]
    pub fn scanned(&self) -> Vec<(PathBuf, Fragment)> {
        let entries = std::fs::read_dir(self.scans()).into_iter().flatten();
        let files = entries.flatten().filter(|entry| {
            let named = entry.path().extension().is_some_and(|it| it == EXTENSION);
            named && entry.metadata().is_ok_and(|meta| meta.len() <= LONGEST)
        });
        files
            .take(MOST)
            .filter_map(|entry| {
                let bytes = std::fs::read(entry.path()).ok()?;
                let partial = fountain::Partial::from_bytes(&bytes).ok()?;
                Some((entry.path(), Fragment::of_frames(&partial)))
            })
            .collect()
    }

    /// What links have begun of messages to us and not finished, as far as it is on the disk and codes
    /// can carry it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn arriving(&self) -> Result<Vec<Fragment>, HomeError> {
        let longest = fountain::MAX_OBJECT as u64;
        let ours: Vec<DidTag> = own_dids(self).iter().map(|did| tag_of(did)).collect();
        let partials = unfinished(&self.connect()?, longest, MOST, &ours)?;
        Ok(partials.into_iter().map(Fragment::of_links).collect())
    }

    /// Is this message in the inbox, opened or not?
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn has_arrived(&self, id: &EnvelopeId) -> Result<bool, HomeError> {
        Ok(has_arrived(&self.db(), id)?)
    }
}
