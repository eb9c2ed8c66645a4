//! Visitors that speak bytes: slowly, falsely, or not at all.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a story that goes wrong must fail the test"
)]

use std::io::ErrorKind;
use std::time::Duration;

use packmule_bus::link::{Link, LinkError, Listener, OpenError, Port, Transport, Way};
use packmule_tcp::{Tcp, prefix_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; only ends what hangs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn kiosk() -> Box<dyn Listener> {
    let way = Way::parse("tcp://127.0.0.1:0").expect("a way");
    Tcp.listen(&way).await.expect("listens")
}

async fn visit(kiosk: &mut dyn Listener) -> (TcpStream, Link) {
    let address = kiosk.way().as_str().trim_start_matches("tcp://").to_owned();
    let mallory = TcpStream::connect(address).await.expect("connects");
    let Ok(Port::Link(link)) = kiosk.accept().await else {
        panic!("no visitor");
    };
    (mallory, link)
}

async fn recv(link: &mut Link) -> Result<Vec<u8>, LinkError> {
    timeout(PATIENCE, link.rx.recv()).await.expect("in time")
}

#[tokio::test]
async fn bytes_on_the_wire_are_a_length_and_the_pdu() {
    let mut kiosk = kiosk().await;
    let (mut raw, mut link) = visit(&mut *kiosk).await;
    link.tx.send(vec![7; 300]).await.expect("sent");
    let mut came = vec![0; 302];
    raw.read_exact(&mut came).await.expect("comes");
    assert_eq!(came.split_at(2), (&[0xac, 0x02][..], &[7; 300][..]));
    raw.write_all(&[2, 1, 2, 1, 3]).await.expect("written");
    assert_eq!(recv(&mut link).await.expect("comes"), [1, 2]);
    assert_eq!(recv(&mut link).await.expect("comes"), [3]);
}

#[tokio::test]
async fn a_length_that_cannot_be_right_ends_the_link_at_once() {
    let mut kiosk = kiosk().await;
    for wrong in [
        &[0x80, 0x80, 0x04][..],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x85, 0x00],
    ] {
        let (mut mallory, mut link) = visit(&mut *kiosk).await;
        mallory.write_all(&[1, 9]).await.expect("written");
        mallory.write_all(wrong).await.expect("written");
        assert_eq!(recv(&mut link).await.expect("comes"), [9]);
        match recv(&mut link).await {
            Err(LinkError::Io(fault)) => assert_eq!(fault.kind(), ErrorKind::InvalidData),
            other => panic!("{wrong:?} gave {other:?}"),
        }
        assert!(matches!(recv(&mut link).await, Err(LinkError::Closed)));
    }
    // And the next visitor is served.
    let (mut alice, mut link) = visit(&mut *kiosk).await;
    alice.write_all(&[1, 5]).await.expect("written");
    assert_eq!(recv(&mut link).await.expect("comes"), [5]);
}

#[tokio::test]
async fn a_pdu_that_comes_byte_by_byte_is_one_pdu() {
    let mut kiosk = kiosk().await;
    let (mut alice, mut link) = visit(&mut *kiosk).await;
    let pdu: Vec<u8> = (0..=255).cycle().take(700).collect();
    let (prefix, header) = prefix_of(pdu.len()).expect("fits");
    let bytes: Vec<u8> = prefix.into_iter().take(header).chain(pdu.clone()).collect();
    let drip = async {
        for byte in bytes {
            alice.write_all(&[byte]).await.expect("written");
            tokio::task::yield_now().await;
        }
        alice
    };
    // Whoever waits gives up again and again, and loses nothing by it.
    let wait = async {
        loop {
            if let Ok(came) = timeout(Duration::from_micros(200), link.rx.recv()).await {
                return came;
            }
        }
    };
    let (came, _alice) = tokio::join!(timeout(PATIENCE, wait), drip);
    assert_eq!(came.expect("in time").expect("comes"), pdu);
}

#[tokio::test]
async fn half_a_pdu_is_none() {
    let mut kiosk = kiosk().await;
    let (mut alice, mut link) = visit(&mut *kiosk).await;
    alice.write_all(&[1, 5, 9, 1, 2, 3]).await.expect("written");
    drop(alice);
    assert_eq!(recv(&mut link).await.expect("comes"), [5]);
    assert!(matches!(recv(&mut link).await, Err(LinkError::Closed)));
}

#[tokio::test]
async fn one_direction_may_end_before_the_other() {
    let mut kiosk = kiosk().await;
    let (mut raw, mut link) = visit(&mut *kiosk).await;
    raw.write_all(&[1, 5]).await.expect("written");
    raw.shutdown().await.expect("shut");
    assert_eq!(recv(&mut link).await.expect("comes"), [5]);
    assert!(matches!(recv(&mut link).await, Err(LinkError::Closed)));
    link.tx.send(vec![8]).await.expect("still goes");
    drop(link);
    let mut rest = Vec::new();
    raw.read_to_end(&mut rest).await.expect("ends");
    assert_eq!(rest, [1, 8]);
}

#[tokio::test]
async fn visitors_that_say_nothing_keep_nobody_waiting() {
    let mut kiosk = kiosk().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(visit(&mut *kiosk).await);
    }
    let (mut alice, mut link) = visit(&mut *kiosk).await;
    alice.write_all(&[1, 5]).await.expect("written");
    assert_eq!(recv(&mut link).await.expect("comes"), [5]);
}

#[tokio::test]
async fn visitors_that_leave_before_they_are_let_in_are_no_error() {
    let mut kiosk = kiosk().await;
    let address = kiosk.way().as_str().trim_start_matches("tcp://").to_owned();
    for _ in 0..20 {
        drop(TcpStream::connect(&address).await.expect("connects"));
    }
    for _ in 0..20 {
        let Ok(Port::Link(mut link)) = kiosk.accept().await else {
            panic!("the listener complained");
        };
        assert!(matches!(recv(&mut link).await, Err(LinkError::Closed)));
    }
}

#[tokio::test]
async fn nobody_there_is_no_answer() {
    let way = kiosk().await.way();
    match Tcp.open(&way).await {
        Err(OpenError::NoAnswer(why)) => assert!(why.contains(way.as_str()), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("somebody answered"),
    }
    let odd = Way::parse("tcp://kiosk").expect("a way");
    assert!(matches!(
        Tcp.open(&odd).await,
        Err(OpenError::BadWay { .. })
    ));
}
