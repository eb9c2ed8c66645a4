//! The store's format, version 1, and how a connection to it is opened.
//!
//! Called by [`crate::Home`]. The version stands in SQLite's `user_version`; a store of a newer
//! version is refused, an older one will be migrated here. `fixtures/store/v1` holds a store of
//! this version, and a test opens it: change a released version's format by a new version only.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::HomeError;

/// The version this program writes.
const VERSION: i64 = 1;
/// `pkml`: tells `file` and us that this SQLite file is ours.
const APPLICATION: i64 = 0x706b_6d6c;
/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(20);

/// Times are posix seconds, ids are 32-byte envelope ids, messages are packed: no plaintext is
/// stored anywhere, so that the passphrase guards it all.
/// `AUTOINCREMENT`, so that a row number is never used for another message later.
const TABLES: &str = "
CREATE TABLE peers (
    peer  INTEGER PRIMARY KEY AUTOINCREMENT,
    name  TEXT NOT NULL UNIQUE COLLATE NOCASE,
    did   TEXT NOT NULL UNIQUE,
    doc   TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT;
CREATE TABLE aliases (
    did   TEXT PRIMARY KEY,
    peer  INTEGER NOT NULL REFERENCES peers(peer) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE docs (
    did     TEXT PRIMARY KEY,
    doc     TEXT NOT NULL,
    fetched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope BLOB NOT NULL UNIQUE,
    message  TEXT NOT NULL,
    peer     TEXT NOT NULL,
    packed   BLOB NOT NULL,
    state    INTEGER NOT NULL DEFAULT 0,
    sent_by  TEXT,
    created  INTEGER NOT NULL,
    expires  INTEGER,
    changed  INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_state ON outbox (state, seq);
CREATE INDEX outbox_message ON outbox (message);
CREATE TABLE seen (
    envelope BLOB PRIMARY KEY,
    first    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope BLOB NOT NULL UNIQUE,
    identity BLOB NOT NULL,
    bytes    INTEGER NOT NULL,
    channel  TEXT NOT NULL,
    received INTEGER NOT NULL,
    state    INTEGER NOT NULL DEFAULT 0,
    problem  TEXT,
    detail   TEXT,
    opened   INTEGER NOT NULL DEFAULT 0,
    message  TEXT,
    sender   TEXT
) STRICT;
CREATE INDEX inbox_state ON inbox (state, seq);
CREATE INDEX inbox_message ON inbox (message) WHERE message IS NOT NULL;
CREATE INDEX inbox_opened ON inbox (seq) WHERE opened = 0 AND state = 0;
CREATE TABLE notes (
    topic TEXT NOT NULL,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (topic, key)
) STRICT, WITHOUT ROWID;
";

/// Makes a new, empty store.
pub(crate) fn create(path: &Path) -> Result<Connection, HomeError> {
    let mut db = Connection::open(path)?;
    // Must come before the first table: lets a drained store shrink.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    configure(&db)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLES)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(db)
}

/// Opens a store that exists.
pub(crate) fn open(path: &Path) -> Result<Connection, HomeError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id")? != APPLICATION {
        let what = format!("{} is not a store of packmule", path.display());
        return Err(HomeError::Damaged { what });
    }
    match pragma("user_version")? {
        VERSION => {}
        newer if newer > VERSION => return Err(HomeError::TooNew { version: newer }),
        older => {
            let what = format!("the store claims version {older}, which never was");
            return Err(HomeError::Damaged { what });
        }
    }
    configure(&db)?;
    Ok(db)
}

/// Durability and defence: a commit returns after `fsync`; a store that was tampered with cannot
/// run functions from its schema.
fn configure(db: &Connection) -> Result<(), HomeError> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", 16 << 20)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}
