//! Nodes that meet by themselves, and strangers who speak the DIF's profile, over an air in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail the test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use packmule_ble::advert::{Advert, LIFE, LIFE_SPREAD};
use packmule_ble::air::{Air, Device, Stack};
use packmule_ble::plan::{self, Service};
use packmule_ble::radio::{Address, Channel, Offer, Peripheral, Radio, Scan};
use packmule_ble::{Ble, tags};
use packmule_bus::Kind;
use packmule_bus::link::{
    BoxFut, Link, LinkError, Mailbox, OpenError, Port, Probe, Transport, Way,
};
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
            let taken = async {
                let taken = far.collect().await.expect("comes");
                taken.settle.settle().await.expect("told");
                taken.bytes
            };
            let (given, taken) =
                tokio::join!(near.deliver(message.clone(), Kind::Encrypted), taken);
            given.expect("goes");
            assert!(taken == message);
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
async fn a_message_that_is_too_long_is_refused() {
    let (near, far) = mailboxes(Stack::default()).await;
    let came = async {
        let came = far.collect().await?;
        came.settle.settle().await?;
        Ok::<_, LinkError>(came.bytes)
    };
    let sent = async {
        let nothing = near.deliver(Vec::new(), Kind::Encrypted).await;
        assert!(nothing.is_err(), "an empty message");
        near.deliver(b"{}".to_vec(), Kind::Encrypted).await?;
        // Whoever writes this hears that it was not taken.
        let long = near.deliver(vec![0; 2 << 20], Kind::Encrypted).await;
        assert!(long.is_err(), "a message that is too long");
        Ok::<_, LinkError>(())
    };
    let over = async {
        assert_eq!(came.await.expect("comes"), b"{}");
        let over = far.collect().await.map(|one| one.bytes);
        assert!(matches!(over, Err(LinkError::Closed)), "{over:?}");
    };
    let (sent, ()) = tokio::join!(sent, over);
    sent.expect("goes");
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

#[tokio::test(start_paused = true)]
async fn a_channel_that_opens_and_carries_nothing_gives_way_to_values() {
    for mute in [false, true] {
        let air = Air::new(Stack {
            l2cap: true,
            mute,
            ..Stack::default()
        });
        let kiosk = Ble::over(air.device("kiosk"), tags());
        let alice = Ble::over(air.device("alice"), tags());
        let mut door = kiosk.listen(&way("ble:any")).await.expect("listens");
        let at = door.way();
        let (Ok(Port::Link(mut near)), Ok(Port::Link(mut far))) =
            tokio::join!(alice.open(&at), door.accept())
        else {
            panic!("they did not meet")
        };
        assert_eq!(
            near.facts.mtu < 512,
            mute,
            "by values, if the channel is mute"
        );
        near.tx.send(b"hello".to_vec()).await.expect("goes");
        assert_eq!(far.rx.recv().await.expect("comes"), b"hello");
    }
}

#[tokio::test(start_paused = true)]
async fn a_way_that_says_gatt_is_opened_by_values() {
    let air = Air::new(Stack {
        l2cap: true,
        ..Stack::default()
    });
    let kiosk = Ble::over(air.device("kiosk"), tags());
    let alice = Ble::over(air.device("alice"), tags());
    let mut door = kiosk.listen(&way("ble:any")).await.expect("listens");
    let at = way(&format!("{}?gatt", door.way()));
    let (Ok(Port::Link(near)), Ok(Port::Link(_))) = tokio::join!(alice.open(&at), door.accept())
    else {
        panic!("they did not meet")
    };
    assert!(near.facts.mtu < 512, "{:?}", near.facts);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_connects_and_says_nothing_is_let_go() {
    let air = Air::new(Stack::default());
    let kiosk = Ble::over(air.device("kiosk"), tags());
    let mut door = kiosk.listen(&way("ble:any")).await.expect("listens");
    let mallory = air.device("mallory");
    let to = Address("kiosk".to_owned());
    let silent = mallory.connect(&to, &plan::OURS, true).await;
    let mut silent = silent.expect("connects");
    let nobody = timeout(Duration::from_secs(100), door.accept()).await;
    assert!(nobody.is_err(), "mallory said nothing");
    assert!(matches!(silent.rx.recv().await, Err(LinkError::Closed)));
}

/// What is to be seen of the kiosk.
async fn shown(air: &Air) -> Advert {
    let mut scan = air.device("eye").scan().await.expect("scans");
    let seen = scan.next().await.expect("seen");
    Advert::read(&seen.data).expect("an advertisement")
}

#[tokio::test(start_paused = true)]
async fn who_only_listens_says_so_and_has_another_tag_after_a_while() {
    let air = Air::new(Stack::default());
    let kiosk = Ble::over(air.device("kiosk"), tags());
    let mut door = kiosk.listen(&way("ble:any")).await.expect("listens");
    tokio::spawn(async move { door.accept().await.map(|_| ()) });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let first = shown(&air).await;
    assert!(!first.dials, "nobody looks out");
    tokio::time::sleep(LIFE + LIFE_SPREAD + Duration::from_secs(60)).await;
    let second = shown(&air).await;
    assert_ne!(first.tag, second.tag);
    assert!(!second.dials);
}

/// A radio that cannot show anything else for a while.
struct Stubborn(Device, Arc<AtomicBool>);

impl Radio for Stubborn {
    fn probe(&self) -> BoxFut<'_, Probe> {
        self.0.probe()
    }

    fn serve<'a>(
        &'a self,
        adapter: &'a str,
        offer: &'a Offer,
    ) -> BoxFut<'a, Result<Box<dyn Peripheral>, OpenError>> {
        self.0.serve(adapter, offer)
    }

    fn show<'a>(&'a self, advert: &'a Advert) -> BoxFut<'a, Result<(), OpenError>> {
        if self.1.load(Ordering::SeqCst) {
            let why = "all advertisements are taken".to_owned();
            return Box::pin(async { Err(OpenError::NoAnswer(why)) });
        }
        self.0.show(advert)
    }

    fn scan(&self) -> BoxFut<'_, Result<Box<dyn Scan>, OpenError>> {
        self.0.scan()
    }

    fn connect<'a>(
        &'a self,
        to: &'a Address,
        service: &'static Service,
        l2cap: bool,
    ) -> BoxFut<'a, Result<Channel, OpenError>> {
        self.0.connect(to, service, l2cap)
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_could_not_be_shown_is_shown_later() {
    let air = Air::new(Stack::default());
    let fails = Arc::new(AtomicBool::new(false));
    let radio = Stubborn(air.device("kiosk"), Arc::clone(&fails));
    let kiosk = Ble::over(radio, tags());
    let door = kiosk.listen(&way("ble:any")).await.expect("listens");
    let mut scout = kiosk.scout(&[door.way()]).expect("it listens");
    let first = shown(&air).await;
    fails.store(true, Ordering::SeqCst);
    let told = timeout(2 * (LIFE + LIFE_SPREAD), scout.next()).await;
    assert!(matches!(told, Ok(Err(OpenError::NoAnswer(_)))));
    assert_eq!(shown(&air).await, first);
    fails.store(false, Ordering::SeqCst);
    let quiet = timeout(Duration::from_secs(1), scout.next()).await;
    assert!(quiet.is_err(), "nobody is there to be dialled");
    assert_ne!(shown(&air).await.tag, first.tag);
}
