//! Mailboxes in memory, with the laws of [`MailboxStore`] but that of the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use packmule_bus::{Envelope, EnvelopeId};

use crate::store::replays::has_left;
use crate::store::{
    Account, AccountView, Acked, Change, DeadLetter, Ending, Enqueued, Found, Fut, Held, Letter,
    Limits, Listing, Lot, MailboxStore, Moment, Opening, Outcome, Refusal, StoreError, Totals,
    Waiting, canonical, is_did,
};

#[derive(Default)]
struct Rows {
    accounts: BTreeMap<String, Moment>,
    /// DID → account, and when.
    bindings: BTreeMap<String, (String, u64)>,
    /// DIDs that accounts have left: for which, and when.
    left: BTreeMap<String, (String, Moment)>,
    letters: BTreeMap<u64, (Letter, Moment)>,
    known: BTreeSet<(String, EnvelopeId)>,
    seen: BTreeSet<(String, String)>,
    dead: Vec<DeadLetter>,
    next: u64,
}

/// A store that forgets when it is dropped, and breaks on request.
#[derive(Default)]
pub(crate) struct Shelf {
    rows: Mutex<Rows>,
    limits: Limits,
    pub(crate) broken: Mutex<Option<StoreError>>,
    /// What waits cannot be counted, and nothing be changed but what guards against replays.
    pub(crate) stuck: AtomicBool,
}

impl Shelf {
    pub(crate) fn with(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    fn rows(&self) -> Result<MutexGuard<'_, Rows>, StoreError> {
        match self.broken.lock().unwrap().clone() {
            Some(err) => Err(err),
            None => Ok(self.rows.lock().unwrap()),
        }
    }

    fn unless_stuck(&self) -> Result<MutexGuard<'_, Rows>, StoreError> {
        match self.stuck.load(Ordering::Relaxed) {
            true => Err(StoreError::DiskFull),
            false => self.rows(),
        }
    }

    fn now<'a, T: Send + 'a>(&self, told: Result<T, StoreError>) -> Fut<'a, T> {
        Box::pin(async move { told })
    }
}

