//! Strangers: whether, and where, they are reached whom messages are for that are no peers.
//!
//! Called by the driver when it takes a message on, and at its start. A stranger's DID may name an
//! endpoint; a node that asks those lets strangers decide where it connects to, also within its
//! own network. So [`Seek`] says for whose messages that is done. What can go wrong: a flood of
//! strangers: no more than [`MOST`] are remembered, and those go for whom nothing waits.

use std::collections::{BTreeMap, BTreeSet};

use packmule_agent::resolve::Resolver;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Held, HeldState, Input, Origin};
use packmule_bus::label::DidTag;
use packmule_bus::link::Way;

use super::Driver;
use super::routes;
use crate::desk::address::tag_of;

/// Strangers whose ways are remembered.
const MOST: usize = 4096;
/// When there are so many, looking for those that can go is tried once in so many times.
const SPARSE: usize = 256;

/// Which strangers a node reaches out to, by the endpoints that their DIDs name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seek {
    /// None, unless a message is submitted with that wish: others wait for a contact.
    Nobody,
    /// Those to whom messages of our own go.
    #[default]
    Own,
    /// Those too whose messages are carried: what came by a stick goes on by HTTP.
    Everybody,
}

/// What is remembered of strangers.
#[derive(Default)]
pub(super) struct Strangers {
    seek: Seek,
    ways: BTreeMap<DidTag, Vec<Way>>,
    turned_away: usize,
}

impl Strangers {
    pub(super) fn new(seek: Seek) -> Self {
        Self {
            seek,
            ..Self::default()
        }
    }

    /// It is a peer now: what was known of the stranger.
    pub(super) fn remove(&mut self, tag: DidTag) -> Vec<Way> {
        self.ways.remove(&tag).unwrap_or_default()
    }

    /// Is there room for one more, or is it time to look for some?
    fn wants_room(&mut self) -> bool {
        if self.ways.len() < MOST {
            return false;
        }
        self.turned_away += 1;
        self.turned_away % SPARSE == 1
    }
}

impl Driver {
    /// Tells the bus the ways of a recipient of ours who is no peer, if the DID says them and
    /// they are to be used: as this message wants, or as the node does by itself.
    pub(super) fn introduce(&mut self, did: &str, wanted: Option<bool>) {
        if wanted.unwrap_or(self.reach.strangers.seek != Seek::Nobody) {
            self.seek(did);
        }
    }

    /// Tells the bus the ways of somebody who is no peer, if the DID says them.
    pub(super) fn seek(&mut self, did: &str) {
        let tag = tag_of(did);
        if self.reach.knows(tag) || self.reach.strangers.ways.contains_key(&tag) {
            return;
        }
        if self.reach.strangers.wants_room() {
            self.forget_strangers();
        }
        if self.reach.strangers.ways.len() >= MOST {
            return;
        }
        let doc = self.desk.resolve(did).ok();
        let around = (&self.reach.here, self.reach.transports.as_slice());
        let (ways, onions) = routes::ways((did, doc.as_deref()), Vec::new(), around, &*self.desk);
        self.reach.onions.put(tag, onions);
        self.reach.strangers.ways.insert(tag, ways.clone());
        if !ways.is_empty() {
            self.feed(Input::StrangersWays(tag, ways));
        }
    }

    /// Lets go of those for whom nothing waits.
    fn forget_strangers(&mut self) {
        let waiting = |held: &&Held| held.state == HeldState::Waiting;
        let held = self.bus.held().filter(waiting);
        let kept: BTreeSet<DidTag> = held.map(|held| held.label.to).collect();
        let all = std::mem::take(&mut self.reach.strangers.ways);
        for (tag, ways) in all {
            if kept.contains(&tag) {
                self.reach.strangers.ways.insert(tag, ways);
            } else {
                self.reach.onions.drop(tag, &ways);
                if !ways.is_empty() {
                    self.feed(Input::StrangersWays(tag, Vec::new()));
                }
            }
        }
    }

    /// At the start: whoever had ways before has them again, as far as the node seeks by itself.
    pub(super) fn seek_again(&mut self) {
        if self.reach.strangers.seek == Seek::Nobody {
            return;
        }
        for did in self.post.recipients() {
            self.seek(&did);
        }
        let carried = |held: &&Held| held.state == HeldState::Waiting;
        let carried: BTreeMap<DidTag, EnvelopeId> = (self.bus.held().filter(carried))
            .map(|held| (held.label.to, held.id))
            .collect();
        for id in carried.into_values() {
            self.seek_recipient(id);
        }
    }

    /// This is carried for somebody. A label names whom by a tag only: the message itself says
    /// the DID.
    pub(super) fn seek_recipient(&self, id: EnvelopeId) {
        if self.reach.strangers.seek != Seek::Everybody {
            return;
        }
        let Some(why) = self.bus.why(self.clock.now(), &id) else {
            return;
        };
        let to = why.label.to;
        let known = self.reach.knows(to) || self.reach.strangers.ways.contains_key(&to);
        if why.origin != Origin::Own && !known {
            self.keys.recipient(id, to, self.mouth.clone());
        }
    }
}
