//! Alice behind cloud: bob writes, she collects.

use std::time::Duration;

use packmule_agent::did::Method;
use packmule_agent::message::{Message, Rotation};
use packmule_agent::protocol::mediation::{self, Change, Outcome, Version as Mediation};
use packmule_agent::protocol::{basic_message, pickup, routing};
use serde_json::json;

use super::stage::{Cloud, NOON, Person, code, forwarded, items, outcomes, words};
use crate::mediator::{Count, Policy, Trouble, Via, Visit, may_wait};
use crate::store::{Limits, Moment, StoreError};

const HTTP: Visit = Visit::by(Via::Http);
const SOCKET: Visit = Visit::by(Via::Socket(7));

#[tokio::test]
async fn alice_collects_what_bob_sent_in_either_version() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Peer2),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let phone = Person::new(Method::Key);
    assert_eq!(
        cloud.updates(&alice, &[Change::add(&phone.did)]).await,
        [Outcome::Success]
    );
    let sent = [
        words(&bob, &alice, "noon?"),
        words(&bob, &phone, "at the kiosk?"),
    ];
    for (packed, next) in sent.iter().zip([&alice.did, &phone.did]) {
        let heard = cloud.hears(&forwarded(packed, next, &cloud)).await;
        assert_eq!(
            (heard.replies.len(), heard.stored.len(), heard.trouble),
            (0, 1, None)
        );
        assert_eq!(
            (&heard.stored[0].packed, &heard.stored[0].account),
            (packed, &alice.did)
        );
    }
    assert_eq!(cloud.count(&alice).await, 2);
    for version in [pickup::Version::V3, pickup::Version::V4] {
        // Twice the same: nothing goes before it is acknowledged.
        for _ in 0..2 {
            let answer = cloud
                .asked(&alice, pickup::delivery_request(version, 10, None))
                .await;
            let delivered = items(&answer);
            assert_eq!(
                alice.open(&delivered[0].1).body_text("content"),
                Some("noon?")
            );
            assert_eq!(
                phone.open(&delivered[1].1).body_text("content"),
                Some("at the kiosk?")
            );
        }
        let one = pickup::delivery_request(version, 10, Some(&phone.did));
        assert_eq!(items(&cloud.asked(&alice, one).await).len(), 1);
    }
    let delivered = cloud.delivers(&alice, 1).await;
    assert_eq!(delivered.len(), 1);
    let ids = vec![delivered[0].0.clone(), "no id of ours".to_owned()];
    let answer = cloud
        .asked(&alice, pickup::received(pickup::Version::V3, &ids))
        .await;
    let Some(pickup::Answer::Status(status)) = pickup::read_answer(&answer) else {
        panic!()
    };
    assert_eq!(
        (status.count, status.live, status.oldest),
        (1, Some(false), Some(NOON.as_millis()))
    );
    let ids = vec![cloud.delivers(&alice, 9).await[0].0.clone()];
    cloud
        .asked(&alice, pickup::received(pickup::Version::V4, &ids))
        .await;
    // Empty: 3.0 answers a status, 4.0 an empty delivery.
    let empty = pickup::delivery_request(pickup::Version::V3, 10, None);
    let answer = cloud.asked(&alice, empty).await;
    assert!(matches!(
        pickup::read_answer(&answer),
        Some(pickup::Answer::Status(_))
    ));
    assert!(cloud.delivers(&alice, 10).await.is_empty());
    // Once collected, the same message is not taken again.
    let heard = cloud.hears(&forwarded(&sent[0], &alice.did, &cloud)).await;
    assert_eq!((heard.stored.len(), heard.trouble), (0, None));
    assert_eq!(cloud.count(&alice).await, 0);
}

#[tokio::test]
async fn cloud_answers_in_the_version_that_was_asked() {
    let (cloud, alice) = (Cloud::new(), Person::new(Method::Key));
    for version in [Mediation::V2, Mediation::V3] {
        for ask in [
            mediation::request(version),
            mediation::update(version, &[Change::add("did:example:x")]),
            mediation::query(
                version,
                Some(mediation::Page {
                    limit: 1,
                    offset: 0,
                }),
            ),
        ] {
            let answer = cloud.asked(&alice, ask.clone()).await;
            assert!(
                answer.type_uri.starts_with(version.piuri()),
                "{}",
                answer.type_uri
            );
            assert_eq!(answer.thid.as_deref(), Some(ask.id.as_str()));
        }
    }
    for version in [pickup::Version::V3, pickup::Version::V4] {
        let answer = cloud
            .asked(&alice, pickup::status_request(version, None))
            .await;
        assert!(
            answer.type_uri.starts_with(version.piuri()),
            "{}",
            answer.type_uri
        );
    }
}