impl Rows {
    fn of<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        now: Moment,
    ) -> impl Iterator<Item = (&'a u64, &'a (Letter, Moment))> {
        self.letters.iter().filter(move |(_, (letter, _))| {
            letter.account == canonical(account)
                && recipient.is_none_or(|did| letter.recipient == canonical(did))
                && letter.expires > now
                && letter.not_before <= now
        })
    }

    fn waiting(&self, account: &str, recipient: Option<&str>, now: Moment) -> Waiting {
        let waiting: Vec<_> = self.of(account, recipient, now).collect();
        Waiting {
            count: waiting.len() as u64,
            bytes: waiting.iter().map(|(_, (letter, _))| letter.bytes()).sum(),
            oldest: waiting.iter().map(|(_, (_, at))| *at).min(),
            newest: waiting.iter().map(|(_, (_, at))| *at).max(),
        }
    }

    fn owner(&self, next: &str) -> Option<String> {
        let bound = self.bindings.get(next).map(|(owner, _)| owner.clone());
        match self.accounts.contains_key(next) {
            true => Some(next.to_owned()),
            false => bound,
        }
    }

    fn enqueue(&mut self, mut letter: Letter, limits: &Limits, now: Moment) -> Enqueued {
        let Some(account) = self.owner(canonical(&letter.account)) else {
            return Enqueued::Refused(Refusal::NoAccount);
        };
        letter.account.clone_from(&account);
        let name = (account.clone(), letter.id());
        let mine = self
            .letters
            .values()
            .filter(|(one, _)| one.account == account);
        let pair = mine.clone().filter(|(one, _)| one.from == letter.from);
        if self.known.contains(&name) {
            self.renew(&letter, now)
        } else if letter.expires <= now {
            Enqueued::Refused(Refusal::Expired)
        } else if letter.bytes() > limits.letter_bytes {
            Enqueued::Refused(Refusal::TooLarge)
        } else if letter.from.is_some() && pair.count() as u64 >= limits.pair_letters {
            Enqueued::Refused(Refusal::PairFull)
        } else if mine.count() as u64 >= limits.account_letters {
            Enqueued::Refused(Refusal::AccountFull)
        } else {
            self.next += 1;
            self.known.insert(name);
            self.letters.insert(self.next, (letter, now));
            Enqueued::Stored(self.next, account.into())
        }
    }

    fn renew(&mut self, copy: &Letter, now: Moment) -> Enqueued {
        let mut all = self.letters.values_mut().map(|(letter, _)| letter);
        let held = all.find(|it| it.id() == copy.id() && it.account == copy.account);
        let Some((held, span)) = held.and_then(|held| {
            held.span()
                .renewed(copy.span(), now)
                .map(|span| (held, span))
        }) else {
            return Enqueued::Duplicate;
        };
        let sooner = span.is_sooner_than(held.span(), now);
        (held.not_before, held.expires) = (span.not_before, span.expires);
        match sooner {
            true => Enqueued::Sooner(copy.account.as_str().into()),
            false => Enqueued::Duplicate,
        }
    }

    fn change(&mut self, account: &str, change: &Change, limits: &Limits) -> Outcome {
        let did = canonical(&change.did).to_owned();
        let owner = self.bindings.get(&did).map(|(owner, _)| owner.clone());
        let mine = self.bindings.values().filter(|(owner, _)| owner == account);
        match (owner, change.add) {
            _ if !is_did(&did) || self.accounts.contains_key(&did) => Outcome::ClientError,
            (Some(owner), _) if owner != account => Outcome::ClientError,
            (Some(_), true) | (None, false) => Outcome::NoChange,
            (Some(_), false) => {
                self.bindings.remove(&did);
                Outcome::Success
            }
            (None, true) if mine.count() as u64 >= limits.bindings => Outcome::ServerError,
            (None, true) => {
                self.next += 1;
                self.bindings.insert(did, (account.to_owned(), self.next));
                Outcome::Success
            }
        }
    }

    fn end(&mut self, ends: impl Fn(&Letter) -> bool, why: Ending, now: Moment) -> u64 {
        let dead: Vec<u64> = self
            .letters
            .iter()
            .filter(|(_, (letter, _))| ends(letter))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in &dead {
            if let Some((letter, received)) = self.letters.remove(seq) {
                self.dead.push(DeadLetter {
                    id: letter.id(),
                    bytes: letter.bytes(),
                    account: letter.account,
                    recipient: letter.recipient,
                    received,
                    ended: now,
                    why,
                });
            }
        }
        dead.len() as u64
    }
}

impl MailboxStore for Shelf {
    fn open_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, Opening> {
        self.now(self.unless_stuck().map(|mut rows| {
            let did = canonical(did).to_owned();
            if rows.accounts.contains_key(&did) {
                return Opening::Known;
            }
            if !is_did(&did) || rows.accounts.len() as u64 >= self.limits.accounts {
                return Opening::Refused;
            }
            rows.bindings.remove(&did);
            rows.accounts.insert(did, now);
            Opening::New
        }))
    }

    fn close_account<'a>(&'a self, did: &'a str, now: Moment) -> Fut<'a, bool> {
        self.now(self.rows().map(|mut rows| {
            let did = canonical(did);
            rows.bindings.retain(|_, (owner, _)| owner != did);
            rows.end(|letter| letter.account == did, Ending::Closed, now);
            rows.accounts.remove(did).is_some()
        }))
    }

    fn account_of<'a>(&'a self, next: &'a str) -> Fut<'a, Option<Account>> {
        self.now(self.rows().map(|rows| {
            let recipient = canonical(next).to_owned();
            let did = rows.owner(&recipient)?;
            Some(Account { did, recipient })
        }))
    }

