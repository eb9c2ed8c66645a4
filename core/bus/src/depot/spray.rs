//! Binary spray-and-wait, with promises.
//!
//! What is it: how the copies of a bundle are shared (Spyropoulos, Psounis, Raghavendra 2005:
//! who holds n > 1 copies gives half of them to a node without any and keeps the rest; who holds
//! one gives it to the recipient alone). Who calls it: [`super::outgoing`]. What can go wrong: a
//! crash between giving and knowing. The rule that holds through it: a bundle's `copies` plus
//! those of its takers, sure or promised, never change in sum; so the copies in the world are at
//! most what the origin began with. Tested in `tests/copies.rs`.

use super::contacts::Class;
use crate::bus::io::{Held, NodeKey, Taker};

/// How many copies to give, of so many; `None`: it stays.
pub(super) const fn share(copies: u16, class: Class) -> Option<u16> {
    match (class, copies) {
        (Class::Direct, _) => Some(0),
        (_, 0) | (Class::Spray, 1) => None,
        // Along a configured way the last copy moves on.
        (Class::Route, 1) => Some(1),
        (_, copies) => Some(copies / 2),
    }
}

/// What is promised to a node and not answered.
pub(super) fn promised(held: &Held, node: &NodeKey) -> Option<u16> {
    held.takers
        .iter()
        .find(|taker| !taker.sure && taker.node == Some(*node))
        .map(|taker| taker.copies)
}

/// Takes copies off for a node, which may or may not take them.
pub(super) fn promise(held: &mut Held, node: NodeKey, transport: &str, at: u64, copies: u16) {
    held.label.copies = held.label.copies.saturating_sub(copies);
    held.takers.push(Taker {
        node: Some(node),
        transport: transport.to_owned(),
        at,
        copies,
        sure: false,
    });
}

/// The node took them.
pub(super) fn keep_word(held: &mut Held, node: &NodeKey, at: u64) {
    let open = held
        .takers
        .iter_mut()
        .find(|taker| !taker.sure && taker.node == Some(*node));
    if let Some(taker) = open {
        taker.sure = true;
        taker.at = at;
    }
}

/// The node did not take them: they are ours again.
pub(super) fn call_off(held: &mut Held, node: &NodeKey) {
    let open = held
        .takers
        .iter()
        .position(|taker| !taker.sure && taker.node == Some(*node));
    if let Some(index) = open {
        let taker = held.takers.remove(index);
        held.label.copies = held.label.copies.saturating_add(taker.copies);
    }
}
