//! One task that writes: all that wait, in one transaction, then it tells each.
//!
//! Called by [`crate::PostgresStore`]. A commit costs a sync of the server's log, whatever is in
//! it, so that under load many share one (group commit), and alone nobody waits. Every
//! transaction begins by locking the one row of `totals`: gateways take turns, and whoever has
//! its turn sees all that others committed, and decides alone. Within a group acks come first,
//! then letters, each as one statement, then all else; they were asked at the same time, so that
//! any order is right.
//!
//! What can go wrong: the server goes away. Then whoever waits is told [`StoreError::Unreachable`],
//! also where the commit was sent and its answer did not come: as after a crash, what was not
//! answered may have been done, and a letter that is brought again is known. A group that fails
//! otherwise is tried again piece by piece; what a full disk must not stop then gets the room that
//! was kept back ([`room`]).

use std::sync::Arc;

use futures_util::future::{join, join4};
use packmule_bus::link::BoxFut;
use packmule_gateway::store::{Enqueued, Limits, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::acks::{self, Ack};
use crate::connect::{EXCHANGE, Line, Session};
use crate::days::Days;
use crate::enqueue::{self, Brought};
use crate::fault::{fault, unreachable};
use crate::room;

/// Most bytes in one transaction: bounds how long the first of a group waits for the last.
const GROUP_BYTES: usize = 4 << 20;
/// Most bytes of letters that wait, in KiB.
const LETTERS_KIB: usize = 16 << 10;
/// Most other requests that wait.
const REQUESTS: usize = 1024;
/// Taken by each transaction of ours before anything else.
const LOCK: &str = "SELECT FROM totals FOR UPDATE";

/// Somebody who waits for what is made of `asked`.
pub(crate) struct Waiting<A, T> {
    pub(crate) asked: A,
    told: oneshot::Sender<Result<T, StoreError>>,
    _place: OwnedSemaphorePermit,
}

/// Work of another kind, that may be tried twice.
trait Job: Send {
    fn work<'a>(&'a mut self, db: &'a Session) -> BoxFut<'a, Result<(), StoreError>>;
    fn tell(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<T, F> {
    waiting: Waiting<F, T>,
    made: Option<T>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: for<'a> Fn(&'a Session) -> BoxFut<'a, Result<T, StoreError>> + Send + Sync,
{
    fn work<'a>(&'a mut self, db: &'a Session) -> BoxFut<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.made = Some((self.waiting.asked)(db).await?);
            Ok(())
        })
    }

    fn tell(self: Box<Self>, outcome: Result<(), StoreError>) {
        let made = self.made.ok_or(StoreError::Shut);
        // Whoever asked may have gone.
        let _ = self.waiting.told.send(outcome.and(made));
    }
}

enum Asked {
    Ack(Waiting<Ack, u64>),
    Letters(Waiting<Brought, Vec<Enqueued>>),
    Other(Box<dyn Job>),
}

/// The way to the writing task. When it is dropped, what waits is still written.
pub(crate) struct Writer {
    queue: mpsc::UnboundedSender<Asked>,
    letters: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Writer {
    /// Starts the task. `stored` is told for whom letters were stored.
    pub(crate) fn start(
        line: Line,
        limits: Limits,
        stored: mpsc::UnboundedSender<Vec<String>>,
    ) -> Self {
        let (queue, asked) = mpsc::unbounded_channel();
        let work = Work {
            line,
            limits,
            days: Days::default(),
            asked,
            stored,
        };
        tokio::spawn(work.run());
        Self {
            queue,
            letters: Arc::new(Semaphore::new(LETTERS_KIB)),
            requests: Arc::new(Semaphore::new(REQUESTS)),
        }
    }

    /// Takes letters on.
    pub(crate) async fn letters(&self, brought: Brought) -> Result<Vec<Enqueued>, StoreError> {
        let kib = (brought.weight() / 1024 + 1).min(LETTERS_KIB);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.letters).acquire_many_owned(kib).await;
        let place = place.map_err(|_| StoreError::Shut)?;
        self.ask(brought, place, Asked::Letters).await
    }

    /// Removes letters that arrived.
    pub(crate) async fn ack(&self, ack: Ack) -> Result<u64, StoreError> {
        let place = self.place().await?;
        self.ask(ack, place, Asked::Ack).await
    }

    /// Does any other work on the store.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Session) -> BoxFut<'a, Result<T, StoreError>> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let place = self.place().await?;
        let task = |waiting| {
            let made = None;
            Asked::Other(Box::new(Task { waiting, made }))
        };
        self.ask(work, place, task).await
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let place = Arc::clone(&self.requests).acquire_owned().await;
        place.map_err(|_| StoreError::Shut)
    }

    async fn ask<A, T>(
        &self,
        asked: A,
        place: OwnedSemaphorePermit,
        kind: impl FnOnce(Waiting<A, T>) -> Asked,
    ) -> Result<T, StoreError> {
        let (told, answer) = oneshot::channel();
        let waiting = Waiting {
            asked,
            told,
            _place: place,
        };
        self.queue
            .send(kind(waiting))
            .map_err(|_| StoreError::Shut)?;
        answer.await.map_err(|_| StoreError::Shut)?
    }
}

/// What goes into one transaction.
#[derive(Default)]
struct Group {
    acks: Vec<Waiting<Ack, u64>>,
    letters: Vec<Waiting<Brought, Vec<Enqueued>>>,
    others: Vec<Box<dyn Job>>,
    bytes: usize,
}

