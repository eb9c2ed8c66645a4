//! Accounts that are near: what is held for them is given to the node too, and whichever comes
//! first takes it, a link, a stick, or the account's own asking.
//!
//! What is it: [`Near`], who is near and what of theirs the node has; and the task that keeps
//! mailbox and node in step. Who calls it: the office, for what was stored, heard over a link, or
//! acknowledged; the gateway runs the task. An account is near that has spoken to us over the
//! node; that is remembered in the home, and ends with the account. What can go wrong: the node or
//! the disk takes nothing now: then it is tried again with the next sweep, since the mailbox has
//! everything. A message may arrive twice, by both; its recipient knows it by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_node::control::EventLine;
use packmule_node::{Change, Home, HomeError, OutState, Submit};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval};

use super::{LIGHT, Office};
use crate::counters::Count;
use crate::mediator::Stored;
use crate::store::{Held, Moment, canonical};

/// The topic of the notes in the home: an account that is near, and since when.
const TOPIC: &str = "near-account";
/// What the names of such messages begin with in the node's outbox.
pub(super) const NAME: &str = "mailbox/";
/// Messages of one account, and their bytes, from the head of its mailbox, that the node has.
const WINDOW: u32 = 1_024;
const BYTES: u64 = 16 << 20;
/// Messages given to the node together.
const TOGETHER: usize = 64;
/// Jobs that may wait.
const JOBS: usize = 256;
/// How often mailboxes are compared with what the node has.
const SWEEP: Duration = Duration::from_secs(60);

/// Who is near, and what the node has of theirs.
pub(crate) struct Near {
    table: Mutex<Table>,
    jobs: mpsc::Sender<Job>,
    /// Taken by the task.
    waiting: Mutex<Option<mpsc::Receiver<Job>>>,
    /// Something was left out: look at everything.
    behind: Notify,
}

#[derive(Default)]
struct Table {
    accounts: BTreeSet<String>,
    /// Whose it is.
    given: BTreeMap<EnvelopeId, String>,
    /// How many there are of each.
    counts: BTreeMap<String, u64>,
}

enum Job {
    /// It has spoken over a link.
    Came(String),
    Stored(Stored),
    /// The node has told how it ended: delivered, or not in time.
    Ended(EnvelopeId, bool),
    /// The account has these.
    Taken(String, Vec<EnvelopeId>),
}

impl Near {
    /// As the home remembers it.
    pub(crate) fn of(home: &Home) -> Result<Self, HomeError> {
        let notes = home.notes(TOPIC)?.into_iter();
        let table = Table {
            accounts: notes.map(|(account, _)| account).collect(),
            ..Table::default()
        };
        let (jobs, waiting) = mpsc::channel(JOBS);
        Ok(Self {
            table: Mutex::new(table),
            jobs,
            waiting: Mutex::new(Some(waiting)),
            behind: Notify::new(),
        })
    }

    fn has(&self, account: &str) -> bool {
        self.table().accounts.contains(account)
    }

    fn owner(&self, id: &EnvelopeId) -> Option<String> {
        self.table().given.get(id).cloned()
    }

    /// False: the node has it already.
    fn give(&self, id: EnvelopeId, account: &str) -> bool {
        let mut table = self.table();
        let new = table.given.insert(id, account.to_owned()).is_none();
        if new {
            *table.counts.entry(account.to_owned()).or_default() += 1;
        }
        new
    }

    fn given(&self, account: &str) -> u64 {
        self.table()
            .counts
            .get(account)
            .copied()
            .unwrap_or_default()
    }

    fn take_back(&self, id: &EnvelopeId) -> Option<String> {
        let mut table = self.table();
        let account = table.given.remove(id)?;
        if let Some(count) = table.counts.get_mut(&account) {
            *count = count.saturating_sub(1);
        }
        Some(account)
    }

    /// What the node has is not known any more.
    fn forget_given(&self) {
        let mut table = self.table();
        table.given.clear();
        table.counts.clear();
        drop(table);
        self.behind.notify_one();
    }

    /// What an account's mailbox holds is the node's to give again.
    pub(super) fn look_again(&self) {
        self.behind.notify_one();
    }

    fn queue(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            self.behind.notify_one();
        }
    }

    /// Whoever panicked here left whole entries, or fewer.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the bus may be asked to give before the mailbox is.
