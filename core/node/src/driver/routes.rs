//! From a DID document to ways, and what a message is wrapped in before it takes one of them.
//!
//! Called by [`super::reach`], which tells the bus the ways, and at delivery. An endpoint behind
//! mediators is a way like any other to the bus: the message keeps its name, and goes bare over a
//! link or wrapped to the mediator, whichever comes first. What can go wrong: a mediator whose
//! document is not here (then there is no way, or the message waits); a way that leads back to
//! ourselves, which is none: the message would be answered for, and lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use packmule_agent::did::{DidDoc, did_of, same_did};
use packmule_agent::pack::PackError;
use packmule_agent::protocol::routing::{Route, WrapError, routes_of, wrap};
use packmule_agent::resolve::{DocBook, Resolver, resolve_offline};
use packmule_bus::bus::io::HandFault;
use packmule_bus::label::DidTag;
use packmule_bus::link::Way;

/// Transports by whose ways nodes of our kind are met: a link there would be offered the bare
/// message, by somebody who is not its recipient, and stand in the way of better ways.
const LINKS: [&str; 3] = ["tcp", "ws", "wss"];

/// Transports whose ways mean something on this machine alone, such as the file of a device: a
/// stranger's document must not name what we open.
const LOCAL: [&str; 1] = ["nfc"];

/// The layers around a message for one recipient on one way.
#[derive(Clone, Debug)]
pub(crate) struct Onion {
    /// Whom the innermost mediator has it for.
    next: String,
    keys: Vec<String>,
    /// The documents of mediators whose DIDs do not tell them.
    docs: DocBook,
}

impl Onion {
    fn new(next: &str, keys: Vec<String>, docs: &dyn Resolver) -> Self {
        let mut known = DocBook::new();
        for key in keys.iter().filter(|key| resolve_offline(key).is_err()) {
            if let Ok(doc) = docs.resolve(did_of(key)) {
                known.insert(doc);
            }
        }
        Self {
            next: next.to_owned(),
            keys,
            docs: known,
        }
    }

    /// Puts the layers around a packed message: microseconds for each. A mediator's document may
    /// come yet; nothing else will get better.
    pub(super) fn wrap(&self, packed: &[u8]) -> Result<Vec<u8>, HandFault> {
        wrap(packed, &self.next, &self.keys, &self.docs).map_err(|fault| match fault {
            WrapError::Pack(PackError::Resolve { .. }) => HandFault::Later(fault.to_string()),
            _ => HandFault::Never(fault.to_string()),
        })
    }
}

/// Which ways need an onion, and for whom: several recipients may be behind one mediator.
#[derive(Debug, Default)]
pub(super) struct Onions(BTreeMap<(Way, DidTag), Arc<Onion>>);

impl Onions {
    pub(super) fn put(&mut self, to: DidTag, onions: Vec<(Way, Onion)>) {
        for (way, onion) in onions {
            self.0.insert((way, to), Arc::new(onion));
        }
    }

    /// These ways lead there no more.
    pub(super) fn drop(&mut self, to: DidTag, ways: &[Way]) {
        for way in ways {
            self.0.remove(&(way.clone(), to));
        }
    }

    /// Is anything wrapped on this way?
    pub(super) fn any(&self, way: &Way) -> bool {
        let first = (way.clone(), DidTag::from_bytes([0; 16]));
        let next = self.0.range(first..).next();
        next.is_some_and(|((found, _), _)| found == way)
    }

    pub(super) fn get(&self, way: &Way, to: DidTag) -> Option<Arc<Onion>> {
        self.0.get(&(way.clone(), to)).cloned()
    }
}

/// What is ours: nothing is sent from here to there.
#[derive(Debug, Default)]
pub(super) struct Here {
    /// Our DID.
    pub(super) did: String,
    /// Where we are reached, without the last slash.
    doors: Vec<String>,
}

impl Here {
    pub(super) fn new(did: &str, doors: impl IntoIterator<Item = String>) -> Self {
        let bare = |door: String| door.trim_end_matches('/').to_owned();
        Self {
            did: did.to_owned(),
            doors: doors.into_iter().map(bare).collect(),
        }
    }

    /// Does it lead back to us, at once or by way of others?
    fn is_on(&self, route: &Route) -> bool {
        let uri = route.uri.trim_end_matches('/');
        self.doors.iter().any(|door| door == uri)
            || route
                .keys
                .iter()
                .any(|key| same_did(did_of(key), &self.did))
    }
}

