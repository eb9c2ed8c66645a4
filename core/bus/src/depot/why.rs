//! Why a message is where it is, and what happens to it next.
//!
//! What is it: [`Depot::why`]. Who calls it: `packmule why`, `packmule status`. What can go
//! wrong: nothing; it only looks.

use super::Depot;
use super::queue::{Entry, Standing};
use super::turn::{Next, Why};
use crate::EnvelopeId;
use crate::bus::io::HeldState;
use crate::time::Now;

impl Depot {
    /// Who holds a copy of a message, who would not, and what happens next. `None`: it is not
    /// held here.
    #[must_use]
    pub fn why(&self, now: Now, id: &EnvelopeId) -> Option<Why> {
        let entry = self.queue.get(id)?;
        let held = &entry.held;
        let refusals = entry.nodes.iter().filter_map(|(node, standing)| {
            let (why, wait) = match standing {
                Standing::Has => return None,
                Standing::Never(why) => (*why, None),
                Standing::Later { at, why, .. } => (*why, Some(at.since(now.time).as_secs())),
            };
            Some((*node, why, wait))
        });
        Some(Why {
            id: *id,
            bytes: held.bytes,
            label: held.label,
            origin: held.origin,
            rung: entry.rung(),
            since: held.since,
            takers: held.takers.clone(),
            refusals: refusals.collect(),
            next: self.next(now, entry),
        })
    }

    fn next(&self, now: Now, entry: &Entry) -> Vec<Next> {
        let held = &entry.held;
        match held.state {
            HeldState::Delivered => return Vec::new(),
            HeldState::Dead(_) => {
                let barred = entry.barred.iter();
                let barred = barred.map(|(way, why)| Next::Barred(way.clone(), why.clone()));
                return barred.chain([Next::Person]).collect();
            }
            HeldState::Waiting => {}
        }
        if !entry.durable {
            return vec![Next::Writing];
        }
        let mut next = Vec::new();
        for (_, contact) in self.contacts.iter() {
            if contact.offered.contains_key(&held.id) {
                next.push(Next::Offered(contact.node));
            }
        }
        if entry.reached() {
            next.push(Next::AwaitReceipt);
        } else {
            for (way, state) in self.ways.of(&held.label.to) {
                if !entry.allows(way.transport()) {
                    continue;
                }
                next.push(if let Some(why) = entry.barred.get(way) {
                    Next::Barred(way.clone(), why.clone())
                } else if state.next > now.time {
                    let wait = state.next.since(now.time).as_secs();
                    Next::TryIn(way.clone(), wait, state.tries)
                } else {
                    Next::Trying(way.clone())
                });
            }
            if held.label.copies > 1 && held.label.hops > 0 {
                next.push(Next::AwaitCarriers(held.label.copies));
            } else {
                next.push(Next::AwaitRecipient);
            }
        }
        next.extend(held.label.expires.map(Next::ExpireAt));
        next
    }
}
