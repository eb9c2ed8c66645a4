//! The people and their agents: who writes, opens, refuses, and what the bus tells them.

use packmule_bus::bus::io::{Event, Input, LinkId, Submission};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::receipt::Reason;
use packmule_bus::{Envelope, EnvelopeId};

use super::node::{Body, Node};
use super::{Ev, Sim};
use crate::book::Opened;
use crate::disk::Write;
use crate::marks::Kind;
use crate::world::Micros;

/// How long an agent takes to open a message, at most.
const OPENING: Micros = 200_000;

impl Sim<'_> {
    /// Somebody writes a message; if the node is dark, when it is back.
    pub(super) fn submit(&mut self, message: usize) {
        let now = self.world.now();
        let Some(spec) = self.scenario.messages.get(message) else {
            return;
        };
        let (Some(n), Some(to)) = (self.node_of(&spec.from), self.node_of(&spec.to)) else {
            return;
        };
        if !self.nodes.get(n).is_some_and(Node::is_up) {
            self.world.after(1_000_000, Ev::Submit(message));
            return;
        }
        let Some(envelope) = self.book.write(now, message, n, to, spec.lasts_s) else {
            return;
        };
        let Some(node) = self.nodes.get(n) else {
            return;
        };
        let wall = node.clocks(now).wall;
        let label = Label {
            to: DidTag::of(&format!("did:sim:{}", spec.to)),
            expires: spec.lasts_s.map(|lasts| wall + lasts),
            priority: match spec.priority {
                0 => Priority::Bulk,
                1 => Priority::Normal,
                _ => Priority::Urgent,
            },
            hops: 8,
            copies: node.spec.copies,
        };
        let by = Vec::new();
        self.feed(n, Input::Submit(Submission::of(&envelope, label, by)));
    }

    /// The bus tells something.
    pub(super) fn hear_event(&mut self, n: usize, event: Event) {
        let now = self.world.now();
        self.trace.bytes(&[word(&event)]);
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let wait = node.dice.below(OPENING);
        let life = node.life;
        if let Event::Met(link, key) = &event
            && let Some(peer) = self.honest_peer(n, *link)
        {
            self.book.met(*key, peer);
        }
        let Some(Body::Honest(honest)) = self.nodes.get(n).map(|node| &node.body) else {
            return;
        };
        let opens = self.book.told(now, n, &event, &honest.disk);
        if opens && let Event::Received(arrived) = event {
            self.world.after(wait, Ev::Agent(n, life, arrived.id));
        }
    }

    /// The agent opens a message.
    pub(super) fn agent_looks(&mut self, n: usize, life: u32, id: EnvelopeId) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.life == life) else {
            return;
        };
        let Some(honest) = node.honest() else {
            return;
        };
        if honest.disk.agent_has(&id) {
            // It had it before the power went: it only says so again.
            return self.acknowledge(n, id);
        }
        let body = honest.disk.body(&id).cloned();
        let packed = body
            .as_deref()
            .map(|wire| Envelope::decode(wire).map(|envelope| envelope.to_json()));
        let packed = packed.and_then(Result::ok);
        match self.book.opened(now, n, &id, packed.as_deref()) {
            Opened::Whole => self.write(n, Write::Agent(id)),
            // Mallory changed the label: whoever cannot open a message refuses it.
            Opened::NotOurs => self.acknowledge(n, id),
            Opened::Nothing => {}
        }
    }

    /// The agent durably has a message.
    pub(super) fn agent_has(&mut self, n: usize, id: EnvelopeId) {
        self.acknowledge(n, id);
    }

    /// The honest node at the other end of a link.
    fn honest_peer(&self, n: usize, link: LinkId) -> Option<usize> {
        let (m, end) = self.port(n, link)?;
        let peer = self.meets.get(m)?.node(end.other());
        let honest = matches!(self.nodes.get(peer)?.body, Body::Honest(_));
        honest.then_some(peer)
    }

    fn acknowledge(&mut self, n: usize, id: EnvelopeId) {
        let unwelcome = self.book.is_unwelcome(n, &id);
        if unwelcome {
            self.fired.hit(Kind::Unwelcome);
        }
        self.feed(
            n,
            Input::Acknowledge(id, unwelcome.then_some(Reason::Rejected)),
        );
    }
}

/// A number for the fingerprint.
const fn word(event: &Event) -> u8 {
    match event {
        Event::Received(_) => 1,
        Event::Progress { .. } => 2,
        Event::Carrying(_) => 3,
        Event::NotTaken(..) => 4,
        Event::Dead(..) => 5,
        Event::Met(..) => 6,
        Event::Proved(..) => 7,
        Event::Parted(..) => 8,
        Event::DiskFull => 9,
        Event::DiskRoom => 10,
        _ => 11,
    }
}
