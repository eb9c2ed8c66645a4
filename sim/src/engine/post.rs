//! Mailboxes: whole messages dropped for a node, which looks into its box when it can.
//!
//! A mailbox is durable and stupid: it gives a message again and again until it is let go of.

use packmule_bus::bus::Bus;
use packmule_bus::bus::io::{HandFault, Input, SettleId};
use packmule_bus::link::Way;
use packmule_bus::{Envelope, EnvelopeId};

use super::node::{Body, Node};
use super::{Ev, Sim};
use crate::marks::Kind;
use crate::world::Micros;

/// How often a node looks into its mailbox.
const LOOK: Micros = 5_000_000;
/// How long a bus may think about a message: longer than a slow disk takes, and than a full one is
/// left alone.
const PATIENCE: Micros = 120_000_000;

impl Sim<'_> {
    fn box_is_open(&self, n: usize) -> bool {
        let now = self.world.now() / 1000;
        let windows = self.nodes.get(n).map(|node| node.spec.mailbox.as_slice());
        windows
            .unwrap_or_default()
            .iter()
            .any(|(from, to)| (*from..*to).contains(&now))
    }

    /// A bus hands a message over.
    pub(super) fn deliver(&mut self, n: usize, id: EnvelopeId, way: &Way, wire: &[u8]) {
        let target = self.node_at(way, "post");
        let open = target.filter(|target| self.box_is_open(*target));
        let envelope = Envelope::decode(wire)
            .ok()
            .filter(|envelope| envelope.id() == id);
        let outcome = match (open, envelope) {
            (Some(target), Some(envelope)) => {
                self.book.drop_letter(target, envelope);
                // Sometimes the box has it and the answer is lost: the message will come twice.
                if self
                    .nodes
                    .get_mut(n)
                    .is_some_and(|node| node.dice.chance(0.1))
                {
                    self.fired.hit(Kind::MailboxTwice);
                    Err(HandFault::Later("no answer".to_owned()))
                } else {
                    Ok(())
                }
            }
            (None, _) => {
                self.fired.hit(Kind::MailboxLater);
                Err(HandFault::Later("closed".to_owned()))
            }
            (_, None) => {
                let text = format!("hands over bytes that are not message {id}");
                self.accuse("unchanged", n, text);
                Err(HandFault::Never("not an envelope".to_owned()))
            }
        };
        let way = way.clone();
        self.tell_later(n, 50_000, Input::Handed { id, way, outcome });
    }

    pub(super) fn look_soon(&mut self, n: usize) {
        if let Some(node) = self
            .nodes
            .get(n)
            .filter(|node| !node.spec.mailbox.is_empty())
        {
            self.world.after(100_000, Ev::Look(n, node.life));
        }
    }

    /// A node collects what is in its box.
    pub(super) fn look(&mut self, n: usize, life: u32) {
        let Some(node) = self.nodes.get(n).filter(|node| node.life == life) else {
            return;
        };
        let (to, now) = (vec![node.signer.tag()], self.world.now());
        self.world.after(LOOK, Ev::Look(n, life));
        if !self.box_is_open(n) {
            return;
        }
        for (number, envelope) in self.book.letters(n) {
            let alive = self.nodes.get_mut(n).filter(|node| node.life == life);
            let Some(Body::Honest(honest)) = alive.map(|node| &mut node.body) else {
                return;
            };
            // What the bus has is not given again in this life, unless it is put back.
            if honest.settles.contains_key(&number) {
                continue;
            }
            honest.settles.insert(number, now);
            let input = Input::Whole {
                transport: "post".to_owned(),
                envelope,
                to: to.clone(),
                settle: SettleId(number),
            };
            self.feed(n, input);
        }
    }

    /// A bus lets a mailbox go of a message.
    pub(super) fn settle(&mut self, n: usize, settle: SettleId) {
        let now = self.world.now();
        let Some(Body::Honest(honest)) = self.nodes.get_mut(n).map(|node| &mut node.body) else {
            return;
        };
        let had = honest.settles.remove(&settle.0).is_some();
        self.book.settled(now, n, settle, &honest.disk);
        if !had {
            self.accuse(
                "settle",
                n,
                format!("settles {settle:?}, which it does not have"),
            );
        }
    }

    /// A bus did not take a message: its mailbox gives it again at the next look.
    pub(super) fn put_back(&mut self, n: usize, settle: SettleId) {
        let honest = self.nodes.get_mut(n).and_then(Node::honest);
        if honest.is_some_and(|honest| honest.settles.remove(&settle.0).is_none()) {
            self.accuse(
                "settle",
                n,
                format!("puts {settle:?} back, which it does not have"),
            );
            return;
        }
        self.fired.hit(Kind::MailboxRefused);
    }

    /// Messages that a bus has had for long from its mailbox must be settled or put back.
    pub(super) fn check_settles(&mut self) {
        let now = self.world.now();
        for n in 0..self.nodes.len() {
            let Some(honest) = self.nodes.get_mut(n).and_then(Node::honest) else {
                continue;
            };
            let able = |bus: &Bus| bus.status().disk.is_none();
            if !honest.bus.as_ref().is_some_and(able) {
                continue;
            }
            let kept = honest.settles.iter().find(|(_, at)| **at + PATIENCE < now);
            if let Some((number, _)) = kept {
                let text =
                    format!("neither settles message {number} of its mailbox nor puts it back");
                self.accuse("settle", n, text);
            }
        }
    }
}
