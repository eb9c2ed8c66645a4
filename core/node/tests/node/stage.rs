//! Homes with cheap keys, nodes on them, and the air between.

use std::sync::Arc;
use std::time::Duration;

use packmule_agent::did::{Method, NewDid, Service, create};
use packmule_agent::keystore::Cost;
use packmule_agent::message::Message;
use packmule_bus::link::{Transport, Way};
use packmule_mem::Mem;
use packmule_node::control::EventLine;
use packmule_node::{Events, Home, Node, NodeConfig, PeerRecord, Received};
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::time::timeout;

const PASSPHRASE: &[u8] = b"mules never forget";
/// No story takes so long; one that does has stalled.
const STALLED: Duration = Duration::from_secs(120);

/// A folder of homes, and an air that their nodes share.
pub(crate) struct Stage {
    pub(crate) place: TempDir,
    pub(crate) air: Mem,
}

/// Somebody with a home.
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) did: NewDid,
    pub(crate) home: Arc<Home>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            place: tempdir().unwrap(),
            air: Mem::new(),
        }
    }

    pub(crate) fn party(&self, name: &str) -> Party {
        self.party_in(name, &self.place.path().join(name))
    }

    #[expect(clippy::unused_self, reason = "a party of this stage")]
    pub(crate) fn party_in(&self, name: &str, dir: &std::path::Path) -> Party {
        Self::settle(name, dir, create(Method::Key, &[]).unwrap())
    }

    /// Somebody whose document says where messages for it may be left.
    pub(crate) fn party_at(&self, name: &str, services: &[Service]) -> Party {
        let did = create(Method::Peer2, services).unwrap();
        Self::settle(name, &self.place.path().join(name), did)
    }

    fn settle(name: &str, dir: &std::path::Path, did: NewDid) -> Party {
        let cheap = Cost {
            memory_kib: 64,
            passes: 1,
            ..Cost::STANDARD
        };
        let home = Home::create_with(dir, &did, PASSPHRASE, cheap).unwrap();
        Party {
            name: name.into(),
            did,
            home: Arc::new(home),
        }
    }

    /// Alice and bob, who know each other.
    pub(crate) fn pair(&self) -> (Party, Party) {
        let (alice, bob) = (self.party("alice"), self.party("bob"));
        alice.meets(&bob);
        bob.meets(&alice);
        (alice, bob)
    }

    pub(crate) async fn run(&self, party: &Party) -> Node {
        self.run_with(party, NodeConfig::default()).await
    }

    /// A node that listens under its party's name.
    pub(crate) async fn run_with(&self, party: &Party, mut config: NodeConfig) -> Node {
        config.listen.push(way(&party.name));
        // A home of its own, as another process would have.
        let home = Arc::new(Home::open(party.home.dir()).unwrap());
        let keys = home.unlock(PASSPHRASE).unwrap();
        let air: Arc<dyn Transport> = Arc::new(self.air.clone());
        let node = Node::start(home, keys, vec![air], config).await.unwrap();
        assert!(node.troubles().is_empty(), "{:?}", node.troubles());
        node
    }
}

impl Party {
    /// Puts another into the address book, reachable by its name.
    pub(crate) fn meets(&self, other: &Self) {
        self.knows(other);
        self.home
            .set_ways(&other.name, &[way(&other.name)])
            .unwrap();
    }

    /// Puts another into the address book, without a way.
    pub(crate) fn knows(&self, other: &Self) {
        let peer = PeerRecord {
            name: other.name.clone(),
            did: other.did.did.clone(),
            doc: other.did.doc.to_json(),
            added: 0,
        };
        self.home.add_peer(&peer).unwrap();
    }
}

pub(crate) fn way(name: &str) -> Way {
    Way::parse(&format!("mem:{name}")).unwrap()
}

pub(crate) fn text(words: &str) -> Message {
    let mut message = Message::new("https://didcomm.org/basicmessage/2.0/message");
    message.body = Some(json!({ "content": words }));
    message
}

pub(crate) fn words(received: &Received) -> String {
    let body = received.message.body.as_ref().unwrap();
    body["content"].as_str().unwrap().to_owned()
}

/// The next message, told done.
pub(crate) async fn next(node: &Node) -> String {
    let received = timeout(STALLED, node.receive()).await.expect("stalled");
    let received = received.expect("the node ended");
    let words = words(&received);
    received.done().await.unwrap();
    words
}

/// Waits for an event.
pub(crate) async fn until(events: &mut Events, wanted: impl Fn(&EventLine) -> bool) -> EventLine {
    let search = async {
        while let Some(event) = events.next().await {
            if wanted(&event) {
                return event;
            }
        }
        panic!("the node ended");
    };
    timeout(STALLED, search).await.expect("stalled")
}

/// Waits for so many of our messages to be delivered, as their recipients' receipts say.
pub(crate) async fn delivered(events: &mut Events, count: usize) {
    for _ in 0..count {
        until(
            events,
            |event| matches!(event, EventLine::Progress { rung, .. } if rung == "delivered"),
        )
        .await;
    }
}
