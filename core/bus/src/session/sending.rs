//! What we offer, in which order it goes, and how far each offer has come.
//!
//! What is it: [`Sending`]: queued offers, announced ones, and what of each is still to be sent.
//! Who calls it: the session. What can go wrong: the other side answers what was never offered:
//! an error that ends the session; answers to offers that are over are not heard.
//!
//! Order: priority, then age. An offer's bytes follow it at once, before the answer, as long as
//! no more than [`EAGER`] bytes were sent without one; offers go ahead of their turn so that
//! answers are back when the turn comes ([`AHEAD`]). On brief links only what ends in the same PDU
//! goes before the answer: whoever was cut off and is back has most of it already, as a rule.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Limits, Offer};
use crate::EnvelopeId;
use crate::label::Priority;
use crate::ranges::Ranges;

/// Bytes sent without an answer to their offers.
const EAGER: u64 = 64 << 10;
/// Offers go ahead of their turn until so many bytes are announced and not sent, or so many
/// offers.
const AHEAD: u64 = 1 << 20;
const AHEAD_OFFERS: usize = 512;

/// What one offer takes in memory, about; what one range does.
const OUT_COST: usize = 512;
pub(super) const RANGE_COST: usize = 16;

/// The order of sending.
type Key = (Reverse<Priority>, u64, EnvelopeId);

#[derive(Debug)]
struct Out {
    offer: Offer,
    handle: Option<u64>,
    answered: bool,
    /// What they want of it, once answered.
    missing: Ranges,
    /// What is to be sent: never sent, or lost.
    pending: Ranges,
    /// What has arrived, on links that tell.
    arrived: Ranges,
    /// Bytes sent before the answer.
    eager: u64,
    begun: bool,
    /// The body was asked for.
    waiting: bool,
    /// How much of `pending` is counted in `Sending::ahead`.
    counted: u64,
}

/// What may go next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Offer,
    Segment {
        id: EnvelopeId,
        handle: u64,
        range: Range<u64>,
    },
}

/// All that we offer.
#[derive(Debug, Default)]
pub(super) struct Sending {
    outs: BTreeMap<EnvelopeId, Out>,
    handles: BTreeMap<u64, EnvelopeId>,
    next_handle: u64,
    /// Not announced yet.
    queued: BTreeSet<Key>,
    /// Announced, not answered, with bytes to send.
    eager: BTreeSet<Key>,
    /// Wanted, with bytes to send.
    wanted: BTreeSet<Key>,
    /// Taken back, and the other side may not know it yet.
    withdrawn: u64,
    /// Bytes sent without an answer.
    unanswered: u64,
    /// Bytes announced and not sent.
    ahead: u64,
    /// Transfers with some bytes sent and some not.
    partly: BTreeSet<EnvelopeId>,
    limits: Limits,
    /// The link may end after any PDU.
    brief: bool,
}

/// The other side answered what was never offered.
#[derive(Debug)]
pub(super) struct NeverOffered;

/// The most that the head of a segment takes.
const HEAD: u64 = 1 + 8 + 8 + 3;

impl Sending {
    pub(super) fn new(brief: bool) -> Self {
        Self {
            brief,
            ..Self::default()
        }
    }

    pub(super) fn offer(&mut self, offer: Offer) {
        let key = key(&offer);
        let id = offer.id;
        if self.outs.contains_key(&id) {
            return;
        }
        let out = Out {
            handle: None,
            answered: false,
            missing: Ranges::new(),
            pending: Ranges::of(0..offer.bytes),
            arrived: Ranges::new(),
            eager: 0,
            begun: false,
            waiting: false,
            counted: 0,
            offer,
        };
        self.outs.insert(id, out);
        self.queued.insert(key);
    }

    /// What the other side takes. What we have queued beyond that is returned: refused already.
    pub(super) fn limit(&mut self, limits: Limits) -> Vec<EnvelopeId> {
        self.limits = limits;
        let outs = self.outs.values();
        let too_large = outs.filter(|out| out.offer.bytes > limits.max_bytes);
        too_large.map(|out| out.offer.id).collect()
    }

    pub(super) fn takes(&self, offer: &Offer) -> bool {
        offer.bytes <= self.limits.max_bytes
    }

