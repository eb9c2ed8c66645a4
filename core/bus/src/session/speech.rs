//! What waits to be said, gathered so that one message says it of many offers.
//!
//! What is it: [`Speech`]. Who calls it: the session, as late as possible: just before a PDU has
//! room. What can go wrong: nothing; what it holds is bounded by the offers that are open and by
//! what the bus hands it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::sending::RANGE_COST;
use crate::bus::io::Claim;
use crate::pdu::control::{Control, claim_fits, receipt_fits};
use crate::ranges::Ranges;
use crate::receipt::{Reason, Receipt};

/// Most handles in one message.
const HANDLES: usize = 512;

/// Answers by handle, receipts and claims in order, a goodbye after all of it.
#[derive(Debug, Default)]
pub(super) struct Speech {
    wants: BTreeMap<u64, (Ranges, Ranges)>,
    have: BTreeSet<u64>,
    refuse: BTreeMap<u64, Reason>,
    custody: BTreeSet<u64>,
    withdraw: BTreeSet<u64>,
    claims: VecDeque<Claim>,
    receipts: VecDeque<Receipt>,
    bye: bool,
}

impl Speech {
    pub(super) fn want(&mut self, handle: u64, missing: Ranges, again: Ranges) {
        let want = self.wants.entry(handle).or_default();
        want.0 = missing;
        want.1.insert_all(&again);
    }

    pub(super) fn have(&mut self, handle: u64) {
        self.have.insert(handle);
    }

    pub(super) fn refuse(&mut self, handle: u64, reason: Reason) {
        self.wants.remove(&handle);
        self.refuse.insert(handle, reason);
    }

    pub(super) fn custody(&mut self, handle: u64) {
        self.wants.remove(&handle);
        self.custody.insert(handle);
    }

    pub(super) fn withdraw(&mut self, handle: u64) {
        self.withdraw.insert(handle);
    }

    /// Receipts that no reader would take are left out: they were not made by our agent.
    pub(super) fn tell(&mut self, receipts: &[Receipt]) {
        let told = receipts.iter().filter(|receipt| receipt_fits(receipt));
        self.receipts.extend(told.cloned());
    }

    pub(super) fn receipts_waiting(&self) -> usize {
        self.receipts.len()
    }

    pub(super) fn claim(&mut self, claims: Vec<Claim>) {
        self.claims.extend(claims.into_iter().filter(claim_fits));
    }

    pub(super) fn bye(&mut self) {
        self.bye = true;
    }

    /// The next message, if there is anything to say.
    pub(super) fn next(&mut self) -> Option<Control> {
        if let Some((handle, (missing, again))) = self.wants.pop_first() {
            return Some(Control::Want {
                handle,
                missing,
                again,
            });
        }
        if !self.refuse.is_empty() {
            let some = std::iter::from_fn(|| self.refuse.pop_first());
            return Some(Control::Refuse(some.take(HANDLES).collect()));
        }
        for (set, message) in [
            (&mut self.have, Control::Have as fn(Vec<u64>) -> Control),
            (&mut self.custody, Control::Custody),
            (&mut self.withdraw, Control::Withdraw),
        ] {
            if !set.is_empty() {
                let some = std::iter::from_fn(|| set.pop_first());
                return Some(message(some.take(HANDLES).collect()));
            }
        }
        if let Some(claim) = self.claims.pop_front() {
            return Some(Control::Claims(vec![claim]));
        }
        if let Some(receipt) = self.receipts.pop_front() {
            return Some(Control::Receipts(vec![receipt]));
        }
        std::mem::take(&mut self.bye).then_some(Control::Bye)
    }

    /// About how many bytes all this takes.
    pub(super) fn memory(&self) -> usize {
        let sets = [&self.have, &self.custody, &self.withdraw];
        let handles: usize = sets.map(BTreeSet::len).iter().sum();
        let wants: usize = self
            .wants
            .values()
            .map(|(missing, again)| 64 + (missing.count() + again.count()) * RANGE_COST)
            .sum();
        let claims = self.claims.iter();
        let claims: usize = claims.map(|c| 128 + c.did.len() + c.kid.len()).sum();
        let receipts = self.receipts.iter();
        let receipts: usize = receipts
            .map(|r| 256 + r.did.len() + r.kid.len() + r.ids.len() * 32)
            .sum();
        (handles + self.refuse.len()) * 16 + wants + claims + receipts
    }

    /// Forgets all that was about offers which are void now.
    pub(super) fn void_answers(&mut self) {
        self.wants.clear();
        self.have.clear();
        self.refuse.clear();
        self.custody.clear();
        self.withdraw.clear();
    }
}
