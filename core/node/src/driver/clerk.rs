//! The desk's thread: opens what came, and tells the bus what the agent says of it.
//!
//! Called by the driver. Under load it opens many messages in one go. What can go wrong: the
//! disk, or a judge in another process who holds the lock; then it tries again every while, and
//! at once when the disk has room or another message comes; the node's status says so.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Input;
use tokio::sync::watch;

use super::Mouth;
use crate::HomeError;
use crate::desk::{Desk, Judged, verdict, word};

/// After a run of so many messages the next one waits a little for company: a run of few costs
/// nearly as much as one of many.
const MANY: usize = 8;
const LINGER: Duration = Duration::from_millis(1);
/// After judging failed.
const AGAIN: Duration = Duration::from_secs(5);

/// The way to the thread. Dropping it lets it finish what it does, and end.
pub(crate) struct Clerk {
    asks: Option<Sender<Option<EnvelopeId>>>,
    thread: Option<JoinHandle<()>>,
    trouble: Trouble,
}

/// Why nothing is judged now, for people.
type Trouble = Arc<Mutex<Option<String>>>;

impl Clerk {
    /// `opened` changes whenever messages were opened.
    pub(crate) fn start(
        desk: Arc<Desk>,
        mouth: Mouth,
        opened: watch::Sender<u64>,
    ) -> Result<Self, HomeError> {
        let (asks, asked) = channel();
        let trouble = Trouble::default();
        let told = Arc::clone(&trouble);
        let work = move || {
            let mut pending: BTreeSet<EnvelopeId> = BTreeSet::new();
            // Receipts that the bus was told of at the last look.
            let mut receipts = BTreeSet::new();
            let mut busy = false;
            let mut failed = false;
            while let Some(first) = next(&asked, failed) {
                if busy {
                    thread::sleep(LINGER);
                }
                let mut looks = false;
                for ask in std::iter::once(first).chain(asked.try_iter()) {
                    looks |= ask.is_none();
                    pending.extend(ask);
                }
                busy = pending.len() >= MANY;
                let fault =
                    judge(&desk, (&mut pending, &mut receipts), looks, &mouth, &opened).err();
                failed = fault.is_some();
                *told.lock().unwrap_or_else(PoisonError::into_inner) = fault;
            }
        };
        let thread = thread::Builder::new()
            .name("packmule-clerk".to_owned())
            .spawn(work)?;
        Ok(Self {
            asks: Some(asks),
            thread: Some(thread),
            trouble,
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

    /// Why nothing is judged now; it is tried again.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
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

/// What is asked next: at the latest soon, if the last time failed. None: nobody asks any more.
fn next(asked: &Receiver<Option<EnvelopeId>>, failed: bool) -> Option<Option<EnvelopeId>> {
    if !failed {
        return asked.recv().ok();
    }
    match asked.recv_timeout(AGAIN) {
        Ok(first) => Some(first),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// The error is why nothing, or not everything, was judged. `looks`: the store may hold what other
/// processes, or an earlier life, have heard.
fn judge(
    desk: &Desk,
    (pending, told): (&mut BTreeSet<EnvelopeId>, &mut BTreeSet<String>),
    looks: bool,
    mouth: &Mouth,
    opened: &watch::Sender<u64>,
) -> Result<(), String> {
    let judged = desk.judge();
    let mut outcome = judged
        .as_ref()
        .map_or_else(|error| Err(error.to_string()), |_| Ok(()));
    let acknowledged = judged.as_ref().is_ok_and(|judged| judged.acknowledged > 0);
    let news = judged.as_ref().map_or(true, brings_news);
    for (id, refused) in judged.iter().flat_map(|judged| &judged.verdicts) {
        if pending.remove(id) {
            mouth.tell(Input::Acknowledge(*id, *refused));
        }
    }
    for id in judged.map(|judged| judged.withdrawn).unwrap_or_default() {
        mouth.tell(Input::Forget(id));
    }
    if looks || acknowledged {
        match desk.home().answered() {
            Ok(ids) => ids
                .into_iter()
                .for_each(|id| mouth.tell(Input::Answered(id))),
            Err(error) => outcome = Err(error.to_string()),
        }
        match word::come(desk.home(), told) {
            Ok(receipts) => receipts
                .into_iter()
                .for_each(|receipt| mouth.tell(Input::Receipt(receipt))),
            Err(error) => outcome = Err(error.to_string()),
        }
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
    outcome
}

/// Do answers wait in the outbox, or did the address book change?
fn brings_news(judged: &Judged) -> bool {
    judged.answers + judged.repeated + judged.acknowledged > 0
        || !(judged.met.is_empty() && judged.moved.is_empty() && judged.ended.is_empty())
}