#[tokio::test]
async fn alice_tells_for_whom_she_collects_and_asks_page_by_page() {
    let (cloud, alice) = (Cloud::new(), Person::new(Method::Key));
    cloud.grants(&alice).await;
    // Asking again does no harm.
    cloud.grants(&alice).await;
    let dids: Vec<String> = (0..5).map(|n| format!("did:example:{n}")).collect();
    let changes: Vec<Change> = dids.iter().map(|did| Change::add(did)).collect();
    assert_eq!(
        cloud.updates(&alice, &changes).await,
        vec![Outcome::Success; 5]
    );
    let more = [
        Change::add(&dids[0]),
        Change::remove("did:example:never"),
        Change::remove(&dids[4]),
        Change::add(&alice.did),
        Change::remove(&alice.did),
    ];
    let (none, done, error) = (Outcome::NoChange, Outcome::Success, Outcome::ClientError);
    assert_eq!(
        cloud.updates(&alice, &more).await,
        [none, none, done, none, error]
    );
    let mut page = mediation::Page {
        limit: 3,
        offset: 0,
    };
    let mut read = Vec::new();
    for remaining in [1, 0] {
        let answer = cloud
            .asked(&alice, mediation::query(Mediation::V3, Some(page)))
            .await;
        let Some(mediation::Answer::Listed(part)) = mediation::read_answer(&answer) else {
            panic!()
        };
        assert_eq!(part.remaining, remaining);
        page = mediation::Page::from(&part);
        read.extend(part.dids);
    }
    assert_eq!(read, dids[..4]);
}

#[tokio::test]
async fn a_repeated_wish_is_answered_and_not_done_again() {
    let (cloud, alice) = (Cloud::new(), Person::new(Method::Key));
    let request = alice.pack(mediation::request(Mediation::V3), cloud.did());
    for _ in 0..2 {
        let answer = cloud.answer(&alice, cloud.hears(&request).await);
        assert!(matches!(
            mediation::read_answer(&answer),
            Some(mediation::Answer::Granted(_))
        ));
    }
    // The first answer was lost on the way; she sends the same bytes again.
    let changes = [
        Change::add("did:example:x"),
        Change::remove("did:example:y"),
    ];
    let update = alice.pack(mediation::update(Mediation::V3, &changes), cloud.did());
    let first = cloud.answer(&alice, cloud.hears(&update).await);
    assert_eq!(outcomes(&first), [Outcome::Success, Outcome::NoChange]);
    let again = cloud.answer(&alice, cloud.hears(&update).await);
    assert_eq!(outcomes(&again), [Outcome::NoChange; 2]);
    // She takes it back; then mallory plays the old one.
    cloud
        .updates(&alice, &[Change::remove("did:example:x")])
        .await;
    let played = cloud.answer(&alice, cloud.hears(&update).await);
    assert_eq!(outcomes(&played), [Outcome::ServerError, Outcome::NoChange]);
    let next = "did:example:x";
    let heard = cloud
        .hears(&forwarded(b"{\"ciphertext\":\"\"}", next, &cloud))
        .await;
    assert!(heard.stored.is_empty(), "still taken back");
    assert!(cloud.mediator.counts().of(Count::Replayed) >= 3);
}

#[tokio::test]
async fn new_messages_come_on_a_live_connection_and_stay_until_acknowledged() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Peer4),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let wish = pickup::live(pickup::Version::V3, true);
    assert_eq!(
        cloud.problem(&alice, wish.clone()).await,
        "e.m.live-mode-not-supported"
    );
    let off = cloud
        .hears(&alice.pack(pickup::live(pickup::Version::V3, false), cloud.did()))
        .await;
    assert_eq!((off.live.is_none(), off.replies.len()), (true, 1));

    let wish = alice.pack(pickup::live(pickup::Version::V3, true), cloud.did());
    let heard = cloud.hears_by(&wish, &SOCKET).await;
    let live = heard.live.clone().unwrap();
    assert!(live.wanted && heard.back);
    let Some(pickup::Answer::Status(status)) = pickup::read_answer(&cloud.answer(&alice, heard))
    else {
        panic!("a status")
    };
    assert_eq!(status.live, Some(true));

    let packed = words(&bob, &alice, "now!");
    let heard = cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
    let pushed = cloud.mediator.push(&live, &heard.stored);
    let pushed = alice.open(&cloud.person.pack_as_is(&pushed[0], &alice.did, true));
    assert_eq!(items(&pushed)[0].1, packed);
    assert_eq!(cloud.count(&alice).await, 1, "it waits for her word");
    // Nothing of others comes this way.
    let mut other = heard.stored.clone();
    other[0].account = bob.did.clone();
    assert!(cloud.mediator.push(&live, &other).is_empty());
    // Mallory plays alice's wish on a connection of her own.
    let heard = cloud.hears_by(&wish, &Visit::by(Via::Socket(9))).await;
    assert!(heard.live.is_none() && heard.replies.is_empty());
}

