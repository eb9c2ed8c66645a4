//! A mailbox whose connection ends, as one over Bluetooth does, is reached again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use packmule_agent::did::Service;
use packmule_bus::Kind;
use packmule_bus::link::{
    BoxFut, Collected, LinkError, Listener, Mailbox, OpenError, Port, Probe, Transport, Way,
};
use packmule_mem::Mem;
use packmule_node::{Home, Node, NodeConfig, Submit};

use crate::stage::{Stage, next, text};

const KIOSK: &str = "mem:kiosk?mailbox";

/// Mailboxes in memory that take one message, and are closed for ever.
struct Brittle {
    air: Mem,
    opened: Arc<AtomicUsize>,
}

struct Once {
    inner: Box<dyn Mailbox>,
    over: AtomicBool,
}

impl Mailbox for Once {
    fn deliver(&self, packed: Vec<u8>, kind: Kind) -> BoxFut<'_, Result<(), LinkError>> {
        if self.over.swap(true, Ordering::SeqCst) {
            return Box::pin(async { Err(LinkError::Closed) });
        }
        self.inner.deliver(packed, kind)
    }

    fn collect(&self) -> BoxFut<'_, Result<Collected, LinkError>> {
        Box::pin(async { Err(LinkError::Closed) })
    }
}

impl Transport for Brittle {
    fn name(&self) -> &'static str {
        self.air.name()
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        self.air.probe()
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            self.opened.fetch_add(1, Ordering::SeqCst);
            Ok(match self.air.open(to).await? {
                Port::Mailbox(inner) => Port::Mailbox(Box::new(Once {
                    inner,
                    over: AtomicBool::new(false),
                })),
                other => other,
            })
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        self.air.listen(at)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_is_closed_is_opened_again_for_the_same_message() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    let kiosk = stage.party_at("kiosk", &[Service::didcomm(KIOSK)]);
    alice.knows(&kiosk);
    let mut config = NodeConfig::default();
    config.listen.push(Way::parse(KIOSK).unwrap());
    let k = stage.run_with(&kiosk, config).await;
    let opened = Arc::default();
    let brittle = Brittle {
        air: stage.air.clone(),
        opened: Arc::clone(&opened),
    };
    let home = Arc::new(Home::open(alice.home.dir()).unwrap());
    let keys = home.unlock(b"mules never forget").unwrap();
    let air: Arc<dyn Transport> = Arc::new(brittle);
    let a = Node::start(home, keys, vec![air], NodeConfig::default())
        .await
        .unwrap();
    for words in ["one", "two", "three"] {
        a.send("kiosk", text(words), Submit::default())
            .await
            .unwrap();
        assert_eq!(next(&k).await, words);
    }
    // One more each time, and not for each attempt.
    assert_eq!(opened.load(Ordering::SeqCst), 3);
}
