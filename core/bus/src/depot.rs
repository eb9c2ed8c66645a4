//! The depot: what is held, for whom, and where it goes next.
//!
//! What is it: [`Depot`], the part of a bus that decides. It knows labels and lengths, no bytes,
//! and no PDUs of links; it says what must be durable ([`Turn::ops`]) and what may be said after
//! that ([`Turn::effects`]). Who calls it: the bus; the trace replay of `sim`, alone. What can
//! go wrong: everything that a peer can say is a lie at worst; what follows from a lie is a copy
//! less in the world, never a message lost or doubled.
//!
//! Rules, each with its test:
//! - *Conservation.* A message of our own is held until its recipient's receipt, its expiry or a
//!   person ends it. What is carried is held until the recipient's own node took it, a receipt,
//!   or its expiry; or it made room (never silently, and only where others hold copies).
//! - *Copies.* The copies of a message in the world never add up to more than its origin gave
//!   it, whatever crashes when: a share is taken off, durably, before the offer that gives it
//!   leaves (a *promise*), and comes back only when the other node says that it did not take it.
//!   An answer that was lost leaves the promise in doubt: it is offered to the same node again,
//!   and to no other.
//! - *Dedup.* An id is remembered while it is held and, once it is not, until its expiry and a
//!   margin; across restarts. When all that may be remembered is, nothing new is carried.
//! - *Quotas.* What is held and what is being received together never pass a quota.
//! - *Clocks.* Expiry goes by the wall clock; a jump forward must last ten minutes to count, and
//!   what has expired stays so when a clock goes back.

mod agent;
mod answers;
mod clock;
mod coming;
mod config;
mod contacts;
mod heard;
mod incoming;
mod letters;
mod lines;
mod outgoing;
mod queue;
mod quota;
mod receipts;
mod roads;
mod room;
mod seen;
mod spray;
#[cfg(test)]
mod tests;
mod turn;
mod ways;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use config::{Backoff, DepotConfig, Policy, Quotas, WhenFull};
pub use turn::{Arrival, Effect, Judgement, Lot, Meta, Next, Source, Totals, Turn, Why};

use self::agent::Inbox;
use self::clock::Clock;
use self::coming::Coming;
use self::contacts::Contacts;
use self::queue::Queue;
use self::quota::{Books, Charge};
use self::receipts::Receipts;
use self::seen::Seen;
use self::ways::Ways;
use crate::EnvelopeId;
use crate::bus::io::{Held, HeldState, Key, Op, Origin, Record};
use crate::label::DidTag;
use crate::link::Way;
use crate::time::{Now, Time};

/// What is held and where it goes. See the module.
#[derive(Clone, Debug)]
pub struct Depot {
    config: DepotConfig,
    clock: Clock,
    /// The last reading of both clocks, the wall's as [`Clock`] believes it.
    now: Now,
    dice: u64,
    ours: BTreeSet<DidTag>,
    queue: Queue,
    /// Carried until the same message came in as something else, in a batch that is in flight.
    replaced: BTreeMap<EnvelopeId, Held>,
    inbox: Inbox,
    /// What is being received.
    coming: Coming,
    books: Books,
    seen: Seen,
    /// Made room for others: not wanted back, and not claimed to be here either.
    evicted: BTreeMap<EnvelopeId, u64>,
    evictions: u64,
    receipts: Receipts,
    contacts: Contacts,
    ways: Ways,
}

impl Depot {
    /// An empty depot. The seed decides every jitter.
    #[must_use]
    pub fn new(config: DepotConfig, seed: [u8; 32]) -> Self {
        let mut dice = [0; 8];
        dice.copy_from_slice(Sha256::digest(seed).split_at(8).0);
        let books = Books::new(config.quotas, config.sabotage.quota_off_by_one);
        Self {
            clock: Clock::default(),
            now: Now::default(),
            dice: u64::from_be_bytes(dice),
            ours: BTreeSet::new(),
            queue: Queue::default(),
            replaced: BTreeMap::new(),
            inbox: Inbox::default(),
            coming: Coming::default(),
            books,
            seen: Seen::default(),
            evicted: BTreeMap::new(),
            evictions: 0,
            receipts: Receipts::new(config.receipts_kept, config.receipts_s),
            contacts: Contacts::default(),
            ways: Ways::new(config.mailboxes.iter().cloned().collect()),
            config,
        }
    }

