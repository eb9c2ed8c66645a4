//! WebSocket under TLS: a server with a certificate of its own, one with somebody else's.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::sync::Arc;

use packmule_bus::MAX_ENVELOPE;
use packmule_bus::link::{OpenError, Port, Transport, Way};
use packmule_ws::tls::Trust;
use packmule_ws::{Agreed, Wss, agree};
use rcgen::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_tungstenite::tungstenite::handshake::machine::TryParse;
use tokio_tungstenite::tungstenite::handshake::server::Request;

/// A server for one visitor, by name `localhost`; and the PEM of whom to trust.
async fn cloud() -> (Way, String, tokio::task::JoinHandle<Option<Port>>) {
    let names = vec!["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let way = Way::parse(&format!("wss://localhost:{port}/didcomm")).expect("a way");
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a visitor");
        let mut stream = acceptor.accept(stream).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a request"));
        }
        let (_, request) = Request::try_parse(&head).expect("HTTP").expect("whole");
        let agreed: Agreed = agree(&request).expect("agreed");
        assert!(agreed.kin());
        let mut text = "HTTP/1.1 101 Switching Protocols\r\n".to_owned();
        for (name, value) in agreed.response.headers() {
            let value = value.to_str().expect("text");
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).await.expect("written");
        let with = "alice".to_owned();
        Some(agreed.port(Box::new(stream), MAX_ENVELOPE, with).await)
    });
    (way, cert.pem(), serving)
}

#[tokio::test]
async fn a_link_under_tls_by_a_connection_that_was_handed_over() {
    let (way, pem, serving) = cloud().await;
    let trust = Trust::only(pem.as_bytes()).expect("a certificate");
    assert_eq!(trust.authorities().expect("one"), 1);
    let alice = Wss::new(MAX_ENVELOPE, Arc::new(trust));
    let Ok(Port::Link(mut near)) = alice.open(&way).await else {
        panic!("no link by {way}");
    };
    let Ok(Some(Port::Link(mut far))) = serving.await else {
        panic!("no link at the other end");
    };
    near.tx.send(b"under TLS".to_vec()).await.expect("sent");
    assert_eq!(far.rx.recv().await.expect("comes"), b"under TLS");
    far.tx.send(b"and back".to_vec()).await.expect("sent");
    assert_eq!(near.rx.recv().await.expect("comes"), b"and back");
}

#[tokio::test]
async fn somebody_elses_certificate_is_no_answer() {
    let (way, _, serving) = cloud().await;
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let other = other.expect("a certificate").cert.pem();
    let trust = Arc::new(Trust::only(other.as_bytes()).expect("a certificate"));
    match Wss::new(MAX_ENVELOPE, trust).open(&way).await {
        Err(OpenError::NoAnswer(why)) => assert!(why.contains("certificate"), "{why}"),
        _ => panic!("a stranger was believed"),
    }
    assert!(matches!(serving.await, Ok(None)));
    assert!(Trust::only(b"nothing").is_err());
}
