//! What came, opened, for the application.

use std::collections::VecDeque;
use std::time::Duration;

use packmule_agent::message::Message;
use packmule_agent::pack::Opened;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::DiskFault;
use tokio::time::sleep;

use super::Node;
use crate::desk::Letter;
use crate::driver::Command;
use crate::{HomeError, InRow, InState};

/// Rows read at once.
const PAGE: usize = 64;
/// After the disk did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// How far the application has read.
#[derive(Default)]
pub(super) struct Inbox {
    last: i64,
    rows: VecDeque<InRow>,
}

impl Inbox {
    /// The application has the first one, or never will.
    fn pass(&mut self) {
        if let Some(row) = self.rows.pop_front() {
            self.last = row.seq;
        }
    }
}

/// What stands first in the inbox.
enum First {
    Opened(Box<Received>),
    /// It does not open any more (a key was removed): it stays in the inbox, for people.
    Closed,
    /// Nothing new.
    None,
}

/// A message that came, was opened, and has not been told done.
#[non_exhaustive]
pub struct Received {
    /// Its envelope.
    pub id: EnvelopeId,
    /// What it says.
    pub message: Message,
    /// The DID that authenticated it, if one did.
    pub sender: Option<String>,
    /// Its layers, and who they prove.
    pub opened: Opened,
    /// The channel that brought it.
    pub channel: String,
    node: Node,
}

/// Why it is not known that a change is durable: that the application has a message, or that one
/// was taken back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoneError {
    /// The disk did not take it.
    #[error("{}", match .0 { DiskFault::Full => "the disk is full", DiskFault::Broken => "the disk failed" })]
    Disk(DiskFault),
    /// The node has ended.
    #[error("the node has ended")]
    Ended,
}

/// A message that the application was given, and has not told done.
pub struct Undone {
    /// Its envelope.
    pub id: EnvelopeId,
    node: Node,
}

impl Undone {
    /// Opens it again. None when it is not in the inbox any more, or does not open.
    ///
    /// # Errors
    /// The disk.
    pub async fn letter(&self) -> Result<Option<Letter>, HomeError> {
        self.node.open(self.id).await
    }

    /// As [`Received::done`].
    ///
    /// # Errors
    /// The disk, or the node has ended; then it comes again after a restart.
    pub async fn done(self) -> Result<(), DoneError> {
        match self.node.ask(|answer| Command::Read(self.id, answer)).await {
            Some(outcome) => outcome.map_err(DoneError::Disk),
            None => Err(DoneError::Ended),
        }
    }
}

impl Received {
    /// The letter, as the desk opens one, and what is to be told done when it was dealt with.
    #[must_use]
    pub fn into_letter(self) -> (Letter, Undone) {
        let letter = Letter {
            opened: self.opened,
            message: self.message,
            sender: self.sender,
        };
        let (id, node) = (self.id, self.node);
        (letter, Undone { id, node })
    }

    /// The application has it: it will not come again, nor show as new.
    ///
    /// # Errors
    /// The disk, or the node has ended; then it comes again after a restart.
    pub async fn done(self) -> Result<(), DoneError> {
        self.into_letter().1.done().await
    }
}

impl Node {
    /// The next message for the application, in the order of arrival; waits for one. None when
    /// the node has ended. Each comes once in a node's life, and again in the next unless
    /// [`Received::done`] was called. Two callers share the messages between them. Cancel-safe: a
    /// call that is dropped has taken nothing.
    pub async fn receive(&self) -> Option<Received> {
        let mut inbox = self.inner.inbox.lock().await;
        let mut opened = self.inner.opened.clone();
        loop {
            opened.mark_unchanged();
            let fault = loop {
                // Dropped while it waits here, nothing has moved.
                match self.first(&mut inbox).await {
                    Ok(First::Opened(received)) => {
                        inbox.pass();
                        return Some(*received);
                    }
                    Ok(First::Closed) => inbox.pass(),
                    Ok(First::None) => break false,
                    Err(_) => break true,
                }
            };
            tokio::select! {
                // The sender lives as long as the driver.
                changed = opened.changed() => changed.ok()?,
                () = self.ended() => return None,
                () = sleep(AGAIN), if fault => {}
            }
        }
    }

    /// The first message that the application has not read, which stays the first.
    async fn first(&self, inbox: &mut Inbox) -> Result<First, HomeError> {
        if inbox.rows.is_empty() {
            let last = inbox.last;
            let page = self
                .with_desk(move |desk| desk.home().page("state = 0 AND opened = 1", last, PAGE))
                .await?;
            inbox.rows.extend(page);
        }
        let Some(row) = inbox.rows.front() else {
            return Ok(First::None);
        };
        debug_assert_eq!(row.state, InState::New, "only new ones are read");
        let (id, channel) = (row.id, row.channel.clone());
        let letter = self.open(id).await?;
        Ok(letter.map_or(First::Closed, |letter| {
            First::Opened(Box::new(Received {
                id,
                message: letter.message,
                sender: letter.sender,
                opened: letter.opened,
                channel,
                node: self.clone(),
            }))
        }))
    }

    async fn open(&self, id: EnvelopeId) -> Result<Option<Letter>, HomeError> {
        let letter = self.with_desk(move |desk| {
            let envelope = desk.home().envelope(&id)?;
            Ok(envelope.and_then(|envelope| desk.open(&envelope.to_json()).ok()))
        });
        letter.await
    }

    /// Disk and cryptography, away from the runtime's threads.
    pub(super) async fn with_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&crate::desk::Desk) -> Result<T, HomeError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let desk = std::sync::Arc::clone(&self.inner.desk);
        match tokio::task::spawn_blocking(move || work(&desk)).await {
            Ok(outcome) => outcome,
            Err(error) => Err(HomeError::Io(std::io::Error::other(error))),
        }
    }
}
