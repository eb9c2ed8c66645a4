//! Mailboxes in `PostgreSQL`: the store for several gateways behind one address.
//!
//! Called by the gateway, as a [`MailboxStore`]; it keeps the same laws as the one in `SQLite` and
//! passes the same tests. Each gateway has one session that writes and some that
//! read; all that it answers for is committed with `synchronous_commit` on. Gateways take turns
//! by a lock that every writing transaction takes first, so that limits are exact whoever writes.
//!
//! | module | does |
//! |---|---|
//! | `connect`, `tls` | where the server is; sessions, again when it was away |
//! | `schema`, `days` | the tables; one for the letters of each day |
//! | `writer` | all that waits, in one transaction |
//! | `enqueue`, `renew`, `acks` | letters in, once more, and out, many in one statement |
//! | `accounts`, `endings`, `guard` | all else that is written |
//! | `letters`, `find`, `news` | what waits, what became of it, and what came by others |
//! | `room` | what is kept back of the disk |
//! | `backup` | a copy as a script for `psql` |
//!
//! What can go wrong: the server is away, [`StoreError::Unreachable`], and nobody is told that
//! anything was done. Its disk is full: letters are refused as [`Refusal::DiskFull`]; but a server
//! whose *log* has no room stops, acks and all, so keep `total` well below its disk.

mod accounts;
mod acks;
mod backup;
mod columns;
mod connect;
mod days;
mod endings;
mod enqueue;
mod fault;
mod find;
mod guard;
mod letters;
mod news;
mod renew;
mod room;
mod schema;
mod tls;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use packmule_bus::EnvelopeId;
use packmule_gateway::store::{
    Account, AccountView, Acked, Arrived, Change, DeadLetter, Enqueued, Found, Fut, Held, Letter,
    Limits, Listing, MailboxStore, Mark, Moment, News, Opening, Outcome, Refusal, StoreError,
    Totals, Waiting,
};
use tokio::sync::mpsc;

pub use connect::Database;

use acks::Ack;
use connect::{Keeps, Line, Session};
use enqueue::Brought;
use writer::Writer;

/// Asks a reader; once more where its session had ended while nobody asked.
macro_rules! read {
    ($store:expr, $db:ident => $ask:expr) => {
        async move {
            let $db = $store.reader().await?;
            match $ask.await {
                Err(StoreError::Unreachable { .. }) => {
                    let $db = $store.reader().await?;
                    $ask.await
                }
                told => told,
            }
        }
    };
}

/// Sessions that read.
const READERS: usize = 3;

/// Mailboxes in a database.
pub struct PostgresStore {
    database: Arc<Database>,
    limits: Limits,
    readers: Vec<Line>,
    next: AtomicUsize,
    light: Line,
    /// How other gateways hear that it was not they who told.
    me: String,
    /// For what is done with the tables themselves; one at a time.
    upkeep: tokio::sync::Mutex<Line>,
    writer: Writer,
}

impl PostgresStore {
    /// Opens the store in a database; makes it where there is none. Runs on the current runtime.
    ///
    /// # Errors
    /// The server cannot be reached or does not keep what it is told, the user may not make
    /// tables, or they are of a newer packmule.
    pub async fn open(database: Database, limits: Limits) -> Result<Self, StoreError> {
        let me = database.prepare().await?;
        let database = Arc::new(database);
        let line = |keeps| Line::new(&database, keeps);
        let (stored, telling) = mpsc::unbounded_channel();
        let light = line(Keeps::Little);
        tokio::spawn(news::tell(line(Keeps::Little), me.clone(), telling));
        Ok(Self {
            readers: (0..READERS).map(|_| line(Keeps::All)).collect(),
            next: AtomicUsize::new(0),
            light,
            me,
            upkeep: tokio::sync::Mutex::new(line(Keeps::All)),
            writer: Writer::start(line(Keeps::All), limits.clone(), stored),
            limits,
            database,
        })
    }

