//! The suite that every transport passes, over an air in memory with the faults of real stacks.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use packmule_ble::air::{Air, Device, Stack};
use packmule_ble::radio::{Address, Radio};
use packmule_ble::{Ble, plan};
use packmule_bus::link::{Link, LinkError, OpenError, Port, Transport, Way};
use packmule_conformance::links;

async fn meet(stack: Stack) -> (Air, Link, Link) {
    let air = Air::new(stack);
    let kiosk = Ble::over(air.device("kiosk"), Box::new(|| *b"kiosk is"));
    let alice = Ble::over(air.device("alice"), Box::new(|| *b"alice is"));
    let at = Way::parse("ble:any").expect("a way");
    let mut door = kiosk.listen(&at).await.expect("listens");
    assert_eq!(door.way().as_str(), "ble:kiosk");
    let way = door.way();
    match tokio::join!(alice.open(&way), door.accept()) {
        (Ok(Port::Link(near)), Ok(Port::Link(far))) => (air, near, far),
        _ => panic!("they did not meet"),
    }
}

async fn passes(stack: Stack) {
    let fresh = async || {
        let (_, near, far) = meet(stack).await;
        (near, far)
    };
    if let Err(broken) = links(fresh).await {
        panic!("{stack:?}: {broken}");
    }
}

fn of_mtu(mtu: usize) -> Stack {
    Stack {
        central_mtu: mtu,
        peripheral_mtu: mtu,
        ..Stack::default()
    }
}

#[tokio::test(start_paused = true)]
async fn links_at_the_least_mtu() {
    passes(of_mtu(23)).await;
}

#[tokio::test(start_paused = true)]
async fn links_at_every_usual_mtu() {
    for mtu in [24, 185, 247, 517] {
        passes(of_mtu(mtu)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn links_over_bearers_that_overtake_one_another() {
    for mtu in [23, 185, 517] {
        for bearers in [3, 5] {
            let seed = mtu as u64;
            passes(Stack {
                bearers,
                seed,
                ..of_mtu(mtu)
            })
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn links_of_which_each_side_knows_another_mtu() {
    passes(Stack {
        central_mtu: 517,
        peripheral_mtu: 185,
        room: 1,
        ..Stack::default()
    })
    .await;
    passes(Stack {
        central_mtu: 23,
        peripheral_mtu: 512,
        bearers: 3,
        ..Stack::default()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn links_over_l2cap() {
    passes(Stack {
        l2cap: true,
        ..Stack::default()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_cut_ends_at_both_ends_and_what_came_can_be_read() {
    for mtu in [23, 247] {
        let (air, mut alice, mut kiosk) = meet(of_mtu(mtu)).await;
        alice.tx.send(b"before".to_vec()).await.expect("taken");
        assert_eq!(kiosk.rx.recv().await.expect("came"), b"before");
        alice.tx.send(b"just before".to_vec()).await.expect("taken");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        air.cut();
        assert_eq!(kiosk.rx.recv().await.expect("came"), b"just before");
        for _ in 0..3 {
            assert!(matches!(kiosk.rx.recv().await, Err(LinkError::Closed)));
            assert!(matches!(alice.rx.recv().await, Err(LinkError::Closed)));
            let sent = alice.tx.send(b"after".to_vec()).await;
            assert!(matches!(sent, Err(LinkError::Closed)), "{sent:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_crowd_does_not_keep_alice_out() {
    let air = Air::new(Stack::default());
    let kiosk = Ble::over(air.device("kiosk"), Box::new(|| *b"kiosk is"));
    let at = Way::parse("ble:any").expect("a way");
    let mut door = kiosk.listen(&at).await.expect("listens");
    let mallory: Device = air.device("mallory");
    let mut crowd = Vec::new();
    for n in 0..50 {
        let to = Address("kiosk".to_owned());
        let mut channel = mallory
            .connect(&to, &plan::OURS, true)
            .await
            .expect("connects");
        if n % 2 == 0 {
            let rude = channel.tx.send(b"\x00no opening".to_vec()).await;
            assert!(rude.is_ok());
        }
        crowd.push(channel);
        // The kiosk looks at its door, and finds nobody to let in.
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(1), door.accept());
        assert!(waiting.await.is_err());
    }
    let way = door.way();
    let alice = Ble::over(air.device("alice"), Box::new(|| *b"alice is"));
    let (near, far) = tokio::join!(alice.open(&way), door.accept());
    assert!(matches!(
        (near, far),
        (Ok(Port::Link(_)), Ok(Port::Link(_)))
    ));
    // What the rude ones hear is that they are no longer connected.
    let mut rude = crowd.swap_remove(0);
    assert!(matches!(rude.rx.recv().await, Err(LinkError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_left_is_not_seen_and_not_reached() {
    let air = Air::new(Stack::default());
    let kiosk = Ble::over(air.device("kiosk"), Box::new(|| *b"kiosk is"));
    let at = Way::parse("ble:any").expect("a way");
    let door = kiosk.listen(&at).await.expect("listens");
    let alice = air.device("alice");
    let mut scan = alice.scan().await.expect("scans");
    let seen = scan.next().await.expect("seen");
    assert_eq!(seen.address, Address("kiosk".to_owned()));
    assert_eq!(seen.data, b"\x11kiosk is");
    assert!(kiosk.listen(&at).await.is_err(), "one door a device");
    drop(door);
    let alice = Ble::over(alice, Box::new(|| *b"alice is"));
    let way = Way::parse("ble:kiosk").expect("a way");
    assert!(matches!(
        alice.open(&way).await,
        Err(OpenError::NoAnswer(_))
    ));
    assert!(kiosk.listen(&at).await.is_ok());
}