#[tokio::test]
async fn a_page_is_never_more_than_every_library_opens() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Peer4),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let large = "x".repeat(400_000);
    for (n, text) in std::iter::once(large.as_str())
        .chain(["y".repeat(9_000).as_str(); 60])
        .enumerate()
    {
        let packed = words(&bob, &alice, &format!("{n}{text}"));
        let heard = cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
        assert_eq!(heard.stored.len(), 1);
    }
    let mut sizes = Vec::new();
    loop {
        let ask = alice.pack(
            pickup::delivery_request(pickup::Version::V3, 1000, None),
            cloud.did(),
        );
        let heard = cloud.hears(&ask).await;
        let jwe = cloud.person.pack_as_is(&heard.replies[0], &alice.did, true);
        let Some(pickup::Answer::Delivery { items, .. }) = pickup::read_answer(&alice.open(&jwe))
        else {
            break;
        };
        assert!(
            jwe.len() <= 256_000 || items.len() == 1,
            "{} of {}",
            jwe.len(),
            items.len()
        );
        sizes.push(items.len());
        let ids: Vec<String> = items.into_iter().filter_map(|one| one.id).collect();
        cloud
            .asked(&alice, pickup::received(pickup::Version::V3, &ids))
            .await;
    }
    assert_eq!(sizes.iter().sum::<usize>(), 61);
    assert_eq!(sizes[0], 1, "the large one alone");
    assert!(sizes.len() < 12, "pages are not wasted: {sizes:?}");
}

#[tokio::test]
async fn a_forward_may_hold_several_ask_for_a_pause_and_end() {
    let (mut cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Key),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let packed: Vec<Vec<u8>> = (0..3)
        .map(|n| words(&bob, &alice, &n.to_string()))
        .collect();
    let mut forward = routing::forward(&alice.did, &packed[0]).unwrap();
    for one in &packed[1..] {
        forward
            .attachments
            .push(packmule_agent::Attachment::base64(one));
    }
    forward.expires_time = Some(NOON.as_secs() + 60);
    forward
        .extra
        .insert("delay_milli".to_owned(), json!(30_000));
    forward.please_ack = vec![String::new()];
    let heard = cloud
        .hears(&bob.pack_as_is(&forward, cloud.did(), false))
        .await;
    assert_eq!((heard.stored.len(), heard.replies.len()), (3, 0));
    let soon = NOON + Duration::from_secs(30);
    assert!(heard.stored.iter().all(|one| one.not_before == soon));
    assert_eq!(cloud.count(&alice).await, 0);
    cloud.now = soon;
    assert_eq!(cloud.count(&alice).await, 3);
    cloud.now = NOON + Duration::from_secs(60);
    assert_eq!(cloud.count(&alice).await, 0);
    // It comes once more, after its time.
    let heard = cloud
        .hears(&bob.pack_as_is(&forward, cloud.did(), false))
        .await;
    assert_eq!((heard.stored.len(), heard.replies.len()), (0, 0));
    assert_eq!(cloud.mediator.counts().of(Count::Expired), 1);
    // Nobody makes cloud wait, or keep, for ever.
    forward.expires_time = Some(u64::MAX);
    forward
        .extra
        .insert("delay_milli".to_owned(), json!(i64::MAX));
    forward.attachments = routing::forward(&alice.did, b"{\"ciphertext\":\"1\"}")
        .unwrap()
        .attachments;
    let heard = cloud
        .hears(&bob.pack_as_is(&forward, cloud.did(), false))
        .await;
    let policy = Policy::default();
    assert_eq!(heard.stored[0].not_before, cloud.now + policy.max_delay);
    assert_eq!(heard.stored[0].expires, cloud.now + policy.keep_for);
}