struct Parcel {
    id: EnvelopeId,
    account: String,
    packed: Vec<u8>,
    expires: Moment,
}

impl From<Stored> for Parcel {
    fn from(stored: Stored) -> Self {
        Self {
            id: stored.id,
            account: stored.account,
            packed: stored.packed,
            expires: stored.expires,
        }
    }
}

impl Office {
    /// This sender has spoken over a link: if it has an account, that is near from now on.
    pub(super) async fn comes_near(&self, sender: &str) {
        let name = canonical(sender);
        let account = self.store.account_of(name).await.ok().flatten();
        // A DID that is bound to an account is another's.
        let own = account.is_some_and(|account| account.did == name);
        if own && !self.near.has(name) {
            self.near.queue(Job::Came(name.to_owned()));
        }
    }

    /// These were put into mailboxes just now.
    pub(super) fn offer_near(&self, stored: &[Stored]) {
        let near = stored
            .iter()
            // Who has live delivery is sent deliveries.
            .filter(|one| self.near.has(&one.account) && !self.calls.has(&one.account));
        for one in near {
            if one.packed.len() > LIGHT {
                // Many such would fill the memory while they wait: they are found by comparing.
                self.near.behind.notify_one();
            } else if one.not_before.since(Moment::now()).is_zero() {
                // What is delayed is found by a sweep.
                self.near.queue(Job::Stored(one.clone()));
            }
        }
    }

    /// The account has said that it has these.
    pub(super) fn taken_from_mailbox(&self, sender: &str, ids: Vec<EnvelopeId>) {
        let account = canonical(sender);
        if !ids.is_empty() && self.near.has(account) {
            self.near.queue(Job::Taken(account.to_owned(), ids));
        }
    }

    /// Keeps mailboxes and node in step, until the node ends.
    pub(crate) async fn serve_near(self: Arc<Self>) {
        let waiting = self.near.waiting.lock();
        let Some(mut jobs) = waiting.unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let (tell, mut told) = mpsc::unbounded_channel();
        let listening = tokio::spawn(Arc::clone(&self).listen_near(tell));
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut closing = self.closing.clone();
        self.compare_all().await;
        self.forget_strays().await;
        loop {
            tokio::select! {
                // What is not done is found by comparing, at the next start.
                () = async { drop(closing.wait_for(|closing| *closing).await) } => break,
                job = told.recv() => match job {
                    Some(job) => self.do_near(job).await,
                    // The node has ended.
                    None => break,
                },
                Some(job) = jobs.recv() => {
                    let mut stored = Vec::new();
                    let mut next = Some(job);
                    while let Some(job) = next.take() {
                        match job {
                            Job::Stored(one) => stored.push(Parcel::from(one)),
                            other => self.do_near(other).await,
                        }
                        if stored.len() < TOGETHER {
                            next = jobs.try_recv().ok();
                        }
                    }
                    self.give_all(stored).await;
                }
                _ = ticks.tick() => self.compare_all().await,
                () = self.near.behind.notified() => self.compare_all().await,
            }
        }
        listening.abort();
    }

    /// Passes on what the node says of messages of accounts; quickly, since the node waits for
    /// nobody.
    async fn listen_near(self: Arc<Self>, tell: mpsc::UnboundedSender<Job>) {
        let mut events = self.node.events();
        while let Some(event) = events.next().await {
            match event {
                EventLine::Progress { id, rung, .. } => {
                    let ended = matches!(rung.as_str(), "delivered" | "expired");
                    let Some(id) = id.parse().ok().filter(|_| ended) else {
                        continue;
                    };
                    if self.near.owner(&id).is_some() {
                        let _ = tell.send(Job::Ended(id, rung == "delivered"));
                    }
                }
                // Some events were left out: asked again, the node says how far each has come.
                EventLine::Other { .. } => {
                    self.near.forget_given();
                }
                _ => {}
            }
        }
    }

    async fn do_near(&self, job: Job) {
        match job {
            Job::Came(account) => {
                if self.remember_near(&account, true).await {
                    self.near.table().accounts.insert(account.clone());
                    self.compare(&account).await;
                }
            }
            Job::Stored(one) => self.give_all(vec![one.into()]).await,
            Job::Ended(id, delivered) => self.ended(id, delivered).await,
            Job::Taken(account, ids) => {
                for id in ids {
                    // Its own only: the id is its word.
                    if self.near.owner(&id).is_some_and(|owner| owner == account) {
                        self.near.take_back(&id);
                        let _ = self.node.forget(id).await;
                    }
                }
            }
        }
    }

