//! Mailboxes that several gateways share: where the configuration says so.

use std::sync::Arc;

use packmule_gateway::config::Config;
use packmule_gateway::limits;
use packmule_gateway::store::{MailboxStore, StoreError};
use packmule_postgres::{Database, PostgresStore};

use crate::exit::Exit;
use crate::fault::Fault;

/// The database that is configured, if one is; nothing is asked of it yet.
pub(super) fn database(config: &Config) -> Result<Option<Database>, Fault> {
    let Some(url) = &config.mailboxes.postgres else {
        return Ok(None);
    };
    let authority = match &config.mailboxes.postgres_authority {
        None => None,
        Some(path) => {
            let read = std::fs::read(path);
            Some(read.map_err(|err| Fault::file("read", path, &err))?)
        }
    };
    let database = Database::new(url.text(), authority.as_deref());
    let database = database.map_err(|err| {
        Fault::usage(format!("`mailboxes.postgres` makes no sense: {err}")).hint(
            "postgres://USER:PASSWORD@HOST/DATABASE; `packmule gateway --help` shows every key",
        )
    })?;
    Ok(Some(database))
}

/// Opens the store in it.
pub(super) async fn open(config: &Config) -> Result<Option<Arc<dyn MailboxStore>>, Fault> {
    let Some(database) = database(config)? else {
        return Ok(None);
    };
    let store = PostgresStore::open(database, limits(config)).await?;
    Ok(Some(Arc::new(store)))
}

impl From<StoreError> for Fault {
    fn from(err: StoreError) -> Self {
        let what = err.to_string();
        match err {
            StoreError::Unreachable { .. } | StoreError::ReadOnly => {
                Self::new(Exit::Internal, what).hint(
                    "is the server of `mailboxes.postgres` up, and may this user make tables?",
                )
            }
            StoreError::DiskFull => Self::new(Exit::NoSpace, what),
            _ => Self::damaged(what).hint("restore the mailboxes from a backup"),
        }
    }
}