    /// Is an offer of this message open?
    pub(super) fn has(&self, id: &EnvelopeId) -> bool {
        self.outs.contains_key(id)
    }

    /// Ends an offer; its handle, if it was announced.
    pub(super) fn end(&mut self, id: &EnvelopeId) -> Option<u64> {
        let out = self.outs.remove(id)?;
        let key = key(&out.offer);
        for set in [&mut self.queued, &mut self.eager, &mut self.wanted] {
            set.remove(&key);
        }
        self.partly.remove(id);
        self.ahead = self.ahead.saturating_sub(out.counted);
        if !out.answered {
            self.unanswered = self.unanswered.saturating_sub(out.eager);
        }
        let handle = out.handle?;
        self.handles.remove(&handle);
        Some(handle)
    }

    /// A withdrawal is to be told: until it has been, it counts against the limit of offers.
    pub(super) fn withdraw(&mut self, id: &EnvelopeId) -> Option<u64> {
        let handle = self.end(id)?;
        self.withdrawn += 1;
        Some(handle)
    }

    /// So many withdrawals were put in the stream, behind which every later offer comes.
    pub(super) fn withdrawals_told(&mut self, count: usize) {
        self.withdrawn = self.withdrawn.saturating_sub(count as u64);
    }

    /// Which message a handle stands for; none if its offer is over.
    pub(super) fn named(&self, handle: u64) -> Result<Option<EnvelopeId>, NeverOffered> {
        if handle >= self.next_handle {
            return Err(NeverOffered);
        }
        Ok(self.handles.get(&handle).copied())
    }

    /// They want these bytes.
    pub(super) fn wanted(&mut self, id: &EnvelopeId, missing: Ranges, again: &Ranges) {
        let Some(out) = self.outs.get_mut(id) else {
            return;
        };
        let whole = 0..out.offer.bytes;
        out.missing = if missing.is_empty() {
            Ranges::of(whole.clone())
        } else {
            missing.within(whole.clone()).collect()
        };
        if !out.answered {
            out.answered = true;
            self.unanswered = self.unanswered.saturating_sub(out.eager);
        }
        out.pending = out.pending.intersection(&out.missing);
        for range in again.within(whole) {
            out.arrived.remove(range.clone());
            out.missing.insert(range.clone());
            out.pending.insert(range);
        }
        self.index(id);
    }

    /// What may go next, a segment with at most `most` bytes.
    pub(super) fn next(&mut self, most: u64) -> Option<Next> {
        let eager_room = EAGER.saturating_sub(self.unanswered);
        let full = self.partly.len() >= self.limits.parallel.max(1) as usize;
        let free = |key: &&Key| !full || self.partly.contains(&key.2);
        let wanted = self.wanted.iter().find(free);
        let fits = |key: &&Key| !self.brief || self.ends_within(&key.2, most);
        let eager = self.eager.iter().find(|key| free(key) && fits(key));
        let eager = eager.filter(|_| eager_room > 0);
        let best = [wanted, eager].into_iter().flatten().min().copied();
        let queued = self.queued.first().filter(|_| self.may_announce());
        if let Some(first) = queued
            && best.is_none_or(|best| *first < best)
            && (eager_room > 0 || best.is_none() && self.may_go_ahead())
        {
            return Some(Next::Offer);
        }
        let id = best?.2;
        let out = self.outs.get(&id)?;
        let first = out.pending.first()?;
        let most = if out.answered {
            most
        } else {
            most.min(eager_room)
        };
        Some(Next::Segment {
            id,
            handle: out.handle?,
            range: first.start..first.end.min(first.start.saturating_add(most)),
        })
    }

    /// Is what is to be sent of it one piece of no more than that?
    fn ends_within(&self, id: &EnvelopeId, most: u64) -> bool {
        let pending = self.outs.get(id).map(|out| &out.pending);
        pending.is_some_and(|pending| pending.count() == 1 && pending.total() + HEAD <= most)
    }

    /// May one more offer be open?
    fn may_announce(&self) -> bool {
        (self.handles.len() as u64).saturating_add(self.withdrawn) < u64::from(self.limits.offers)
    }

