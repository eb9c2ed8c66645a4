//! Limits: what is refused, and that all else goes on.

use packmule_gateway::store::{Enqueued, Limits, Opening, Refusal};

use crate::{ALICE, BOB, Stage, is_stored, later, letter, noon, packed, small, take};

/// A law of its name.
pub async fn each_limit_refuses_with_its_own_reason_and_acks_make_room<S: Stage>() {
    let one = packed(1, 700).len() as u64;
    let cases = [
        (
            Limits {
                letter_bytes: one - 1,
                ..small()
            },
            0,
            Refusal::TooLarge,
        ),
        (
            Limits {
                account_letters: 3,
                ..small()
            },
            3,
            Refusal::AccountFull,
        ),
        (
            Limits {
                account_bytes: 4 * one,
                ..small()
            },
            4,
            Refusal::AccountFull,
        ),
        (
            Limits {
                pair_letters: 2,
                ..small()
            },
            2,
            Refusal::PairFull,
        ),
        (
            Limits {
                total_letters: 3,
                ..small()
            },
            3,
            Refusal::StoreFull,
        ),
        (
            Limits {
                total_bytes: 5 * one + 1,
                ..small()
            },
            5,
            Refusal::StoreFull,
        ),
    ];
    for (limits, fit, why) in cases {
        let stage = S::new().await;
        let store = stage.open(limits).await;
        store.open_account(ALICE, noon()).await.unwrap();
        let from_bob = |number| {
            let mut letter = letter(ALICE, number);
            letter.from = Some(BOB.to_owned());
            letter
        };
        let all = (0..8).map(from_bob).collect();
        let outcomes = store.enqueue(all, noon()).await.unwrap();
        assert!(
            outcomes[..fit].iter().all(is_stored),
            "{why:?}: {outcomes:?}"
        );
        assert!(
            outcomes[fit..]
                .iter()
                .all(|it| *it == Enqueued::Refused(why)),
            "{outcomes:?}"
        );
        // Full as it is: what is held is a duplicate, accounts come and acks make room.
        if fit > 0 {
            assert_eq!(
                take(&*store, from_bob(0), noon()).await,
                Enqueued::Duplicate
            );
            assert_eq!(store.open_account(BOB, noon()).await.unwrap(), Opening::New);
            assert_eq!(
                store
                    .ack(ALICE, &[from_bob(0).id()], noon())
                    .await
                    .unwrap()
                    .count,
                1
            );
            assert!(is_stored(&take(&*store, from_bob(7), noon()).await));
        }
    }
}

/// A law of its name.
pub async fn another_sender_has_a_share_of_its_own<S: Stage>() {
    let stage = S::new().await;
    let store = stage
        .open(Limits {
            pair_letters: 1,
            ..small()
        })
        .await;
    store.open_account(ALICE, noon()).await.unwrap();
    let from = |number, from: Option<&str>| {
        let mut letter = letter(ALICE, number);
        letter.from = from.map(str::to_owned);
        letter
    };
    let letters = vec![
        from(1, Some("a")),
        from(2, Some("a")),
        from(3, Some("b")),
        from(4, None),
        from(5, None),
    ];
    let outcomes = store.enqueue(letters, noon()).await.unwrap();
    let stored: Vec<bool> = outcomes.iter().map(is_stored).collect();
    assert_eq!(stored, [true, false, true, true, true]);
}

/// A law of its name.
pub async fn the_known_are_bounded_in_number<S: Stage>() {
    let stage = S::new().await;
    let store = stage
        .open(Limits {
            known: 5,
            ..small()
        })
        .await;
    store.open_account(ALICE, noon()).await.unwrap();
    for number in 0..20 {
        let letter = letter(ALICE, number);
        let id = letter.id();
        take(&*store, letter, noon()).await;
        store.ack(ALICE, &[id], later(number as u64)).await.unwrap();
    }
    store.expire(later(30)).await.unwrap();
    assert!(is_stored(
        &take(&*store, letter(ALICE, 14), later(31)).await
    ));
    assert_eq!(
        take(&*store, letter(ALICE, 15), later(31)).await,
        Enqueued::Duplicate
    );
}
