//! One thread that writes: all that wait, in one transaction, then it tells each.
//!
//! Called by [`super::SqliteStore`]. A commit costs an `fsync`, whatever is in it, so that under
//! load many share one (group commit), and alone nobody waits. What waits is bounded: letters by
//! their bytes, all else by number; who brings more waits for room. When nothing is to do, or the
//! disk is short of room, letters that were acked are swept out, and pages that are free go back
//! to the disk, some at a time. What can go wrong: the disk. A group that fails is tried again
//! piece by piece; what a full disk must not stop then gets the room that was kept back
//! ([`super::room`]).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::acks::{Unswept, sweep, unswept};
use super::guard::Guard;
use super::room::Room;
use super::schema::pragma;
use crate::store::StoreError;

/// Most bytes in one transaction: bounds how long the first of a group waits for the last.
const GROUP_BYTES: usize = 4 << 20;
/// Most bytes of letters that wait, in KiB.
const LETTERS_KIB: usize = 16 << 10;
/// Most other requests that wait.
const REQUESTS: usize = 1024;
/// After a group of so many the next waits a little for company.
const MANY: usize = 3;
const LINGER: Duration = Duration::from_micros(2_500);
/// Without work for so long, the thread tidies up.
const IDLE: Duration = Duration::from_millis(200);
/// Pages given back to the disk in one step, and how many may stay free.
const STEP_PAGES: i64 = 256;
const FREE_PAGES: i64 = 64;
/// Groups after which a store that is mostly free pages is made smaller although there is work.
const GROUPS: u32 = 256;

/// What a piece of work may use when the disk is full.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It is refused: letters.
    Usual,
    /// The room that was kept back: all that lets others go on.
    Kept,
}

/// Work on the store that may be tried twice, and whoever waits for it.
trait Job: Send {
    fn work(&mut self, db: &Connection) -> Result<(), StoreError>;
    fn tell(self: Box<Self>, outcome: Result<(), StoreError>);
    fn need(&self) -> Need;
    fn bytes(&self) -> usize;
}

struct Task<T, F> {
    work: F,
    made: Option<T>,
    told: oneshot::Sender<Result<T, StoreError>>,
    need: Need,
    bytes: usize,
    _place: OwnedSemaphorePermit,
}

