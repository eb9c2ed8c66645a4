//! Messages to people behind mediators, who open what is wrapped for them.

use packmule_agent::did::Service;
use packmule_agent::protocol::routing;
use packmule_bus::Envelope;
use packmule_bus::link::Way;
use packmule_node::control::EventLine;
use packmule_node::desk::{Desk, Protection};
use packmule_node::{Node, NodeConfig, Submit};

use crate::stage::{Party, Stage, next, text, until};

/// Where the cloud collects.
const CLOUD: &str = "mem:cloud?mailbox";

fn behind(uri: &str, keys: &[&Party]) -> Service {
    Service {
        routing_keys: keys.iter().map(|party| party.did.did.clone()).collect(),
        ..Service::didcomm(uri)
    }
}

async fn collecting(stage: &Stage, cloud: &Party) -> Node {
    let mut config = NodeConfig::default();
    config.listen.push(Way::parse(CLOUD).unwrap());
    stage.run_with(cloud, config).await
}

/// What a mediator finds in the next message: for whom, and what.
async fn forwarded(mediator: &Node) -> (String, Vec<u8>) {
    let received = mediator.receive().await.unwrap();
    assert_eq!(received.sender, None, "nobody learns from whom it is");
    let mut forward = routing::read(&received.message).unwrap();
    received.done().await.unwrap();
    (forward.next, forward.packed.remove(0))
}

/// As a mediator would: on to the next one, here straight into its home.
fn opened_by(party: &Party, packed: &[u8]) -> packmule_agent::Message {
    let keys = party.home.unlock(b"mules never forget").unwrap();
    let desk = Desk::with_keys(party.home.clone(), keys).unwrap();
    desk.open(packed).unwrap().message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_bob_goes_to_the_mediator_that_his_document_names() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    let cloud = stage.party_at("cloud", &[Service::didcomm(CLOUD)]);
    let bob = stage.party_at("bob", &[Service::didcomm(&cloud.did.did)]);
    alice.knows(&bob);
    let (a, c) = (stage.run(&alice).await, collecting(&stage, &cloud).await);
    let mut told = a.events();
    let sent = a.send("bob", text("hi"), Submit::default()).await.unwrap();
    let (whom, packed) = forwarded(&c).await;
    assert_eq!(whom, bob.did.did);
    let envelope = Envelope::from_packed(&packed).unwrap();
    assert_eq!(envelope.id(), sent[0], "wrapped or not, it has its name");
    let message = opened_by(&bob, &packed);
    assert_eq!(message.from.as_deref(), Some(alice.did.did.as_str()));
    until(
        &mut told,
        |event| matches!(event, EventLine::Progress { rung, .. } if rung == "custody"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_routing_key_is_a_layer_and_two_behind_one_mediator_are_told_apart() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    let (cloud, kiosk) = (stage.party("cloud"), stage.party("kiosk"));
    let bob = stage.party_at("bob", &[behind(CLOUD, &[&cloud, &kiosk])]);
    let carol = stage.party_at("carol", &[behind(CLOUD, &[&cloud])]);
    alice.knows(&bob);
    alice.knows(&carol);
    let (a, c) = (stage.run(&alice).await, collecting(&stage, &cloud).await);
    a.send("bob", text("far"), Submit::default()).await.unwrap();
    let (whom, packed) = forwarded(&c).await;
    assert_eq!(whom, kiosk.did.did);
    let inner = routing::read(&opened_by(&kiosk, &packed)).unwrap();
    assert_eq!(inner.next, bob.did.did);
    assert_eq!(opened_by(&bob, &inner.packed[0]).body, text("far").body);

    let near = Submit::default();
    a.send("carol", text("near"), near).await.unwrap();
    let (whom, packed) = forwarded(&c).await;
    assert_eq!(whom, carol.did.did);
    assert_eq!(opened_by(&carol, &packed).body, text("near").body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_mediator_gets_it_wrapped_too() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    let cloud = stage.party_at("cloud", &[Service::didcomm(CLOUD)]);
    let bob = stage.party_at("bob", &[Service::didcomm(&cloud.did.did)]);
    let (a, c) = (stage.run(&alice).await, collecting(&stage, &cloud).await);
    let records = a.desk().records(&bob.did.did, text("hi"), Protection::Anon);
    let packed = records.unwrap().remove(0).packed;
    let sent = a.submit(packed, &bob.did.did, Submit::default()).await;
    let (whom, packed) = forwarded(&c).await;
    assert_eq!(whom, bob.did.did);
    let envelope = Envelope::from_packed(&packed).unwrap();
    assert_eq!(envelope.id(), sent.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_met_gets_it_bare_and_a_mediators_document_may_come_later() {
    let stage = Stage::new();
    let alice = stage.party("alice");
    // Nobody knows the second mediator's document.
    let service = Service {
        routing_keys: vec!["did:web:kiosk.example".to_owned()],
        ..Service::didcomm(CLOUD)
    };
    let bob = stage.party_at("bob", &[service]);
    alice.knows(&bob);
    let cloud = stage.party("cloud");
    let (a, _c) = (stage.run(&alice).await, collecting(&stage, &cloud).await);
    let sent = a.send("bob", text("hi"), Submit::default()).await.unwrap();
    // The driver has tried by the time that it says so.
    let waits = async {
        while !(a.why(sent[0]).await.unwrap().next.iter()).any(|next| next.contains("failures)")) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let tried = tokio::time::timeout(std::time::Duration::from_secs(20), waits);
    tried.await.expect("it is tried again, later");
    bob.meets(&alice);
    let b = stage.run(&bob).await;
    b.send("alice", text("here I am"), Submit::default())
        .await
        .unwrap();
    assert_eq!(next(&b).await, "hi");
}
