//! Who is met, and what is offered there.
//!
//! What is it: contacts coming and going, and [`Depot::offers`]. Who calls it: the bus. What can
//! go wrong: a link breaks with offers unanswered; their promises stay in doubt (see
//! [`super::spray`]).

use super::Depot;
use super::contacts::{Class, Contact, Share};
use super::queue::Standing;
use super::spray;
use super::turn::{Effect, Lot, Meta, Turn};
use crate::EnvelopeId;
use crate::bus::io::{LinkId, NodeKey};
use crate::label::{DidTag, Label};
use crate::link::Way;
use crate::time::{Now, Time};

impl Depot {
    /// A node is at the other end of a link; `way`: the one that we dialled, if we did.
    pub fn contact(
        &mut self,
        now: Now,
        node: NodeKey,
        link: LinkId,
        transport: &str,
        way: Option<&Way>,
    ) {
        self.read(now);
        let mut contact = Contact::new(now.time, node, transport, way);
        contact.telling = self.receipts.telling(&node, now.time);
        self.contacts.open(link, contact);
        if let Some(way) = way {
            self.ways.opened(way);
        }
        self.enter_all(link);
    }

    /// The node has proven control of a DID: what is held for it is offered first.
    pub fn proved(&mut self, link: LinkId, tag: DidTag) {
        let Some(contact) = self.contacts.get_mut(link) else {
            return;
        };
        if contact.proven.insert(tag) {
            let node = contact.node;
            // What it refused to carry it may yet receive; and if it refuses that too, its word is
            // the recipient's.
            for id in self.queue.to(&tag).copied().collect::<Vec<_>>() {
                if let Some(entry) = self.queue.get_mut(&id)
                    && matches!(entry.nodes.get(&node), Some(Standing::Never(_)))
                {
                    entry.nodes.remove(&node);
                }
            }
            self.enter_all_for(link, &tag);
        }
    }

    /// The node has said which DIDs it is, none perhaps: what is for others may be offered.
    pub fn introduced(&mut self, link: LinkId) {
        if let Some(contact) = self.contacts.get_mut(link) {
            contact.opens = Time::default();
        }
    }

    /// A link is gone. What was promised on it stays in doubt, but for what [`Depot::recall`]
    /// called back before.
    pub fn parted(&mut self, now: Now, link: LinkId) {
        self.read(now);
        let Some(contact) = self.contacts.close(link) else {
            return;
        };
        self.receipts.told(&contact.node, &contact, now.time);
        if let Some(way) = &contact.way {
            let wait = self.wait(1);
            self.ways.closed(way, now.time + wait);
        }
        // A second link to the same node may offer it now.
        for other in self.contacts.with(&contact.node).collect::<Vec<_>>() {
            for id in contact.offered.keys() {
                self.enter(other, id);
            }
        }
        let mut waiting: Vec<DidTag> = Vec::new();
        for tag in &contact.proven {
            if !waiting.contains(tag) {
                waiting.push(*tag);
            }
        }
        for tag in waiting {
            self.ways.wake(&tag, now.time);
        }
    }

    /// The node has lost what it did not commit: all that has no answer is offered again, and all
    /// receipts of this meeting are told again.
    pub fn forgot(&mut self, link: LinkId) {
        let now = self.now.time;
        let Some(contact) = self.contacts.get_mut(link) else {
            return;
        };
        contact.telling = self.receipts.telling(&contact.node, now);
        contact.untold = None;
        let offered = std::mem::take(&mut contact.offered);
        for id in offered.keys() {
            self.enter(link, id);
        }
    }

    /// What to offer on this link that is not offered there, at most so many. Those returned may
    /// go at once; those that share copies come as [`Effect::Offer`] after the turn's commit.
    pub fn offers(&mut self, now: Now, link: LinkId, max: usize, turn: &mut Turn) -> Vec<Lot> {
        self.read(now);
        self.wake_later(link);
        let mut lots = Vec::new();
        let mut count = 0;
        while count < max {
            let Some(contact) = self.contacts.get_mut(link) else {
                break;
            };
            let Some(id) = contact.pop(now.time) else {
                break;
            };
            let Some(class) = self.class(link, &id) else {
                continue;
            };
            if let Some(lot) = self.offer(link, &id, class, turn) {
                lots.push(lot);
            }
            count += 1;
        }
        lots
    }

    fn offer(
        &mut self,
        link: LinkId,
        id: &EnvelopeId,
        class: Class,
        turn: &mut Turn,
    ) -> Option<Lot> {
        let wall = self.now.wall;
        let contact = self.contacts.get_mut(link)?;
        let node = contact.node;
        let entry = self.queue.get(id)?;
        let doubt = spray::promised(&entry.held, &node);
        let copies = match (class, doubt) {
            (Class::Direct, _) => 0,
            (_, Some(copies)) => copies,
            (class, None) => spray::share(entry.held.label.copies, class)?,
        };
        let again = doubt.is_some();
        contact.offered.insert(*id, Share { copies, again });
        let sharing = class != Class::Direct;
        if sharing && !again {
            let transport = contact.transport.clone();
            self.queue.change(id, |held| {
                spray::promise(held, node, &transport, wall, copies);
            });
        }
        let entry = self.queue.get(id)?;
        let lot = Lot {
            meta: Meta {
                id: *id,
                wire: entry.held.wire,
                bytes: entry.held.bytes,
                label: Label {
                    copies: copies.max(1),
                    ..entry.held.label
                },
            },
            age: entry.place(class).order,
        };
        if !sharing {
            return Some(lot);
        }
        self.put(id, turn);
        turn.effects.push(Effect::Offer { link, lot });
        None
    }
}
