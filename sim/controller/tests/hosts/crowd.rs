//! Several devices around one table: who sees whom, and several connections of one host at once.

use std::collections::BTreeSet;

use packmule_bus::link::{Link, Port, Transport};
use packmule_controller::Room;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Duration, timeout};

use crate::radio::Terms;
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
    story(async {
        let room = Room::new(17);
        let terms = Terms::default();
        let mut all = [
            live(Node::new::<{ 247 + HEAD }>(&room, 1, terms)),
            live(Node::new::<{ 247 + HEAD }>(&room, 2, terms)),
            live(Node::new::<{ 247 + HEAD }>(&room, 3, terms)),
        ];
        let mut talks = Vec::new();
        let mut kept = Vec::new();
        for (name, links) in (1_u8..).zip(&mut all) {
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
        assert_eq!(
            pairs,
            [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)].into()
        );
        for links in &mut all {
            let more = timeout(Duration::from_secs(200), links.recv()).await;
            assert!(more.is_err(), "a second link to the same device");
        }
    });
}
