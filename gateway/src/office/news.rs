//! Live delivery of what another gateway stored, where several share their mailboxes.
//!
//! What is it: for each account with a live connection here, where its mailbox was when it was
//! last looked at ([`Mark`]), and the loop that looks again: when the store says so, and every few
//! seconds, since a word of it may be lost. Called by the gateway, once; a conversation has its
//! account watched before it goes live, so that nothing falls in between. What can go wrong: the
//! store fails; then it is looked at again with the next tick. A connection that takes nothing is
//! waited for, and nothing is skipped. With a store of our own there are no news, and nothing here
//! is done.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Office;
use crate::mediator::Stored;
use crate::store::{Held, Mark, Moment, News, StoreError};

/// How often an account is looked at without news of it.
const LOOK: Duration = Duration::from_secs(3);

/// Where accounts were when they were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<HashMap<String, Mark>>);

impl Marks {
    fn get(&self, account: &str) -> Option<Mark> {
        self.table().get(account).copied()
    }

    fn set(&self, account: &str, mark: Mark) {
        self.table().insert(account.to_owned(), mark);
    }

    fn drop(&self, account: &str) {
        self.table().remove(account);
    }

    fn accounts(&self) -> Vec<String> {
        self.table().keys().cloned().collect()
    }

    /// Whoever panicked here left whole entries.
    fn table(&self) -> MutexGuard<'_, HashMap<String, Mark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Office {
    /// From now on what others store for this account is found. What is there already is its
    /// visitor's to ask for.
    pub(super) async fn watch(&self, account: &str) {
        if !self.store.is_shared() || (self.seats.has(account) && self.marks.get(account).is_some())
        {
            return;
        }
        match self.store.since(account, None, 0, Moment::now()).await {
            Ok(arrived) => self.marks.set(account, arrived.mark),
            // From the beginning, then: too much is better than too little.
            Err(_) => self.marks.set(account, Mark::default()),
        }
    }

    /// Looks where there are news, until the gateway ends.
    pub(crate) async fn hear_news(self: Arc<Self>) {
        let Some(mut news) = self.store.news() else {
            return;
        };
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut closing = self.closing.clone();
        loop {
            let mut accounts = BTreeSet::new();
            let mut hear = |told| match told {
                News::Of(account) => drop(accounts.insert(account)),
                News::Perhaps => accounts.extend(self.marks.accounts()),
            };
            tokio::select! {
                Some(told) = news.recv() => hear(told),
                _ = ticks.tick() => hear(News::Perhaps),
                _ = closing.wait_for(|closing| *closing) => return,
            }
            while let Ok(told) = news.try_recv() {
                hear(told);
            }
            for account in accounts {
                if let Err(fault) = self.catch_up(&account).await {
                    self.log.warn("mailboxes", &[("fault", &fault)]);
                    break;
                }
            }
        }
    }

    /// Pushes what came since, as far as somebody takes it.
    async fn catch_up(&self, account: &str) -> Result<(), StoreError> {
        loop {
            if !self.seats.has(account) {
                self.marks.drop(account);
                return Ok(());
            }
            let Some(mark) = self.marks.get(account) else {
                return Ok(());
            };
            let room = u32::try_from(self.seats.room(account)).unwrap_or(u32::MAX);
            if room == 0 {
                return Ok(());
            }
            let now = Moment::now();
            let arrived = self.store.since(account, Some(mark), room, now).await?;
            for held in arrived.held {
                // No room for what is on its way: from the same mark again, later. What was
                // pushed is not pushed again.
                let Some(push) = self.seats.weigh(stored(account, held)) else {
                    return Ok(());
                };
                self.seats.push(&push);
            }
            self.marks.set(account, arrived.mark);
            if !arrived.more {
                return Ok(());
            }
        }
    }
}

fn stored(account: &str, held: Held) -> Stored {
    Stored {
        account: account.to_owned(),
        recipient: held.recipient,
        id: held.id,
        packed: held.packed,
        // It waits already.
        not_before: Moment::default(),
        expires: held.expires,
    }
}
