//! What a bad network and a tired mediator do: nothing is lost, and nothing is asked for in vain.

use std::time::{Duration, Instant};

use packmule_uplink::{Later, Uplink, Window};

use super::desk::Person;
use super::kiosk::Kiosk;
use super::peer::{Fault, Peer, Shape};

fn words(many: usize) -> Vec<String> {
    (0..many).map(|number| format!("letter {number}")).collect()
}

async fn stage(shape: Shape, many: usize) -> (std::sync::Arc<Peer>, Kiosk, Person, Vec<String>) {
    let (peer, kiosk, stranger) = (Peer::start(shape), Kiosk::new().await, Person::at(&[]));
    let words = words(many);
    for word in &words {
        peer.state().put(stranger.letter(kiosk.did(), word));
    }
    (peer, kiosk, stranger, words)
}

#[tokio::test]
async fn every_fault_at_every_step_loses_nothing() {
    for fault in [
        Fault::CutBefore,
        Fault::CutAnswer,
        Fault::Garbage,
        Fault::Busy,
        Fault::Hang,
    ] {
        let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 12).await;
        // The first visits fail at their first step; later ones get further.
        peer.fail_next(&[fault, fault]);
        kiosk.call_with(peer.did(), |upstream| {
            upstream.batch = 5;
            upstream.patience = Duration::from_secs(1);
        });
        kiosk.until("registered", |_| peer.state().granted).await;
        peer.fail_next(&[fault]);
        let got = kiosk.until_got(&words).await;
        kiosk
            .until("all acknowledged", |_| peer.state().len() == 0)
            .await;
        // A page whose acknowledgement was cut comes once more, and no more than that.
        assert!(got.values().all(|count| *count <= 2), "{fault:?} {got:?}");
    }
}

#[tokio::test]
async fn a_kill_between_taking_and_saying_so_brings_the_message_again() {
    let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 3).await;
    let shelf = std::sync::Arc::clone(&kiosk.shelf);
    // The first letter is taken; then the mediator is gone before it hears of it.
    let (watched, counter) = (std::sync::Arc::clone(&peer), std::sync::Mutex::new(0));
    shelf.rule(move |_| {
        let mut taken = counter.lock().unwrap();
        *taken += 1;
        if *taken == 1 {
            // A kept connection that is dead is tried again at once, on a new one.
            watched.fail_next(&[Fault::CutBefore, Fault::CutBefore]);
        }
        Ok(())
    });
    kiosk.call(peer.did());
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
    let got = kiosk.until_got(&words).await;
    assert!(got.values().all(|count| *count == 2), "{got:?}");
    let given = peer.state().given.clone();
    assert!(given.values().all(|count| *count == 2), "{given:?}");
}

