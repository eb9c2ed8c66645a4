//! Receipts for what came by a channel on which nothing comes back: mail.

use std::time::Duration;

use packmule_bus::link::Way;
use packmule_bus::{Envelope, EnvelopeId};
use packmule_node::{Arrival, Home, Node, OutRow, OutState, Submit};

use crate::stage::{Party, Stage, next, text};

/// What a mail brings into a home: these envelopes of somebody's outbox.
fn mailed(from: &Home, to: &Party, ids: &[EnvelopeId]) {
    let sent = ids.iter().map(|id| {
        let packed = from.outgoing(id).unwrap().unwrap();
        Envelope::from_packed(&packed).unwrap()
    });
    let envelopes: Vec<Envelope> = sent.collect();
    let arrival = Arrival {
        channel: "imap".to_owned(),
        received: 1_700_000_000,
    };
    to.home.accept_all(&envelopes, &arrival).unwrap();
}

fn outbox(party: &Party) -> Vec<OutRow> {
    party.home.outbox(None, 0, 99).unwrap()
}

async fn rises(node: &Node, id: EnvelopeId, rung: &str) {
    loop {
        if node.why(id).await.unwrap().rung == rung {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wrote_a_mail_and_asked_hears_that_it_came() {
    let stage = Stage::new();
    let (alice, bob) = (stage.party("alice"), stage.party("bob"));
    alice.knows(&bob);
    bob.knows(&alice);
    let slow = |name: &str| Way::parse(&format!("mem:{name}s?mailbox")).unwrap();
    alice.home.set_ways("bob", &[slow("bob")]).unwrap();
    let a = stage.run(&alice).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let mut words = text(&format!("mail {number}"));
        if number > 0 {
            words.please_ack = vec![String::new()];
        }
        ids.extend(a.send("bob", words, Submit::default()).await.unwrap());
        rises(&a, ids[number], "custody").await;
    }
    a.stop().await;

    // The first one asks for nothing, and nothing is told.
    bob.home.set_ways("alice", &[slow("alice")]).unwrap();
    mailed(&alice.home, &bob, &ids[..1]);
    let b = stage.run(&bob).await;
    assert_eq!(next(&b).await, "mail 0");
    b.stop().await;
    assert_eq!(outbox(&bob).len(), 0);

    // The others do.
    mailed(&alice.home, &bob, &ids[1..]);
    let b = stage.run(&bob).await;
    assert_eq!(next(&b).await, "mail 1");
    assert_eq!(next(&b).await, "mail 2");
    let told: Vec<EnvelopeId> = outbox(&bob).iter().map(|row| row.id).collect();
    assert_eq!(told.len(), 2);
    for id in &told {
        rises(&b, *id, "custody").await;
    }
    b.stop().await;

    // She hears it, her node too, and tells nobody that she has heard.
    mailed(&bob.home, &alice, &told);
    let a = stage.run(&alice).await;
    for id in &ids[1..] {
        rises(&a, *id, "delivered").await;
    }
    assert_eq!(a.why(ids[0]).await.unwrap().rung, "custody");
    a.stop().await;
    let rows = outbox(&alice);
    let states: Vec<OutState> = rows.iter().map(|row| row.state).collect();
    let has = OutState::Acknowledged;
    assert_eq!(states, [OutState::Sent, has, has]);
}
