//! Neighbours find each other by multicast DNS, in a network that holds only this test.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use packmule_bus::link::{Port, Scout, Transport, Way};
use packmule_places::on_a_lan;
use packmule_tcp::Tcp;
use tokio::time::timeout;

/// Runs `story` in a network of its own.
fn alone(test: &str, story: impl Future<Output = ()>) {
    on_a_lan(test, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(story);
    });
}

fn scout(ways: &[Way]) -> Box<dyn Scout> {
    Tcp.scout(ways).expect("TCP looks for neighbours")
}

async fn next(scout: &mut dyn Scout) -> Way {
    let found = timeout(Duration::from_secs(60), scout.next()).await;
    found.expect("nobody was found in a minute").expect("found")
}

fn port(way: &Way) -> u16 {
    let port = way.as_str().rsplit_once(':').map(|(_, port)| port.parse());
    port.expect("a port").expect("a number")
}

#[test]
fn two_strangers_find_each_other_and_not_themselves() {
    alone("two_strangers_find_each_other_and_not_themselves", async {
        let any = Way::parse("tcp://0.0.0.0:0").expect("a way");
        let mut kiosk = Tcp.listen(&any).await.expect("listens");
        let alice = Tcp.listen(&any).await.expect("listens");
        let mut from_kiosk = scout(&[kiosk.way()]);
        let mut from_alice = scout(&[alice.way()]);
        let way = next(&mut *from_alice).await;
        assert_eq!(port(&way), port(&kiosk.way()));
        assert_eq!(port(&next(&mut *from_kiosk).await), port(&alice.way()));
        // What was found can be dialled.
        let (near, far) = tokio::join!(Tcp.open(&way), kiosk.accept());
        let (Ok(Port::Link(mut near)), Ok(Port::Link(mut far))) = (near, far) else {
            panic!("{way} did not open");
        };
        near.tx.send(b"hello".to_vec()).await.expect("sent");
        assert_eq!(far.rx.recv().await.expect("comes"), b"hello");
        // A third one hears of both, by then; nobody hears of itself.
        let mut from_bob = scout(&[]);
        let both = BTreeSet::from([port(&kiosk.way()), port(&alice.way())]);
        let mut heard = BTreeSet::new();
        while heard != both {
            heard.insert(port(&next(&mut *from_bob).await));
        }
        for (own, scout) in [
            (&kiosk.way(), &mut from_kiosk),
            (&alice.way(), &mut from_alice),
        ] {
            while let Ok(found) = timeout(Duration::from_secs(1), scout.next()).await {
                assert_ne!(port(&found.expect("found")), port(own), "found itself");
            }
        }
    });
}

#[test]
fn an_announcement_says_nothing_about_anybody() {
    alone("an_announcement_says_nothing_about_anybody", async {
        let any = Way::parse("tcp://0.0.0.0:0").expect("a way");
        let kiosk = Tcp.listen(&any).await.expect("listens");
        let _announced = scout(&[kiosk.way()]);
        let mallory = mdns_sd::ServiceDaemon::new().expect("a daemon");
        let events = mallory.browse("_didcomm._tcp.local.").expect("browses");
        let heard = async {
            loop {
                if let Ok(mdns_sd::ServiceEvent::ServiceResolved(service)) =
                    events.recv_async().await
                {
                    return service;
                }
            }
        };
        let heard = timeout(Duration::from_secs(60), heard).await;
        let heard = heard.expect("nobody was found in a minute");
        let (name, rest) = heard.fullname.split_once('.').expect("a name");
        assert_eq!(rest, "_didcomm._tcp.local.");
        assert!(name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(heard.host, format!("{name}.local."));
        let txt: Vec<String> = heard
            .txt_properties
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(txt, ["pm=1"]);
        assert_eq!(heard.port, port(&kiosk.way()));
    });
}
