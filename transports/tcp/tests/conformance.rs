//! The suite that every transport passes, against TCP on this machine, by IPv4 and IPv6.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_bus::link::{Link, Port, Transport, Way};
use packmule_conformance::links;
use packmule_tcp::Tcp;

async fn fresh(at: &str) -> (Link, Link) {
    let any_port = Way::parse(at).expect("a way");
    let mut kiosk = Tcp.listen(&any_port).await.expect("listens");
    let way = kiosk.way();
    let (near, far) = tokio::join!(Tcp.open(&way), kiosk.accept());
    let (Ok(Port::Link(near)), Ok(Port::Link(far))) = (near, far) else {
        panic!("no link by {way}");
    };
    (near, far)
}

async fn passes(at: &str) {
    if let Err(broken) = links(async || fresh(at).await).await {
        panic!("{at}: {broken}");
    }
}

#[tokio::test]
async fn by_ipv4() {
    passes("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn by_ipv6() {
    passes("tcp://[::1]:0").await;
}

#[tokio::test]
async fn by_name() {
    passes("tcp://localhost:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_many_threads() {
    passes("tcp://127.0.0.1:0").await;
}
