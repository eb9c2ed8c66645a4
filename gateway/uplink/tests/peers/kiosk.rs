//! A node with an uplink, and an owner that remembers what it was given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use packmule_agent::did::{Method, create};
use packmule_agent::keystore::Cost;
use packmule_agent::protocol::basic_message;
use packmule_bus::link::BoxFut;
use packmule_node::{Home, Node, NodeConfig};
use packmule_uplink::{Event, Later, Owner, Uplink, Upstream, What};
use tempfile::TempDir;
use tokio::sync::watch;

/// What the owner does with a message.
type Rule = Box<dyn Fn(&str) -> Result<(), Later> + Send + Sync>;

/// The owner: words of letters, each with how often it came.
pub(crate) struct Shelf {
    node: Node,
    got: Mutex<BTreeMap<String, usize>>,
    pub(crate) unread: Mutex<usize>,
    served: Mutex<Vec<String>>,
    changes: watch::Sender<u64>,
    rule: Mutex<Rule>,
    pub(crate) events: Mutex<Vec<What>>,
}

impl Shelf {
    pub(crate) fn serve(&self, dids: &[&str]) {
        *self.served.lock().unwrap() = dids.iter().map(|did| (*did).to_owned()).collect();
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn rule(&self, rule: impl Fn(&str) -> Result<(), Later> + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    pub(crate) fn got(&self) -> BTreeMap<String, usize> {
        self.got.lock().unwrap().clone()
    }
}

impl Owner for Shelf {
    fn take(&self, packed: Vec<u8>) -> BoxFut<'_, Result<(), Later>> {
        let letter = self.node.desk().open(&packed);
        let words = letter
            .ok()
            .and_then(|it| basic_message::content(&it.message).map(str::to_owned));
        let outcome = match words {
            None => {
                *self.unread.lock().unwrap() += 1;
                Ok(())
            }
            Some(words) => (self.rule.lock().unwrap())(&words).inspect(|()| {
                *self.got.lock().unwrap().entry(words.clone()).or_default() += 1;
            }),
        };
        Box::pin(async move { outcome })
    }

    fn served(&self) -> BoxFut<'_, Result<Vec<String>, Later>> {
        let served = self.served.lock().unwrap().clone();
        Box::pin(async move { Ok(served) })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell(&self, event: &Event) {
        self.events.lock().unwrap().push(event.what.clone());
    }
}

/// The kiosk.
pub(crate) struct Kiosk {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) node: Node,
    pub(crate) uplink: Option<Uplink>,
    _place: TempDir,
}

impl Kiosk {
    pub(crate) async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let new = create(Method::Peer2, &[]).unwrap();
        let home = place.path().join("home");
        let home = Home::create_with(&home, &new, b"passphrase", Cost::TEST).unwrap();
        let keys = home.unlock(b"passphrase").unwrap();
        let config = NodeConfig {
            control: false,
            ..NodeConfig::default()
        };
        let node = Node::start(Arc::new(home), keys, Vec::new(), config)
            .await
            .unwrap();
        let shelf = Arc::new(Shelf {
            node: node.clone(),
            got: Mutex::default(),
            unread: Mutex::default(),
            served: Mutex::default(),
            changes: watch::Sender::new(0),
            rule: Mutex::new(Box::new(|_| Ok(()))),
            events: Mutex::default(),
        });
        Self {
            shelf,
            node,
            uplink: None,
            _place: place,
        }
    }

    pub(crate) fn did(&self) -> &str {
        self.node.desk().did()
    }

    /// Calls this mediator, often and without live mode.
    pub(crate) fn call(&mut self, did: &str) {
        self.call_with(did, |_| {});
    }

    pub(crate) fn call_with(&mut self, did: &str, change: impl Fn(&mut Upstream)) {
        let mut upstream = Upstream::new(did);
        upstream.live = false;
        upstream.poll = Duration::from_millis(200);
        upstream.retry = Duration::from_millis(500);
        upstream.patience = Duration::from_secs(20);
        change(&mut upstream);
        let owner: Arc<dyn Owner> = Arc::clone(&self.shelf) as _;
        self.uplink = Some(Uplink::start(&self.node, &owner, vec![upstream]));
    }

    /// Waits until this is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !so(self) {
            let status = self.uplink.as_ref().map(Uplink::status);
            let events = self.shelf.events.lock().unwrap().clone();
            assert!(
                Instant::now() < end,
                "{what}: {status:?} {:?} {events:?}",
                self.shelf.got()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until each of these came, and says how often each did.
    pub(crate) async fn until_got(&self, words: &[String]) -> BTreeMap<String, usize> {
        let all = |kiosk: &Self| {
            let got = kiosk.shelf.got();
            words.iter().all(|word| got.contains_key(word))
        };
        self.until("letters", all).await;
        self.shelf.got()
    }
}
