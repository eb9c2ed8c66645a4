//! Names, visitors, mailboxes; what every link must do is in `tests/conformance.rs`.

use packmule_bus::Kind;
use packmule_bus::link::LinkError;

use super::*;

fn way(text: &str) -> Way {
    Way::parse(text).expect("a way")
}

async fn fault(air: &Mem, text: &str) -> OpenError {
    match air.open(&way(text)).await {
        Ok(_) => panic!("{text} opened"),
        Err(fault) => fault,
    }
}

#[tokio::test]
async fn alice_visits_the_kiosk_by_its_name() {
    let air = Mem::new();
    let mut kiosk = air.listen(&way("mem:kiosk")).await.expect("listens");
    assert_eq!(kiosk.way(), way("mem:kiosk"));
    let Ok(Port::Link(mut alice)) = air.open(&way("mem:kiosk")).await else {
        panic!("no link");
    };
    let Ok(Port::Link(mut door)) = kiosk.accept().await else {
        panic!("no visitor");
    };
    alice.tx.send(b"hello".to_vec()).await.expect("sent");
    assert_eq!(door.rx.recv().await.expect("came"), b"hello");
    assert_eq!(alice.with, "mem:kiosk");
    assert_eq!(door.with, "visitor 1 of mem:kiosk");
}

#[tokio::test]
async fn a_name_is_one_listeners_and_free_when_it_goes() {
    let air = Mem::new();
    let first = air.listen(&way("mem:kiosk")).await.expect("listens");
    assert!(matches!(
        air.clone().listen(&way("mem:kiosk")).await,
        Err(OpenError::Io(_))
    ));
    drop(first);
    assert!(matches!(
        fault(&air, "mem:kiosk").await,
        OpenError::NoAnswer(_)
    ));
    assert!(air.listen(&way("mem:kiosk")).await.is_ok());
}

#[tokio::test]
async fn a_crowd_at_the_door_is_turned_away() {
    let air = Mem::new();
    let _kiosk = air.listen(&way("mem:kiosk")).await.expect("listens");
    let mut crowd = Vec::new();
    for _ in 0..BACKLOG {
        crowd.push(air.open(&way("mem:kiosk")).await.expect("waits"));
    }
    assert!(matches!(
        fault(&air, "mem:kiosk").await,
        OpenError::NoAnswer(_)
    ));
}

#[tokio::test]
async fn odd_ways_are_refused() {
    let air = Mem::new();
    for text in ["mem:bob?post", "mem:?mailbox", "tcp:bob"] {
        assert!(
            matches!(fault(&air, text).await, OpenError::BadWay { .. }),
            "{text}"
        );
    }
}

#[tokio::test]
async fn letters_wait_for_bob_before_he_looks() {
    let air = Mem::new();
    let Ok(Port::Mailbox(post)) = air.open(&way("mem:bob?mailbox")).await else {
        panic!("no mailbox");
    };
    post.deliver(b"{}".to_vec(), Kind::Encrypted)
        .await
        .expect("delivered");
    let mut door = air.listen(&way("mem:bob?mailbox")).await.expect("listens");
    let Ok(Port::Mailbox(bob)) = door.accept().await else {
        panic!("no mailbox");
    };
    assert_eq!(bob.collect().await.expect("waits").bytes, b"{}");
    assert!(matches!(post.collect().await, Err(LinkError::Closed)));
}

#[tokio::test]
async fn a_full_mailbox_is_busy() {
    let air = Mem::new();
    let post = air.post("bob");
    let bob = air.collector("bob");
    let mut taken = 0;
    let full = loop {
        match post.deliver(vec![1], Kind::Other).await {
            Ok(()) => taken += 1,
            Err(fault) => break fault,
        }
    };
    assert!(matches!(full, LinkError::Busy(_)));
    assert_eq!(taken, 1024);
    let letter = bob.collect().await.expect("waits");
    letter.settle.settle().await.expect("settled");
    post.deliver(vec![2], Kind::Other).await.expect("room");
}
