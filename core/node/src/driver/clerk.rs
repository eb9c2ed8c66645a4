//! The desk's thread: opens what came, and tells the bus what the agent says of it.
//!
//! Called by the driver. Under load it opens many messages in one go. What can go wrong: the
//! disk, or a judge in another process who holds the lock; then the message is judged with the
//! next one that comes, or at the next start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Input;
use tokio::sync::watch;

use super::Mouth;
use crate::HomeError;
use crate::desk::{Desk, Judged, verdict};

/// After a run of so many messages the next one waits a little for company: a run of few costs
/// nearly as much as one of many.
const MANY: usize = 8;
const LINGER: Duration = Duration::from_millis(1);

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
            let mut pending: BTreeSet<EnvelopeId> = BTreeSet::new();
            let mut busy = false;
            while let Ok(first) = asked.recv() {
                if busy {
                    thread::sleep(LINGER);
                }
                pending.extend(first);
                pending.extend(asked.try_iter().flatten());
                busy = pending.len() >= MANY;
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

fn judge(
    desk: &Desk,
    pending: &mut BTreeSet<EnvelopeId>,
    mouth: &Mouth,
    opened: &watch::Sender<u64>,
) {
    let judged = desk.judge();
    let news = judged.as_ref().map_or(true, brings_news);
    for (id, refused) in judged.iter().flat_map(|judged| &judged.verdicts) {
        if pending.remove(id) {
            mouth.tell(Input::Acknowledge(*id, *refused));
        }
    }
    for id in judged.map(|judged| judged.withdrawn).unwrap_or_default() {
        mouth.tell(Input::Forget(id));
    }
    opened.send_modify(|times| *times += 1);
    // Whether it failed or not: another process, or an earlier life, may have judged some.
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
    if news {
        let _ = mouth.answers.send(super::Heard::Poke);
    }
}

/// Do answers wait in the outbox, or did the address book change?
fn brings_news(judged: &Judged) -> bool {
    judged.answers + judged.repeated + judged.acknowledged > 0
        || !(judged.met.is_empty() && judged.moved.is_empty() && judged.ended.is_empty())
}
