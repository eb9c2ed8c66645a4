//! Receipts: kept, passed on to everyone met, and what follows from them.
//!
//! What is it: [`Receipts`], in order of arrival, bounded by number and age. Who calls it: the
//! bus with verified receipts of others, [`super::agent`] with our own. What can go wrong:
//! mallory signs, truly, for messages that are not hers; so a receipt ends a bundle only if its
//! DID is the one the bundle is for. And she signs many: a DID has a share of the room, and what
//! speaks of nothing we know goes first. What had to go is no news when it is told again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Depot;
use super::contacts::Contact;
use super::heard::Heard;
use super::turn::{Effect, Turn};
use crate::EnvelopeId;
use crate::bus::io::{HeldState, Key, LinkId, NodeKey, Op, Record};
use crate::label::DidTag;
use crate::receipt::Receipt;
use crate::time::{Now, Time};

/// After so long everything is told again: what was said on a link that broke may be lost.
const REFRESH: Duration = Duration::from_secs(1_800);
/// What a link was told in so long before its end it may not have passed on, or the other side
/// may have lost again: a receipt has to be verified and written down there.
const PROOF: Duration = Duration::from_secs(2);
/// Nodes of which it is remembered what they were told.
const LISTENERS: usize = 4_096;
/// One DID's share of the room is one in so many.
const SHARE: usize = 4;

#[derive(Clone, Debug)]
struct Kept {
    receipt: Receipt,
    tag: DidTag,
    end: u64,
    /// It speaks of something that was here.
    known: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Receipts {
    most: usize,
    lifetime: u64,
    kept: BTreeMap<u64, Kept>,
    by_signature: BTreeMap<Vec<u8>, u64>,
    by_id: BTreeMap<(EnvelopeId, DidTag), u64>,
    by_end: BTreeSet<(u64, u64)>,
    by_worth: BTreeSet<(bool, u64)>,
    by_did: BTreeMap<DidTag, BTreeSet<u64>>,
    listeners: BTreeMap<NodeKey, (u64, Time)>,
    /// What was kept and had to make room.
    heard: Heard,
    next: u64,
}

impl Receipts {
    pub(super) fn new(most: usize, lifetime: u64) -> Self {
        Self {
            most,
            lifetime,
            kept: BTreeMap::new(),
            by_signature: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_end: BTreeSet::new(),
            by_worth: BTreeSet::new(),
            by_did: BTreeMap::new(),
            listeners: BTreeMap::new(),
            heard: Heard::new(most),
            next: 0,
        }
    }

    pub(super) fn restore(&mut self, receipt: Receipt) {
        let end = receipt.at.saturating_add(self.lifetime);
        self.insert(receipt, end, true);
    }

    fn insert(&mut self, receipt: Receipt, end: u64, known: bool) {
        let seq = self.next;
        self.next += 1;
        let tag = DidTag::of(&receipt.did);
        self.by_signature.insert(receipt.signature.clone(), seq);
        for id in &receipt.ids {
            self.by_id.entry((*id, tag)).or_insert(seq);
        }
        self.by_end.insert((end, seq));
        self.by_worth.insert((known, seq));
        self.by_did.entry(tag).or_default().insert(seq);
        let kept = Kept {
            receipt,
            tag,
            end,
            known,
        };
        self.kept.insert(seq, kept);
    }

    fn remove(&mut self, seq: u64) -> Option<Vec<u8>> {
        let kept = self.kept.remove(&seq)?;
        self.by_signature.remove(&kept.receipt.signature);
        for id in &kept.receipt.ids {
            if self.by_id.get(&(*id, kept.tag)) == Some(&seq) {
                self.by_id.remove(&(*id, kept.tag));
            }
        }
        self.by_end.remove(&(kept.end, seq));
        self.by_worth.remove(&(kept.known, seq));
        if let Some(all) = self.by_did.get_mut(&kept.tag) {
            all.remove(&seq);
            if all.is_empty() {
                self.by_did.remove(&kept.tag);
            }
        }
        self.heard.insert(&kept.receipt.signature);
        Some(kept.receipt.signature)
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn get(&self, signature: &[u8]) -> Option<&Receipt> {
        let seq = self.by_signature.get(signature)?;
        self.kept.get(seq).map(|kept| &kept.receipt)
    }

    /// What the recipient of a message has said of it.
    pub(super) fn about(&self, id: &EnvelopeId, to: &DidTag) -> Option<&Receipt> {
        let seq = self.by_id.get(&(*id, *to))?;
        self.kept.get(seq).map(|kept| &kept.receipt)
    }

    /// Makes room for one more of this DID: what goes.
    fn make_room(&mut self, tag: &DidTag) -> Vec<Vec<u8>> {
        let mut gone = Vec::new();
        let share = (self.most / SHARE).max(1);
        let first = self
            .by_did
            .get(tag)
            .filter(|all| all.len() >= share)
            .and_then(|all| all.first().copied());
        gone.extend(first.and_then(|seq| self.remove(seq)));
        while self.kept.len() >= self.most {
            let Some((_, seq)) = self.by_worth.first().copied() else {
                break;
            };
            gone.extend(self.remove(seq));
        }
        gone
    }

    /// Forgets those whose time is over.
    pub(super) fn prune(&mut self, wall: u64) -> Vec<Vec<u8>> {
        let mut gone = Vec::new();
        while let Some((end, seq)) = self.by_end.first().copied() {
            if end >= wall {
                break;
            }
            gone.extend(self.remove(seq));
        }
        gone
    }

    pub(super) fn next_end(&self) -> Option<u64> {
        self.by_end.first().map(|(end, _)| end.saturating_add(1))
    }

    /// Where to begin and end telling a node that is met now.
    pub(super) fn telling(&mut self, node: &NodeKey, now: Time) -> (u64, u64) {
        let known = self.listeners.get(node);
        let first = match known {
            Some((next, full)) if now.since(*full) < REFRESH => *next,
            _ => {
                if self.listeners.len() >= LISTENERS {
                    self.listeners.pop_first();
                }
                self.listeners.insert(*node, (0, now));
                0
            }
        };
        (first, self.next)
    }

    /// A link to a node ended: was all told that was to be, and long enough before to have been
    /// passed on? If not, all of it is told again.
    pub(super) fn told(&mut self, node: &NodeKey, contact: &Contact, now: Time) {
        let next = self.next;
        let (first, end) = contact.telling;
        if first >= end
            && contact.untold.is_none()
            && now.since(contact.told_at) >= PROOF
            && let Some(listener) = self.listeners.get_mut(node)
        {
            listener.0 = next;
        }
    }
}

impl Depot {
    /// Is this receipt news, so that its signature is worth verifying? Old ones, and those that
    /// were here and had to make room, are news only if they end something that is held here.
    #[must_use]
    pub fn wants_receipt(&self, receipt: &Receipt) -> bool {
        let told = receipt.ids.len();
        (1..=Receipt::MAX_IDS).contains(&told)
            && self.receipts.get(&receipt.signature).is_none()
            && (self.ends_something(receipt)
                || self.is_fresh(receipt) && !self.receipts.heard.contains(&receipt.signature))
    }

