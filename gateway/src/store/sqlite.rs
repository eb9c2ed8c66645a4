//! Mailboxes in one `SQLite` file: the store that needs no server.
//!
//! Called by the gateway, as a [`MailboxStore`]. WAL with `synchronous=FULL`, one thread that
//! writes for all ([`writer`]) and some that read. Bodies are kept in the identity form of
//! [`packmule_bus::Envelope`]. Beside `NAME` lie `NAME-wal` and `NAME-shm` (`SQLite`'s), and
//! `NAME-room` ([`room`]). What can go wrong: see [`StoreError`]. One process opens a store at a
//! time: the home's lock sees to that.

mod accounts;
mod acks;
mod backup;
mod columns;
mod counts;
mod endings;
mod enqueue;
mod fault;
mod find;
mod guard;
mod readers;
mod room;
mod schema;
mod waiting;
mod writer;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use packmule_bus::EnvelopeId;
use tokio::sync::oneshot;

use super::{
    Account, AccountView, Acked, Change, DeadLetter, Enqueued, Found, Fut, Held, Letter, Limits,
    Listing, MailboxStore, Moment, Opening, Outcome, Refusal, StoreError, Totals, Waiting,
};
use guard::Guard;
use readers::Readers;
use room::Room;
use writer::{Need, Writer};

/// Threads that read. More would wait for the same disk.
const READERS: usize = 3;
/// What a change that is no letter writes, about.
const LITTLE: usize = 16 << 10;

