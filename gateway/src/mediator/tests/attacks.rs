//! Mallory: what she tries, and what she gets.

use std::time::Duration;

use packmule_agent::did::Method;
use packmule_agent::message::Message;
use packmule_agent::protocol::mediation::{self, Change, Outcome, Version as Mediation};
use packmule_agent::protocol::{pickup, report_problem, routing, trust_ping};
use packmule_agent::resolve::DocBook;
use serde_json::json;

use super::stage::{Cloud, Person, code, forwarded, words};
use crate::mediator::{Count, MAX_NESTED, Policy, Trouble, Via, Visit};
use crate::store::{Limits, MailboxStore};

fn cast() -> (Cloud, Person, Person) {
    let (alice, mallory) = (Person::new(Method::Peer2), Person::new(Method::Key));
    (Cloud::new(), alice, mallory)
}

#[tokio::test]
async fn mallory_is_not_alice_whatever_her_messages_say() {
    let (cloud, alice, mallory) = cast();
    cloud.grants(&alice).await;
    cloud
        .hears(&forwarded(
            &words(&mallory, &alice, "hi"),
            &alice.did,
            &cloud,
        ))
        .await;
    let mut ask = pickup::delivery_request(pickup::Version::V3, 10, None);
    ask.from = Some(alice.did.clone());
    ask.to = vec![cloud.did().to_owned()];
    // Anonymous encryption with alice's name in it: what other mediators have answered.
    let heard = cloud
        .hears(&mallory.pack_as_is(&ask, cloud.did(), false))
        .await;
    assert!(heard.replies.is_empty() && heard.live.is_none());
    assert_eq!(cloud.mediator.counts().of(Count::Anonymous), 1);
    // Her own key with alice's name: the packer refuses it, and so does opening.
    let ours = mallory.pack(ask.clone(), cloud.did());
    assert_eq!(
        cloud.opened(&ours).unwrap().opened.sender.as_deref(),
        Some(mallory.did.as_str())
    );
    // Plain text, as it is.
    let heard = cloud.hears(&ask.to_json()).await;
    assert!(heard.replies.is_empty() && heard.for_us.is_none());
    assert_eq!(heard.trouble, Some(Trouble::Malformed));
}

#[tokio::test]
async fn only_a_forward_may_be_from_nobody() {
    let (cloud, alice, mallory) = cast();
    for message in [
        mediation::request(Mediation::V3),
        mediation::update(Mediation::V3, &[Change::add(&alice.did)]),
        mediation::query(Mediation::V2, None),
        pickup::status_request(pickup::Version::V4, Some(&alice.did)),
        pickup::live(pickup::Version::V3, true),
        trust_ping::ping(true),
        Message::new("https://example.org/any/1.0/thing"),
    ] {
        let heard = cloud
            .hears(&mallory.pack_as_is(&message, cloud.did(), false))
            .await;
        assert!(
            heard.replies.is_empty() && heard.for_us.is_none(),
            "{}",
            message.type_uri
        );
    }
    let broken = Message::new("https://didcomm.org/routing/2.0/forward");
    let heard = cloud
        .hears(&mallory.pack_as_is(&broken, cloud.did(), false))
        .await;
    assert!(heard.replies.is_empty());
    assert_eq!(heard.trouble, Some(Trouble::Malformed));
    assert_eq!(cloud.shelf.totals().await.unwrap().accounts, 0);
}

#[tokio::test]
async fn who_brings_a_message_first_does_not_end_or_delay_it_for_alice() {
    let (mut cloud, alice, bob) = cast();
    cloud.grants(&alice).await;
    // Mallory has seen it on a stick; it comes from her first.
    for (packed, hers, waiting) in [
        (words(&bob, &alice, "short"), ("expires_time", 1), 1),
        (words(&bob, &alice, "late"), ("delay_milli", 86_400_000), 2),
    ] {
        let honest = routing::forward(&alice.did, &packed).unwrap();
        let mut first = honest.clone();
        match hers {
            ("expires_time", after) => first.expires_time = Some(cloud.now.as_secs() + after),
            (name, value) => drop(first.extra.insert(name.to_owned(), json!(value))),
        }
        let by = |forward| Person::new(Method::Key).pack_as_is(forward, cloud.did(), false);
        let (first, second) = (by(&first), by(&honest));
        assert_eq!(cloud.hears(&first).await.stored.len(), 1);
        cloud.now = cloud.now + Duration::from_secs(2);
        let heard = cloud.hears(&second).await;
        assert_eq!(heard.stored.len(), 1, "whoever listens is to be given it");
        assert_eq!(cloud.count(&alice).await, waiting);
    }
    assert_eq!(cloud.delivers(&alice, 9).await.len(), 2);
}

