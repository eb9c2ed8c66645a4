//! Room for a newcomer.
//!
//! What is it: who makes way for whom. Half messages first, then carried bundles for what is our
//! own or for us, and for strangers' newcomers only if that is the policy. Who calls it: all that
//! takes anything in. What can go wrong: room is made for nothing; so nothing goes unless
//! what goes is enough.

use super::config::WhenFull;
use super::quota::{Charge, Lack};
use super::seen::MARGIN;
use super::turn::{Effect, Meta, Turn};
use super::{Depot, queue};
use crate::EnvelopeId;
use crate::bus::io::{Event, Key, Op};
use crate::receipt::Reason;

/// Evictions remembered, so that what made room is not fetched again at once.
const EVICTED_KEPT: usize = 4_096;

impl Depot {
    /// Finds room, by evicting carried bundles that are worth less if that is the policy. Evicts
    /// nothing unless that is enough.
    pub(super) fn make_room(
        &mut self,
        meta: &Meta,
        charge: &Charge,
        turn: &mut Turn,
    ) -> Result<(), Reason> {
        let Err(lack) = self.books.fits(charge, &[]) else {
            return Ok(());
        };
        let ours = charge.stranger.is_none();
        let mut room = Vec::new();
        let mut parts = Vec::new();
        for (id, gives) in self.coming.paused().take(queue::VICTIMS) {
            if id != meta.id && self.helps(charge, &room, &gives) {
                parts.push(id);
                room.push(gives);
            }
        }
        let full = self.books.fits(charge, &room).is_err();
        if full && self.config.policy.full == WhenFull::Refuse && !ours {
            return Err(lack.reason());
        }
        let mut victims = Vec::new();
        for id in self.queue.carried() {
            let Some(entry) = self.queue.get(id) else {
                continue;
            };
            if !ours && !entry.yields_to(meta) {
                break;
            }
            let gives = Charge::of(entry.held.origin, entry.held.bytes);
            // What the newcomer replaces is not gone before the newcomer is here.
            let may_go = entry.durable && *id != meta.id && !self.is_going(id);
            if may_go && self.helps(charge, &room, &gives) {
                victims.push(*id);
                room.push(gives);
            }
            if victims.len() > queue::VICTIMS || self.books.fits(charge, &room).is_ok() {
                break;
            }
        }
        self.books.fits(charge, &room).map_err(Lack::reason)?;
        for id in parts {
            self.abandon(&id);
            turn.effects.push(Effect::Discard(id));
        }
        for id in victims {
            self.evict(&id, turn);
        }
        Ok(())
    }

    /// Would this, given back too, bring a charge nearer to fitting?
    fn helps(&self, charge: &Charge, room: &[Charge], gives: &Charge) -> bool {
        match self.books.fits(charge, room) {
            Ok(()) => false,
            Err(Lack::Stranger) => gives.stranger == charge.stranger,
            Err(Lack::Strangers) => gives.stranger.is_some(),
            Err(Lack::Total) => true,
        }
    }

    fn is_going(&self, id: &EnvelopeId) -> bool {
        self.contacts
            .iter()
            .any(|(_, contact)| contact.offered.contains_key(id))
    }

    /// A carried bundle makes room. Its copies are gone from the world; its origin keeps its own.
    /// It is not remembered as *seen*: nobody may believe that we have it.
    fn evict(&mut self, id: &EnvelopeId, turn: &mut Turn) {
        let Some(entry) = self.queue.remove(id) else {
            return;
        };
        self.books
            .give_back(&Charge::of(entry.held.origin, entry.held.bytes));
        for (link, contact) in self.contacts.iter_mut() {
            contact.leave(id);
            if contact.offered.remove(id).is_some() {
                turn.effects.push(Effect::Withdraw { link, id: *id });
            }
        }
        if self.evicted.len() >= EVICTED_KEPT {
            let wall = self.now.wall;
            self.evicted.retain(|_, end| *end >= wall);
            if self.evicted.len() >= EVICTED_KEPT {
                self.evicted.pop_first();
            }
        }
        let end = entry.held.label.expires.unwrap_or(u64::MAX);
        self.evicted.insert(*id, end.saturating_add(MARGIN));
        self.evictions += 1;
        turn.ops.push(Op::Drop(Key::Held(*id)));
        turn.tell(Event::Evicted(*id));
    }
}
