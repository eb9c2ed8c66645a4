//! What two nodes speak over a link.
//!
//! What is it: [`Session`], a state machine for one link: PDUs and times in; PDUs, events and a
//! deadline out. It keeps no envelope bytes beyond a few PDUs. Who calls it: the bus, one for
//! each link. What can go wrong: everything that arrives was written by a stranger; whatever
//! breaks the rules ends in [`Event::Broken`], never in a panic or in memory without bound.

mod terms;

use std::collections::VecDeque;

pub use terms::{Answer, Bodies, Event, Limits, Offer, SessionConfig};

use crate::EnvelopeId;
use crate::bus::io::{Claim, NodeKey};
use crate::link::{LinkFacts, Role};
use crate::receipt::{Reason, Receipt};
use crate::time::Time;

/// One end of a link.
#[derive(Debug)]
pub struct Session {
    facts: LinkFacts,
    role: Role,
    config: SessionConfig,
    events: VecDeque<Event>,
    started: Time,
}

impl Session {
    /// A session over a fresh link. `secret` is the node's X25519 key; `seed` must never be used
    /// for another session.
    #[must_use]
    pub fn new(
        now: Time,
        facts: LinkFacts,
        role: Role,
        secret: &[u8; 32],
        seed: [u8; 32],
        config: SessionConfig,
    ) -> Self {
        let _ = (secret, seed);
        Self {
            facts,
            role,
            config,
            events: VecDeque::new(),
            started: now,
        }
    }

    /// A PDU came.
    pub fn receive(&mut self, now: Time, pdu: &[u8]) {
        let _ = (now, pdu, self.facts, self.role, self.config, self.started);
    }

    /// The next PDU, at most the MTU long; call it while the link has room. `None`: nothing to
    /// say now.
    pub fn transmit(&mut self, now: Time, bodies: &mut dyn Bodies) -> Option<Vec<u8>> {
        let _ = (now, bodies);
        None
    }

    /// When [`Session::timeout`] is to be called, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        None
    }

    /// The deadline has come (or not: calling it early does no harm).
    pub fn timeout(&mut self, now: Time) {
        let _ = now;
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Offers a bundle to the other side. An id that is on offer already is left as it is.
    pub fn offer(&mut self, offer: Offer) {
        let _ = offer;
    }

    /// Takes an offer back.
    pub fn withdraw(&mut self, id: &EnvelopeId) {
        let _ = id;
    }

    /// Answers an offer of the other side; may be said again to want other bytes.
    pub fn answer(&mut self, id: &EnvelopeId, answer: Answer) {
        let _ = (id, answer);
    }

    /// An offered message is durable here: says custody.
    pub fn stored(&mut self, id: &EnvelopeId) {
        let _ = id;
    }

    /// An offered message is not taken after all; at any time before `stored`.
    pub fn refuse(&mut self, id: &EnvelopeId, reason: Reason) {
        let _ = (id, reason);
    }

    /// Passes receipts on.
    pub fn tell(&mut self, receipts: &[Receipt]) {
        let _ = receipts;
    }

    /// Claims DIDs.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        let _ = claims;
    }

    /// The body asked for by [`Event::NeedBody`] is at hand.
    pub fn body_came(&mut self, id: &EnvelopeId) {
        let _ = id;
    }

    /// Says goodbye after all that is waiting.
    pub fn bye(&mut self) {}

    /// The node at the other end, once it is known.
    #[must_use]
    pub fn peer(&self) -> Option<NodeKey> {
        None
    }

    /// Can messages pass?
    #[must_use]
    pub fn is_up(&self) -> bool {
        false
    }
}