impl<T: Send, F> Job for Task<T, F>
where
    F: FnMut(&Connection) -> Result<T, StoreError> + Send,
{
    fn work(&mut self, db: &Connection) -> Result<(), StoreError> {
        self.made = Some((self.work)(db)?);
        Ok(())
    }

    fn tell(self: Box<Self>, outcome: Result<(), StoreError>) {
        let made = self.made.ok_or(StoreError::Shut);
        // Whoever asked may have gone.
        let _ = self.told.send(outcome.and(made));
    }

    fn need(&self) -> Need {
        self.need
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

enum Told {
    Job(Box<dyn Job>),
    /// Something is to be written that nobody waits for.
    Wake,
}

/// The way to the writing thread. Dropping it lets the thread write what waits, and end.
pub(super) struct Writer {
    queue: Option<Sender<Told>>,
    letters: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, and one beside it that moves the log into the store.
    pub(super) fn start(
        db: Connection,
        other: Connection,
        room: Arc<Room>,
        guard: Arc<Guard>,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = channel();
        let (log, asked) = channel();
        let work = Work {
            db,
            room,
            guard,
            jobs,
            log,
        };
        // It never waits for readers: what it could not do it does the next time.
        other.busy_timeout(Duration::ZERO)?;
        Ok(Self {
            queue: Some(queue),
            letters: Arc::new(Semaphore::new(LETTERS_KIB)),
            requests: Arc::new(Semaphore::new(REQUESTS)),
            threads: vec![
                spawn("mailbox-writer", move || work.run())?,
                spawn("mailbox-log", move || move_log(&other, &asked))?,
            ],
        })
    }

    /// Does this work in a transaction with others' and answers after the commit. `bytes` is
    /// about what it writes.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        need: Need,
        bytes: usize,
        work: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = match need {
            Need::Usual => {
                let kib = (bytes / 1024 + 1).min(LETTERS_KIB);
                let kib = u32::try_from(kib).unwrap_or(u32::MAX);
                Arc::clone(&self.letters).acquire_many_owned(kib).await
            }
            Need::Kept => Arc::clone(&self.requests).acquire_owned().await,
        };
        let (told, answer) = oneshot::channel();
        let task = Task {
            work,
            made: None,
            told,
            need,
            bytes,
            _place: place.map_err(|_| StoreError::Shut)?,
        };
        self.send(Told::Job(Box::new(task)))?;
        answer.await.map_err(|_| StoreError::Shut)?
    }

    /// Says that the guard has something to write, some time.
    pub(super) fn wake(&self) {
        let _ = self.send(Told::Wake);
    }

    fn send(&self, told: Told) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Shut)?;
        queue.send(told).map_err(|_| StoreError::Shut)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// What the log's thread is asked for.
enum Log {
    /// To move it into the store, beside the writing.
    Move,
    /// To make its file small too, for which whoever writes waits.
    Shrink,
}

struct Work {
    db: Connection,
    room: Arc<Room>,
    guard: Arc<Guard>,
    jobs: Receiver<Told>,
    log: Sender<Log>,
}

impl Work {
    fn run(mut self) {
        let mut unmoved = 0;
        let mut busy = false;
        // Is there something to tidy up, once nothing else is to do?
        let mut untidy = true;
        let mut patience = IDLE;
        let mut groups = 0_u32;
        let mut tidied: Option<Instant> = None;
        loop {
            let first = if untidy {
                self.jobs.recv_timeout(patience)
            } else {
                self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let first = match first {
                Ok(Told::Job(job)) => job,
                Ok(Told::Wake) => {
                    untidy = true;
                    patience = IDLE;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {
                    untidy = self.tidy();
                    patience = Duration::ZERO;
                    unmoved = 0;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if busy {
                thread::sleep(LINGER);
            }
            let (group, bytes) = self.gather(first);
            busy = group.len() >= MANY && bytes < GROUP_BYTES / 4;
            self.land(group);
            if unswept(&self.db) == Unswept::Enough {
                // Nobody waits for it; what fails is tried when there is nothing else to do.
                let _ = self.sweep();
            }
            untidy = true;
            patience = IDLE;
            if self.room.is_short() && tidied.is_none_or(|at| at.elapsed() >= IDLE) {
                // Those who are refused try again, and may leave no quiet moment: what was
                // collected gives its room back now, at the pace that it has otherwise.
                self.room.dealt_with();
                if self.tidy() {
                    let _ = self.log.send(Log::Shrink);
                }
                unmoved = 0;
                tidied = Some(Instant::now());
            }
            groups += 1;
            if groups >= GROUPS {
                groups = 0;
                self.shrink_in_passing();
            }
            unmoved += bytes;
            if unmoved >= self.room.log_bytes() {
                unmoved = 0;
                let _ = self.log.send(Log::Move);
            }
        }
        // What the guard still has, nobody will bring any more.
        let _ = self.commit(&mut []);
    }

    fn gather(&self, first: Box<dyn Job>) -> (Vec<Box<dyn Job>>, usize) {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while bytes < GROUP_BYTES {
            match self.jobs.try_recv() {
                Ok(Told::Job(job)) => {
                    bytes += job.bytes();
                    group.push(job);
                }
                Ok(Told::Wake) => {}
                Err(_) => break,
            }
        }
        (group, bytes)
    }

    fn land(&mut self, mut group: Vec<Box<dyn Job>>) {
        if self.commit(&mut group).is_ok() {
            group.into_iter().for_each(|job| job.tell(Ok(())));
            return;
        }
        for job in group {
            let mut alone = [job];
            let mut outcome = self.commit(&mut alone);
            let [job] = &alone;
            if outcome == Err(StoreError::DiskFull) && job.need() == Need::Kept {
                self.make_room();
                outcome = self.commit(&mut alone);
            }
            let [job] = alone;
            job.tell(outcome);
        }
    }

    /// Lets the kept room go, and the log begin anew as far as it can.
    fn make_room(&self) {
        self.room.let_go();
        let _ = checkpoint(&self.db, "PASSIVE");
    }

    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let unsaved = self.guard.unsaved();
        self.room.begin();
        let outcome = write(&mut self.db, group, |db| self.guard.save(db, &unsaved));
        if outcome.is_err() {
            self.guard.again(unsaved);
        }
        outcome
    }

    /// One step of giving room back. Answers whether there is more to do.
    fn tidy(&mut self) -> bool {
        if self.guard.has_unsaved() {
            // What fails here waits for the next commit.
            let _ = self.commit(&mut []);
        }
        if unswept(&self.db) != Unswept::Nothing && self.sweep().is_err() {
            self.make_room();
            // What fails now too is tried at the next occasion.
            let _ = self.sweep();
        }
        let free = pragma(&self.db, "freelist_count").unwrap_or_default();
        if free > FREE_PAGES {
            match self.give_back(free - FREE_PAGES) {
                Ok(()) => return true,
                Err(StoreError::DiskFull) => {
                    self.make_room();
                    let _ = self.give_back(free - FREE_PAGES);
                }
                Err(_) => {}
            }
        }
        let _ = self.log.send(Log::Shrink);
        self.room.take();
        false
    }

    fn sweep(&mut self) -> Result<(), StoreError> {
        write(&mut self.db, &mut [], sweep)
    }

    fn shrink_in_passing(&self) {
        let free = pragma(&self.db, "freelist_count").unwrap_or_default();
        let all = pragma(&self.db, "page_count").unwrap_or_default();
        if free > all / 2 && free > 4 * STEP_PAGES {
            let _ = self.give_back(free);
        }
    }

    /// Gives up to so many pages back to the disk, but not more than one step.
    fn give_back(&self, pages: i64) -> Result<(), StoreError> {
        let sql = format!("PRAGMA incremental_vacuum({})", pages.min(STEP_PAGES));
        let mut vacuum = self.db.prepare(&sql)?;
        let mut freed = vacuum.query([])?;
        // Each row is a page.
        while freed.next()?.is_some() {}
        Ok(())
    }
}

fn write(
    db: &mut Connection,
    group: &mut [Box<dyn Job>],
    also: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in group {
        job.work(&tx)?;
    }
    also(&tx)?;
    Ok(tx.commit()?)
}

/// Moves the log into the store; whoever writes is held up only where the file is made small.
fn move_log(db: &Connection, asked: &Receiver<Log>) {
    while let Ok(first) = asked.recv() {
        let mut mode = first;
        while let Ok(next) = asked.try_recv() {
            if matches!(next, Log::Shrink) {
                mode = next;
            }
        }
        // What fails here is tried again; the writer has its own backstop.
        let _ = match mode {
            Log::Move => checkpoint(db, "PASSIVE"),
            Log::Shrink => checkpoint(db, "TRUNCATE"),
        };
    }
}

fn checkpoint(db: &Connection, mode: &str) -> rusqlite::Result<()> {
    db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    Ok(thread::Builder::new().name(name.to_owned()).spawn(work)?)
}