#[tokio::test]
async fn alice_moves_to_another_did_and_her_mailbox_with_her() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Peer2),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let packed = words(&bob, &alice, "before");
    cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
    let new = Person::new(Method::Peer4);
    let (kid, key) = &alice.new.secrets[1];
    let rotation = Rotation::begin(&alice.did, Some(&new.did), NOON.as_secs(), kid, key).unwrap();
    let stamped = |ask: Message| {
        let mut ask = ask;
        rotation.stamp(&mut ask);
        ask.to = vec![cloud.did().to_owned()];
        ask
    };
    // The token alone moves nothing: mallory was shown it too.
    let mallory = Person::new(Method::Key);
    let mut stolen = stamped(pickup::status_request(pickup::Version::V3, None));
    stolen.from = Some(mallory.did.clone());
    let stolen = mallory.pack_as_is(&stolen, cloud.did(), true);
    assert!(cloud.opened(&stolen).is_err(), "the token names another");

    let ask = stamped(pickup::status_request(pickup::Version::V3, None));
    let heard = cloud.hears(&new.pack_as_is(&ask, cloud.did(), true)).await;
    let Some(pickup::Answer::Status(status)) = pickup::read_answer(&cloud.answer(&new, heard))
    else {
        panic!()
    };
    assert_eq!(status.count, 1);
    // Bob still writes to the old one; the old one asks no more.
    cloud
        .hears(&forwarded(
            &words(&bob, &alice, "after"),
            &alice.did,
            &cloud,
        ))
        .await;
    assert_eq!(cloud.count(&new).await, 2);
    let old = pickup::status_request(pickup::Version::V3, None);
    assert_eq!(cloud.problem(&alice, old).await, "e.m.req.no-account");
}

#[tokio::test]
async fn a_full_or_failing_store_is_told_and_nothing_is_called_safe() {
    let limits = Limits {
        account_letters: 2,
        letter_bytes: 20_000,
        accounts: 1,
        ..Limits::default()
    };
    let cloud = Cloud::with(limits, Policy::default());
    let (alice, bob) = (Person::new(Method::Key), Person::new(Method::Key));
    cloud.grants(&alice).await;
    let denied = cloud.asked(&bob, mediation::request(Mediation::V2)).await;
    assert_eq!(
        mediation::read_answer(&denied),
        Some(mediation::Answer::Denied)
    );

    let big = words(&bob, &alice, &"x".repeat(30_000));
    let heard = cloud.hears(&forwarded(&big, &alice.did, &cloud)).await;
    assert_eq!(
        (heard.trouble, heard.replies.len()),
        (Some(Trouble::TooLarge), 0)
    );
    let known =
        |packed: &[u8]| bob.pack(routing::forward(&alice.did, packed).unwrap(), cloud.did());
    let heard = cloud.hears(&known(&big)).await;
    assert_eq!(
        code(&cloud.answer(&bob, heard)),
        "e.p.me.res.storage.message_too_big"
    );

    for n in 0..3 {
        let packed = words(&bob, &alice, &n.to_string());
        let heard = cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
        let full = (n == 2).then_some(Trouble::Full);
        assert_eq!((heard.trouble, heard.replies.len()), (full, 0), "{n}");
    }
    let heard = cloud.hears(&known(&words(&bob, &alice, "3"))).await;
    assert_eq!(heard.trouble, Some(Trouble::Full));
    assert_eq!(code(&cloud.answer(&bob, heard)), "e.p.me.res.storage");
    // She can still collect.
    assert_eq!(cloud.delivers(&alice, 9).await.len(), 2);

    *cloud.shelf.broken.lock().unwrap() = Some(StoreError::Shut);
    let heard = cloud
        .hears(&forwarded(&words(&bob, &alice, "4"), &alice.did, &cloud))
        .await;
    assert_eq!(
        (heard.trouble, heard.stored.len()),
        (Some(Trouble::Failed), 0)
    );
    let status = pickup::status_request(pickup::Version::V3, None);
    assert_eq!(cloud.problem(&alice, status).await, "e.p.me");
}

#[tokio::test]
async fn what_is_sent_straight_here_for_an_account_is_kept_too() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Key),
        Person::new(Method::Key),
    );
    cloud.grants(&alice).await;
    let packed = words(&bob, &alice, "straight");
    let heard = cloud
        .mediator
        .direct(&alice.did, packed.clone(), &HTTP, cloud.now)
        .await;
    assert_eq!(heard.stored.len(), 1);
    let none = cloud
        .mediator
        .direct(&bob.did, packed, &HTTP, cloud.now)
        .await;
    assert!(none.stored.is_empty() && none.strays.is_empty() && none.trouble.is_none());
}

#[test]
fn a_status_tells_of_its_moment_and_does_not_wait() {
    let about = pickup::status_request(pickup::Version::V3, None);
    let status = pickup::status(&about, pickup::Version::V3, &pickup::Status::default());
    assert!(!may_wait(&status));
    assert!(may_wait(&basic_message::message("noon?")));
    assert_eq!(Moment::default(), Moment::from_secs(0));
}
