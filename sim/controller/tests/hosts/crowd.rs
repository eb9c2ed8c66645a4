//! Several devices around one table: who sees whom, and several connections of one host at once.

use std::collections::BTreeSet;

use packmule_ble::plan;
use packmule_ble::radio::{Address, Radio};
use packmule_bus::link::{Link, LinkError, Port, Transport};
use packmule_controller::Room;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Duration, sleep, timeout};

use crate::radio::{Device, Terms};
use crate::{HEAD, Node, story};

/// What a node's driver does: lets in who comes, and dials who is seen.
fn live(node: Node) -> mpsc::UnboundedReceiver<Link> {
    let (up, links) = mpsc::unbounded_channel();
    spawn_local(async move {
        let mut door = node.listen().await;
        let mut scout = node.ble.scout(&[door.way()]).expect("it listens");
        loop {
            tokio::select! {
                port = door.accept() => if let Ok(Port::Link(link)) = port {
                    let _ = up.send(link);
                },
                seen = scout.next() => {
                    let (seen, up, ble) = (seen.expect("looks"), up.clone(), node.ble.clone());
                    spawn_local(async move {
                        if let Ok(Port::Link(link)) = ble.open(&seen).await {
                            let _ = up.send(link);
                        }
                    });
                },
            }
        }
    });
    links
}

#[test]
fn three_who_see_one_another_have_a_link_each_and_all_of_them_work_at_once() {
    for first in [1, 11, 21] {
        story(table(first));
    }
}

/// Three devices, the first of which has this number.
async fn table(first: u8) {
    let names = [first, first + 1, first + 2];
    let room = Room::new(u64::from(first));
    let terms = Terms::default();
    let mut all = names.map(|name| live(Node::new::<{ 247 + HEAD }>(&room, name, terms)));
    let mut talks = Vec::new();
    let mut kept = Vec::new();
    for (name, links) in names.into_iter().zip(&mut all) {
        for _ in 0..2 {
            let link = timeout(Duration::from_secs(300), links.recv()).await;
            let Link { mut tx, mut rx, .. } = link.expect("in time").expect("a link");
            talks.push(spawn_local(async move {
                // Long enough that all of them speak at once.
                let says = async {
                    for _ in 0..200 {
                        tx.send(vec![name; 243]).await.expect("goes");
                    }
                };
                let hears = async {
                    let mut other = 0;
                    for _ in 0..200 {
                        let pdu = rx.recv().await.expect("comes");
                        other = pdu[0];
                        assert_eq!(pdu, vec![other; 243]);
                    }
                    other
                };
                let ((), other) = tokio::join!(says, hears);
                ((name, other), (tx, rx))
            }));
        }
    }
    assert_eq!(room.connections(), 3);
    let mut pairs = BTreeSet::new();
    for talk in talks {
        let told = timeout(Duration::from_secs(300), talk).await;
        let (pair, halves) = told.expect("in time").expect("it is said and heard");
        pairs.insert(pair);
        kept.push(halves);
    }
    let [a, b, c] = names;
    assert_eq!(
        pairs,
        [(a, b), (a, c), (b, a), (b, c), (c, a), (c, b)].into()
    );
    // Long enough to look around again.
    sleep(Duration::from_secs(60)).await;
    for links in &mut all {
        assert!(
            links.try_recv().is_err(),
            "a second link to the same device"
        );
    }
}

#[test]
fn strangers_who_open_badly_are_let_go_and_alice_gets_in() {
    story(async {
        let room = Room::new(23);
        let terms = Terms::default();
        let kiosk = Node::new::<{ 247 + HEAD }>(&room, 1, terms);
        let mut door = kiosk.listen().await;
        let to = door.way();
        let to = Address(to.as_str().strip_prefix("ble:").expect("a way").to_owned());
        let mallory = Device::start::<{ 247 + HEAD }>(room.port([3; 6]), 3, terms);
        // No opening; one with a window of nothing; a grant and no piece; an empty value.
        let rude: [&[u8]; 4] = [
            b"\x00no opening",
            b"\x80\x01\x01eight of\x00\xf4\x00",
            b"\x81\x81",
            b"",
        ];
        for value in rude {
            let mut channel = mallory
                .connect(&to, &plan::OURS, true)
                .await
                .expect("connects");
            channel.tx.send(value.to_vec()).await.expect("is written");
            // The kiosk looks at its door, and finds nobody to let in.
            let waiting = timeout(Duration::from_secs(10), door.accept());
            let (came, told) = tokio::join!(waiting, channel.rx.recv());
            assert!(came.is_err(), "{value:?}");
            assert!(matches!(told, Err(LinkError::Closed)), "{value:?}");
            assert_eq!(room.connections(), 0, "{value:?}");
        }
        let alice = Node::new::<{ 247 + HEAD }>(&room, 2, terms);
        let (near, far) = alice.meet(&mut *door).await;
        crate::messages::exchange(near, far).await;
    });
}