    fn is_fresh(&self, receipt: &Receipt) -> bool {
        receipt.at.saturating_add(self.config.receipts_s) >= self.now.wall
    }

    fn ends_something(&self, receipt: &Receipt) -> bool {
        let tag = DidTag::of(&receipt.did);
        receipt.ids.iter().any(|id| {
            self.queue.get(id).is_some_and(|entry| {
                entry.held.label.to == tag && entry.held.state != HeldState::Delivered
            })
        })
    }

    /// A receipt whose signature was verified, and where it came from.
    pub fn receipt(&mut self, now: Now, receipt: Receipt, from: Option<LinkId>, turn: &mut Turn) {
        self.read(now);
        if self.wants_receipt(&receipt) {
            self.keep_receipt(receipt, from, turn);
        }
    }

    /// What is to be told on a link that has come up, in portions, the newest first, until
    /// nothing comes. What comes later is told by [`Effect::Tell`], or by
    /// [`Depot::tell_later`] and this. Whoever stops before the end tells the rest when the node
    /// is met again.
    pub fn receipts_for(&mut self, link: LinkId, max: usize) -> Vec<Receipt> {
        let Some(contact) = self.contacts.get_mut(link) else {
            return Vec::new();
        };
        let (mut first, mut end) = contact.telling;
        if first >= end
            && let Some(untold) = contact.untold.take()
        {
            (first, end) = (untold, self.receipts.next);
            contact.telling.0 = first;
        }
        let mut told = Vec::new();
        let news = self.receipts.kept.range(first.min(end)..end).rev();
        contact.telling.1 = first;
        for (seq, kept) in news.take(max) {
            contact.told_at = self.now.time;
            told.push(kept.receipt.clone());
            contact.telling.1 = *seq;
        }
        told
    }

    /// This receipt of an [`Effect::Tell`] could not be told on this link now, where enough waits
    /// to be said: [`Depot::receipts_for`] has it, unless it had to make room before.
    pub fn tell_later(&mut self, link: LinkId, receipt: &Receipt) {
        let seq = self.receipts.by_signature.get(&receipt.signature);
        if let (Some(seq), Some(contact)) = (seq, self.contacts.get_mut(link)) {
            let untold = contact.untold.map_or(*seq, |first| first.min(*seq));
            contact.untold = Some(untold);
        }
    }

    /// A link is about to end, and the other side may not have heard what it was told after that
    /// time, or shortly before: such receipts are told again when the node is met again.
    pub fn doubt(&mut self, link: LinkId, since: Time) {
        if let Some(contact) = self.contacts.get_mut(link)
            && since.since(contact.told_at) < PROOF
        {
            contact.untold.get_or_insert(0);
        }
    }

    /// Keeps a receipt, lets what it says follow, and passes it on.
    pub(super) fn keep_receipt(&mut self, receipt: Receipt, from: Option<LinkId>, turn: &mut Turn) {
        let tag = DidTag::of(&receipt.did);
        let mut known = false;
        for id in &receipt.ids {
            let held = self.queue.get(id).map(|entry| entry.held.label.to);
            known |= held == Some(tag) || self.seen.contains(id);
            if held == Some(tag) {
                self.concluded(id, receipt.refused, turn);
            }
        }
        if !self.is_fresh(&receipt) {
            return;
        }
        for signature in self.receipts.make_room(&tag) {
            turn.ops.push(Op::Drop(Key::Receipt(signature)));
        }
        let end = receipt
            .at
            .min(self.now.wall)
            .saturating_add(self.config.receipts_s);
        turn.ops.push(Op::Put(Record::Receipt(receipt.clone())));
        for (link, contact) in self.contacts.iter_mut() {
            if Some(link) != from {
                contact.told_at = self.now.time;
            }
        }
        turn.effects.push(Effect::Tell {
            receipts: vec![receipt.clone()],
            except: from,
        });
        self.receipts.insert(receipt, end, known);
    }
}