    fn moved<'a>(&'a self, old: &'a str, new: &'a str, told: Moment, now: Moment) -> Fut<'a, bool> {
        self.now(self.rows().map(|mut rows| {
            let (old, new) = (canonical(old), canonical(new));
            let left = rows.left.get(new).filter(|(owner, _)| owner == old);
            if left.is_some_and(|(_, bound)| has_left(*bound, told, now)) {
                return false;
            }
            if old == new || rows.accounts.remove(old).is_none() {
                return false;
            }
            rows.accounts.entry(new.to_owned()).or_insert(now);
            rows.left.insert(old.to_owned(), (new.to_owned(), now));
            rows.bindings.remove(new);
            for (owner, _) in rows.bindings.values_mut() {
                if owner == old {
                    new.clone_into(owner);
                }
            }
            rows.next += 1;
            let order = rows.next;
            rows.bindings
                .insert(old.to_owned(), (new.to_owned(), order));
            for (letter, _) in rows.letters.values_mut() {
                if letter.account == old {
                    new.clone_into(&mut letter.account);
                }
            }
            true
        }))
    }

    fn update<'a>(
        &'a self,
        account: &'a str,
        changes: &'a [Change],
        _now: Moment,
    ) -> Fut<'a, Vec<Outcome>> {
        self.now(self.unless_stuck().map(|mut rows| {
            let changes = changes.iter();
            changes
                .map(|one| rows.change(account, one, &self.limits))
                .collect()
        }))
    }

    fn bindings<'a>(&'a self, account: &'a str, limit: u32, offset: u32) -> Fut<'a, Listing> {
        self.now(self.rows().map(|rows| {
            let mine = rows
                .bindings
                .iter()
                .filter(|(_, (owner, _))| owner == account);
            let mut all: Vec<_> = mine
                .map(|(did, (_, order))| (*order, did.clone()))
                .collect();
            all.sort();
            let total = u32::try_from(all.len()).unwrap();
            let dids: Vec<String> = all
                .into_iter()
                .skip(offset as usize)
                .take(limit as usize)
                .map(|(_, did)| did)
                .collect();
            let here = u32::try_from(dids.len()).unwrap();
            let remaining = total.saturating_sub(offset.saturating_add(here));
            Listing {
                dids,
                remaining,
                total,
            }
        }))
    }

    fn enqueue(&self, letters: Vec<Letter>, now: Moment) -> Fut<'_, Vec<Enqueued>> {
        self.now(self.rows().map(|mut rows| {
            let letters = letters.into_iter();
            letters
                .map(|one| rows.enqueue(one, &self.limits, now))
                .collect()
        }))
    }

    fn status<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        now: Moment,
    ) -> Fut<'a, Waiting> {
        self.now(
            self.unless_stuck()
                .map(|rows| rows.waiting(account, recipient, now)),
        )
    }

    fn page<'a>(
        &'a self,
        account: &'a str,
        recipient: Option<&'a str>,
        limit: u32,
        max_bytes: u64,
        now: Moment,
    ) -> Fut<'a, Vec<Held>> {
        self.now(self.rows().map(|rows| {
            let (mut page, mut bytes) = (Vec::new(), 0);
            for (seq, (letter, received)) in rows.of(account, recipient, now).take(limit as usize) {
                bytes += letter.bytes();
                if bytes > max_bytes && !page.is_empty() {
                    break;
                }
                page.push(Held {
                    seq: *seq,
                    id: letter.id(),
                    recipient: letter.recipient.clone(),
                    packed: Envelope::decode(letter.form()).unwrap().to_json(),
                    priority: letter.priority,
                    received: *received,
                    expires: letter.expires,
                });
            }
            page
        }))
    }

    fn ack<'a>(&'a self, account: &'a str, ids: &'a [EnvelopeId], now: Moment) -> Fut<'a, Acked> {
        self.now(self.unless_stuck().map(|mut rows| {
            let before = rows.letters.len();
            rows.letters.retain(|_, (letter, _)| {
                letter.account != canonical(account) || !ids.contains(&letter.id())
            });
            Acked {
                count: (before - rows.letters.len()) as u64,
                left: rows.waiting(account, None, now),
            }
        }))
    }

    fn expire(&self, now: Moment) -> Fut<'_, u64> {
        let ends = |letter: &Letter| letter.expires <= now;
        self.now(
            self.rows()
                .map(|mut rows| rows.end(ends, Ending::Expired, now)),
        )
    }

    fn dead_letters(&self, limit: u32) -> Fut<'_, Vec<DeadLetter>> {
        self.now(self.rows().map(|rows| {
            let latest = rows.dead.iter().rev().take(limit as usize);
            latest.cloned().collect()
        }))
    }

    fn accounts<'a>(&'a self, after: Option<&'a str>, limit: u32) -> Fut<'a, Vec<AccountView>> {
        self.now(self.rows().map(|rows| {
            let all = rows.accounts.iter();
            let later = all.filter(|(did, _)| after.is_none_or(|after| did.as_str() > after));
            let view = |(did, opened): (&String, &Moment)| {
                let mine = rows.letters.values().filter(|(one, _)| one.account == *did);
                let bound = rows.bindings.values().filter(|(owner, _)| owner == did);
                AccountView {
                    did: did.clone(),
                    opened: *opened,
                    bindings: bound.count() as u64,
                    letters: mine.clone().count() as u64,
                    bytes: mine.map(|(one, _)| one.bytes()).sum(),
                }
            };
            later.take(limit as usize).map(view).collect()
        }))
    }

    fn find<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Found>> {
        self.now(self.rows().map(|rows| {
            let found = |lot, bytes, received, until| Found {
                lot,
                bytes: Some(bytes),
                received: Some(received),
                until: Some(until),
            };
            let held = rows.letters.values().filter(|(one, _)| one.id() == *id);
            let held = held.max_by_key(|(one, _)| one.expires).map(|(one, at)| {
                let over = one.expires <= now;
                let lot = if over {
                    Lot::Ended(Ending::Expired)
                } else {
                    Lot::Held
                };
                found(lot, one.bytes(), *at, one.expires)
            });
            let dead = rows.dead.iter().rev().find(|one| one.id == *id);
            let dead =
                dead.map(|one| found(Lot::Ended(one.why), one.bytes, one.received, one.ended));
            let known = rows.known.iter().any(|(_, name)| name == id);
            let collected = known.then_some(Found {
                lot: Lot::Collected,
                bytes: None,
                received: None,
                until: None,
            });
            held.or(dead).or(collected)
        }))
    }

    fn copy<'a>(&'a self, id: &'a EnvelopeId, now: Moment) -> Fut<'a, Option<Vec<u8>>> {
        self.now(self.rows().map(|rows| {
            let (one, _) = rows
                .letters
                .values()
                .find(|(one, _)| one.id() == *id && one.expires > now && one.not_before <= now)?;
            Some(Envelope::decode(one.form()).unwrap().to_json())
        }))
    }

    fn totals(&self) -> Fut<'_, Totals> {
        self.now(self.rows().map(|rows| Totals {
            accounts: rows.accounts.len() as u64,
            bindings: rows.bindings.len() as u64,
            letters: rows.letters.len() as u64,
            bytes: rows.letters.values().map(|(one, _)| one.bytes()).sum(),
            oldest: rows.letters.values().map(|(_, at)| *at).min(),
            dead: rows.dead.len() as u64,
            disk: 0,
            free: None,
        }))
    }

    fn backup<'a>(&'a self, _to: &'a Path) -> Fut<'a, ()> {
        let what = "a shelf has no files".to_owned();
        self.now(Err(StoreError::Broken { what }))
    }

    fn seen_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        _now: Moment,
    ) -> Fut<'a, bool> {
        let key = (sender.to_owned(), message_id.to_owned());
        self.now(self.rows().map(|mut rows| !rows.seen.insert(key)))
    }

    fn settle_message<'a>(
        &'a self,
        sender: &'a str,
        message_id: &'a str,
        done: bool,
        _now: Moment,
    ) -> Fut<'a, ()> {
        let key = (sender.to_owned(), message_id.to_owned());
        self.now(self.rows().map(|mut rows| {
            if !done {
                rows.seen.remove(&key);
            }
        }))
    }
}