/// The ways to a party, best first, by these transports: those that a person gave, then those of
/// its document. A way that the document has mediators on is wrapped for them whoever named it.
pub(super) fn ways(
    (did, doc): (&str, Option<&DidDoc>),
    given: Vec<Way>,
    (here, transports): (&Here, &[&'static str]),
    docs: &dyn Resolver,
) -> (Vec<Way>, Vec<(Way, Onion)>) {
    let (mut ways, mut onions): (Vec<Way>, Vec<(Way, Onion)>) = (Vec::new(), Vec::new());
    let routes = doc.map(|doc| routes_of(doc, docs)).unwrap_or_default();
    let mut published = Vec::new();
    for route in routes.into_iter().filter(|route| !here.is_on(route)) {
        let way = Way::parse(&route.uri).filter(|way| !LOCAL.contains(&way.transport()));
        let Some(way) = way.filter(|way| !published.contains(way)) else {
            continue;
        };
        if !route.keys.is_empty() {
            if LINKS.contains(&way.transport()) {
                continue;
            }
            onions.push((way.clone(), Onion::new(did, route.keys, docs)));
        }
        published.push(way);
    }
    for way in given.into_iter().chain(published) {
        if transports.contains(&way.transport()) && !ways.contains(&way) {
            ways.push(way);
        }
    }
    onions.retain(|(way, _)| ways.contains(way));
    (ways, onions)
}

#[cfg(test)]
mod tests {
    use packmule_agent::did::{Method, NewDid, Service, create};

    use super::*;

    fn party(services: &[Service]) -> NewDid {
        create(Method::Peer2, services).unwrap()
    }

    fn behind(uri: &str, keys: &[&NewDid]) -> Service {
        Service {
            routing_keys: keys.iter().map(|one| one.did.clone()).collect(),
            ..Service::didcomm(uri)
        }
    }

    /// The ways and, for each, how many layers its messages have.
    fn seen(of: &NewDid, here: &Here) -> Vec<(String, usize)> {
        let (ways, onions) = ways(
            (&of.did, Some(&of.doc)),
            Vec::new(),
            (here, &["http", "tcp", "nfc"]),
            &DocBook::new(),
        );
        let layers = |way: &Way| onions.iter().find(|(of, _)| of == way);
        ways.iter()
            .map(|way| {
                let onion = layers(way).map(|(_, onion)| onion.keys.len());
                (way.to_string(), onion.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn a_mediators_did_stands_for_its_endpoint_and_its_keys_for_layers() {
        let (cloud, kiosk) = (party(&[Service::didcomm("http://cloud/")]), party(&[]));
        let bob = party(&[
            Service::didcomm("tcp://bob:1"),
            behind(&cloud.did, &[&kiosk]),
            behind("http://other/", &[&kiosk]),
            Service::didcomm("smoke:bob"),
            Service::didcomm("nfc:/dev/watchdog"),
        ]);
        let nobody = Here::default();
        let way = |uri: &str, layers| (uri.to_owned(), layers);
        assert_eq!(
            seen(&bob, &nobody),
            [
                way("tcp://bob:1", 0),
                way("http://cloud/", 2),
                way("http://other/", 1)
            ]
        );
    }

    #[test]
    fn a_device_is_opened_because_a_person_named_it_and_never_for_a_document() {
        let device = Way::parse("nfc:/dev/ttyUSB0").unwrap();
        let bob = party(&[Service::didcomm("nfc:/dev/ttyUSB0")]);
        let (ways, _) = ways(
            (&bob.did, Some(&bob.doc)),
            vec![device.clone()],
            (&Here::default(), &["nfc"]),
            &DocBook::new(),
        );
        assert_eq!(ways, [device]);
        assert!(seen(&bob, &Here::default()).is_empty());
    }

    #[test]
    fn a_mediators_socket_is_no_way_since_a_link_has_no_layers() {
        let cloud = party(&[
            Service::didcomm("tcp://cloud:1"),
            Service::didcomm("http://cloud/"),
        ]);
        let bob = party(&[behind(&cloud.did, &[])]);
        let ways = seen(&bob, &Here::default());
        assert_eq!(ways, [("http://cloud/".to_owned(), 1)]);
    }

    #[test]
    fn no_way_leads_back_to_ourselves() {
        let (cloud, kiosk) = (party(&[Service::didcomm("http://cloud/")]), party(&[]));
        let bob = party(&[
            behind(&cloud.did, &[&kiosk]),
            Service::didcomm("http://kiosk"),
            Service::didcomm("http://bob/"),
        ]);
        let here = Here::new(&kiosk.did, ["http://kiosk/".to_owned()]);
        assert_eq!(seen(&bob, &here), [("http://bob/".to_owned(), 0)]);
    }

    #[test]
    fn a_way_that_a_person_gave_is_wrapped_as_the_document_says() {
        let kiosk = party(&[]);
        let bob = party(&[behind("http://cloud/", &[&kiosk])]);
        let given = Way::parse("http://cloud/").unwrap();
        let (ways, onions) = ways(
            (&bob.did, Some(&bob.doc)),
            vec![given.clone()],
            (&Here::default(), &["http"]),
            &DocBook::new(),
        );
        assert_eq!(ways, [given]);
        assert_eq!(onions.len(), 1);
    }

    #[test]
    fn a_document_that_is_missing_may_come_and_a_key_that_is_none_never_will() {
        let stranger = party(&[]);
        let onion = |key: &str| {
            let keys = vec![key.to_owned()];
            Onion::new(&stranger.did, keys, &DocBook::new()).wrap(b"{}")
        };
        assert!(onion(&stranger.did).is_ok());
        assert!(matches!(
            onion("did:web:cloud.example"),
            Err(HandFault::Later(_))
        ));
        let key = format!("{}#nothing", stranger.did);
        assert!(matches!(onion(&key), Err(HandFault::Never(_))));
    }
}
