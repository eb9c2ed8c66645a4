//! Carrying out what a bus says.

use packmule_bus::bus::io::{AskId, BatchId, Input, Op, Output};
use packmule_bus::link::Way;

use super::node::{Body, EPOCH, disks};
use super::{Ev, Sim};
use crate::disk::{Done, Write};
use crate::keys::Signer;
use crate::world::Micros;

/// How long keys and stores think, at most.
const THINK: Micros = 2_000;

impl Sim<'_> {
    pub(super) fn carry_out(&mut self, n: usize, output: Output) {
        match output {
            Output::Transmit(link, pdu) => self.transmit(n, link, pdu),
            Output::Persist(batch, ops) => self.persist(n, batch, ops),
            Output::Fetch(id) => {
                let body = match self.nodes.get(n).map(|node| &node.body) {
                    Some(Body::Honest(honest)) => honest.disk.body(&id).map(|body| body.to_vec()),
                    _ => None,
                };
                self.answer(n, Input::Fetched(id, body));
            }
            Output::Prove { ask, hash, role } => {
                let claims = self
                    .nodes
                    .get(n)
                    .map(|node| vec![node.signer.claim(&hash, role)]);
                self.answer(n, Input::Proven(ask, claims.unwrap_or_default()));
            }
            Output::Verify {
                ask,
                did,
                statement,
                signature,
                ..
            } => self.verify(n, ask, &did, &statement, &signature),
            Output::Sign {
                ask,
                by,
                ids,
                refused,
                at,
            } => {
                let signer = self.nodes.get(n).map(|node| &node.signer);
                let ours = signer.filter(|signer| signer.tag() == by);
                let receipt = ours.map(|signer| signer.receipt(ids, refused, at));
                self.answer(n, Input::Signed(ask, receipt));
            }
            Output::Dial(way) => self.dial(n, way),
            Output::Deliver { id, way, wire } => self.deliver(n, id, &way, &wire),
            Output::Close(link) => self.close_link(n, link),
            Output::Settle(settle) => self.settle(n, settle),
            Output::Unsettle(settle) => self.put_back(n, settle),
            Output::Event(event) => self.hear_event(n, event),
            other => {
                let text = format!("the simulator does not know this output: {other:?}");
                self.accuse("unknown_output", n, text);
            }
        }
    }

    /// Answers take a little while, so that they come in any order.
    fn answer(&mut self, n: usize, input: Input) {
        let wait = self
            .nodes
            .get_mut(n)
            .map_or(0, |node| node.dice.below(THINK));
        self.tell_later(n, wait, input);
    }

    fn verify(&mut self, n: usize, ask: AskId, did: &str, statement: &[u8], signature: &[u8]) {
        let signer = self
            .nodes
            .iter()
            .map(|node| &node.signer)
            .find(|signer| signer.did() == did);
        let good = signer.is_some_and(|signer: &Signer| signer.verify(statement, signature));
        self.answer(n, Input::Verified(ask, good));
    }

    fn persist(&mut self, n: usize, batch: BatchId, ops: Vec<Op>) {
        self.trace.number(ops.len() as u64);
        self.write(n, Write::Batch(batch, ops));
    }

    pub(super) fn write(&mut self, n: usize, write: Write) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let life = node.life;
        if let Some(honest) = node.honest() {
            let at = honest.disk.write(now, write, &mut self.fired);
            self.world.at(at, Ev::Disk(n, life));
        }
    }

    pub(super) fn disk_done(&mut self, n: usize, life: u32) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.life == life) else {
            return;
        };
        let Some(done) = node
            .honest()
            .and_then(|honest| honest.disk.finish(now, &mut self.fired))
        else {
            return;
        };
        match done {
            Done::Durable(write) => {
                self.landed(n, &write);
                match write {
                    Write::Batch(batch, _) => self.feed(n, Input::Committed(batch)),
                    Write::Agent(id) => self.agent_has(n, id),
                }
            }
            Done::Failed(Write::Batch(batch, _), fault) => {
                self.trace.number(batch.0);
                self.feed(n, Input::Failed(batch, fault));
            }
            Done::Failed(Write::Agent(id), _) => self.world.after(500_000, Ev::Agent(n, life, id)),
        }
    }

    /// Something became durable: what the checkers make of it.
    pub(super) fn landed(&mut self, n: usize, write: &Write) {
        let now = self.world.now();
        let disks = disks(&self.nodes);
        if let Some(node) = self.nodes.get(n) {
            self.book.landed(now, n, &node.spec.quota, write, &disks);
        }
    }

    /// Posix seconds by a clock that is right.
    pub(super) fn true_wall(&self) -> u64 {
        EPOCH + self.world.now() / 1_000_000
    }

    /// The node that a way leads to, if it is a way of this transport.
    pub(super) fn node_at(&self, way: &Way, transport: &str) -> Option<usize> {
        let (name, node) = way.as_str().split_once(':')?;
        (name == transport).then(|| self.node_of(node)).flatten()
    }
}
