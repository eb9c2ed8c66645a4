//! Nodes that meet by themselves, and strangers who speak the DIF's profile, over an air in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use std::sync::Arc;

use packmule_ble::air::{Air, Stack};
use packmule_ble::{Ble, tags};
use packmule_bus::Kind;
use packmule_bus::link::{Link, Mailbox, OpenError, Port, Transport, Way};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

fn way(text: &str) -> Way {
    Way::parse(text).expect("a way")
}

/// What a node's driver does with a transport: lets in who comes, dials who is seen.
fn live(transport: Ble) -> mpsc::UnboundedReceiver<Link> {
    let (up, links) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut door = transport.listen(&way("ble:any")).await.expect("listens");
        let mut scout = transport.scout(&[door.way()]).expect("it listens");
        let transport = Arc::new(transport);
        loop {
            tokio::select! {
                port = door.accept() => if let Ok(Port::Link(link)) = port {
                    let _ = up.send(link);
                },
                seen = scout.next() => {
                    let (seen, up, transport) = (seen.expect("looks"), up.clone(), Arc::clone(&transport));
                    tokio::spawn(async move {
                        if let Ok(Port::Link(link)) = transport.open(&seen).await {
                            let _ = up.send(link);
                        }
                    });
                },
            }
        }
    });
    links
}

#[tokio::test(start_paused = true)]
async fn two_who_see_each_other_have_one_link_and_another_one_when_it_ends() {
    for l2cap in [false, true] {
        let air = Air::new(Stack {
            l2cap,
            ..Stack::default()
        });
        let mut alice = live(Ble::over(air.device("alice"), tags()));
        let mut bob = live(Ble::over(air.device("bob"), tags()));
        for _ in 0..3 {
            let mut near = alice.recv().await.expect("alice's end");
            let mut far = bob.recv().await.expect("bob's end");
            near.tx.send(b"hello".to_vec()).await.expect("goes");
            assert_eq!(far.rx.recv().await.expect("comes"), b"hello");
            // Long enough to look around again, and too short for other tags.
            let more = timeout(Duration::from_secs(150), alice.recv()).await;
            assert!(more.is_err(), "a second link to the same device");
            assert!(bob.try_recv().is_err());
            air.cut();
            drop((near, far));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn three_around_a_table_have_three_links() {
    let air = Air::new(Stack::default());
    let mut all: Vec<_> = ["alice", "bob", "mule"]
        .into_iter()
        .map(|name| live(Ble::over(air.device(name), tags())))
        .collect();
    let mut kept = Vec::new();
    for links in &mut all {
        for _ in 0..2 {
            let link = timeout(Duration::from_secs(100), links.recv()).await;
            kept.push(link.expect("in time").expect("a link"));
        }
    }
    for links in &mut all {
        assert!(
            timeout(Duration::from_secs(1_000), links.recv())
                .await
                .is_err()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_who_does_not_listen() {
    let air = Air::new(Stack::default());
    let alice = Ble::over(air.device("alice"), tags());
    assert!(alice.scout(&[way("tcp://127.0.0.1:1")]).is_none());
}

async fn mailboxes(stack: Stack) -> (Box<dyn Mailbox>, Box<dyn Mailbox>) {
    let air = Air::new(stack);
    let kiosk = Ble::over(air.device("kiosk"), tags());
    let alice = Ble::over(air.device("alice"), tags());
    let mut door = kiosk
        .listen(&way("ble:any?didcomm"))
        .await
        .expect("listens");
    let at = way(&format!("{}?didcomm", door.way()));
    match tokio::join!(alice.open(&at), door.accept()) {
        (Ok(Port::Mailbox(near)), Ok(Port::Mailbox(far))) => (near, far),
        _ => panic!("they did not meet"),
    }
}

#[tokio::test(start_paused = true)]
async fn whole_messages_pass_both_ways_by_the_difs_profile() {
    for l2cap in [false, true] {
        let (near, far) = mailboxes(Stack {
            l2cap,
            ..Stack::default()
        })
        .await;
        for size in [1, 20, 509, 1_000, 100_000] {
            let message = vec![b'{'; size];
            let (given, taken) = tokio::join!(
                near.deliver(message.clone(), Kind::Encrypted),
                far.collect()
            );
            given.expect("goes");
            let taken = taken.expect("comes");
            assert!(taken.bytes == message);
            taken.settle.settle().await.expect("nothing to say");
            let (given, taken) = tokio::join!(
                far.deliver(message.clone(), Kind::Encrypted),
                near.collect()
            );
            given.expect("goes");
            assert!(taken.expect("comes").bytes == message);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_never_a_message_is_passed_over() {
    let (near, far) = mailboxes(Stack::default()).await;
    let sent = async {
        near.deliver(vec![0; 2 << 20], Kind::Encrypted).await?;
        near.deliver(b"{}".to_vec(), Kind::Encrypted).await
    };
    let (sent, came) = tokio::join!(sent, far.collect());
    sent.expect("goes");
    assert_eq!(came.expect("comes").bytes, b"{}");
    let nothing = near.deliver(Vec::new(), Kind::Encrypted).await;
    assert!(nothing.is_err(), "an empty message");
}

#[tokio::test]
async fn a_build_without_a_radio_says_so() {
    let ble = Ble::over(packmule_ble::radio::Missing, tags());
    let probe = ble.probe().await;
    assert!(
        !probe.ready && probe.finding.contains("--features bluer"),
        "{}",
        probe.finding
    );
    let told = ble.listen(&way("ble:hci0")).await.err();
    assert!(matches!(told, Some(OpenError::Unavailable(_))));
}
