//! The store's format, version 2, and how a connection to it is opened.
//!
//! Called by [`super::SqliteStore`]. The version stands in `SQLite`'s `user_version`; an older
//! store is brought to this version in one transaction, a newer one is refused.
//! `fixtures/gateway` holds a store of each version, and a test opens them: change a released
//! version's format by a new version only. What can go wrong: killed while it is made, a store is
//! empty, and is made again.
//!
//! Counters are kept by triggers where letters come and move, so that no statement can forget
//! them; where they go, many at once, [`super::counts`] does it.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::fault::damaged;
use crate::store::StoreError;

/// The version this program writes.
const VERSION: i64 = 2;
/// `pkgw`: tells `file` and us that this `SQLite` file is ours.
const APPLICATION: i64 = 0x706b_6777;
/// How long one connection waits for another's transaction.
const BUSY: Duration = Duration::from_secs(20);
/// Bytes of log that stay when all of it is in the store and more is to come.
const LOG_KEPT: i64 = 4 << 20;
/// Kibibytes of pages in a connection's memory.
const PAGES_KEPT: i64 = 4 << 10;
/// Pages of log after which the writer moves them itself, should the other thread not keep up.
const BACKSTOP_PAGES: i64 = 16_384;

/// `known`: messages that are held or were, each with its id's first 16 bytes. `letters_next`
/// answers what comes next, and how much of it is for whom, without rows.
const TABLES: &str = "
CREATE TABLE accounts (
    account  INTEGER PRIMARY KEY AUTOINCREMENT,
    did      TEXT NOT NULL UNIQUE,
    opened   INTEGER NOT NULL,
    bindings INTEGER NOT NULL DEFAULT 0,
    letters  INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE bindings (
    binding INTEGER PRIMARY KEY AUTOINCREMENT,
    did     TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    since   INTEGER NOT NULL
) STRICT;
CREATE INDEX bindings_account ON bindings (account, binding);
CREATE TABLE recipients (
    recipient INTEGER PRIMARY KEY AUTOINCREMENT,
    account   INTEGER NOT NULL,
    did       TEXT NOT NULL,
    letters   INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, did)
) STRICT;
CREATE TABLE letters (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL,
    recipient  INTEGER NOT NULL,
    envelope   BLOB NOT NULL,
    sender     BLOB,
    priority   INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    form       BLOB NOT NULL
) STRICT;
CREATE INDEX letters_next ON letters (account, priority DESC, seq, recipient, not_before, expires);
CREATE INDEX letters_sender ON letters (account, sender) WHERE sender IS NOT NULL;
CREATE INDEX letters_expires ON letters (expires, account, recipient, bytes);
CREATE INDEX letters_later ON letters (account, not_before, expires, recipient, bytes)
    WHERE not_before > 0;
CREATE TABLE known (
    account  INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (account, envelope)
) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
    message BLOB PRIMARY KEY,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- why: 1 expired, 2 the account was closed.
CREATE TABLE dead (
    dead      INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope  BLOB NOT NULL,
    account   TEXT NOT NULL,
    recipient TEXT NOT NULL,
    bytes     INTEGER NOT NULL,
    received  INTEGER NOT NULL,
    ended     INTEGER NOT NULL,
    why       INTEGER NOT NULL
) STRICT;
CREATE TABLE totals (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    letters INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0);
CREATE TRIGGER letters_in AFTER INSERT ON letters BEGIN
    UPDATE accounts SET letters = letters + 1, bytes = bytes + new.bytes
        WHERE account = new.account;
    UPDATE recipients SET letters = letters + 1, bytes = bytes + new.bytes
        WHERE recipient = new.recipient;
    UPDATE totals SET letters = letters + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER letters_moved AFTER UPDATE OF account, recipient ON letters BEGIN
    UPDATE accounts SET letters = letters - 1, bytes = bytes - old.bytes
        WHERE account = old.account;
    UPDATE recipients SET letters = letters - 1, bytes = bytes - old.bytes
        WHERE recipient = old.recipient;
    UPDATE accounts SET letters = letters + 1, bytes = bytes + new.bytes
        WHERE account = new.account;
    UPDATE recipients SET letters = letters + 1, bytes = bytes + new.bytes
        WHERE recipient = new.recipient;
    DELETE FROM recipients WHERE recipient = old.recipient AND letters = 0;
END;
CREATE TRIGGER bindings_in AFTER INSERT ON bindings BEGIN
    UPDATE accounts SET bindings = bindings + 1 WHERE account = new.account;
END;
CREATE TRIGGER bindings_out AFTER DELETE ON bindings BEGIN
    UPDATE accounts SET bindings = bindings - 1 WHERE account = old.account;
END;
CREATE TRIGGER bindings_moved AFTER UPDATE OF account ON bindings BEGIN
    UPDATE accounts SET bindings = bindings - 1 WHERE account = old.account;
    UPDATE accounts SET bindings = bindings + 1 WHERE account = new.account;
END;
";

/// What version 2 brought. `acked`: letters that were collected and are still to be swept out;
/// whoever reads `letters` leaves them out. `collected`: those that are gone, for as long as they
/// are known.
const GONE: &str = "
CREATE TABLE acked (
    seq   INTEGER PRIMARY KEY,
    bytes INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
CREATE TABLE collected (
    seq      INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL,
    envelope BLOB NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
CREATE INDEX collected_until ON collected (until);
";

/// From version 1, where `known` said itself until when.
const TO_2: &str = "
INSERT INTO collected SELECT seq, account, envelope, until FROM known WHERE until IS NOT NULL;
DROP INDEX known_until;
ALTER TABLE known DROP COLUMN until;
DROP TRIGGER letters_out;
";

/// Opens the store, and makes it first where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let mut db = connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let empty: bool = db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |r| r.get(0))?;
    if empty && pragma(&db, "application_id")? == 0 {
        create(&mut db)?;
    }
    if pragma(&db, "application_id")? != APPLICATION {
        return Err(damaged(format!(
            "{} is not a store of mailboxes",
            path.display()
        )));
    }
    match pragma(&db, "user_version")? {
        VERSION => {}
        1 => migrate(&mut db)?,
        version if version > VERSION => return Err(StoreError::TooNew { version }),
        other => {
            return Err(damaged(format!(
                "it claims version {other}, which never was"
            )));
        }
    }
    configure(&db)?;
    db.pragma_update(None, "wal_autocheckpoint", BACKSTOP_PAGES)?;
    Ok(db)
}

/// One more connection to a store that is open.
pub(super) fn beside(path: &Path) -> Result<Connection, StoreError> {
    let db = connection(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    configure(&db)?;
    Ok(db)
}

/// One more connection that cannot change anything.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let db = beside(path)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn connection(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    let db = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

fn create(db: &mut Connection) -> Result<(), StoreError> {
    // Must come before the first table: lets a drained store shrink.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    configure(db)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLES)?;
    tx.execute_batch(GONE)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    Ok(tx.commit()?)
}

fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    configure(db)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another program may have done it meanwhile.
    if pragma(&tx, "user_version")? == 1 {
        tx.execute_batch(GONE)?;
        tx.execute_batch(TO_2)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(tx.commit()?)
}

pub(super) fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

/// Durability and defence: a commit returns after `fsync`; a store that was tampered with cannot
/// run functions from its schema.
fn configure(db: &Connection) -> Result<(), StoreError> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    db.pragma_update(None, "cache_size", -PAGES_KEPT)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.set_prepared_statement_cache_capacity(64);
    // A plan that depends on the values bound would be made anew for each of them.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}