/// Mailboxes in one file.
pub struct SqliteStore {
    path: PathBuf,
    limits: Limits,
    room: Arc<Room>,
    guard: Arc<Guard>,
    // The readers end first: the last connection to close tidies up the log.
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the store at `path`; makes it where there is none. Blocks while it does.
    ///
    /// # Errors
    /// The file is none of ours, of a newer packmule, or the disk fails.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let db = match schema::open(path) {
            // One of an older version is changed, and what is kept back may be all the room.
            Err(StoreError::DiskFull) if Room::give_up(path) => schema::open(path)?,
            other => other?,
        };
        let room = Arc::new(Room::beside(path, limits.reserved()));
        let guard = Arc::new(Guard::load(&db, limits.seen, limits.seen_for)?);
        let connections: Result<Vec<_>, _> = (0..READERS).map(|_| schema::reader(path)).collect();
        let readers = Readers::start(connections?)?;
        let beside = schema::beside(path)?;
        let writer = Writer::start(db, beside, Arc::clone(&room), Arc::clone(&guard))?;
        Ok(Self {
            path: path.to_owned(),
            limits,
            room,
            guard,
            readers,
            writer,
        })
    }

    /// Writes a whole copy of the store in this file, while a gateway that has it open goes on.
    ///
    /// # Errors
    /// [`StoreError`] of the store or of the copy's disk; then there is no copy.
    pub fn back_up(store: &Path, to: &Path) -> Result<(), StoreError> {
        backup::write(store, to)
    }

    /// Makes the store in this file what it was when this backup was written; nobody may have it
    /// open. Answers where the one that was there before is now.
    ///
    /// # Errors
    /// [`StoreError`]; what is no backup, or a damaged one, changes nothing.
    pub fn restore(from: &Path, store: &Path) -> Result<Option<PathBuf>, StoreError> {
        backup::restore(from, store)
    }

    async fn enqueue_all(
        &self,
        letters: Vec<Letter>,
        now: Moment,
    ) -> Result<Vec<Enqueued>, StoreError> {
        let number = letters.len();
        let bytes = letters.iter().map(|letter| letter.form().len() + 512).sum();
        let (limits, room) = (self.limits.clone(), Arc::clone(&self.room));
        let work = move |db: &_| enqueue::enqueue(db, &letters, &limits, &room, now);
        match self.writer.write(Need::Usual, bytes, work).await {
            Err(StoreError::DiskFull) => Ok(vec![Enqueued::Refused(Refusal::DiskFull); number]),
            other => other,
        }
    }

    async fn expire_all(&self, now: Moment) -> Result<u64, StoreError> {
        let mut ended = 0;
        loop {
            let limits = self.limits.clone();
            let step = move |db: &_| endings::expire(db, &limits, now);
            let step = self.writer.write(Need::Kept, LITTLE, step).await?;
            ended += step;
            if step < endings::STEP {
                break;
            }
        }
        loop {
            let limits = self.limits.clone();
            let step = move |db: &_| endings::forget(db, &limits, now);
            if !self.writer.write(Need::Kept, LITTLE, step).await? {
                return Ok(ended);
            }
        }
    }

    fn disk(&self) -> u64 {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        let sizes = [self.path.clone(), PathBuf::from(log)].map(fs::metadata);
        sizes.into_iter().flatten().map(|facts| facts.len()).sum()
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl MailboxStore for SqliteStore {
    fn open_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, Opening> {
        let (did, limits) = (did.to_owned(), self.limits.clone());
        let work = move |db: &_| accounts::open(db, &did, &limits, now);
        Box::pin(self.writer.write(Need::Kept, LITTLE, work))
    }

    fn close_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, bool> {
        let (did, limits) = (did.to_owned(), self.limits.clone());
        let work = move |db: &_| accounts::close(db, &did, &limits, now);
        Box::pin(self.writer.write(Need::Kept, LITTLE, work))
    }

    fn account_of<'a>(&'a self, next: &'a str) -> Fut<'a, Option<Account>> {
        let next = next.to_owned();
        Box::pin(self.readers.read(move |db| accounts::account_of(db, &next)))
    }

    fn moved<'a>(&'a self, old: &'a str, new: &'a str, told: Moment, now: Moment) -> Fut<'a, bool> {
        let (old, new) = (old.to_owned(), new.to_owned());
        let work = move |db: &_| accounts::moved(db, &old, &new, told, now);
        Box::pin(self.writer.write(Need::Kept, LITTLE, work))
    }

    fn update<'a>(
        &'a self,
        account: &'a str,
        changes: &'a [Change],
        now: Moment,
    ) -> Fut<'a, Vec<Outcome>> {
        let (account, changes) = (account.to_owned(), changes.to_vec());
        let (limits, room) = (self.limits.clone(), Arc::clone(&self.room));
        let work = move |db: &_| accounts::update(db, &account, &changes, &limits, &room, now);
        Box::pin(self.writer.write(Need::Kept, LITTLE, work))
    }

    fn bindings<'a>(&'a self, account: &'a str, limit: u32, offset: u32) -> Fut<'a, Listing> {
        let account = account.to_owned();
        let work = move |db: &_| accounts::bindings(db, &account, limit, offset);
        Box::pin(self.readers.read(work))
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
        let (account, recipient) = (account.to_owned(), recipient.map(str::to_owned));
        let work = move |db: &_| waiting::status(db, &account, recipient.as_deref(), now);
        Box::pin(self.readers.read(work))
    }

    fn page<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        limit: u32,
        max_bytes: u64,
        now: Moment,
    ) -> Fut<'a, Vec<Held>> {
        let (account, recipient) = (account.to_owned(), recipient.map(str::to_owned));
        let work =
            move |db: &_| waiting::page(db, &account, recipient.as_deref(), limit, max_bytes, now);
        Box::pin(self.readers.read(work))
    }

    fn ack<'a>(&'a self, account: &'a str, ids: &'a [EnvelopeId], now: Moment) -> Fut<'a, Acked> {
        let (account, ids) = (account.to_owned(), ids.to_vec());
        let limits = self.limits.clone();
        let work = move |db: &_| acks::ack(db, &account, &ids, &limits, now);
        Box::pin(self.writer.write(Need::Kept, LITTLE, work))
    }

    fn expire(&self, now: Moment) -> Fut<'_, u64> {
        Box::pin(self.expire_all(now))
    }

    fn dead_letters(&self, limit: u32) -> Fut<'_, Vec<DeadLetter>> {
        Box::pin(
            self.readers
                .read(move |db| endings::dead_letters(db, limit)),
        )
    }

    fn accounts<'a>(&'a self, after: Option<&'a str>, limit: u32) -> Fut<'a, Vec<AccountView>> {
        let after = after.map(str::to_owned);
        let work = move |db: &_| accounts::list(db, after.as_deref(), limit);
        Box::pin(self.readers.read(work))
    }

    fn find<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Found>> {
        let id = *id;
        Box::pin(self.readers.read(move |db| find::find(db, &id, now)))
    }

    fn copy<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Vec<u8>>> {
        let id = *id;
        Box::pin(self.readers.read(move |db| find::copy(db, &id, now)))
    }

    fn totals(&self) -> Fut<'_, Totals> {
        Box::pin(async {
            let mut totals = self.readers.read(endings::totals).await?;
            totals.disk = self.disk();
            totals.free = self.room.free();
            Ok(totals)
        })
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Fut<'a, ()> {
        let (store, to) = (self.path.clone(), to.to_owned());
        Box::pin(async {
            let (told, outcome) = oneshot::channel();
            thread::Builder::new()
                .name("mailbox-backup".to_owned())
                .spawn(move || told.send(backup::write(&store, &to)))?;
            outcome.await.map_err(|_| StoreError::Shut)?
        })
    }

    fn seen_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        now: Moment,
    ) -> Fut<'a, bool> {
        let seen = self.guard.seen(sender, message_id, now);
        Box::pin(std::future::ready(Ok(seen)))
    }

    fn settle_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        done: bool,
        now: Moment,
    ) -> Fut<'a, ()> {
        if self.guard.settle(sender, message_id, done, now) {
            self.writer.wake();
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
