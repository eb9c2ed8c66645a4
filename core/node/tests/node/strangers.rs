//! Whether what is carried for strangers is handed to the endpoints that their DIDs name.

use std::time::Duration;

use packmule_agent::did::Service;
use packmule_bus::link::Way;
use packmule_node::control::EventLine;
use packmule_node::{Node, NodeConfig, Seek, Submit};

use crate::stage::{Party, Stage, next, text, until};

const DOOR: &str = "mem:bobs?mailbox";

fn seeking(seek: Seek) -> NodeConfig {
    NodeConfig {
        seek,
        ..NodeConfig::default()
    }
}

/// Alice asks no endpoints, and meets the kiosk, which does not know bob; the kiosk carries it.
async fn carried(stage: &Stage, seek: Seek) -> (Party, Node, Party) {
    let (alice, kiosk) = (stage.party("alice"), stage.party("kiosk"));
    let bob = stage.party_at("bob", &[Service::didcomm(DOOR)]);
    alice.meets(&kiosk);
    let a = stage.run_with(&alice, seeking(Seek::Nobody)).await;
    let k = stage.run_with(&kiosk, seeking(seek)).await;
    let mut told = k.events();
    let records = a.desk().records(
        &bob.did.did,
        text("by kiosk"),
        packmule_node::desk::Protection::Anon,
    );
    let packed = records.unwrap().remove(0).packed;
    let sent = a.submit(packed, &bob.did.did, Submit::default()).await;
    a.send("kiosk", text("please"), Submit::default())
        .await
        .unwrap();
    until(&mut told, |event| {
        matches!(event, EventLine::Carrying { .. })
    })
    .await;
    let next = a.why(sent.unwrap()).await.unwrap().next;
    assert!(!format!("{next:?}").contains(DOOR), "{next:?}");
    a.stop().await;
    (kiosk, k, bob)
}

async fn collecting(stage: &Stage, bob: &Party) -> Node {
    let mut config = NodeConfig::default();
    config.listen.push(Way::parse(DOOR).unwrap());
    stage.run_with(bob, config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_carried_goes_on_by_the_recipients_endpoint_where_that_is_wanted() {
    let stage = Stage::new();
    let (_, _k, bob) = carried(&stage, Seek::Everybody).await;
    let b = collecting(&stage, &bob).await;
    assert_eq!(next(&b).await, "by kiosk");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_itself_a_node_asks_no_strangers_endpoint_and_after_a_restart_it_may() {
    let stage = Stage::new();
    let (kiosk, k, bob) = carried(&stage, Seek::Own).await;
    let b = collecting(&stage, &bob).await;
    let nothing = tokio::time::timeout(Duration::from_millis(500), b.receive()).await;
    assert!(nothing.is_err(), "nobody wanted that");
    k.stop().await;
    let _k = stage.run_with(&kiosk, seeking(Seek::Everybody)).await;
    assert_eq!(next(&b).await, "by kiosk");
}
