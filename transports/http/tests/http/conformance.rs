//! The suite that every transport passes, against HTTP on this machine.

use std::sync::Arc;

use packmule_bus::link::{Port, Transport, Way};
use packmule_conformance::{links, requests, requests::Pair};
use packmule_http::server::{Certificate, Limits};
use packmule_http::{Http, Https};
use packmule_ws::Ws;
use packmule_ws::tls::Trust;

async fn pair(transport: &dyn Transport, at: &str) -> Pair {
    let way = Way::parse(at).expect("a way");
    let kiosk = transport.listen(&way).await.expect("listens");
    // The certificate is for a name.
    let there = kiosk
        .way()
        .to_string()
        .replace("https://127.0.0.1", "https://localhost");
    let there = Way::parse(&there).expect("a way");
    match transport.open(&there).await {
        Ok(Port::Mailbox(alice)) => (alice, kiosk),
        Ok(_) => panic!("no mailbox by {there}"),
        Err(fault) => panic!("{fault}"),
    }
}

async fn passes(transport: &dyn Transport, at: &str) {
    if let Err(broken) = requests(async || pair(transport, at).await).await {
        panic!("{at}: {broken}");
    }
}

#[tokio::test]
async fn requests_by_ipv4() {
    passes(&Http::default(), "http://127.0.0.1:0/didcomm").await;
}

#[tokio::test]
async fn requests_by_ipv6() {
    passes(&Http::default(), "http://[::1]:0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_on_many_threads() {
    passes(&Http::default(), "http://127.0.0.1:0/a/b?c=d").await;
}

#[tokio::test]
async fn requests_under_tls() {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let own = own.expect("a certificate");
    let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let trust = Arc::new(Trust::only(chain.as_bytes()).expect("a certificate"));
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes());
    let certificate = Some(Arc::new(certificate.expect("belong together")));
    let https = Https::new(Limits::default(), trust, certificate);
    passes(&https, "https://127.0.0.1:0/didcomm").await;
}

/// A visitor by HTTP changes over to a WebSocket of our kind: the links' promises hold there too.
#[tokio::test]
async fn links_on_the_same_port() {
    let fresh = async || {
        let way = Way::parse("http://127.0.0.1:0/didcomm").expect("a way");
        let mut kiosk = Http::default().listen(&way).await.expect("listens");
        let there = kiosk.way().to_string().replace("http://", "ws://");
        let there = Way::parse(&there).expect("a way");
        let ws = Ws::default();
        let (near, far) = tokio::join!(ws.open(&there), kiosk.accept());
        let (Ok(Port::Link(near)), Ok(Port::Link(far))) = (near, far) else {
            panic!("no link by {there}");
        };
        (near, far)
    };
    if let Err(broken) = links(fresh).await {
        panic!("{broken}");
    }
}