    /// A session to ask, each in turn.
    async fn reader(&self) -> Result<Arc<Session>, StoreError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % READERS;
        let line = self.readers.get(next).ok_or(StoreError::Shut)?;
        line.session().await
    }

    async fn enqueue_all(
        &self,
        letters: Vec<Letter>,
        now: Moment,
    ) -> Result<Vec<Enqueued>, StoreError> {
        let number = letters.len();
        match self.writer.letters(Brought::new(letters, now)).await {
            Err(StoreError::DiskFull) => Ok(vec![Enqueued::Refused(Refusal::DiskFull); number]),
            other => other,
        }
    }

    async fn expire_all(&self, now: Moment) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let limits = self.limits.clone();
            let step = self.writer.write(move |db| {
                let limits = limits.clone();
                Box::pin(async move { endings::expire(db, &limits, now).await })
            });
            let step = step.await?;
            ended += step;
            if step < endings::STEP {
                break;
            }
        }
        loop {
            let limits = &self.limits;
            let many = read!(self, db => endings::forgettable(&db, limits, now)).await?;
            if many == 0 {
                break;
            }
            let forgotten = self
                .writer
                .write(move |db| Box::pin(endings::forget(db, many)))
                .await?;
            if forgotten == 0 {
                break;
            }
        }
        guard::forget(&*self.light.session().await?, now).await?;
        let upkeep = self.upkeep.lock().await;
        let session = upkeep.session().await?;
        days::tidy(&session, now).await?;
        if session.client().batch_execute(&room::take()).await.is_err() {
            // There is still none: letters are refused meanwhile.
            let ended = session.client().batch_execute("ROLLBACK").await;
            ended.map_err(fault::fault)?;
        }
        Ok(ended)
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl MailboxStore for PostgresStore {
    fn open_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, Opening> {
        let asked = Arc::new((did.to_owned(), self.limits.clone()));
        Box::pin(self.writer.write(move |db| {
            let asked = Arc::clone(&asked);
            Box::pin(async move { accounts::open(db, &asked.0, &asked.1, now).await })
        }))
    }

    fn close_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, bool> {
        let asked = Arc::new((did.to_owned(), self.limits.clone()));
        Box::pin(self.writer.write(move |db| {
            let asked = Arc::clone(&asked);
            Box::pin(async move { accounts::close(db, &asked.0, &asked.1, now).await })
        }))
    }

    fn account_of<'a>(&'a self, next: &'a str) -> Fut<'a, Option<Account>> {
        Box::pin(read!(self, db => accounts::account_of(&db, next)))
    }

    fn moved<'a>(&'a self, old: &'a str, new: &'a str, told: Moment, now: Moment) -> Fut<'a, bool> {
        let asked = Arc::new((old.to_owned(), new.to_owned()));
        Box::pin(self.writer.write(move |db| {
            let asked = Arc::clone(&asked);
            Box::pin(async move { accounts::moved(db, &asked.0, &asked.1, told, now).await })
        }))
    }

    fn update<'a>(
        &'a self,
        account: &'a str,
        changes: &'a [Change],
        now: Moment,
    ) -> Fut<'a, Vec<Outcome>> {
        let asked = Arc::new((account.to_owned(), changes.to_vec(), self.limits.clone()));
        Box::pin(self.writer.write(move |db| {
            let asked = Arc::clone(&asked);
            Box::pin(async move {
                let (account, changes, limits) = &*asked;
                accounts::update(db, account, changes, limits, now).await
            })
        }))
    }

    fn bindings<'a>(&'a self, account: &'a str, limit: u32, offset: u32) -> Fut<'a, Listing> {
        Box::pin(read!(self, db => accounts::bindings(&db, account, limit, offset)))
    }

    fn enqueue(&self, letters: Vec<Letter>, now: Moment) -> Fut<'_, Vec<Enqueued>> {
        Box::pin(self.enqueue_all(letters, now))
    }

    fn status<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        now: Moment,
    ) -> Fut<'a, Waiting> {
        Box::pin(read!(self, db => letters::status(&db, account, recipient, now)))
    }

    fn page<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        limit: u32,
        max_bytes: u64,
        now: Moment,
    ) -> Fut<'a, Vec<Held>> {
        Box::pin(read!(self, db => letters::page(&db, account, recipient, limit, max_bytes, now)))
    }

    fn ack<'a>(&'a self, account: &'a str, ids: &'a [EnvelopeId], now: Moment) -> Fut<'a, Acked> {
        Box::pin(async move {
            let (of, ids) = (account.to_owned(), ids.to_vec());
            let count = self
                .writer
                .ack(Ack {
                    account: of,
                    ids,
                    now,
                })
                .await?;
            let left = read!(self, db => letters::status(&db, account, None, now)).await?;
            Ok(Acked { count, left })
        })
    }

    fn expire(&self, now: Moment) -> Fut<'_, u64> {
        Box::pin(self.expire_all(now))
    }

    fn dead_letters(&self, limit: u32) -> Fut<'_, Vec<DeadLetter>> {
        Box::pin(read!(self, db => endings::dead_letters(&db, limit)))
    }

    fn accounts<'a>(&'a self, after: Option<&'a str>, limit: u32) -> Fut<'a, Vec<AccountView>> {
        Box::pin(read!(self, db => accounts::list(&db, after, limit)))
    }

    fn find<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Found>> {
        Box::pin(read!(self, db => find::find(&db, id, now)))
    }

    fn copy<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Vec<u8>>> {
        Box::pin(read!(self, db => find::copy(&db, id, now)))
    }

    fn totals(&self) -> Fut<'_, Totals> {
        Box::pin(read!(self, db => endings::totals(&db)))
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Fut<'a, ()> {
        Box::pin(async move {
            let line = Line::new(&self.database, Keeps::All);
            backup::write(line.session().await?.client(), to).await
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn news(&self) -> Option<mpsc::Receiver<News>> {
        Some(news::hear(Arc::clone(&self.database), self.me.clone()))
    }

    fn since<'a>(
        &'a self,
        account: &'a str,
        mark: Option<Mark>,
        limit: u32,
        now: Moment,
    ) -> Fut<'a, Arrived> {
        Box::pin(read!(self, db => letters::since(&db, account, mark, limit, now)))
    }

    fn seen_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        now: Moment,
    ) -> Fut<'a, bool> {
        Box::pin(async move {
            let session = self.light.session().await?;
            guard::seen(&session, sender, message_id, &self.limits, now).await
        })
    }

    fn settle_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        done: bool,
        now: Moment,
    ) -> Fut<'a, ()> {
        Box::pin(async move {
            let session = self.light.session().await?;
            let until = now + self.limits.seen_for;
            guard::settle(&session, sender, message_id, done, until).await
        })
    }
}