    /// Is it time to announce what is not next in turn?
    pub(super) fn may_go_ahead(&self) -> bool {
        !self.queued.is_empty()
            && self.may_announce()
            && self.ahead < AHEAD
            && self.eager.len() + self.wanted.len() < AHEAD_OFFERS
    }

    /// Announces the first of the queue: the next handle is its.
    pub(super) fn announce(&mut self) -> Option<Offer> {
        let (_, _, id) = self.queued.pop_first()?;
        let out = self.outs.get_mut(&id)?;
        out.handle = Some(self.next_handle);
        let offer = out.offer.clone();
        self.handles.insert(self.next_handle, id);
        self.next_handle += 1;
        self.index(&id);
        Some(offer)
    }

    /// These bytes go now.
    pub(super) fn sent(&mut self, id: &EnvelopeId, range: Range<u64>) {
        let Some(out) = self.outs.get_mut(id) else {
            return;
        };
        let bytes = range.end - range.start;
        out.pending.remove(range);
        out.begun = true;
        if !out.answered {
            out.eager += bytes;
            self.unanswered += bytes;
        }
        self.index(id);
    }

    /// They have these bytes now.
    pub(super) fn arrived(&mut self, handle: u64, range: Range<u64>) {
        if let Some(id) = self.handles.get(&handle).copied()
            && let Some(out) = self.outs.get_mut(&id)
        {
            out.arrived.insert(range.clone());
            if !out.pending.is_empty() {
                out.pending.remove(range);
                self.index(&id);
            }
        }
    }

    /// These bytes were lost, or may have been.
    pub(super) fn lost(&mut self, handle: u64, range: Range<u64>) {
        if let Some(id) = self.handles.get(&handle).copied()
            && let Some(out) = self.outs.get_mut(&id)
        {
            let mut gone = out.arrived.missing(range);
            if out.answered {
                gone = gone.intersection(&out.missing);
            } else {
                let bytes = gone.total();
                out.eager = out.eager.saturating_sub(bytes);
                self.unanswered = self.unanswered.saturating_sub(bytes);
            }
            out.pending.insert_all(&gone);
            self.index(&id);
        }
    }

    /// The body of this one has to be brought first. `false`: it was asked for already.
    pub(super) fn wait_for_body(&mut self, id: &EnvelopeId) -> bool {
        let Some(out) = self.outs.get_mut(id) else {
            return false;
        };
        let asked = std::mem::replace(&mut out.waiting, true);
        self.index(id);
        !asked
    }

    pub(super) fn body_came(&mut self, id: &EnvelopeId) {
        if let Some(out) = self.outs.get_mut(id) {
            out.waiting = false;
            self.index(id);
        }
    }

    /// About how many bytes all this takes.
    pub(super) fn memory(&self) -> usize {
        let gaps = |out: &Out| out.missing.count() + out.pending.count() + out.arrived.count();
        let outs = self.outs.values();
        outs.map(|out| OUT_COST + gaps(out) * RANGE_COST).sum()
    }

    /// Ends every offer, as if none had been made.
    pub(super) fn clear(&mut self) {
        *self = Self {
            limits: self.limits,
            brief: self.brief,
            ..Self::default()
        };
    }

    /// Puts an announced offer where it belongs now.
    fn index(&mut self, id: &EnvelopeId) {
        let Some(out) = self.outs.get_mut(id).filter(|out| out.handle.is_some()) else {
            return;
        };
        let key = key(&out.offer);
        let pending = out.pending.total();
        self.ahead = self
            .ahead
            .saturating_sub(out.counted)
            .saturating_add(pending);
        out.counted = pending;
        let sendable = pending > 0 && !out.waiting;
        for (set, here) in [
            (&mut self.eager, sendable && !out.answered),
            (&mut self.wanted, sendable && out.answered),
        ] {
            if here {
                set.insert(key);
            } else {
                set.remove(&key);
            }
        }
        if out.begun && pending > 0 {
            self.partly.insert(*id);
        } else {
            self.partly.remove(id);
        }
    }
}

fn key(offer: &Offer) -> Key {
    (Reverse(offer.label.priority), offer.age, offer.id)
}
