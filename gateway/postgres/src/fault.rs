//! What the server and the way to it say, in the store's words.
//!
//! Called by everything in this crate. What can go wrong: a new kind of fault is
//! [`StoreError::Broken`], in its own words. The server's *details* name values, DIDs among them,
//! and are left out.

use packmule_gateway::store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// A fault as the store tells it.
pub(crate) fn fault(error: Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => said_by_server(said),
        // The protocol's own faults, and those of the way.
        None => unreachable(words(&error)),
    }
}

fn said_by_server(said: &DbError) -> StoreError {
    let code = said.code();
    let what = format!("{} ({})", said.message(), code.code());
    match *code {
        SqlState::DISK_FULL => StoreError::DiskFull,
        // A standby, or a user who may only read.
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::INSUFFICIENT_PRIVILEGE => {
            StoreError::ReadOnly
        }
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => damaged(what),
        // It took too long, was told to end, has no place for one more, or starts just now.
        SqlState::QUERY_CANCELED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::TOO_MANY_CONNECTIONS => unreachable(what),
        // 08: the connection; 57P: shut down, crashed, starting; 25P: waited idle for too long.
        _ if ["08", "57P", "25P03"]
            .iter()
            .any(|it| code.code().starts_with(it)) =>
        {
            unreachable(what)
        }
        _ => StoreError::Broken { what },
    }
}

/// With what it comes from, which the library's own words leave out.
fn words(error: &Error) -> String {
    use std::error::Error as _;
    let mut what = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        what.push_str(&format!(": {deeper}"));
        source = deeper.source();
    }
    what
}

/// The server cannot be asked now.
pub(crate) fn unreachable(what: impl Into<String>) -> StoreError {
    StoreError::Unreachable { what: what.into() }
}

/// A value that our own writing never puts there.
pub(crate) fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged { what: what.into() }
}
