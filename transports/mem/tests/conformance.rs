//! The suite that every transport passes, against memory with every kind of facts.

#![expect(
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_bus::link::{BoxFut, LinkFacts, Mailbox};
use packmule_conformance::{links, mailboxes, mailboxes::Post, pair};
use packmule_mem::{FACTS, Mem};

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
