//! The store in `SQLite`: the laws of every store of mailboxes, and its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a step that fails fails its test"
)]

mod backup;
mod crash;
mod disk;
mod find;
mod fixture;
mod full;

use std::path::Path;
use std::sync::Arc;

use packmule_gateway::store::{Limits, MailboxStore, SqliteStore, StoreError};
use packmule_mailboxes::{ALICE, BOB, CAROL, is_stored, later, letter, noon, packed, small, take};
use tempfile::TempDir;

packmule_mailboxes::laws!(Stage);

/// A store that may be opened again, with other limits.
struct Stage {
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn open(&self, limits: Limits) -> Arc<dyn MailboxStore> {
        Arc::new(sqlite(&self.dir.path().join("mailboxes"), limits).unwrap())
    }
}

impl packmule_mailboxes::Stage for Stage {
    async fn new() -> Self {
        Self::new()
    }

    async fn open(&self, limits: Limits) -> Arc<dyn MailboxStore> {
        self.open(limits)
    }

    async fn clear(&mut self) {
        *self = Self::new();
    }
}

fn sqlite(path: &Path, limits: Limits) -> Result<SqliteStore, StoreError> {
    // A test does not ask the machine's disk for 50 MB that nobody needs.
    let reserve = limits.reserve.or(Some(1 << 20));
    SqliteStore::open(path, Limits { reserve, ..limits })
}
