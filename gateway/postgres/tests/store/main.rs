//! The store in `PostgreSQL`, on a real server: the laws of every store of mailboxes, and its own.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a step that fails fails its test"
)]

mod away;
mod backup;
mod days;
mod disk;
mod measure;
mod secured;
mod several;

use std::sync::Arc;

use packmule_gateway::store::{Limits, MailboxStore};
use packmule_places::Postgres;
use packmule_postgres::{Database, PostgresStore};

packmule_mailboxes::laws!(Stage);

/// A server with one database that matters.
struct Stage {
    server: Postgres,
    url: String,
}

impl Stage {
    fn of(server: Postgres) -> Self {
        let url = server.database();
        Self { server, url }
    }

    async fn store(&self, limits: Limits) -> Arc<PostgresStore> {
        Arc::new(open(&self.url, limits).await)
    }
}

impl packmule_mailboxes::Stage for Stage {
    /// Each takes a second.
    const CASES: u32 = 10;

    async fn new() -> Self {
        Self::of(Postgres::start())
    }

    async fn open(&self, limits: Limits) -> Arc<dyn MailboxStore> {
        self.store(limits).await
    }

    async fn clear(&mut self) {
        // A database takes its time; the tables are made anew instead.
        let made = self.server.ask(
            &self.url,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'packmule'",
        );
        if made == "1" {
            self.server.ask(&self.url, "DROP SCHEMA packmule CASCADE");
        }
    }
}

async fn open(url: &str, limits: Limits) -> PostgresStore {
    let database = Database::new(url, None).unwrap();
    PostgresStore::open(database, limits).await.unwrap()
}
