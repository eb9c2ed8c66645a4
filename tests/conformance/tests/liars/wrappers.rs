//! The hardships do what they say, by their seed, and break nothing else.

#![expect(
    clippy::expect_used,
    reason = "a story that goes wrong must fail the test"
)]

use std::time::Duration;

use packmule_bus::link::{Link, LinkError};
use packmule_conformance::{Corrupting, Delayed, Doubling, Lossy, Reordering, links};
use tokio::time::Instant;

use super::adapters::pair;
use super::small;

/// What comes of the numbers 0 to 199, sent in this order.
async fn fate(wrap: impl Fn(Link) -> Link) -> Vec<Vec<u8>> {
    let (mut near, far) = pair(small());
    let mut far = wrap(far);
    let sending = async move {
        for n in 0..200_u8 {
            near.tx.send(vec![n; 3]).await.expect("sent");
        }
    };
    let receiving = async {
        let mut came = Vec::new();
        loop {
            match far.rx.recv().await {
                Ok(pdu) => came.push(pdu),
                Err(LinkError::Closed) => return came,
                Err(fault) => panic!("{fault}"),
            }
        }
    };
    tokio::join!(sending, receiving).1
}

#[tokio::test]
async fn lossy_loses_the_same_ones_again() {
    let lossy = |seed| Lossy {
        seed,
        per_mille: 300,
    };
    let came = fate(|link| lossy(1).wrap(link)).await;
    assert!((100..180).contains(&came.len()), "{}", came.len());
    assert!(came.is_sorted());
    assert_eq!(came, fate(|link| lossy(1).wrap(link)).await);
    assert_ne!(came, fate(|link| lossy(2).wrap(link)).await);
    assert!(!lossy(1).wrap(pair(small()).0).facts.reliable);
}

#[tokio::test]
async fn doubling_doubles() {
    let doubling = Doubling {
        seed: 1,
        per_mille: 300,
    };
    let mut came = fate(|link| doubling.wrap(link)).await;
    assert!((230..290).contains(&came.len()), "{}", came.len());
    came.dedup();
    assert_eq!(came.len(), 200);
}

#[tokio::test]
async fn corrupting_alters_some() {
    let corrupting = Corrupting {
        seed: 1,
        per_mille: 300,
    };
    let came = fate(|link| corrupting.wrap(link)).await;
    assert_eq!(came.len(), 200);
    let whole = (0..200_u8)
        .zip(&came)
        .filter(|(n, pdu)| **pdu == vec![*n; 3])
        .count();
    assert!((110..170).contains(&whole), "{whole}");
}

#[tokio::test]
async fn reordering_changes_the_order_and_nothing_else() {
    let reordering = Reordering {
        seed: 1,
        per_mille: 300,
    };
    let mut came = fate(|link| reordering.wrap(link)).await;
    assert!(!came.is_sorted());
    came.sort();
    assert_eq!(came, (0..200).map(|n| vec![n; 3]).collect::<Vec<_>>());
    assert!(!reordering.wrap(pair(small()).0).facts.ordered);
}

#[tokio::test(start_paused = true)]
async fn delayed_takes_its_time_and_keeps_the_order() {
    let delayed = Delayed {
        seed: 1,
        least: Duration::from_millis(40),
        most: Duration::from_millis(90),
    };
    let before = Instant::now();
    let came = fate(|link| delayed.wrap(link)).await;
    assert!(came.is_sorted() && came.len() == 200);
    assert!(before.elapsed() >= Duration::from_millis(40));
}

#[tokio::test(start_paused = true)]
async fn a_wrapped_link_still_keeps_the_promises_of_its_facts() {
    links(async || {
        let (near, far) = pair(small());
        let wrap = |link, seed| {
            let delayed = Delayed {
                seed,
                least: Duration::from_millis(1),
                most: Duration::from_millis(20),
            };
            delayed.wrap(link)
        };
        (wrap(near, 1), wrap(far, 2))
    })
    .await
    .expect("late, but true");
    links(async || {
        let (near, far) = pair(small());
        let wrap = |link, seed| {
            let reordering = Reordering {
                seed,
                per_mille: 200,
            };
            reordering.wrap(link)
        };
        (wrap(near, 1), wrap(far, 2))
    })
    .await
    .expect("out of order, but true");
    links(async || {
        let (near, far) = pair(small());
        let wrap = |link, seed| {
            let lossy = Lossy {
                seed,
                per_mille: 100,
            };
            lossy.wrap(link)
        };
        (wrap(near, 1), wrap(far, 2))
    })
    .await
    .expect("with losses, but true");
}