#[tokio::test]
async fn mallory_does_not_get_at_alices_queue() {
    let (cloud, alice, mallory) = cast();
    cloud.grants(&alice).await;
    cloud.grants(&mallory).await;
    let phone = "did:example:phone";
    cloud.updates(&alice, &[Change::add(phone)]).await;
    for next in [alice.did.as_str(), phone] {
        let packed = words(&mallory, &alice, next);
        cloud.hears(&forwarded(&packed, next, &cloud)).await;
    }
    for did in [alice.did.as_str(), phone, "did:example:nobody", "rubbish"] {
        let status = pickup::status_request(pickup::Version::V3, Some(did));
        let fetch = pickup::delivery_request(pickup::Version::V4, 10, Some(did));
        for ask in [status, fetch] {
            assert_eq!(
                cloud.problem(&mallory, ask).await,
                "e.m.trust",
                "{did}: all the same"
            );
        }
    }
    let ids: Vec<String> = cloud
        .delivers(&alice, 9)
        .await
        .into_iter()
        .map(|one| one.0)
        .collect();
    assert_eq!(ids.len(), 2);
    cloud
        .asked(&mallory, pickup::received(pickup::Version::V3, &ids))
        .await;
    assert_eq!(
        cloud.count(&alice).await,
        2,
        "her word deletes nothing of alice's"
    );
    assert_eq!(cloud.count(&mallory).await, 0);
    // A binding that alice takes back leaves her what came before.
    cloud.updates(&alice, &[Change::remove(phone)]).await;
    let ask = pickup::status_request(pickup::Version::V3, Some(phone));
    let answer = cloud.asked(&alice, ask).await;
    assert!(pickup::read_answer(&answer).is_some());
}

#[tokio::test]
async fn mallory_registers_nobody_elses_did() {
    let (cloud, alice, mallory) = cast();
    let bob = Person::new(Method::Key);
    cloud.grants(&alice).await;
    cloud.grants(&mallory).await;
    cloud
        .updates(&alice, &[Change::add("did:example:phone")])
        .await;
    let own = format!("{}#key-1", cloud.did());
    let long = format!("did:example:{}", "x".repeat(2049));
    let tried = [
        Change::add(&alice.did),
        Change::add("did:example:phone"),
        Change::remove("did:example:phone"),
        Change::add(cloud.did()),
        Change::add(&own),
        Change::add("phone"),
        Change::add(&long),
        Change {
            did: "did:example:y".to_owned(),
            action: mediation::Action::Unknown("take".into()),
        },
    ];
    assert_eq!(
        cloud.updates(&mallory, &tried).await,
        [Outcome::ClientError; 8]
    );
    // She is first with bob's, whom nobody knows yet. He comes, and it is his.
    assert_eq!(
        cloud.updates(&mallory, &[Change::add(&bob.did)]).await,
        [Outcome::Success]
    );
    let status = pickup::status_request(pickup::Version::V3, None);
    assert_eq!(
        cloud.problem(&bob, status).await,
        "e.m.req.no-account",
        "not her queue"
    );
    cloud.grants(&bob).await;
    cloud
        .hears(&forwarded(&words(&alice, &bob, "yours"), &bob.did, &cloud))
        .await;
    assert_eq!(
        (cloud.count(&bob).await, cloud.count(&mallory).await),
        (1, 0)
    );
}

#[tokio::test]
async fn ten_thousand_registrations_are_refused() {
    let (cloud, _, mallory) = cast();
    cloud.grants(&mallory).await;
    let flood: Vec<Change> = (0..10_000)
        .map(|n| Change::add(&format!("did:x:{n}")))
        .collect();
    let ask = mediation::update(Mediation::V3, &flood);
    assert_eq!(
        cloud.problem(&mallory, ask).await,
        "e.m.me.res",
        "nothing is done in part"
    );
    assert_eq!(cloud.shelf.totals().await.unwrap().bindings, 0);
    let told = cloud.updates(&mallory, &flood[..1000]).await;
    let most = usize::try_from(Limits::default().bindings).unwrap();
    assert!(told[..most].iter().all(|one| *one == Outcome::Success));
    assert!(told[most..].iter().all(|one| *one == Outcome::ServerError));
    // And what she is told of them fits into a message that every library opens.
    let names: Vec<Change> = (0..256)
        .map(|n| Change::remove(&format!("did:x:{n}")))
        .collect();
    cloud.updates(&mallory, &names).await;
    let name = |n| format!("did:x:{n}{}", "y".repeat(2000));
    let long: Vec<Change> = (0..256).map(|n| Change::add(&name(n))).collect();
    for part in long.chunks(64) {
        cloud.updates(&mallory, part).await;
    }
    let mut query = mediation::query(Mediation::V3, None);
    query.from = Some(mallory.did.clone());
    let heard = cloud.hears(&mallory.pack(query, cloud.did())).await;
    let jwe = cloud
        .person
        .pack_as_is(&heard.replies[0], &mallory.did, true);
    assert!(jwe.len() <= 256_000, "{}", jwe.len());
    let Some(mediation::Answer::Listed(part)) = mediation::read_answer(&heard.replies[0]) else {
        panic!()
    };
    assert_eq!(part.dids.len() + part.remaining as usize, 256);
}

