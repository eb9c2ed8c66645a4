//! The suite that every transport passes, against TCP on this machine, by IPv4 and IPv6.

#![expect(
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_conformance::{links, pair};
use packmule_tcp::Tcp;

async fn passes(at: &str) {
    if let Err(broken) = links(async || pair(&Tcp, at).await).await {
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