#[tokio::test]
async fn a_mailbox_that_grows_while_it_is_emptied_is_emptied() {
    let (peer, mut kiosk, stranger, mut words) = stage(Shape::Estoc, 30).await;
    kiosk.call(peer.did());
    let did = kiosk.did().to_owned();
    for number in 0..60 {
        let word = format!("later {number}");
        peer.state().put(stranger.letter(&did, &word));
        words.push(word);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let got = kiosk.until_got(&words).await;
    assert!(got.values().all(|count| *count == 1), "{got:?}");
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
}

#[tokio::test]
async fn one_full_mailbox_does_not_hold_up_the_others() {
    let (peer, mut kiosk, stranger, _) = stage(Shape::Own, 0).await;
    for number in 0..25 {
        peer.state()
            .put(stranger.letter(kiosk.did(), &format!("full {number}")));
    }
    peer.state().put(stranger.letter(kiosk.did(), "behind"));
    kiosk.shelf.rule(|words| match words {
        "behind" => Ok(()),
        _ => Err(Later(Duration::from_millis(100))),
    });
    kiosk.call_with(peer.did(), |upstream| upstream.batch = 5);
    kiosk.until_got(&["behind".to_owned()]).await;
    kiosk
        .until("it is acknowledged", |_| peer.state().len() == 25)
        .await;
    // There is room again.
    kiosk.shelf.rule(|_| Ok(()));
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
}

#[tokio::test]
async fn what_is_no_message_is_taken_and_does_not_come_again() {
    let (peer, mut kiosk, stranger, words) = stage(Shape::Estoc, 1).await;
    peer.state().put(b"nonsense".to_vec());
    peer.state()
        .put(stranger.letter(stranger.did(), "for somebody else"));
    kiosk.call(peer.did());
    kiosk.until_got(&words).await;
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
    assert_eq!(*kiosk.shelf.unread.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_mediator_that_lost_its_memory_is_asked_again_at_once() {
    let (peer, mut kiosk, stranger, words) = stage(Shape::Own, 1).await;
    kiosk.shelf.serve(&["did:example:device"]);
    kiosk.call(peer.did());
    kiosk.until_got(&words).await;
    let registered = |_: &Kiosk| peer.state().dids.contains("did:example:device");
    kiosk.until("registered", registered).await;
    {
        let mut state = peer.state();
        state.granted = false;
        state.dids.clear();
    }
    kiosk.until("registered again", registered).await;
    peer.state().put(stranger.letter(kiosk.did(), "after that"));
    kiosk.until_got(&["after that".to_owned()]).await;
}

#[tokio::test]
async fn a_mediator_that_never_deletes_is_not_asked_without_end() {
    let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 3).await;
    peer.state().deaf = true;
    kiosk.call(peer.did());
    kiosk.until_got(&words).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let given = peer
        .state()
        .given
        .values()
        .max()
        .copied()
        .unwrap_or_default();
    // Two in each visit, and between visits half a second at most, a quarter on average.
    assert!(
        (2..60).contains(&given),
        "each letter was given {given} times"
    );
    peer.state().deaf = false;
    kiosk
        .until("all acknowledged", |_| peer.state().len() == 0)
        .await;
}

#[tokio::test]
async fn whoever_names_itself_as_its_upstream_calls_nobody() {
    let mut kiosk = Kiosk::new().await;
    let did = kiosk.did().to_owned();
    kiosk.call(&did);
    kiosk
        .until("it waits", |kiosk| {
            kiosk.uplink.as_ref().map(Uplink::status).unwrap()[0]
                .state
                .name()
                == "waiting"
        })
        .await;
}

#[tokio::test]
async fn a_metered_link_carries_what_it_may_and_rests() {
    let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 10).await;
    let began = Instant::now();
    kiosk.call_with(peer.did(), |upstream| {
        upstream.rate = Some(20_000);
        upstream.batch = 2;
    });
    kiosk.until_got(&words).await;
    let took = began.elapsed();
    let bytes = kiosk.uplink.as_ref().map(Uplink::status).unwrap()[0].bytes;
    // The last question and its answer are paid for afterwards.
    assert!(bytes > 40_000, "{bytes}");
    let least = Duration::from_secs_f64((bytes as f64 - 15_000.0) / 20_000.0);
    assert!(took >= least, "{bytes} bytes in {took:?}");
}

#[tokio::test]
async fn outside_its_hours_a_mediator_is_not_called() {
    let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 1).await;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let hour = now.as_secs() / 3600 % 24;
    let span = |from: u64, to: u64| -> Window {
        format!("{:02}:00-{:02}:00", from % 24, to % 24)
            .parse()
            .unwrap()
    };
    kiosk.call_with(peer.did(), |upstream| {
        upstream.calls = vec![span(hour + 2, hour + 3)]
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(peer.requests.lock().unwrap().is_empty());
    let status = kiosk.uplink.take().unwrap().status();
    assert_eq!(status[0].state.name(), "waiting");
    kiosk.call_with(peer.did(), |upstream| {
        upstream.calls = vec![span(hour, hour + 2)]
    });
    kiosk.until_got(&words).await;
}

#[tokio::test]
async fn a_mediator_that_is_away_for_long_is_not_besieged() {
    let (peer, mut kiosk, _, words) = stage(Shape::Estoc, 1).await;
    // Forty failures in a row, with a longest wait of a quarter of a second.
    peer.fail_next(&[Fault::CutBefore; 40]);
    let began = Instant::now();
    kiosk.call_with(peer.did(), |upstream| {
        upstream.retry = Duration::from_millis(250);
    });
    kiosk.until_got(&words).await;
    assert!(began.elapsed() >= Duration::from_millis(40 * 50 / 2));
    let status = kiosk.uplink.as_ref().map(Uplink::status).unwrap();
    assert!(status[0].failures >= 15, "{status:?}");
}
