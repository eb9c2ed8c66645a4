//! Who can be reached how: tags of DIDs, and ways by which their owners are reached.
//!
//! Called by the driver. The ways that a person gave to a peer come first, then the service
//! endpoints of its document ([`super::routes`]). Strangers are [`super::seek`]'s. What can go
//! wrong: a document that is not here; then there are no ways, and the message waits for a
//! contact.

use std::collections::BTreeMap;
use std::sync::Arc;

use packmule_agent::did::DidDoc;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Input;
use packmule_bus::label::DidTag;
use packmule_bus::link::Way;

use super::Driver;
use super::routes::{self, Here, Onion, Onions};
use super::seek::Strangers;
use crate::HomeError;
use crate::desk::address::tag_of;
use crate::desk::{Desk, address};
use crate::node::NodeConfig;
use crate::peers::{self, Standing};

/// What the bus was told.
#[derive(Default)]
pub(crate) struct Reach {
    own: Vec<DidTag>,
    said: BTreeMap<DidTag, Vec<Way>>,
    names: BTreeMap<DidTag, String>,
    pub(super) strangers: Strangers,
    pub(super) onions: Onions,
    pub(super) here: Here,
    standing: Option<Standing>,
    /// The names of transports that are here.
    pub(super) transports: Vec<&'static str>,
}

impl Reach {
    pub(crate) fn of(
        desk: &Desk,
        transports: Vec<&'static str>,
        config: &NodeConfig,
        listening: &[Way],
    ) -> Self {
        let mut own: Vec<DidTag> = address::own_dids(desk.home())
            .iter()
            .map(|did| tag_of(did))
            .collect();
        own.sort_unstable();
        own.dedup();
        let doors = config.doors.iter().cloned();
        let doors = doors.chain(listening.iter().map(ToString::to_string));
        Self {
            own,
            strangers: Strangers::new(config.seek),
            here: Here::new(desk.did(), doors),
            transports,
            ..Self::default()
        }
    }

    pub(crate) fn own(&self) -> Vec<DidTag> {
        self.own.clone()
    }

    /// A peer's name, or the tag.
    pub(crate) fn name(&self, tag: DidTag) -> String {
        let name = self.names.get(&tag).cloned();
        name.unwrap_or_else(|| tag.to_string())
    }

    /// Is it a peer's?
    pub(super) fn knows(&self, tag: DidTag) -> bool {
        self.said.contains_key(&tag)
    }

    /// What has to be said anew since the address book was read last.
    fn changes(
        &mut self,
        desk: &Desk,
        standing: Standing,
    ) -> Result<Vec<(DidTag, Vec<Way>)>, HomeError> {
        let mut changes = Vec::new();
        // Damaged documents are told elsewhere; those that were known stay.
        let _ = desk.refresh();
        let home = desk.home();
        for peer in home.peers()? {
            let doc = DidDoc::from_json(&peer.doc).ok();
            let given = home.ways(&peer.did)?;
            let around = (&self.here, self.transports.as_slice());
            let (ways, onions) = routes::ways((&peer.did, doc.as_ref()), given, around, desk);
            for did in home.dids_of(&peer.did)? {
                let tag = tag_of(&did);
                self.names.insert(tag, peer.name.clone());
                let before = self.said.insert(tag, ways.clone());
                self.onions.drop(tag, before.as_deref().unwrap_or_default());
                self.onions.drop(tag, &self.strangers.remove(tag));
                self.onions.put(tag, onions.clone());
                if before.as_ref() != Some(&ways) {
                    changes.push((tag, ways.clone()));
                }
            }
        }
        self.standing = Some(standing);
        Ok(changes)
    }
}

impl Driver {
    /// Tells the bus what has changed in the address book.
    pub(super) fn say_ways(&mut self) {
        // A connection of its own: the home's may wait for the judge's commit.
        let Ok(standing) = peers::standing(self.post.db()) else {
            return;
        };
        if self.reach.standing.as_ref() == Some(&standing) {
            return;
        }
        self.keys.forget_docs();
        let changes = self.reach.changes(&self.desk, standing);
        let changes = changes.unwrap_or_default();
        for (tag, ways) in changes {
            self.feed(Input::Ways(tag, ways));
        }
    }

    /// What this message is wrapped in on this way, if in anything.
    pub(super) fn onion(&self, id: &EnvelopeId, way: &Way) -> Option<Arc<Onion>> {
        if !self.reach.onions.any(way) {
            return None;
        }
        let why = self.bus.why(self.clock.now(), id)?;
        self.reach.onions.get(way, why.label.to)
    }
}