    /// Takes back what an earlier process recorded. Any order; before everything else.
    pub fn restore(&mut self, record: &Record) {
        match record {
            Record::Held(held) => {
                if held.state != HeldState::Delivered {
                    self.books.charge(&Charge::of(held.origin, held.bytes));
                }
                let to = held.label.to;
                self.queue.insert(held.clone(), true);
                self.ways.wake(&to, Time::default());
            }
            Record::Inbox(arrived) => {
                self.books.charge(&Charge {
                    bytes: arrived.bytes,
                    stranger: None,
                });
                self.inbox.restore(arrived.clone());
            }
            Record::Seen(id, until) => {
                if !self.config.sabotage.forget_dedup {
                    self.seen.insert(*id, *until);
                }
            }
            Record::Receipt(receipt) => self.receipts.restore(receipt.clone()),
            Record::Partial(partial) => {
                // By whom it was coming died with the process; see `incoming`.
                let here: u64 = partial
                    .pieces
                    .iter()
                    .map(|(_, piece)| piece.len() as u64)
                    .sum();
                let charge = Charge {
                    bytes: here,
                    stranger: Some(None),
                };
                self.books.charge(&charge);
                let ours = self.ours.contains(&partial.label.to);
                self.coming.pause(partial.id, charge, ours, Time::default());
            }
        }
    }

    /// The DIDs of our own agent; replaces.
    pub fn identity(&mut self, tags: Vec<DidTag>) {
        self.ours = tags.into_iter().collect();
    }

    /// The ways by which a recipient can be reached, best first; replaces. Whoever has an entry,
    /// even an empty one, is a peer of ours and no stranger.
    pub fn ways(&mut self, to: DidTag, ways: Vec<Way>) {
        self.ways.befriend(to);
        self.lead(to, ways);
    }

    /// The same, of somebody who stays a stranger.
    pub fn strangers_ways(&mut self, to: DidTag, ways: Vec<Way>) {
        self.lead(to, ways);
    }

    fn lead(&mut self, to: DidTag, ways: Vec<Way>) {
        self.ways.set(to, ways, self.now.time);
        for link in self.contacts.links() {
            self.enter_all_for(link, &to);
        }
    }

    /// What ought to be on disk under this key now, but for bodies and partials.
    #[must_use]
    pub fn record(&self, key: &Key) -> Option<Record> {
        match key {
            Key::Held(id) => Some(Record::Held(self.queue.get(id)?.held.clone())),
            Key::Inbox(id) => Some(Record::Inbox(self.inbox.get(id)?.clone())),
            Key::Seen(id) => Some(Record::Seen(*id, self.seen.until(id)?)),
            Key::Receipt(signature) => Some(Record::Receipt(self.receipts.get(signature)?.clone())),
            Key::Partial(_) => None,
        }
    }

    /// The batch that put this record is committed: from now on it is offered.
    pub fn durable(&mut self, id: &EnvelopeId) {
        if let Some(before) = self.replaced.remove(id) {
            self.books
                .give_back(&Charge::of(before.origin, before.bytes));
        }
        if let Some(entry) = self.queue.get_mut(id) {
            if entry.durable {
                return;
            }
            entry.durable = true;
            let to = entry.held.label.to;
            self.enter_everywhere(id);
            self.ways.wake(&to, self.now.time);
        }
    }

    /// The batch that would have put this record failed: as if it had never come.
    pub fn undo(&mut self, id: &EnvelopeId) {
        if let Some(entry) = self.queue.get(id)
            && !entry.durable
        {
            let charge = Charge::of(entry.held.origin, entry.held.bytes);
            self.books.give_back(&charge);
            self.queue.remove(id);
        }
        if let Some(arrived) = self.inbox.remove(id) {
            self.books.give_back(&Charge {
                bytes: arrived.bytes,
                stranger: None,
            });
        }
        self.abandon(id);
        if let Some(before) = self.replaced.remove(id) {
            self.queue.insert(before, true);
            self.enter_everywhere(id);
        }
    }

