//! Alice goes by another DID, and mallory has kept what she said.

use std::time::Duration;

use packmule_agent::did::Method;
use packmule_agent::message::{Message, Rotation};
use packmule_agent::protocol::pickup;

use super::stage::{Cloud, Person};
use crate::mediator::{Count, Policy};
use crate::store::{Limits, MailboxStore, Moment};

fn status() -> Message {
    pickup::status_request(pickup::Version::V3, None)
}

/// An ask of who goes by `new` from now on, with her word that she was `old`.
fn stamped(old: &Person, new: &Person, cloud: &Cloud, at: Moment, mut ask: Message) -> Vec<u8> {
    let (kid, key) = &old.new.secrets[1];
    let rotation = Rotation::begin(&old.did, Some(&new.did), at.as_secs(), kid, key).unwrap();
    rotation.stamp(&mut ask);
    ask.to = vec![cloud.did().to_owned()];
    new.pack_as_is(&ask, cloud.did(), true)
}

#[tokio::test]
async fn an_old_word_moves_nobody_whether_it_is_played_soon_or_late() {
    let mut cloud = Cloud::new();
    let (alice, other) = (Person::new(Method::Peer2), Person::new(Method::Peer2));
    cloud.grants(&alice).await;
    let day = Duration::from_secs(86_400);
    let first = stamped(&alice, &other, &cloud, cloud.now, status());
    // Mallory has one that cloud never saw.
    let kept = stamped(&alice, &other, &cloud, cloud.now, status());
    assert!(cloud.hears(&first).await.moved.is_some());
    cloud.now = cloud.now + Duration::from_secs(3600);
    let back = stamped(&other, &alice, &cloud, cloud.now, status());
    assert!(cloud.hears(&back).await.moved.is_some());
    for wait in [day / 24, day * 5] {
        cloud.now = cloud.now + wait;
        for played in [&first, &kept] {
            assert!(cloud.hears(played).await.moved.is_none());
        }
        assert_eq!(cloud.count(&alice).await, 0, "she has her mailbox");
    }
    assert_eq!(cloud.mediator.counts().of(Count::Moved), 2);
}

#[tokio::test]
async fn what_came_after_its_time_or_from_who_is_turned_away_moves_nobody() {
    let (alice, other) = (Person::new(Method::Peer2), Person::new(Method::Peer2));
    let mut policy = Policy::default();
    let cloud = Cloud::new();
    cloud.grants(&alice).await;
    let mut late = status();
    late.expires_time = Some(cloud.now.as_secs());
    let late = stamped(&alice, &other, &cloud, cloud.now, late);
    assert!(cloud.hears(&late).await.moved.is_none());

    policy.denied.insert(alice.did.clone());
    let cloud = Cloud::with(Limits::default(), policy);
    cloud
        .shelf
        .open_account(&alice.did, cloud.now)
        .await
        .unwrap();
    let leaves = stamped(&alice, &other, &cloud, cloud.now, status());
    assert!(cloud.hears(&leaves).await.moved.is_none());
}