#[tokio::test]
async fn a_bomb_of_forwards_is_opened_so_far_and_no_further() {
    let (cloud, alice, mallory) = cast();
    cloud.grants(&alice).await;
    // A thousand messages in one.
    let mut bomb = routing::forward(&alice.did, b"{\"ciphertext\":\"0\"}").unwrap();
    let one = bomb.attachments[0].clone();
    bomb.attachments = vec![one; 1000];
    let heard = cloud
        .hears(&mallory.pack_as_is(&bomb, cloud.did(), false))
        .await;
    assert_eq!(
        (heard.stored.len(), heard.trouble),
        (0, Some(Trouble::TooLarge))
    );
    // A hundred times the same is one.
    bomb.attachments.truncate(100);
    let heard = cloud
        .hears(&mallory.pack_as_is(&bomb, cloud.did(), false))
        .await;
    assert_eq!(heard.stored.len(), 1);
    assert_eq!(cloud.mediator.counts().of(Count::Duplicate), 99);
    // Forwards to cloud inside each other.
    let keys = vec![cloud.did().to_owned(); 6];
    let mut layers = vec![
        routing::wrap(
            b"{\"ciphertext\":\"1\"}",
            &alice.did,
            &keys,
            &DocBook::new(),
        )
        .unwrap(),
    ];
    let mut opened = 0;
    let mut visit = Visit::by(Via::Http);
    while let Some(packed) = layers.pop() {
        let heard = cloud.hears_by(&packed, &visit).await;
        layers = heard.inner;
        visit.nested += 1;
        opened += 1;
    }
    assert_eq!(opened, u32::from(MAX_NESTED) + 1);
    // One that some senders make by mistake arrives.
    let keys = &keys[..2];
    let twice =
        routing::wrap(b"{\"ciphertext\":\"2\"}", &alice.did, keys, &DocBook::new()).unwrap();
    let heard = cloud.hears(&twice).await;
    let visit = Visit {
        nested: 1,
        ..Visit::by(Via::Http)
    };
    let heard = cloud.hears_by(&heard.inner[0], &visit).await;
    assert_eq!(heard.stored.len(), 1);
    // And what goes in circles between mediators ends.
    let mut round = routing::forward(&alice.did, b"{\"ciphertext\":\"3\"}").unwrap();
    round.extra.insert("hop_count".to_owned(), json!(10));
    let heard = cloud
        .hears(&mallory.pack_as_is(&round, cloud.did(), false))
        .await;
    assert_eq!(
        (heard.stored.len(), heard.trouble),
        (0, Some(Trouble::Malformed))
    );
}

#[tokio::test]
async fn who_has_a_mailbox_is_told_to_nobody() {
    let (cloud, alice, mallory) = cast();
    cloud.grants(&alice).await;
    let forward = |next: &str| routing::forward(next, b"{\"ciphertext\":\"\"}").unwrap();
    for next in ["did:example:nobody", alice.did.as_str()] {
        for packed in [
            mallory.pack(forward(next), cloud.did()),
            mallory.pack_as_is(&forward(next), cloud.did(), false),
        ] {
            let heard = cloud.hears(&packed).await;
            assert!(heard.replies.is_empty() && heard.trouble.is_none() && heard.strays.is_empty());
        }
    }
    assert_eq!(cloud.mediator.counts().of(Count::Stray), 2);
    let policy = Policy {
        carries_strays: true,
        ..Policy::default()
    };
    let kiosk = Cloud::with(Limits::default(), policy);
    let heard = kiosk
        .hears(&mallory.pack_as_is(&forward("did:example:bob"), kiosk.did(), false))
        .await;
    assert_eq!(heard.strays[0].next, "did:example:bob");
}

