//! What others say to what was offered to them.
//!
//! What is it: custody, *have*, refusal, and offers that never left. Who calls it: the bus. What
//! can go wrong: an answer to what was not offered is ignored.

use super::Depot;
use super::contacts::Share;
use super::queue::Standing;
use super::spray;
use super::turn::Turn;
use crate::EnvelopeId;
use crate::bus::io::{Event, Key, LinkId, NodeKey, Op, Taker};
use crate::receipt::{Reason, Rung};
use crate::time::Now;

/// Most takers recorded for one bundle.
const TAKERS: usize = 64;

impl Depot {
    /// The offer never left, or its last byte never did: nobody can have taken it.
    pub fn recall(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        if share.copies > 0 && !share.again {
            self.queue.change(id, |held| spray::call_off(held, &node));
            self.put(id, turn);
            self.enter_everywhere(id);
        } else {
            self.enter(link, id);
        }
    }

    /// The other node has custody of what was offered to it.
    pub fn taken(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        self.took(link, node, share, id, turn);
    }

    /// It was there already. Of a share that was in doubt: from us, most likely, so it counts as
    /// taken. Of a recipient: it has it.
    pub fn had(&mut self, now: Now, link: LinkId, id: &EnvelopeId, turn: &mut Turn) {
        self.read(now);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        if share.again || self.is_recipient(link, id) {
            self.took(link, node, share, id, turn);
            return;
        }
        if let Some(entry) = self.queue.get_mut(id) {
            entry.stands(node, Standing::Has);
        }
        self.call_off(&node, id, turn);
    }

    /// The other node will not have it, now or ever.
    pub fn refused(
        &mut self,
        now: Now,
        link: LinkId,
        id: &EnvelopeId,
        reason: Reason,
        turn: &mut Turn,
    ) {
        self.read(now);
        let recipient = self.is_recipient(link, id);
        let Some((node, share)) = self.answered(link, id) else {
            return;
        };
        let before = self.queue.get(id).and_then(|entry| entry.nodes.get(&node));
        let tries = match before {
            Some(Standing::Later { tries, .. }) => tries.saturating_add(1),
            _ => 1,
        };
        // Damage may be the link's; three times is not.
        let passes = reason.may_pass() || (reason == Reason::Damaged && tries < 3);
        if !passes && recipient && reason.ends_with_recipient() {
            self.fail(id, reason, Some(node), turn);
            return;
        }
        let standing = if passes {
            let wait = self.wait(tries);
            let at = now.time + wait;
            Standing::Later {
                at,
                tries,
                why: reason,
            }
        } else {
            Standing::Never(reason)
        };
        if let Some(entry) = self.queue.get_mut(id) {
            entry.stands(node, standing);
        }
        // What was in doubt stays so: it may have taken it, passed copies on, and let go of it.
        if !share.again {
            self.call_off(&node, id, turn);
        }
        // On every link to that node: the one that brought the refusal may be gone by then.
        for other in self.contacts.with(&node).collect::<Vec<_>>() {
            self.enter(other, id);
        }
    }

    /// An answer came: what was offered, and to whom.
    fn answered(&mut self, link: LinkId, id: &EnvelopeId) -> Option<(NodeKey, Share)> {
        let contact = self.contacts.get_mut(link)?;
        let share = contact.offered.remove(id)?;
        Some((contact.node, share))
    }

    /// Is the node at the other end the recipient? A node is one on all its links, whichever it
    /// gave the proof on.
    fn is_recipient(&self, link: LinkId, id: &EnvelopeId) -> bool {
        let Some(to) = self.queue.get(id).map(|entry| entry.held.label.to) else {
            return false;
        };
        let Some(node) = self.contacts.get(link).map(|contact| contact.node) else {
            return false;
        };
        let mut links = self.contacts.with(&node);
        links.any(|other| {
            let contact = self.contacts.get(other);
            contact.is_some_and(|contact| contact.proven.contains(&to))
        })
    }

    fn took(
        &mut self,
        link: LinkId,
        node: NodeKey,
        share: Share,
        id: &EnvelopeId,
        turn: &mut Turn,
    ) {
        let recipient = self.is_recipient(link, id);
        let Some(entry) = self.queue.get_mut(id) else {
            return;
        };
        entry.stands(node, Standing::Has);
        let own = entry.is_own();
        let last = entry.held.label.copies == 0;
        if !own && (recipient || last) {
            self.release(id, turn);
            return;
        }
        let transport = self
            .contacts
            .get(link)
            .map(|contact| contact.transport.clone())
            .unwrap_or_default();
        let at = self.now.wall;
        self.queue.change(id, |held| {
            spray::keep_word(held, &node, at);
            let takers = &mut held.takers;
            if recipient || share.copies == 0 {
                takers.retain(|taker| taker.node != Some(node) || taker.copies > 0);
                if takers.len() < TAKERS {
                    takers.push(Taker {
                        node: Some(node),
                        transport: transport.clone(),
                        at,
                        copies: 0,
                        sure: true,
                    });
                }
            }
        });
        self.put(id, turn);
        if own {
            turn.tell(Event::Progress {
                id: *id,
                rung: Rung::Custody,
                by: Some(node),
                transport: Some(transport),
            });
        }
    }

    fn call_off(&mut self, node: &NodeKey, id: &EnvelopeId, turn: &mut Turn) {
        let open = self
            .queue
            .get(id)
            .and_then(|entry| spray::promised(&entry.held, node));
        if open.is_some() {
            self.queue.change(id, |held| spray::call_off(held, node));
            self.put(id, turn);
            self.enter_everywhere(id);
        }
    }

    /// Writes a bundle's record as it is now.
    pub(super) fn put(&self, id: &EnvelopeId, turn: &mut Turn) {
        if let Some(record) = self.record(&Key::Held(*id)) {
            turn.ops.push(Op::Put(record));
        }
    }
}