    async fn ended(&self, id: EnvelopeId, delivered: bool) {
        let Some(account) = self.near.take_back(&id) else {
            return;
        };
        if !delivered {
            // Its mailbox tells of it.
            let _ = self.node.forget(id).await;
            return;
        }
        // It may go by another DID by now.
        if let Ok(Some(account)) = self.store.account_of(&account).await
            && self
                .store
                .ack(&account.did, &[id], Moment::now())
                .await
                .is_ok_and(|acked| acked.count == 1)
        {
            self.counters.one(Count::NearTaken);
        }
    }

    async fn compare_all(&self) {
        let accounts = self.near.table().accounts.clone();
        for account in accounts {
            self.compare(&account).await;
        }
    }

    /// Gives the node what it has not of a mailbox.
    async fn compare(&self, account: &str) {
        let now = Moment::now();
        match self.store.account_of(account).await {
            Ok(Some(found)) if found.did == account => {}
            Ok(_) => {
                self.near.table().accounts.remove(account);
                self.remember_near(account, false).await;
                return;
            }
            Err(_) => return,
        }
        if self.calls.has(account) {
            return;
        }
        let waits = self.store.status(account, None, now).await;
        if waits.is_ok_and(|waits| waits.count <= self.near.given(account)) {
            return;
        }
        let page = self.store.page(account, None, WINDOW, BYTES, now).await;
        let parcel = |held: Held| Parcel {
            id: held.id,
            account: account.to_owned(),
            packed: held.packed,
            expires: held.expires,
        };
        self.give_all(page.unwrap_or_default().into_iter().map(parcel).collect())
            .await;
    }

    async fn give_all(&self, parcels: Vec<Parcel>) {
        // Noted before the node has them: it may tell at once that one was delivered.
        let mut new: Vec<Parcel> = parcels
            .into_iter()
            .filter(|parcel| self.near.give(parcel.id, &parcel.account))
            .collect();
        while !new.is_empty() {
            let rest = new.split_off(TOGETHER.min(new.len()));
            let ids: Vec<EnvelopeId> = new.iter().map(|parcel| parcel.id).collect();
            let letters = new.into_iter().map(|parcel| {
                let options = Submit {
                    expires: Some(parcel.expires.as_secs()),
                    // It asked us to keep it, not to ring at its door.
                    seek: Some(false),
                    name: Some(format!("{NAME}{}", parcel.id)),
                    ..Submit::default()
                };
                (parcel.packed, parcel.account, options)
            });
            let outcomes = self.node.submit_all(letters.collect()).await;
            for (id, outcome) in ids.iter().zip(outcomes) {
                match outcome {
                    Ok(_) => self.counters.one(Count::NearGiven),
                    Err(_) => drop(self.near.take_back(id)),
                }
            }
            new = rest;
        }
    }

    /// At the start: what the node still has of mailboxes and they have not, because we ended
    /// between the two.
    async fn forget_strays(&self) {
        let node = self.node.clone();
        let rows = tokio::task::spawn_blocking(move || {
            let home = node.desk().home();
            let mut ids = Vec::new();
            for state in [OutState::Queued, OutState::Sent] {
                let mut after = 0;
                loop {
                    let page = home.outbox(Some(state), after, 1_000)?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    let ours = page.iter().filter(|row| row.message_id.starts_with(NAME));
                    ids.extend(ours.map(|row| row.id));
                }
            }
            Ok::<_, HomeError>(ids)
        });
        let Ok(Ok(ids)) = rows.await else { return };
        for id in ids {
            if self.near.owner(&id).is_none() {
                let _ = self.node.forget(id).await;
            }
        }
    }

    /// Writes into the home that an account is near, or not any more.
    async fn remember_near(&self, account: &str, is_near: bool) -> bool {
        let note = Change::Note {
            topic: TOPIC.to_owned(),
            key: account.to_owned(),
            value: is_near.then(|| Moment::now().as_secs().to_string()),
        };
        let node = self.node.clone();
        let written = tokio::task::spawn_blocking(move || node.desk().home().apply(&[note]));
        matches!(written.await, Ok(Ok(_)))
    }
}
