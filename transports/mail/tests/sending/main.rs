//! Sending, to a server that answers as servers do.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

mod server;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use packmule_bus::Kind;
use packmule_bus::link::{LinkError, OpenError, Port, Transport, Way};
use packmule_mail::{Address, Limits, Login, Mailto, Outbox, Tls, read};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use server::{Fake, Manners};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;

fn jwe(bytes: usize) -> Vec<u8> {
    let text = "A".repeat(bytes / 4 * 4);
    format!("{{\"protected\":\"e30\",\"encrypted_key\":\"AAAA\",\"iv\":\"AAAA\",\"ciphertext\":\"{text}\",\"tag\":\"AAAA\"}}").into_bytes()
}

fn to(names: &[&str]) -> Vec<Address> {
    let address = |name: &&str| Address::parse(&format!("{name}@edge.test")).unwrap();
    names.iter().map(address).collect()
}

#[tokio::test]
async fn what_a_server_takes_arrives_whole_over_one_connection() {
    for pipelining in [false, true] {
        let fake = Fake::start(Manners {
            pipelining,
            ..Manners::default()
        })
        .await;
        let outbox = fake.outbox(true, None, Tls::default());
        for length in [4, 2_000, 100_000] {
            outbox
                .send(&jwe(length), &to(&["bob"]))
                .await
                .expect("taken");
        }
        outbox
            .send(&jwe(4), &to(&["bob", "gone", "carol"]))
            .await
            .expect("taken by two");
        let mails = fake.seen.mails.lock().await;
        let messages = |at: usize| read(&mails[at].1, &Limits::default());
        assert_eq!(messages(2).messages(), [jwe(100_000)]);
        assert_eq!(mails[3].0, ["bob@edge.test", "carol@edge.test"]);
        assert_eq!(fake.seen.connections.load(SeqCst), 1);
        assert_eq!(
            fake.seen.together.load(SeqCst),
            if pipelining { 3 } else { 0 }
        );
    }
}

