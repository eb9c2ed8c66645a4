//! One thread that makes batches durable: all that wait, in one transaction, then it tells each.
//!
//! Called by the node's driver. A commit costs an `fsync`, whatever is in it, so that under load
//! many batches share one (group commit), and alone a batch waits for nobody. What can go wrong:
//! the disk. A group that fails is tried again batch by batch, so that one that is too large does
//! not take the others with it; of a batch that failed nothing is written.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use packmule_bus::bus::io::DiskFault;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    Home, HomeError,
    bodies::{self, Shelf},
    home::{Turn, now},
    records::{Batch, Files, superseded, write},
};

/// Most bytes in one transaction: bounds how long the first of a group waits for the last.
const GROUP_BYTES: usize = 4 << 20;
/// The log grows by about so much before it is moved into the store, beside the writing.
const CHECKPOINT_BYTES: usize = 4 << 20;
/// Pages of log after which the writer moves them itself, should the other thread not keep up.
const BACKSTOP_PAGES: i64 = 16_384;

/// After a group of so many batches the next one waits a little for company: a commit costs the
/// same whatever is in it. Who comes alone waits for nobody.
const MANY: usize = 6;
const LINGER: Duration = Duration::from_micros(500);

/// Told once for each batch: it is durable, or not at all.
pub(crate) type Told = Box<dyn FnOnce(Result<(), DiskFault>) + Send>;

/// The way to the writing thread. Dropping it lets the thread write what waits, and end.
pub(crate) struct Writer {
    queue: Option<Sender<(Batch, Owed)>>,
    waiting: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, with connections of its own.
    pub(crate) fn start(home: &Home) -> Result<Self, HomeError> {
        let db = home.connect()?;
        db.pragma_update(None, "wal_autocheckpoint", BACKSTOP_PAGES)?;
        let (queue, batches) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (grown, checkpoints) = channel();
        let work = Work {
            db,
            turn: home.turn(),
            shelf: home.shelf().clone(),
            batches,
            grown,
        };
        let other = home.connect()?;
        let threads = vec![
            spawn("packmule-writer", move || work.run())?,
            spawn("packmule-log", move || checkpoint(&other, &checkpoints))?,
        ];
        Ok(Self {
            queue: Some(queue),
            waiting,
            threads,
        })
    }

    /// Hands a batch over. Its outcome is told, on the writing thread.
    pub(crate) fn persist(&self, batch: Batch, told: Told) {
        let owed = Owed::new(&batch, told, &self.waiting);
        if let Some(queue) = &self.queue {
            // The thread ends after this side is dropped only; and what is owed tells by itself.
            let _ = queue.send((batch, owed));
        }
    }

    /// About how many bytes wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
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

/// The word that whoever brought a batch waits for. Dropped unsaid, by a thread that panicked, it
/// says that the disk failed.
struct Owed {
    told: Option<Told>,
    bytes: usize,
    waiting: Arc<AtomicUsize>,
}

impl Owed {
    fn new(batch: &Batch, told: Told, waiting: &Arc<AtomicUsize>) -> Self {
        let bytes = batch.bytes();
        waiting.fetch_add(bytes, Ordering::Relaxed);
        Self {
            told: Some(told),
            bytes,
            waiting: Arc::clone(waiting),
        }
    }

    fn say(&mut self, outcome: Result<(), DiskFault>) {
        if let Some(told) = self.told.take() {
            // First: whoever is told looks at once how much still waits, and may not look again
            // for long.
            self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
            told(outcome);
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.say(Err(DiskFault::Broken));
    }
}

struct Work {
    db: Connection,
    turn: Turn,
    shelf: Shelf,
    batches: Receiver<(Batch, Owed)>,
    grown: Sender<()>,
}

impl Work {
    fn run(mut self) {
        let mut unmoved = 0;
        let mut busy = false;
        while let Ok(first) = self.batches.recv() {
            if busy {
                thread::sleep(LINGER);
            }
            let mut bytes = first.0.bytes();
            let mut group = vec![first];
            while bytes < GROUP_BYTES {
                let Ok(next) = self.batches.try_recv() else {
                    break;
                };
                bytes += next.0.bytes();
                group.push(next);
            }
            busy = group.len() >= MANY && bytes < GROUP_BYTES / 4;
            // A fault of ours in one group is told as the disk's, and ends no other.
            let _ = catch_unwind(AssertUnwindSafe(|| self.land(group)));
            unmoved += bytes;
            if unmoved >= CHECKPOINT_BYTES {
                unmoved = 0;
                let _ = self.grown.send(());
            }
        }
    }

    fn land(&mut self, group: Vec<(Batch, Owed)>) {
        let (batches, owed): (Vec<Batch>, Vec<Owed>) = group.into_iter().unzip();
        if self.write(&batches).is_ok() {
            owed.into_iter().for_each(|mut owed| owed.say(Ok(())));
            return;
        }
        for (batch, mut owed) in batches.iter().zip(owed) {
            let outcome = self.write(std::slice::from_ref(batch));
            owed.say(outcome.map_err(|error| fault(&error)));
        }
    }

    fn write(&mut self, group: &[Batch]) -> Result<(), HomeError> {
        let mut staged = Vec::with_capacity(group.len());
        let outcome = self.write_staged(group, &mut staged);
        match &outcome {
            Ok(unneeded) => self.shelf.remove_all(unneeded.iter().cloned()),
            // Nothing names them: the transaction that did was undone.
            Err(_) => self
                .shelf
                .remove_all(staged.into_iter().flat_map(Files::into_values)),
        }
        outcome.map(|_| ())
    }

    fn write_staged(
        &mut self,
        group: &[Batch],
        staged: &mut Vec<Files>,
    ) -> Result<Vec<String>, HomeError> {
        for batch in group {
            staged.push(batch.stage(&self.shelf, |id| bodies::has_wire(&self.db, id))?);
        }
        if staged.iter().any(|files| !files.is_empty()) {
            self.shelf.sync()?;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = now();
        let mut unneeded = Vec::new();
        let superseded = superseded(group);
        for (batch, files) in group.iter().zip(staged.iter()) {
            unneeded.extend(write(&tx, batch, files.clone(), now, &superseded)?);
        }
        tx.commit()?;
        Ok(unneeded)
    }
}

/// Moves the log into the store without holding up whoever writes.
fn checkpoint(db: &Connection, asked: &Receiver<()>) {
    while asked.recv().is_ok() {
        while asked.try_recv().is_ok() {}
        // What fails here is tried again; the writer has its own backstop.
        let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

fn fault(error: &HomeError) -> DiskFault {
    match error {
        HomeError::DiskFull => DiskFault::Full,
        _ => DiskFault::Broken,
    }
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, HomeError> {
    Ok(thread::Builder::new().name(name.to_owned()).spawn(work)?)
}

#[cfg(test)]
mod tests;
