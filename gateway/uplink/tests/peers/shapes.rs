//! Each mediator in its own shape: registered at, collected from, acknowledged.

use packmule_uplink::{State, Uplink, What};

use super::desk::Person;
use super::kiosk::Kiosk;
use super::peer::{Peer, Shape};

fn words(many: usize) -> Vec<String> {
    (0..many).map(|number| format!("letter {number}")).collect()
}

/// Twenty-five letters, two DIDs behind us: everything comes once, nothing stays there.
async fn works_with(shape: Shape) -> std::sync::Arc<Peer> {
    let peer = Peer::start(shape);
    let mut kiosk = Kiosk::new().await;
    let stranger = Person::at(&[]);
    let words = words(25);
    for word in &words {
        peer.state().put(stranger.letter(kiosk.did(), word));
    }
    let served: Vec<String> = (0..7)
        .map(|number| format!("did:example:device{number}"))
        .collect();
    let mut all: Vec<&str> = served.iter().map(String::as_str).collect();
    all.push("did:example:evil");
    kiosk.shelf.serve(&all);
    kiosk.call(peer.did());
    let got = kiosk.until_got(&words).await;
    assert!(got.values().all(|count| *count == 1), "{got:?}");
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
    if shape != Shape::Affinidi {
        // We ourselves too, where that is not refused.
        let own = usize::from(shape != Shape::Estoc);
        kiosk
            .until("registered", |_| peer.state().dids.len() == 7 + own)
            .await;
        // One leaves, and comes back.
        kiosk.shelf.serve(&all[1..]);
        kiosk
            .until("removed", |_| peer.state().dids.len() == 6 + own)
            .await;
        kiosk.shelf.serve(&all);
        kiosk
            .until("back", |_| peer.state().dids.len() == 7 + own)
            .await;
        let refused = |what: &What| matches!(what, What::Registered { refused: 1, .. });
        let told = kiosk
            .shelf
            .events
            .lock()
            .unwrap()
            .iter()
            .filter(|it| refused(it))
            .count();
        assert_eq!(told, 1, "what is not wanted there is asked for once");
    }
    // One more comes while it is idle.
    let late = vec!["late".to_owned()];
    peer.state().put(stranger.letter(kiosk.did(), "late"));
    kiosk.until_got(&late).await;
    kiosk
        .until("idle", |kiosk| {
            let status = kiosk.uplink.as_ref().map(Uplink::status).unwrap();
            status[0].state == State::Idle && status[0].collected == 26
        })
        .await;
    let status = kiosk.uplink.take().unwrap().status();
    assert!(status[0].last_seen.is_some() && status[0].bytes > 25_000);
    peer
}

#[tokio::test]
async fn estoc_speaks_3_0_alone() {
    let peer = works_with(Shape::Estoc).await;
    let requests = peer.requests.lock().unwrap().clone();
    assert!(
        !requests.iter().any(|it| it.contains("mediation/2.0")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn rootsid_speaks_2_0_refuses_return_route_denies_twice_and_moves() {
    let peer = works_with(Shape::RootsId).await;
    // A second life of the kiosk is denied, and served all the same.
    let mut again = Kiosk::new().await;
    let stranger = Person::at(&[]);
    peer.state().put(stranger.letter(again.did(), "again"));
    again.call(peer.did());
    again.until_got(&["again".to_owned()]).await;
    let moved = again.shelf.events.lock().unwrap().contains(&What::Moved);
    assert!(moved, "it followed the mediator to its other DID");
}

#[tokio::test]
async fn identus_compares_the_media_type_and_answers_late() {
    works_with(Shape::Identus).await;
}

#[tokio::test]
async fn affinidi_wants_a_login_and_renews_its_token() {
    let peer = works_with(Shape::Affinidi).await;
    assert_eq!(
        peer.state().logins,
        2,
        "the token was renewed, not asked for anew"
    );
    let requests = peer.requests.lock().unwrap().clone();
    assert!(
        !requests
            .iter()
            .any(|it| it.contains("coordinate-mediation")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn our_own_kind_speaks_pickup_4_0() {
    let peer = works_with(Shape::Own).await;
    let requests = peer.requests.lock().unwrap().clone();
    assert!(
        requests.iter().any(|it| it.contains("message-pickup/4.0")),
        "{requests:?}"
    );
}
