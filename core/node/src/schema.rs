//! The store's format, version 2, and how a connection to it is opened.
//!
//! Called by [`crate::Home`]. The version stands in SQLite's `user_version`; a store of a newer
//! version is refused, one of version 1 becomes one of version 2 in one transaction when it is
//! opened. `fixtures/store` holds a store of each version, and tests open them: change a released
//! version's format by a new version only.

mod tables;

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::error::{HomeError, damaged};

use tables::{MOVE_1, NEW_IN_2, TABLES, WIDEN_1};

/// The version this program writes.
const VERSION: i64 = 2;
/// `pkml`: tells `file` and us that this SQLite file is ours.
const APPLICATION: i64 = 0x706b_6d6c;
/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(20);

/// Bytes of log that stay when all of it is in the store: room that need not be found again.
const LOG_KEPT: i64 = 64 << 20;
/// Kibibytes of pages in memory: a transaction that outgrows them is written twice.
const PAGES_KEPT: i64 = 8 << 10;

/// Makes a new, empty store.
pub(crate) fn create(path: &Path) -> Result<Connection, HomeError> {
    let mut db = Connection::open(path)?;
    // Must come before the first table: lets a drained store shrink.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    configure(&db)?;
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(TABLES)?;
    tx.execute_batch(NEW_IN_2)?;
    tx.pragma_update(None, "application_id", APPLICATION)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()?;
    Ok(db)
}

/// Opens a store that exists, in the present version afterwards.
pub(crate) fn open(path: &Path) -> Result<Connection, HomeError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    if pragma(&db, "application_id")? != APPLICATION {
        let what = format!("{} is not a store of packmule", path.display());
        return Err(HomeError::Damaged { what });
    }
    let version = pragma(&db, "user_version")?;
    if version > VERSION {
        return Err(HomeError::TooNew { version });
    }
    configure(&db)?;
    if version < VERSION {
        migrate(&mut db)?;
    }
    db.set_prepared_statement_cache_capacity(64);
    // A plan that depends on the values bound would be made anew for each of them.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

/// All or nothing: killed or out of room in the middle, the store is what it was.
fn migrate(db: &mut Connection) -> Result<(), HomeError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match pragma(&tx, "user_version")? {
        // Another process was quicker.
        VERSION => return Ok(()),
        1 => [WIDEN_1, NEW_IN_2, MOVE_1]
            .iter()
            .try_for_each(|step| tx.execute_batch(step))?,
        other => {
            return Err(damaged(format!(
                "the store claims version {other}, which never was"
            )));
        }
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    Ok(tx.commit()?)
}

fn pragma(db: &Connection, name: &str) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

/// Durability and defence: a commit returns after `fsync`; a store that was tampered with cannot
/// run functions from its schema.
fn configure(db: &Connection) -> Result<(), HomeError> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "journal_size_limit", LOG_KEPT)?;
    db.pragma_update(None, "cache_size", -PAGES_KEPT)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}