#[tokio::test]
async fn one_sender_does_not_fill_alices_mailbox() {
    let limits = Limits {
        pair_letters: 3,
        ..Limits::default()
    };
    let cloud = Cloud::with(limits, Policy::default());
    let (alice, mallory) = (Person::new(Method::Key), Person::new(Method::Key));
    cloud.grants(&alice).await;
    let by = |from: &str| Visit {
        from: Some(from.to_owned()),
        ..Visit::by(Via::Http)
    };
    for n in 0..6 {
        let packed = forwarded(&words(&mallory, &alice, &n.to_string()), &alice.did, &cloud);
        let heard = cloud.hears_by(&packed, &by("192.0.2.0/24")).await;
        assert_eq!(heard.trouble, (n >= 3).then_some(Trouble::Full), "{n}");
    }
    let bob = forwarded(&words(&mallory, &alice, "bob's"), &alice.did, &cloud);
    assert_eq!(
        cloud
            .hears_by(&bob, &by("198.51.100.0/24"))
            .await
            .stored
            .len(),
        1
    );
}

#[tokio::test]
async fn endless_errors_end_in_silence_and_reports_in_none() {
    let (mut cloud, _, mallory) = cast();
    let most = Policy::default().max_errors;
    let odd = || Message::new("https://example.org/odd/1.0/odd");
    for _ in 0..most {
        assert_eq!(cloud.problem(&mallory, odd()).await, "e.p.msg.unsupported");
    }
    assert_eq!(
        cloud.problem(&mallory, odd()).await,
        "e.p.req.max-errors-exceeded"
    );
    let packed = mallory.pack(odd(), cloud.did());
    assert!(cloud.hears(&packed).await.replies.is_empty());
    // What makes sense is still answered, and others are.
    assert_eq!(
        cloud
            .asked(&mallory, trust_ping::ping(true))
            .await
            .ack
            .len(),
        0
    );
    assert_eq!(
        cloud.problem(&Person::new(Method::Key), odd()).await,
        "e.p.msg.unsupported"
    );
    cloud.now = cloud.now + Duration::from_secs(601);
    assert_eq!(cloud.problem(&mallory, odd()).await, "e.p.msg.unsupported");
    // A report about a report would never end.
    let about = odd().between(cloud.did(), &[&mallory.did]);
    let report = report_problem::Report::new(&"e.p.msg".parse().unwrap());
    let report = report_problem::message(&about, &report);
    let heard = cloud.hears(&mallory.pack(report, cloud.did())).await;
    assert!(heard.replies.is_empty() && heard.for_us.is_some());
}

#[tokio::test]
async fn an_old_request_does_not_bring_back_a_closed_account() {
    let (cloud, alice, _) = cast();
    let request = alice.pack(mediation::request(Mediation::V3), cloud.did());
    cloud.hears(&request).await;
    cloud
        .shelf
        .close_account(&alice.did, cloud.now)
        .await
        .unwrap();
    let heard = cloud.hears(&request).await;
    assert!(heard.replies.is_empty());
    assert_eq!(cloud.shelf.totals().await.unwrap().accounts, 0);
    // The same words in a message of their own do.
    cloud.grants(&alice).await;
}

#[tokio::test]
async fn cloud_has_no_mailbox_for_itself() {
    let cloud = Cloud::new();
    let answer = cloud
        .asked(&cloud.person, mediation::request(Mediation::V3))
        .await;
    assert_eq!(
        mediation::read_answer(&answer),
        Some(mediation::Answer::Denied)
    );
    let status = cloud
        .asked(
            &cloud.person,
            pickup::status_request(pickup::Version::V3, None),
        )
        .await;
    assert_eq!(code(&status), "e.m.req.no-account");
}

#[tokio::test]
async fn who_makes_one_did_after_the_other_gets_some_mailboxes_an_hour() {
    let policy = Policy {
        new_accounts: 2,
        ..Policy::default()
    };
    let cloud = Cloud::with(Limits::default(), policy);
    let mut granted = 0;
    let mut last = None;
    for from in ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let visit = Visit {
            from: Some(from.to_owned()),
            ..Visit::by(Via::Http)
        };
        let one = Person::new(Method::Key);
        for _ in 0..3 {
            let ask = one.pack(mediation::request(Mediation::V3), cloud.did());
            let answer = cloud.answer(&one, cloud.hears_by(&ask, &visit).await);
            match mediation::read_answer(&answer) {
                Some(mediation::Answer::Granted(_)) => granted += 1,
                _ => last = Some(code(&answer)),
            }
        }
    }
    assert_eq!(granted, 9, "asking again is free");
    assert_eq!(last.as_deref(), Some("e.m.res.accounts"));
    assert_eq!(cloud.mediator.counts().of(Count::Crowded), 3);
}
