//! The desk's thread: opens what came, and tells the bus what the agent says of it.
//!
//! Called by the driver. Under load it opens many messages in one go. What can go wrong: the
//! disk, or a judge in another process who holds the lock; then the message is judged with the
//! next one that comes, or at the next start.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Input;
use tokio::sync::watch;

use super::Mouth;
use crate::HomeError;
use crate::desk::{Desk, verdict};

/// The way to the thread. Dropping it lets it finish what it does, and end.
pub(crate) struct Clerk {
    asks: Option<Sender<Option<EnvelopeId>>>,
    thread: Option<JoinHandle<()>>,
}

impl Clerk {
    /// `opened` changes whenever messages were opened.
    pub(crate) fn start(
        desk: Arc<Desk>,
        mouth: Mouth,
        opened: watch::Sender<u64>,
    ) -> Result<Self, HomeError> {
        let (asks, asked) = channel();
        let work = move || {
            let mut pending: Vec<EnvelopeId> = Vec::new();
            while let Ok(first) = asked.recv() {
                pending.extend(first);
                pending.extend(asked.try_iter().flatten());
                judge(&desk, &mut pending, &mouth, &opened);
            }
        };
        let thread = thread::Builder::new()
            .name("packmule-clerk".to_owned())
            .spawn(work)?;
        Ok(Self {
            asks: Some(asks),
            thread: Some(thread),
        })
    }

    /// This message came; the bus waits for a verdict.
    pub(crate) fn judge(&self, id: EnvelopeId) {
        self.ask(Some(id));
    }

    /// Something may have come that the bus does not know of.
    pub(crate) fn look(&self) {
        self.ask(None);
    }

    fn ask(&self, id: Option<EnvelopeId>) {
        if let Some(asks) = &self.asks {
            let _ = asks.send(id);
        }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn judge(desk: &Desk, pending: &mut Vec<EnvelopeId>, mouth: &Mouth, opened: &watch::Sender<u64>) {
    // Whether it failed or not: another process may have judged some.
    let _ = desk.refresh();
    for id in desk
        .judge()
        .map(|judged| judged.withdrawn)
        .unwrap_or_default()
    {
        mouth.tell(Input::Forget(id));
    }
    opened.send_modify(|times| *times += 1);
    pending.retain(|id| match verdict::of(desk.home(), id) {
        Ok(judgement) => match judgement.verdict() {
            Some(refused) => {
                mouth.tell(Input::Acknowledge(*id, refused));
                false
            }
            None => true,
        },
        Err(_) => true,
    });
    // Answers may wait in the outbox.
    let _ = mouth.answers.send(super::Heard::Poke);
}
