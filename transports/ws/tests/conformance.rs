//! The suite that every transport passes, against WebSocket on this machine.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

mod stranger;

use packmule_bus::link::{Mailbox, Port, Transport, Way};
use packmule_conformance::{links, mailboxes, pair};
use packmule_ws::tls::Trust;
use packmule_ws::{Ws, converse};

async fn passes(at: &str) {
    if let Err(broken) = links(async || pair(&Ws::default(), at).await).await {
        panic!("{at}: {broken}");
    }
}

#[tokio::test]
async fn links_by_ipv4() {
    passes("ws://127.0.0.1:0/didcomm").await;
}

#[tokio::test]
async fn links_by_ipv6() {
    passes("ws://[::1]:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_on_many_threads() {
    passes("ws://127.0.0.1:0/").await;
}

/// Two mailboxes of ours, with somebody between who does not let them know each other as kin.
async fn strangers() -> (Box<dyn Mailbox>, Box<dyn Mailbox>) {
    let ws = Ws::default();
    let any_port = Way::parse("ws://127.0.0.1:0/didcomm").expect("a way");
    let mut kiosk = ws.listen(&any_port).await.expect("listens");
    let way = stranger::between(&kiosk.way()).await;
    let (near, far) = tokio::join!(ws.open(&way), kiosk.accept());
    let (Ok(Port::Mailbox(near)), Ok(Port::Mailbox(far))) = (near, far) else {
        panic!("no mailboxes by {way}");
    };
    (near, far)
}

#[tokio::test]
async fn mailboxes_towards_strangers() {
    if let Err(broken) = mailboxes::live(strangers).await {
        panic!("{broken}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailboxes_on_many_threads() {
    if let Err(broken) = mailboxes::live(strangers).await {
        panic!("{broken}");
    }
}

/// Two mailboxes of our own kind, because one of them wants no session.
async fn conversing() -> (Box<dyn Mailbox>, Box<dyn Mailbox>) {
    let any_port = Way::parse("ws://127.0.0.1:0/didcomm").expect("a way");
    let mut kiosk = Ws::default().listen(&any_port).await.expect("listens");
    let (url, trust) = (kiosk.way().to_string(), Trust::default());
    let token = [("Authorization", "Bearer token")];
    let near = converse(&url, &trust, &token, 1 << 20);
    let (near, far) = tokio::join!(near, kiosk.accept());
    let Ok(Port::Mailbox(far)) = far else {
        panic!("no mailbox by {url}");
    };
    (near.expect("a mailbox"), far)
}

#[tokio::test]
async fn mailboxes_of_those_who_want_messages_and_no_session() {
    if let Err(broken) = mailboxes::live(conversing).await {
        panic!("{broken}");
    }
    let trust = Trust::default();
    for url in ["http://127.0.0.1:1/", "ws://", "nonsense"] {
        assert!(converse(url, &trust, &[], 1).await.is_err(), "{url}");
    }
    let split = [("Authorization", "a\r\nHost: b")];
    let any_port = Way::parse("ws://127.0.0.1:0/").expect("a way");
    let kiosk = Ws::default().listen(&any_port).await.expect("listens");
    let url = kiosk.way().to_string();
    assert!(converse(&url, &trust, &split, 1).await.is_err());
}