impl Group {
    fn add(&mut self, asked: Asked) {
        match asked {
            Asked::Ack(ack) => self.acks.push(ack),
            Asked::Letters(letters) => {
                self.bytes += letters.asked.weight();
                self.letters.push(letters);
            }
            Asked::Other(job) => self.others.push(job),
        }
    }

    fn len(&self) -> usize {
        self.acks.len() + self.letters.len() + self.others.len()
    }

    fn pieces(self) -> impl Iterator<Item = Self> {
        let acks = self.acks.into_iter().map(Asked::Ack);
        let letters = self.letters.into_iter().map(Asked::Letters);
        let others = self.others.into_iter().map(Asked::Other);
        acks.chain(letters).chain(others).map(|asked| {
            let mut alone = Self::default();
            alone.add(asked);
            alone
        })
    }

    fn tell(self, outcome: Result<Made, StoreError>) {
        let (made, told) = match outcome {
            Ok(made) => (made, Ok(())),
            Err(fault) => (Made::default(), Err(fault)),
        };
        let (mut acked, mut stored) = (made.acked.into_iter(), made.stored.into_iter());
        for ack in self.acks {
            let made = acked.next().ok_or(StoreError::Shut);
            let _ = ack.told.send(told.clone().and(made));
        }
        for letters in self.letters {
            let made = stored.next().ok_or(StoreError::Shut);
            let _ = letters.told.send(told.clone().and(made));
        }
        for job in self.others {
            job.tell(told.clone());
        }
    }
}

/// What became of a group's acks and letters.
#[derive(Default)]
struct Made {
    acked: Vec<u64>,
    stored: Vec<Vec<Enqueued>>,
}

struct Work {
    line: Line,
    limits: Limits,
    days: Days,
    asked: mpsc::UnboundedReceiver<Asked>,
    stored: mpsc::UnboundedSender<Vec<String>>,
}

impl Work {
    async fn run(mut self) {
        while let Some(first) = self.asked.recv().await {
            let mut group = Group::default();
            group.add(first);
            while group.bytes < GROUP_BYTES {
                match self.asked.try_recv() {
                    Ok(asked) => group.add(asked),
                    Err(_) => break,
                }
            }
            self.land(group).await;
        }
    }

    async fn land(&mut self, mut group: Group) {
        let outcome = self.commit(&mut group).await;
        match outcome {
            // One of them may be to blame.
            Err(StoreError::Broken { .. } | StoreError::DiskFull | StoreError::Damaged { .. })
                if group.len() > 1 =>
            {
                for alone in group.pieces() {
                    self.land_alone(alone).await;
                }
            }
            Err(StoreError::DiskFull) => self.land_alone(group).await,
            outcome => group.tell(outcome),
        }
    }

    async fn land_alone(&mut self, mut group: Group) {
        let mut outcome = self.commit(&mut group).await;
        if outcome.as_ref().err() == Some(&StoreError::DiskFull) && group.letters.is_empty() {
            outcome = match self.make_room().await {
                Ok(()) => self.commit(&mut group).await,
                Err(fault) => Err(fault),
            };
        }
        group.tell(outcome);
    }

    async fn make_room(&self) -> Result<(), StoreError> {
        room::let_go(&*self.line.session().await?).await
    }

    async fn commit(&mut self, group: &mut Group) -> Result<Made, StoreError> {
        let db = self.line.session().await?;
        let brought = group.letters.iter().map(|it| &it.asked);
        self.days.make(&db, brought).await;
        let outcome = timeout(EXCHANGE, transaction(&db, group, &self.limits)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(unreachable("it does not answer")));
        match &outcome {
            Ok((_, stored)) => {
                if !stored.is_empty() {
                    let _ = self.stored.send(stored.clone());
                }
            }
            Err(StoreError::Unreachable { .. }) => self.line.drop_session().await,
            Err(_) => {
                if db.client().batch_execute("ROLLBACK").await.is_err() {
                    self.line.drop_session().await;
                }
            }
        }
        outcome.map(|(made, _)| made)
    }
}

/// All of a group, or nothing. Tells also for which accounts letters were stored.
async fn transaction(
    db: &Session,
    group: &mut Group,
    limits: &Limits,
) -> Result<(Made, Vec<String>), StoreError> {
    let lock = db.ready(LOCK).await?;
    let ready = enqueue::Ready::new(db).await?;
    let acks = acks::ready(db).await?;
    let asked: Vec<&Ack> = group.acks.iter().map(|it| &it.asked).collect();
    let brought: Vec<&Brought> = group.letters.iter().map(|it| &it.asked).collect();
    // Sent together, done in this order: each sees what those before it did.
    let (begun, locked, acked, facts) = join4(
        db.client().batch_execute("BEGIN"),
        db.client().query_one(&lock, &[]),
        acks::end(db, &acks, &asked, limits),
        ready.facts(db, &brought, limits),
    )
    .await;
    begun.map_err(fault)?;
    locked.map_err(fault)?;
    let acked = acked?;
    let decided = enqueue::decide(&brought, facts?, limits);
    let commit = || db.client().batch_execute("COMMIT");
    let insert = async {
        let (renewed, numbers) = join(
            decided.renew(db, &ready),
            ready.insert(db, &brought, &decided),
        )
        .await;
        renewed.and(numbers)
    };
    let (numbers, committed) = if group.others.is_empty() {
        // The server makes it a rollback where one of them failed.
        join(insert, commit()).await
    } else {
        let numbers = insert.await;
        for job in &mut group.others {
            job.work(db).await?;
        }
        (numbers, commit().await)
    };
    let numbers = numbers?;
    committed.map_err(fault)?;
    let (stored, accounts) = decided.told(&numbers)?;
    Ok((Made { acked, stored }, accounts))
}
