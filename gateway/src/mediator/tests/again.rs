//! Alice sends the same packed message once more, because the first got no answer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use packmule_agent::did::Method;
use packmule_agent::message::Message;
use packmule_agent::protocol::mediation::{self, Change, Outcome, Version as Mediation};
use packmule_agent::protocol::pickup;

use super::stage::{Cloud, Person, code, forwarded, outcomes, words};
use crate::mediator::{Count, Heard, Trouble, Via, Visit};

/// It fails, and is heard once more when the disk has room again.
async fn fails_then(cloud: &Cloud, packed: &[u8]) -> Heard {
    let visit = Visit::by(Via::Socket(1));
    cloud.shelf.stuck.store(true, Ordering::Relaxed);
    let heard = cloud.hears_by(packed, &visit).await;
    assert_eq!(heard.trouble, Some(Trouble::Full));
    cloud.shelf.stuck.store(false, Ordering::Relaxed);
    cloud.hears_by(packed, &visit).await
}

#[tokio::test]
async fn what_failed_is_done_when_the_same_message_comes_again() {
    let (cloud, alice, bob) = (
        Cloud::new(),
        Person::new(Method::Key),
        Person::new(Method::Key),
    );
    let asks = |message: Message| alice.pack(message, cloud.did());
    let ask = asks(mediation::request(Mediation::V3));
    let granted = cloud.answer(&alice, fails_then(&cloud, &ask).await);
    assert!(matches!(
        mediation::read_answer(&granted),
        Some(mediation::Answer::Granted(_))
    ));

    let change = Change::add("did:example:phone");
    let ask = asks(mediation::update(Mediation::V3, &[change]));
    let updated = cloud.answer(&alice, fails_then(&cloud, &ask).await);
    assert_eq!(outcomes(&updated), [Outcome::Success]);

    let ask = asks(pickup::live(pickup::Version::V3, true));
    assert!(fails_then(&cloud, &ask).await.live.is_some());

    let packed = words(&bob, &alice, "hi");
    cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
    let (id, _) = cloud.delivers(&alice, 9).await.remove(0);
    let ask = asks(pickup::received(pickup::Version::V3, &[id]));
    assert_eq!(fails_then(&cloud, &ask).await.acked.len(), 1);
    assert_eq!(cloud.count(&alice).await, 0);
    assert_eq!(cloud.mediator.counts().of(Count::Replayed), 0);

    // What was acknowledged stays gone, whoever brings it again, and its word does nothing more.
    cloud.hears(&forwarded(&packed, &alice.did, &cloud)).await;
    let other = words(&bob, &alice, "and again");
    cloud.hears(&forwarded(&other, &alice.did, &cloud)).await;
    cloud.hears(&ask).await;
    assert_eq!(cloud.count(&alice).await, 1);
    assert_eq!(cloud.mediator.counts().of(Count::Acked), 1);
}

#[tokio::test]
async fn a_change_from_before_the_guards_memory_is_refused_and_a_question_is_not() {
    let mut cloud = Cloud::new();
    let alice = Person::new(Method::Key);
    cloud.grants(&alice).await;
    let add = |did: &str| mediation::update(Mediation::V3, &[Change::add(did)]);
    let made = |mut message: Message| {
        message.created_time = Some(cloud.now.as_secs());
        alice.pack(message, cloud.did())
    };
    let (phone, tablet, listing) = (
        made(add("did:example:phone")),
        made(add("did:example:tablet")),
        made(mediation::query(Mediation::V3, None)),
    );
    cloud.now = cloud.now + Duration::from_secs(86_400);
    let updated = cloud.answer(&alice, cloud.hears(&phone).await);
    assert_eq!(outcomes(&updated), [Outcome::Success]);
    cloud.now = cloud.now + Duration::from_secs(1);
    let refused = cloud.answer(&alice, cloud.hears(&tablet).await);
    assert_eq!(code(&refused), "e.m.req.time");
    let listed = cloud.answer(&alice, cloud.hears(&listing).await);
    let Some(mediation::Answer::Listed(listed)) = mediation::read_answer(&listed) else {
        panic!("{listed:?}")
    };
    assert_eq!(listed.dids, ["did:example:phone"]);
    // A mule may have had it for days.
    let carried = cloud.hears_by(&tablet, &Visit::by(Via::Bus)).await;
    let updated = cloud.answer(&alice, carried);
    assert_eq!(outcomes(&updated), [Outcome::Success]);
}