    /// Everything held: waiting, delivered, dead.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.queue.entries().map(|entry| &entry.held)
    }

    /// Sums.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            count: self.books.total.count,
            bytes: self.books.total.bytes,
            strangers_bytes: self.books.strangers.bytes,
            reserved_bytes: self.coming.bytes(),
            dead: self.queue.dead(),
            receipts: self.receipts.len(),
            seen: self.seen.len(),
            evicted: self.evictions,
        }
    }

    /// When [`Depot::timeout`] wants to be called: by the timer, by the wall clock.
    #[must_use]
    pub fn deadline(&self) -> (Option<Time>, Option<u64>) {
        let after = self.now.time;
        let contacts = self.contacts.iter();
        let links = contacts.filter_map(|(_, contact)| contact.deadline(after));
        let mut timer = links.chain(self.ways.deadline()).min();
        let end = self.queue.next_end().map(|(end, _)| end.saturating_add(1));
        let mut wall = end.into_iter().chain(self.receipts.next_end()).min();
        // While a jump of the clock is in doubt the wall cannot be slept by.
        if let Some(doubt) = self.clock.deadline() {
            timer = timer.into_iter().chain([doubt]).min();
            wall = None;
        }
        (timer, wall)
    }

    /// The deadline has come. Afterwards ask for `offers` on every link, `dials`, `deliveries`.
    pub fn timeout(&mut self, now: Now, turn: &mut Turn) {
        self.read(now);
        self.expire(turn);
        for signature in self.receipts.prune(self.now.wall) {
            turn.ops.push(Op::Drop(Key::Receipt(signature)));
        }
        for link in self.contacts.links() {
            self.wake_later(link);
        }
    }

    /// Reads both clocks.
    fn read(&mut self, now: Now) {
        let wall = self.clock.read(now);
        self.now = Now {
            time: now.time,
            wall,
        };
    }

    /// The wait after so many failures.
    fn wait(&mut self, tries: u32) -> Duration {
        let dice = self.throw();
        self.config.retry.wait(tries, dice)
    }

    /// The next throw of a die that the seed decides (SplitMix64, Steele et al. 2014).
    fn throw(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Lets go of a bundle that is not our own, or of a row of ours: its id stays.
    fn release(&mut self, id: &EnvelopeId, turn: &mut Turn) {
        let Some(entry) = self.queue.remove(id) else {
            return;
        };
        if entry.held.state != HeldState::Delivered {
            let charge = Charge::of(entry.held.origin, entry.held.bytes);
            self.books.give_back(&charge);
        }
        self.withdraw(id, turn);
        turn.ops.push(Op::Drop(Key::Held(*id)));
        let until = self.remember_until(entry.held.label.expires, entry.held.origin);
        let name = if entry.held.origin == Origin::Own {
            *id
        } else {
            Seen::carried(id, &entry.held.label.to)
        };
        self.remember(name, until, turn);
    }

    /// Takes an offer back wherever it was made.
    fn withdraw(&mut self, id: &EnvelopeId, turn: &mut Turn) {
        for (link, contact) in self.contacts.iter_mut() {
            contact.leave(id);
            if contact.offered.remove(id).is_some() {
                turn.effects.push(Effect::Withdraw { link, id: *id });
            }
        }
    }

    /// Until when an id is remembered: what has no expiry is carried by nobody for longer than
    /// a lifetime, but an origin may offer its own for ever.
    fn remember_until(&self, expires: Option<u64>, origin: Origin) -> Option<u64> {
        let lifetime = self.config.policy.lifetime_s;
        let end = match origin {
            Origin::Own => expires,
            _ => Some(expires.unwrap_or_else(|| self.now.wall.saturating_add(lifetime))),
        };
        end.map(|end| end.saturating_add(seen::MARGIN))
    }

    /// Remembers an id, and forgets expired ones if there are too many.
    fn remember(&mut self, id: EnvelopeId, until: Option<u64>, turn: &mut Turn) {
        self.seen.insert(id, until);
        let until = self.seen.until(&id).flatten();
        turn.ops.push(Op::Put(Record::Seen(id, until)));
        let surplus = (self.seen.len() + self.queue.len()).saturating_sub(self.config.seen_kept);
        for over in self.seen.prune(self.now.wall, surplus) {
            turn.ops.push(Op::Drop(Key::Seen(over)));
        }
    }
}
