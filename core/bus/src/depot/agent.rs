//! What has come for our own agent, until it has said what it makes of it.
//!
//! What is it: [`Inbox`], and the way from the agent's word to a signed receipt. Who calls it:
//! the bus, when the agent acknowledges, when a receipt is signed, once after a restart. What
//! can go wrong: the process ends between word and receipt; the word is durable, and the receipt
//! is asked for again. One signature at a time is asked for each (DID, word): what comes
//! meanwhile goes into the next, so that receipts speak of many messages exactly when there are
//! many.

use std::collections::{BTreeMap, BTreeSet};

use super::Depot;
use super::quota::Charge;
use super::turn::{Effect, Turn};
use crate::EnvelopeId;
use crate::bus::io::{Arrived, Event, Key, Op, Origin, Record, Verdict};
use crate::label::DidTag;
use crate::receipt::{Reason, Receipt};
use crate::time::Now;

/// Whose word, and which: one receipt says one thing.
type Voice = (DidTag, Option<Reason>);

#[derive(Clone, Debug, Default)]
pub(super) struct Inbox {
    arrived: BTreeMap<EnvelopeId, Arrived>,
    /// Acknowledged, not signed for.
    unsigned: BTreeMap<Voice, BTreeSet<EnvelopeId>>,
    /// A signature is being made.
    signing: BTreeSet<Voice>,
}

impl Inbox {
    pub(super) fn insert(&mut self, arrived: Arrived) {
        self.arrived.insert(arrived.id, arrived);
    }

    pub(super) fn restore(&mut self, arrived: Arrived) {
        if let Some(verdict) = arrived.acknowledged {
            let voice = (arrived.to, refusal(verdict));
            self.unsigned.entry(voice).or_default().insert(arrived.id);
        }
        self.insert(arrived);
    }

    pub(super) fn get(&self, id: &EnvelopeId) -> Option<&Arrived> {
        self.arrived.get(id)
    }

    pub(super) fn remove(&mut self, id: &EnvelopeId) -> Option<Arrived> {
        let arrived = self.arrived.remove(id)?;
        for ids in self.unsigned.values_mut() {
            ids.remove(id);
        }
        Some(arrived)
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// The next ids to sign for, unless a signature of this voice is being made.
    fn next(&mut self, voice: Voice) -> Option<Vec<EnvelopeId>> {
        let waiting = self.unsigned.get_mut(&voice)?;
        if waiting.is_empty() || !self.signing.insert(voice) {
            return None;
        }
        let ids: Vec<EnvelopeId> = waiting.iter().take(Receipt::MAX_IDS).copied().collect();
        for id in &ids {
            waiting.remove(id);
        }
        if waiting.is_empty() {
            self.unsigned.remove(&voice);
        }
        Some(ids)
    }
}

const fn refusal(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Kept => None,
        Verdict::Refused(reason) => Some(reason),
    }
}

impl Depot {
    /// Call once, after the last `restore`: says again what the agent has not acknowledged, and
    /// asks for the receipts that are missing.
    pub fn resume(&mut self, now: Now, turn: &mut Turn) {
        self.read(now);
        for arrived in self.inbox.arrived.values() {
            if arrived.acknowledged.is_none() {
                turn.tell(Event::Received(arrived.clone()));
            }
        }
        for voice in self.inbox.unsigned.keys().copied().collect::<Vec<_>>() {
            self.sign(voice, turn);
        }
    }

    /// The agent has a message, or will not have it.
    pub fn acknowledge(&mut self, now: Now, id: &EnvelopeId, verdict: Verdict, turn: &mut Turn) {
        self.read(now);
        let Some(arrived) = self.inbox.arrived.get_mut(id) else {
            return;
        };
        if arrived.acknowledged.is_some() {
            return;
        }
        arrived.acknowledged = Some(verdict);
        turn.ops.push(Op::Put(Record::Inbox(arrived.clone())));
        let voice = (arrived.to, refusal(verdict));
        let waiting = self.inbox.unsigned.entry(voice).or_default();
        waiting.insert(*id);
        self.sign(voice, turn);
    }

    fn sign(&mut self, voice: Voice, turn: &mut Turn) {
        if let Some(ids) = self.inbox.next(voice) {
            turn.effects.push(Effect::Sign {
                by: voice.0,
                ids,
                refused: voice.1,
            });
        }
    }

    /// The answer to [`Effect::Sign`]: nothing if no key is at hand; then nobody is told.
    pub fn signed(
        &mut self,
        now: Now,
        by: DidTag,
        ids: &[EnvelopeId],
        refused: Option<Reason>,
        receipt: Option<Receipt>,
        turn: &mut Turn,
    ) {
        self.read(now);
        self.inbox.signing.remove(&(by, refused));
        for id in ids {
            let Some(arrived) = self.inbox.remove(id) else {
                continue;
            };
            self.books.give_back(&Charge {
                bytes: arrived.bytes,
                stranger: None,
            });
            turn.ops.push(Op::Drop(Key::Inbox(*id)));
            // Its origin may offer it for ever, if it has no expiry.
            let until = self.remember_until(arrived.expires, Origin::Own);
            self.remember(*id, until, turn);
        }
        if let Some(receipt) = receipt {
            self.keep_receipt(receipt, None, turn);
        }
        self.sign((by, refused), turn);
    }
}