#[tokio::test]
async fn only_what_a_server_says_for_ever_is_for_ever() {
    for pipelining in [false, true] {
        let fake = Fake::start(Manners {
            pipelining,
            ..Manners::default()
        })
        .await;
        let outbox = fake.outbox(true, None, Tls::default());
        let said = async |whom: &[&str]| outbox.send(&jwe(9), &to(whom)).await;
        for whom in ["grey", "full", "liar"] {
            let fault = said(&[whom]).await.expect_err(whom);
            assert!(matches!(fault, LinkError::Busy(_)), "{whom}: {fault}");
        }
        let fault = said(&["gone"]).await.expect_err("gone");
        assert!(matches!(fault, LinkError::Refused(_)), "{fault}");
        assert!(
            !fault.to_string().contains("gone@"),
            "an address is told: {fault}"
        );
        let fault = said(&["bob", "grey"]).await.expect_err("both or none");
        assert!(matches!(fault, LinkError::Busy(_)), "{fault}");
        let fault = said(&["big"]).await.expect_err("big");
        assert!(matches!(fault, LinkError::TooLarge { .. }), "{fault}");
        let fault = said(&["over"]).await.expect_err("over");
        assert!(matches!(fault, LinkError::Refused(_)), "{fault}");
        let before = fake.seen.connections.load(SeqCst);
        let fault = said(&["drop"]).await.expect_err("the server died");
        assert!(matches!(fault, LinkError::Io(_)), "{fault}");
        said(&["bob"]).await.expect("a new connection");
        assert_eq!(fake.seen.connections.load(SeqCst), before + 1);
        let mails = fake.seen.mails.lock().await;
        let whom: Vec<&str> = mails.iter().map(|(to, _)| to[0].as_str()).collect();
        assert_eq!(whom, ["big@edge.test", "over@edge.test", "bob@edge.test"]);
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_uploaded() {
    let fake = Fake::start(Manners {
        size: Some(100_000),
        ..Manners::default()
    })
    .await;
    let outbox = fake.outbox(true, None, Tls::default());
    let fault = outbox
        .send(&jwe(5_000_000), &to(&["bob"]))
        .await
        .expect_err("too large");
    let LinkError::TooLarge { bytes, limit } = fault else {
        panic!("{fault}")
    };
    assert!(bytes > 5_000_000 && limit == 100_000);
    assert_eq!(fake.seen.uploaded.load(SeqCst), 0);
    outbox
        .send(&jwe(90_000), &to(&["bob"]))
        .await
        .expect("fits");
    assert_eq!(fake.seen.connections.load(SeqCst), 1);
    // 0 is no limit (RFC 1870).
    let fake = Fake::start(Manners {
        size: Some(0),
        ..Manners::default()
    })
    .await;
    let outbox = fake.outbox(true, None, Tls::default());
    outbox
        .send(&jwe(5_000_000), &to(&["bob"]))
        .await
        .expect("no limit");
}

#[tokio::test]
async fn many_at_once_share_eight_connections() {
    let fake = Fake::start(Manners::default()).await;
    let outbox = Arc::new(fake.outbox(true, None, Tls::default()));
    let sending: Vec<_> = (0..200)
        .map(|n| {
            let outbox = Arc::clone(&outbox);
            tokio::spawn(async move { outbox.send(&jwe(n * 10), &to(&["bob"])).await })
        })
        .collect();
    for one in sending {
        one.await.unwrap().expect("taken");
    }
    assert_eq!(fake.seen.mails.lock().await.len(), 200);
    assert!(fake.seen.connections.load(SeqCst) <= 8);
}

#[tokio::test]
async fn a_way_is_a_mailbox_and_nobody_there_is_no_way() {
    let fake = Fake::start(Manners::default()).await;
    let mailto = Mailto::new(Arc::new(fake.outbox(true, None, Tls::default())));
    let way = Way::parse("mailto:bob@edge.test,carol@edge.test").unwrap();
    let Ok(Port::Mailbox(mailbox)) = mailto.open(&way).await else {
        panic!("no mailbox")
    };
    mailbox
        .deliver(jwe(8), Kind::Encrypted)
        .await
        .expect("taken");
    let fault = mailbox.deliver(b"hello".to_vec(), Kind::Other).await;
    assert!(matches!(fault, Err(LinkError::Refused(_))), "{fault:?}");
    assert!(mailbox.collect().await.is_err());
    assert_eq!(fake.seen.mails.lock().await[0].0.len(), 2);
    let way = Way::parse("mailto:bob").unwrap();
    assert!(matches!(
        mailto.open(&way).await,
        Err(OpenError::BadWay { .. })
    ));
    assert!(mailto.probe().await.ready);
    let nobody = Outbox::new(
        packmule_mail::Server::parse(
            "smtp://127.0.0.1:1",
            packmule_mail::Protocol::Smtp,
            true,
            None,
            Arc::default(),
        )
        .unwrap(),
        Address::parse("alice@kiosk.test").unwrap(),
    );
    let mailto = Mailto::new(Arc::new(nobody));
    let way = Way::parse("mailto:bob@edge.test").unwrap();
    assert!(matches!(
        mailto.open(&way).await,
        Err(OpenError::NoAnswer(_))
    ));
    assert!(!mailto.probe().await.ready);
}

/// An authority, and what it signed for `localhost`: PEM.
struct Pki {
    ca: String,
    chain: String,
    key: String,
}

fn pki() -> Pki {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &ca).unwrap();
    Pki {
        ca: ca.as_ref().pem(),
        chain: leaf.pem(),
        key: key.serialize_pem(),
    }
}

impl Pki {
    fn server(&self, wants_certificate: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if wants_certificate {
            let mut roots = tokio_rustls::rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap())
                .unwrap();
            let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(judge.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }

    fn trust(&self) -> Tls {
        Tls::default().believing(self.ca.as_bytes()).unwrap()
    }
}

fn login(password: &str) -> Option<Login> {
    Login::new("alice", zeroize::Zeroizing::new(password.to_owned()))
}

#[tokio::test]
async fn tls_and_login_from_the_start_or_later() {
    let pki = pki();
    for implicit in [true, false] {
        let fake = Fake::start(Manners {
            tls: Some(pki.server(false)),
            implicit,
            login: Some("\0alice\0pw"),
            ..Manners::default()
        })
        .await;
        let base = if implicit {
            "smtps://localhost"
        } else {
            "smtp://localhost"
        };
        let outbox = |login, tls| fake.outbox_at(base, false, login, tls);
        let sent = outbox(login("pw"), pki.trust())
            .send(&jwe(8), &to(&["bob"]))
            .await;
        sent.expect("taken");
        // Who we are is no fault of the message: it waits until somebody has mended the settings.
        for wrong in [login("pv"), None] {
            let fault = outbox(wrong, pki.trust())
                .send(&jwe(8), &to(&["bob"]))
                .await;
            assert!(matches!(fault, Err(LinkError::Busy(_))), "{fault:?}");
        }
        let stranger = self::pki();
        let fault = outbox(login("pw"), stranger.trust())
            .send(&jwe(8), &to(&["bob"]))
            .await;
        let fault = fault.expect_err("a stranger's word");
        assert!(matches!(fault, LinkError::Io(_)), "{fault}");
        assert!(fault.to_string().contains("certificate"), "{fault}");
        assert_eq!(fake.seen.mails.lock().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_one() {
    let pki = pki();
    let fake = Fake::start(Manners {
        tls: Some(pki.server(true)),
        implicit: true,
        ..Manners::default()
    })
    .await;
    let tls = pki
        .trust()
        .showing(pki.chain.as_bytes(), pki.key.as_bytes())
        .unwrap();
    let outbox = fake.outbox_at("smtps://localhost", false, None, tls);
    outbox.send(&jwe(8), &to(&["bob"])).await.expect("taken");
    let outbox = fake.outbox_at("smtps://localhost", false, None, pki.trust());
    assert!(outbox.send(&jwe(8), &to(&["bob"])).await.is_err());
}

#[tokio::test]
async fn without_the_tls_that_was_asked_for_nothing_is_said() {
    let fake = Fake::start(Manners {
        login: Some("\0alice\0pw"),
        ..Manners::default()
    })
    .await;
    let outbox = fake.outbox_at("smtp://localhost", false, login("pw"), Tls::default());
    let fault = outbox
        .send(&jwe(8), &to(&["bob"]))
        .await
        .expect_err("no STARTTLS");
    assert!(fault.to_string().contains("STARTTLS"), "{fault}");
    // What stands behind the agreement to TLS would be believed as if it came by TLS.
    let pki = pki();
    let fake = Fake::start(Manners {
        tls: Some(pki.server(false)),
        slips_in: true,
        ..Manners::default()
    })
    .await;
    let outbox = fake.outbox_at("smtp://localhost", false, None, pki.trust());
    let fault = outbox
        .send(&jwe(8), &to(&["bob"]))
        .await
        .expect_err("slipped in");
    assert!(fault.to_string().contains("out of turn"), "{fault}");
    assert_eq!(fake.seen.mails.lock().await.len(), 0);
}
