//! The suite that every transport passes, against memory with every kind of facts.

#![expect(
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use std::sync::{Mutex, PoisonError};

use packmule_bus::link::{Beacon, BoxFut, LinkFacts, Mailbox, Port, Transport, Way};
use packmule_conformance::{beacons, beacons::Stand, links, mailboxes, mailboxes::Post, pair};
use packmule_mem::{Eye, FACTS, Mem};

async fn passes(facts: LinkFacts, room: usize) {
    if let Err(broken) = links(async || pair(&Mem::with(facts, room), "mem:kiosk").await).await {
        panic!("{facts:?}, room {room}: {broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn links_like_tcp() {
    passes(FACTS, 16).await;
}

#[tokio::test(start_paused = true)]
async fn links_of_one_byte() {
    passes(LinkFacts { mtu: 1, ..FACTS }, 1).await;
}

#[tokio::test(start_paused = true)]
async fn links_like_bluetooth() {
    let facts = LinkFacts {
        mtu: 244,
        rate: Some(12_000),
        ..FACTS
    };
    passes(facts, 4).await;
}

#[tokio::test(start_paused = true)]
async fn links_like_a_tag_reader() {
    let facts = LinkFacts {
        mtu: 250,
        half_duplex: true,
        ..FACTS
    };
    passes(facts, 1).await;
}

#[tokio::test(start_paused = true)]
async fn links_like_datagrams() {
    let facts = LinkFacts {
        mtu: 1200,
        ordered: false,
        reliable: false,
        ..FACTS
    };
    passes(facts, 64).await;
}

#[tokio::test(start_paused = true)]
async fn links_that_only_reorder() {
    let facts = LinkFacts {
        mtu: 500,
        ordered: false,
        sealed: true,
        ..FACTS
    };
    passes(facts, 8).await;
}

struct BobsBox(Mem);

impl Post for BobsBox {
    fn poster(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async { self.0.post("bob") })
    }

    fn collector(&self) -> BoxFut<'_, Box<dyn Mailbox>> {
        Box::pin(async { self.0.collector("bob") })
    }
}

#[tokio::test(start_paused = true)]
async fn mailboxes_keep_what_is_not_settled() {
    mailboxes(async || BobsBox(Mem::new())).await.expect("kept");
}

struct Hill {
    air: Mem,
    eye: Mutex<Eye>,
}

impl Stand for Hill {
    fn beacon(&self) -> Box<dyn Beacon> {
        self.air.beacon("hill")
    }

    fn look(&self) -> BoxFut<'_, Vec<Vec<u8>>> {
        let seen = self
            .eye
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look();
        Box::pin(async { seen })
    }

    fn longest(&self) -> usize {
        FACTS.mtu.min(1_000)
    }
}

#[tokio::test(start_paused = true)]
async fn beacons_that_are_looked_at() {
    let facts = LinkFacts {
        mtu: 1_000,
        ..FACTS
    };
    let fresh = async || {
        let air = Mem::with(facts, 1);
        let eye = Mutex::new(air.eye("hill"));
        Hill { air, eye }
    };
    if let Err(broken) = beacons(fresh).await {
        panic!("{broken}");
    }
}

#[tokio::test]
async fn a_way_leads_to_a_beacon_and_whoever_looks_sees_what_is_shown() {
    let air = Mem::new();
    let way = Way::parse("mem:hill?beacon").expect("a way");
    let mut eye = air.eye("hill");
    let Ok(Port::Beacon(mut beacon)) = air.open(&way).await else {
        panic!("no beacon");
    };
    beacon.show(b"frame".to_vec()).await.expect("shown");
    assert_eq!(eye.look(), [b"frame"]);
    assert!(air.eye("hill").look().is_empty(), "it is over");
    assert!(air.listen(&way).await.is_err());
}
