//! Who is met now, and what is to be offered there.
//!
//! What is it: [`Contacts`], a line of bundles for each open link, kept up to date as bundles
//! come and go, so that asking what to offer costs only what is answered. Who calls it:
//! [`super::outgoing`]. What can go wrong: a bundle in a line that is gone or no longer fits
//! there; so each is looked at again when its turn comes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::EnvelopeId;
use crate::bus::io::{LinkId, NodeKey};
use crate::label::{DidTag, Priority};
use crate::link::Way;
use crate::time::Time;

/// How long the recipient gets to prove itself before others are offered anything.
const MANNERS: Duration = Duration::from_millis(300);

/// Why a bundle may go to a node; the best reason first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    /// It is the recipient's.
    Direct,
    /// A configured way to the recipient leads there.
    Route,
    /// It may carry a share of the copies.
    Spray,
}

/// A bundle's place in a link's line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) priority: Reverse<Priority>,
    pub(super) class: Class,
    pub(super) order: u64,
    pub(super) seq: u64,
}

/// What goes with an offer that has no answer yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Share {
    /// Copies that were promised; none to the recipient itself.
    pub(super) copies: u16,
    /// It was offered to this node before and the answer was lost: a `Have` may be of then.
    pub(super) again: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) node: NodeKey,
    pub(super) transport: String,
    pub(super) way: Option<Way>,
    pub(super) proven: BTreeSet<DidTag>,
    /// From when on others than the recipient are offered anything.
    pub(super) opens: Time,
    pub(super) offered: BTreeMap<EnvelopeId, Share>,
    direct: BTreeMap<Place, EnvelopeId>,
    others: BTreeMap<Place, EnvelopeId>,
    places: BTreeMap<EnvelopeId, Place>,
    pub(super) later: BTreeSet<(Time, EnvelopeId)>,
    /// The receipts yet to be told: from this one to before that one.
    pub(super) telling: (u64, u64),
    /// The first of those that came since and could not be told at once.
    pub(super) untold: Option<u64>,
    /// When something was told last.
    pub(super) told_at: Time,
}

impl Contact {
    pub(super) fn new(now: Time, node: NodeKey, transport: &str, way: Option<&Way>) -> Self {
        Self {
            node,
            transport: transport.to_owned(),
            way: way.cloned(),
            proven: BTreeSet::new(),
            opens: now + MANNERS,
            offered: BTreeMap::new(),
            direct: BTreeMap::new(),
            others: BTreeMap::new(),
            places: BTreeMap::new(),
            later: BTreeSet::new(),
            telling: (0, 0),
            untold: None,
            told_at: now,
        }
    }

    pub(super) fn enter(&mut self, id: EnvelopeId, place: Place) {
        self.leave(&id);
        if place.class == Class::Direct {
            self.direct.insert(place, id);
        } else {
            self.others.insert(place, id);
        }
        self.places.insert(id, place);
    }

    pub(super) fn leave(&mut self, id: &EnvelopeId) {
        if let Some(place) = self.places.remove(id) {
            self.direct.remove(&place);
            self.others.remove(&place);
        }
    }

    /// Takes the next one out of the line.
    pub(super) fn pop(&mut self, now: Time) -> Option<EnvelopeId> {
        let direct = self.direct.first_key_value().map(|(place, _)| *place);
        let other = self.others.first_key_value().map(|(place, _)| *place);
        let other = other.filter(|_| self.opens <= now);
        let id = match (direct, other) {
            (Some(one), Some(two)) if two < one => self.others.remove(&two),
            (Some(one), _) => self.direct.remove(&one),
            (None, Some(two)) => self.others.remove(&two),
            (None, None) => None,
        }?;
        self.places.remove(&id);
        Some(id)
    }

    /// When there is something to do without an input.
    pub(super) fn deadline(&self, after: Time) -> Option<Time> {
        let later = self.later.first().map(|(at, _)| *at);
        let opens = (!self.others.is_empty() && self.opens > after).then_some(self.opens);
        later.into_iter().chain(opens).min()
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Contacts {
    links: BTreeMap<LinkId, Contact>,
    by_node: BTreeMap<NodeKey, BTreeSet<LinkId>>,
}

impl Contacts {
    pub(super) fn open(&mut self, link: LinkId, contact: Contact) {
        self.close(link);
        self.by_node.entry(contact.node).or_default().insert(link);
        self.links.insert(link, contact);
    }

    pub(super) fn close(&mut self, link: LinkId) -> Option<Contact> {
        let contact = self.links.remove(&link)?;
        if let Some(links) = self.by_node.get_mut(&contact.node) {
            links.remove(&link);
            if links.is_empty() {
                self.by_node.remove(&contact.node);
            }
        }
        Some(contact)
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Contact> {
        self.links.get(&link)
    }

    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut Contact> {
        self.links.get_mut(&link)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &Contact)> {
        self.links.iter().map(|(link, contact)| (*link, contact))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut Contact)> {
        self.links
            .iter_mut()
            .map(|(link, contact)| (*link, contact))
    }

    pub(super) fn links(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// The open links to a node.
    pub(super) fn with(&self, node: &NodeKey) -> impl Iterator<Item = LinkId> {
        self.by_node.get(node).into_iter().flatten().copied()
    }

    /// Is it offered to this node already, on another link?
    pub(super) fn offered_elsewhere(&self, link: LinkId, node: &NodeKey, id: &EnvelopeId) -> bool {
        self.with(node)
            .filter(|other| *other != link)
            .filter_map(|other| self.links.get(&other))
            .any(|contact| contact.offered.contains_key(id))
    }

    /// Has somebody who is here proven this DID?
    pub(super) fn is_here(&self, tag: &DidTag) -> bool {
        self.links
            .values()
            .any(|contact| contact.proven.contains(tag))
    }
}
