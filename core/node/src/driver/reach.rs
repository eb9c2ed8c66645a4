//! Who can be reached how: tags of DIDs, and ways by which their owners are reached.
//!
//! Called by the driver. The ways that a person gave to a peer come first, then the service
//! endpoints of its document, in its order, where a transport of ours knows them. What can go
//! wrong: a document that is not here; then there are no ways, and the message waits for a
//! contact.

use std::collections::{BTreeMap, BTreeSet};

use packmule_agent::did::DidDoc;
use packmule_agent::resolve::resolve_offline;
use packmule_bus::bus::io::Input;
use packmule_bus::label::DidTag;
use packmule_bus::link::Way;

use super::Driver;
use super::mailboxes::tag_of;
use crate::desk::{Desk, address};
use crate::peers::{self, Standing};
use crate::{Home, HomeError};

/// Strangers whose ways are remembered; more begin anew.
const STRANGERS: usize = 4096;

/// What the bus was told.
#[derive(Default)]
pub(crate) struct Reach {
    own: Vec<DidTag>,
    said: BTreeMap<DidTag, Vec<Way>>,
    names: BTreeMap<DidTag, String>,
    strangers: BTreeSet<DidTag>,
    standing: Option<Standing>,
    /// The names of transports that are here.
    transports: Vec<&'static str>,
}

impl Reach {
    pub(crate) fn of(desk: &Desk, transports: Vec<&'static str>) -> Self {
        let mut own: Vec<DidTag> = address::own_dids(desk.home())
            .iter()
            .map(|did| tag_of(did))
            .collect();
        own.sort_unstable();
        own.dedup();
        Self {
            own,
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

    /// What has to be said anew since the address book was read last.
    fn changes(
        &mut self,
        home: &Home,
        standing: Standing,
    ) -> Result<Vec<(DidTag, Vec<Way>)>, HomeError> {
        let mut changes = Vec::new();
        for peer in home.peers()? {
            let doc = DidDoc::from_json(&peer.doc).ok();
            let ways = self.ways(home.ways(&peer.did)?, doc.as_ref());
            for did in home.dids_of(&peer.did)? {
                let tag = tag_of(&did);
                self.names.insert(tag, peer.name.clone());
                if self.said.get(&tag) != Some(&ways) {
                    self.said.insert(tag, ways.clone());
                    changes.push((tag, ways.clone()));
                }
            }
        }
        self.standing = Some(standing);
        Ok(changes)
    }

    fn ways(&self, given: Vec<Way>, doc: Option<&DidDoc>) -> Vec<Way> {
        let services = doc.map(|doc| doc.services.as_slice()).unwrap_or_default();
        let published = services
            .iter()
            .filter(|service| service.takes_didcomm_v2() && service.routing_keys.is_empty())
            .filter_map(|service| Way::parse(&service.uri));
        let mut ways: Vec<Way> = Vec::new();
        for way in given.into_iter().chain(published) {
            if self.transports.contains(&way.transport()) && !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
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
        let changes = self.reach.changes(self.desk.home(), standing);
        let changes = changes.unwrap_or_default();
        for (tag, ways) in changes {
            self.feed(Input::Ways(tag, ways));
        }
    }

    /// Tells the bus the ways of somebody who is no peer, if the DID says them.
    pub(super) fn introduce(&mut self, did: &str) {
        let tag = tag_of(did);
        if self.reach.said.contains_key(&tag) || self.reach.strangers.contains(&tag) {
            return;
        }
        if self.reach.strangers.len() >= STRANGERS {
            self.reach.strangers.clear();
        }
        self.reach.strangers.insert(tag);
        let doc = resolve_offline(did).ok();
        let ways = self.reach.ways(Vec::new(), doc.as_ref());
        if !ways.is_empty() {
            self.feed(Input::Ways(tag, ways));
        }
    }
}
