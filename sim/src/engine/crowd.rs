//! A busy node: what comes within a moment its bus is given together.
//!
//! What is it: [`Crowd`], what waits for a node's next turn. Who calls it: whatever a node hears
//! goes through [`Sim::feed`]. It does as the driver of a node in life does (`core/node`,
//! `driver/burst.rs`): the same kinds of inputs gather, in the same order, as many of them; any
//! other kind ends the gathering. What can go wrong: the power goes while inputs wait; then they
//! were never heard.

use packmule_bus::bus::io::Input;

use super::node::Node;
use super::{Ev, Sim};
use crate::marks::Kind;

/// Inputs at once, and bytes of them, as in life.
const MOST: usize = 64;
const BYTES: usize = 256 << 10;

/// What waits for a node's next turn.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    inputs: Vec<Input>,
    bytes: usize,
}

impl Crowd {
    /// What has come, the first of it first; of the rest answers, then what links brought, then
    /// what people submit.
    fn take(&mut self) -> Vec<Input> {
        self.bytes = 0;
        let mut inputs = std::mem::take(&mut self.inputs);
        if let Some((_, rest)) = inputs.split_first_mut() {
            rest.sort_by_key(|input| match input {
                Input::Pdu(..) => 1,
                Input::Submit(_) => 2,
                _ => 0,
            });
        }
        inputs
    }

    const fn is_full(&self) -> bool {
        self.inputs.len() >= MOST || self.bytes >= BYTES
    }

    /// The power is gone.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Sim<'_> {
    /// A node hears something: now, or with what else comes soon.
    pub(super) fn feed(&mut self, n: usize, input: Input) {
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let (life, window) = (node.life, node.spec.crowded_ms * 1000);
        let bytes = match &input {
            Input::Pdu(_, pdu) => pdu.len(),
            Input::Submit(submission) => submission.wire.len(),
            Input::Committed(_)
            | Input::Room(..)
            | Input::Acknowledge(..)
            | Input::Verified(..)
            | Input::Fetched(..) => 0,
            _ => return self.feed_alone(n, life, input),
        };
        let wait = match window {
            0 => 0,
            _ => node.dice.below(window),
        };
        let Some(crowd) = crowd(node).filter(|_| window > 0) else {
            return self.feed_alone(n, life, input);
        };
        let first = crowd.inputs.is_empty();
        crowd.inputs.push(input);
        crowd.bytes += bytes;
        if crowd.is_full() {
            self.turn(n, life);
        } else if first {
            self.world.after(wait, Ev::Turn(n, life));
        }
    }

    /// Whatever waits comes before it; the power may go with that.
    fn feed_alone(&mut self, n: usize, life: u32, input: Input) {
        self.turn(n, life);
        if self.nodes.get(n).is_some_and(|node| node.life == life) {
            self.give(n, vec![input]);
        }
    }

    /// A busy node takes what has come.
    pub(super) fn turn(&mut self, n: usize, life: u32) {
        let node = self.nodes.get_mut(n).filter(|node| node.life == life);
        let inputs = node.and_then(crowd).map(Crowd::take).unwrap_or_default();
        if inputs.len() > 1 {
            self.fired.hit(Kind::Crowd);
        }
        if !inputs.is_empty() {
            self.give(n, inputs);
        }
    }
}

/// What waits, if its bus is up.
fn crowd(node: &mut Node) -> Option<&mut Crowd> {
    let honest = node.honest().filter(|honest| honest.bus.is_some())?;
    Some(&mut honest.crowd)
}
