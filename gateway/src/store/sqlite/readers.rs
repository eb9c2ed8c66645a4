//! Threads that read beside the writing.
//!
//! Called by [`super::SqliteStore`] for every question. Each has a connection of its own and
//! sees all that was committed before it was asked. What can go wrong: the disk; and more
//! questions than may wait, which wait before they are asked.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::store::StoreError;

/// Most questions that wait; an answer is one page of letters at most.
const QUESTIONS: usize = 64;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading threads. Dropping it ends them.
pub(super) struct Readers {
    queue: Option<Sender<Question>>,
    places: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// A thread for each connection.
    pub(super) fn start(connections: Vec<Connection>) -> Result<Self, StoreError> {
        let (queue, questions) = channel();
        let questions = Arc::new(Mutex::new(questions));
        let mut threads = Vec::with_capacity(connections.len());
        for db in connections {
            let questions = Arc::clone(&questions);
            let name = "mailbox-reader".to_owned();
            let run = move || answer(&db, &questions);
            threads.push(thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(Self {
            queue: Some(queue),
            places: Arc::new(Semaphore::new(QUESTIONS)),
            threads,
        })
    }

    /// Asks the store as it is at one moment.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Shut)?;
        let (told, answer) = oneshot::channel();
        let question = move |db: &Connection| {
            let answer = db.unchecked_transaction().map_err(StoreError::from);
            let answer = answer.and_then(|tx| work(&tx));
            // Whoever asked may have gone.
            let _ = told.send(answer);
            drop(place);
        };
        let queue = self.queue.as_ref().ok_or(StoreError::Shut)?;
        let sent = queue.send(Box::new(question));
        sent.map_err(|_| StoreError::Shut)?;
        answer.await.map_err(|_| StoreError::Shut)?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn answer(db: &Connection, questions: &Mutex<Receiver<Question>>) {
    loop {
        let next = questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(question) => question(db),
            Err(_) => return,
        }
    }
}
