//! The laws of a store, one by one.

use packmule_bus::label::Priority;
use packmule_gateway::store::{
    Account, Change, Ending, Enqueued, Letter, Limits, MailboxStore, Moment, Opening, Outcome,
    Refusal, canonical,
};
use serde_json::Value;

use crate::{ALICE, BOB, CAROL, Stage, is_stored, later, letter, noon, packed, small, take};

fn add(did: &str) -> Change {
    let did = did.to_owned();
    Change { did, add: true }
}

fn remove(did: &str) -> Change {
    let did = did.to_owned();
    Change { did, add: false }
}

fn found(did: &str, recipient: &str) -> Option<Account> {
    Some(Account {
        did: did.to_owned(),
        recipient: recipient.to_owned(),
    })
}

async fn page(store: &dyn MailboxStore, account: &str, now: Moment) -> Vec<Vec<u8>> {
    let page = store.page(account, None, 100, u64::MAX, now).await.unwrap();
    page.into_iter().map(|held| held.packed).collect()
}

/// A law of its name.
pub async fn a_letter_is_held_until_it_is_acked_and_is_not_taken_again<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    assert_eq!(
        store.open_account(ALICE, noon()).await.unwrap(),
        Opening::New
    );
    let one = letter(ALICE, 1);
    assert!(is_stored(&take(&*store, one.clone(), noon()).await));
    let again = store
        .enqueue(vec![one.clone(), one.clone()], noon())
        .await
        .unwrap();
    assert_eq!(again, [Enqueued::Duplicate, Enqueued::Duplicate]);

    let waiting = store.status(ALICE, None, later(5)).await.unwrap();
    assert_eq!(
        (waiting.count, waiting.bytes),
        (1, packed(1, 700).len() as u64)
    );
    assert_eq!(
        (waiting.oldest, waiting.newest),
        (Some(noon()), Some(noon()))
    );
    for _ in 0..2 {
        let held = store.page(ALICE, None, 10, 1, later(5)).await.unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].id, held[0].received), (one.id(), noon()));
        assert_eq!(held[0].recipient, ALICE);
        let (was, is): (Value, Value) = (
            serde_json::from_slice(&packed(1, 700)).unwrap(),
            serde_json::from_slice(&held[0].packed).unwrap(),
        );
        assert_eq!(was, is);
    }
    assert_eq!(
        store.ack(BOB, &[one.id()], later(5)).await.unwrap().count,
        0
    );
    assert_eq!(
        store
            .ack(ALICE, &[one.id(), one.id()], later(5))
            .await
            .unwrap()
            .count,
        1
    );
    assert_eq!(
        store.ack(ALICE, &[one.id()], later(5)).await.unwrap().count,
        0
    );
    assert!(page(&*store, ALICE, later(5)).await.is_empty());
    assert_eq!(store.status(ALICE, None, later(5)).await.unwrap().count, 0);
    assert_eq!(
        take(&*store, one.clone(), later(6)).await,
        Enqueued::Duplicate
    );

    // Nor after a restart; but some day.
    drop(store);
    let store = stage.open(small()).await;
    assert_eq!(take(&*store, one, later(7)).await, Enqueued::Duplicate);
    let next_month = later(30 * 86_400);
    let mut renewed = letter(ALICE, 1);
    renewed.expires = Moment::NEVER;
    assert!(is_stored(&take(&*store, renewed, next_month).await));
}

/// A law of its name.
pub async fn what_is_no_jwe_comes_back_byte_for_byte<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let odd: [&[u8]; 4] = [
        b"{ \"id\" : \"1\", \"type\":\"https://didcomm.org/basicmessage/2.0/message\" }\n",
        b"not JSON at all \xff\x00",
        br#"{"protected":"eyJ9 not canonical","ciphertext":"A==","tag":"","iv":""}"#,
        &[0; 5000],
    ];
    for bytes in odd {
        let letter = Letter::new(ALICE, ALICE, bytes, later(9)).unwrap();
        assert!(is_stored(&take(&*store, letter, noon()).await));
    }
    assert_eq!(page(&*store, ALICE, noon()).await, odd);
}

/// A law of its name.
pub async fn the_urgent_goes_first_then_the_older_and_pages_end_by_bytes<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let order = [
        Priority::Bulk,
        Priority::Normal,
        Priority::Urgent,
        Priority::Normal,
    ];
    let mut ids = Vec::new();
    for (number, priority) in order.into_iter().enumerate() {
        let mut letter = letter(ALICE, number);
        letter.priority = priority;
        ids.push(letter.id());
        take(&*store, letter, later(number as u64)).await;
    }
    let now = later(10);
    let all = store.page(ALICE, None, 10, u64::MAX, now).await.unwrap();
    let told: Vec<_> = all.iter().map(|held| held.id).collect();
    assert_eq!(told, [ids[2], ids[1], ids[3], ids[0]]);
    assert_eq!(
        store.page(ALICE, None, 2, u64::MAX, now).await.unwrap(),
        all[..2]
    );
    let three: u64 = all[..3].iter().map(|held| held.packed.len() as u64).sum();
    assert_eq!(
        store.page(ALICE, None, 10, three, now).await.unwrap(),
        all[..3]
    );
    assert_eq!(
        store.page(ALICE, None, 10, three - 1, now).await.unwrap(),
        all[..2]
    );
    assert_eq!(store.page(ALICE, None, 10, 0, now).await.unwrap(), all[..1]);
    assert_eq!(store.page(ALICE, None, 0, 9999, now).await.unwrap(), []);
    let waiting = store.status(ALICE, None, now).await.unwrap();
    assert_eq!(
        (waiting.oldest, waiting.newest),
        (Some(noon()), Some(later(3)))
    );
}

/// A law of its name.
pub async fn a_delayed_letter_does_not_wait_yet<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let mut delayed = letter(ALICE, 1);
    delayed.not_before = later(60);
    take(&*store, delayed, noon()).await;
    take(&*store, letter(ALICE, 2), later(1)).await;
    for (now, count, oldest) in [(later(59), 1, later(1)), (later(60), 2, noon())] {
        let waiting = store.status(ALICE, Some(ALICE), now).await.unwrap();
        assert_eq!((waiting.count, waiting.oldest), (count, Some(oldest)));
        assert_eq!(page(&*store, ALICE, now).await.len() as u64, count);
    }
}

/// A law of its name.
pub async fn what_expires_ends_as_a_dead_letter_and_is_not_given_out<S: Stage>() {
    let limits = Limits { dead: 3, ..small() };
    let stage = S::new().await;
    let store = stage.open(limits).await;
    store.open_account(ALICE, noon()).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..5 {
        let mut letter = letter(ALICE, number);
        letter.expires = later(10 + number as u64);
        ids.push(letter.id());
        take(&*store, letter, noon()).await;
    }
    take(&*store, letter(ALICE, 9), noon()).await;
    assert_eq!(store.status(ALICE, None, later(12)).await.unwrap().count, 3);
    assert_eq!(page(&*store, ALICE, later(12)).await.len(), 3);
    assert_eq!(store.expire(later(9)).await.unwrap(), 0);
    assert_eq!(store.expire(later(14)).await.unwrap(), 5);
    assert_eq!(store.expire(later(14)).await.unwrap(), 0);
    assert_eq!(store.status(ALICE, None, later(14)).await.unwrap().count, 1);
    let dead = store.dead_letters(10).await.unwrap();
    let told: Vec<_> = dead.iter().map(|dead| dead.id).collect();
    assert_eq!(told, [ids[4], ids[3], ids[2]], "the latest three");
    assert!(
        dead.iter()
            .all(|dead| dead.why == Ending::Expired && dead.account == ALICE)
    );
    assert_eq!((dead[0].received, dead[0].ended), (noon(), later(14)));
    let late = take(&*store, letter(ALICE, 20), later(3600)).await;
    assert_eq!(late, Enqueued::Refused(Refusal::Expired));
}

/// A law of its name.
pub async fn a_closed_account_leaves_dead_letters_and_may_be_opened_anew<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    store.update(ALICE, &[add(BOB)], noon()).await.unwrap();
    take(&*store, letter(ALICE, 1), noon()).await;
    assert!(store.close_account(ALICE, later(1)).await.unwrap());
    assert!(!store.close_account(ALICE, later(1)).await.unwrap());
    let dead = store.dead_letters(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].why), (1, Ending::Closed));
    assert_eq!(store.account_of(BOB).await.unwrap(), None);
    let totals = store.totals().await.unwrap();
    assert_eq!(
        (
            totals.accounts,
            totals.bindings,
            totals.letters,
            totals.bytes
        ),
        (0, 0, 0, 0)
    );
    let gone = take(&*store, letter(ALICE, 2), later(1)).await;
    assert_eq!(gone, Enqueued::Refused(Refusal::NoAccount));
    assert_eq!(
        store.open_account(ALICE, later(2)).await.unwrap(),
        Opening::New
    );
    assert!(is_stored(&take(&*store, letter(ALICE, 1), later(2)).await));
}

/// A law of its name.
pub async fn a_did_is_bound_to_whom_asked_first_and_an_account_outranks_it<S: Stage>() {
    let limits = Limits {
        bindings: 2,
        accounts: 3,
        ..small()
    };
    let stage = S::new().await;
    let store = stage.open(limits).await;
    for did in [ALICE, BOB] {
        assert_eq!(store.open_account(did, noon()).await.unwrap(), Opening::New);
        assert_eq!(
            store.open_account(did, noon()).await.unwrap(),
            Opening::Known
        );
    }
    let long = format!("did:example:{}", "x".repeat(2048));
    let changes = [
        add("did:key:z6Mk1#z6Mk1"),
        add("did:key:z6Mk1"),
        add(ALICE),
        add(BOB),
        add("https://example.com"),
        add(&long),
        add(CAROL),
        add("did:example:dave"),
        remove("did:example:dave"),
        remove(CAROL),
        add(CAROL),
    ];
    use Outcome::{ClientError, NoChange, ServerError, Success};
    let outcomes = store.update(ALICE, &changes, noon()).await.unwrap();
    assert_eq!(
        outcomes,
        [
            Success,
            NoChange,
            NoChange,
            ClientError,
            ClientError,
            ClientError,
            Success,
            ServerError,
            NoChange,
            Success,
            Success
        ]
    );
    let theirs = [add(CAROL), remove(CAROL)];
    let outcomes = store.update(BOB, &theirs, noon()).await.unwrap();
    assert_eq!(outcomes, [ClientError, NoChange]);
    let outcomes = store
        .update("did:example:nobody", &theirs, noon())
        .await
        .unwrap();
    assert_eq!(outcomes, [ClientError; 2]);

    let listing = store.bindings(ALICE, 1, 0).await.unwrap();
    assert_eq!(
        (listing.dids, listing.remaining, listing.total),
        (vec!["did:key:z6Mk1".to_owned()], 1, 2)
    );
    let listing = store.bindings(ALICE, 9, 1).await.unwrap();
    assert_eq!(
        (listing.dids, listing.remaining, listing.total),
        (vec![CAROL.to_owned()], 0, 2)
    );

    let of = async |next: &str| store.account_of(next).await.unwrap();
    assert_eq!(
        of("did:key:z6Mk1#z6Mk1").await,
        found(ALICE, "did:key:z6Mk1")
    );
    assert_eq!(
        of("did:example:carol?versionId=2").await,
        found(ALICE, CAROL)
    );
    assert_eq!(of(BOB).await, found(BOB, BOB));
    assert_eq!(of("did:example:nobody").await, None);
    assert_eq!(
        store.open_account(CAROL, noon()).await.unwrap(),
        Opening::New
    );
    assert_eq!(of(CAROL).await, found(CAROL, CAROL));
    assert_eq!(
        store
            .open_account("did:example:dave", noon())
            .await
            .unwrap(),
        Opening::Refused
    );
    assert_eq!(store.bindings(ALICE, 9, 0).await.unwrap().total, 1);
    let views = store.accounts(None, 2).await.unwrap();
    assert_eq!(
        (views.len(), views[0].did.as_str(), views[0].bindings),
        (2, ALICE, 1)
    );
    let views = store.accounts(Some(BOB), 2).await.unwrap();
    assert_eq!((views.len(), views[0].did.as_str()), (1, CAROL));
}

/// A law of its name.
pub async fn both_forms_of_a_did_peer_4_name_one_mailbox<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    let (long, short) = ("did:peer:4zQmHash:z2Document", "did:peer:4zQmHash");
    assert_eq!(canonical(&format!("{long}#key-1")), short);
    store.open_account(long, noon()).await.unwrap();
    assert_eq!(
        store.open_account(short, noon()).await.unwrap(),
        Opening::Known
    );
    for next in [long, short, "did:peer:4zQmHash#key-1"] {
        assert_eq!(store.account_of(next).await.unwrap(), found(short, short));
    }
    let mut to = letter(long, 1);
    to.recipient = format!("{long}#key-1");
    assert!(is_stored(&take(&*store, to, noon()).await));
    for name in [None, Some(long), Some(short)] {
        assert_eq!(store.status(short, name, noon()).await.unwrap().count, 1);
    }
}

/// A law of its name.
pub async fn letters_are_told_apart_by_the_did_they_are_for<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    store.update(ALICE, &[add(BOB)], noon()).await.unwrap();
    for number in 0..3 {
        let mut letter = letter(ALICE, number);
        letter.recipient = [ALICE, BOB, BOB][number].to_owned();
        take(&*store, letter, noon()).await;
    }
    for (name, count) in [
        (None, 3),
        (Some(ALICE), 1),
        (Some(BOB), 2),
        (Some(CAROL), 0),
    ] {
        let waiting = store.status(ALICE, name, noon()).await.unwrap();
        let page = store.page(ALICE, name, 10, u64::MAX, noon()).await.unwrap();
        assert_eq!((waiting.count, page.len()), (count, count as usize));
        assert!(
            page.iter()
                .all(|held| name.is_none_or(|name| held.recipient == name))
        );
    }
}

/// A law of its name.
pub async fn an_account_that_changes_its_did_keeps_all_it_has<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    store.open_account(ALICE, noon()).await.unwrap();
    store.update(ALICE, &[add(CAROL)], noon()).await.unwrap();
    take(&*store, letter(ALICE, 1), noon()).await;
    assert!(!store.moved(BOB, CAROL, noon(), noon()).await.unwrap());
    assert!(!store.moved(ALICE, ALICE, noon(), noon()).await.unwrap());
    assert!(store.moved(ALICE, BOB, noon(), noon()).await.unwrap());
    for name in [ALICE, BOB, CAROL] {
        assert_eq!(store.account_of(name).await.unwrap(), found(BOB, name));
    }
    assert_eq!(
        take(&*store, letter(BOB, 1), noon()).await,
        Enqueued::Duplicate
    );
    assert_eq!(page(&*store, BOB, noon()).await.len(), 1);
    assert!(page(&*store, ALICE, noon()).await.is_empty());
}

/// A law of its name.
pub async fn the_seen_are_known_for_a_time_and_a_number<S: Stage>() {
    let stage = S::new().await;
    let limits = Limits { seen: 3, ..small() };
    let store = stage.open(limits.clone()).await;
    let seen = async |store: &dyn MailboxStore, sender, id: &str, now| {
        let seen = store.seen_message(sender, id, now).await.unwrap();
        if !seen {
            store.settle_message(sender, id, true, now).await.unwrap();
        }
        seen
    };
    assert!(!seen(&*store, ALICE, "1", noon()).await);
    assert!(seen(&*store, ALICE, "1", later(86_399)).await);
    assert!(!seen(&*store, BOB, "1", noon()).await);
    drop(store);
    let store = stage.open(limits).await;
    assert!(
        seen(&*store, ALICE, "1", noon()).await,
        "forgotten on the way"
    );
    assert!(
        !seen(&*store, ALICE, "1", later(86_400)).await,
        "its day is over"
    );
    for number in 2..5 {
        assert!(!seen(&*store, ALICE, &number.to_string(), noon()).await);
    }
    assert!(!seen(&*store, BOB, "1", noon()).await, "the oldest went");
    assert!(seen(&*store, ALICE, "4", noon()).await);
}

/// An honest sender repeats what failed, or what nobody has told of since.
pub async fn what_was_not_done_may_be_asked_for_once_more<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    let seen = async |id, now| store.seen_message(ALICE, id, now).await.unwrap();
    assert!(!seen("failed", noon()).await);
    assert!(seen("failed", later(1)).await, "it is being done");
    let told = store.settle_message(ALICE, "failed", false, later(2)).await;
    told.unwrap();
    assert!(!seen("failed", later(3)).await);
    // Nobody has said what became of it.
    assert!(!seen("killed", noon()).await);
    assert!(seen("killed", later(59)).await);
    assert!(!seen("killed", later(60)).await);
    let told = store.settle_message(ALICE, "killed", true, later(61)).await;
    told.unwrap();
    assert!(seen("killed", later(3600)).await);
}

/// A law of its name.
pub async fn many_at_once_take_and_collect_everything_once<S: Stage>() {
    let stage = S::new().await;
    let store = stage.open(small()).await;
    let accounts = [
        "did:example:a",
        "did:example:b",
        "did:example:c",
        "did:example:d",
    ];
    for account in accounts {
        store.open_account(account, noon()).await.unwrap();
    }
    let mut work = tokio::task::JoinSet::new();
    for producer in 0..16 {
        let store = store.clone();
        work.spawn(async move {
            for number in 0..50 {
                let account = accounts[(producer + number) % 4];
                // Two producers bring each.
                let letter = letter(account, producer / 2 * 1000 + number);
                let outcome = take(&*store, letter, noon()).await;
                assert!(!matches!(outcome, Enqueued::Refused(_)), "{outcome:?}");
            }
            0
        });
    }
    for account in accounts {
        let store = store.clone();
        work.spawn(async move {
            let (mut collected, mut idle) = (0, 0);
            while idle < 200 {
                let page = store
                    .page(account, None, 10, u64::MAX, noon())
                    .await
                    .unwrap();
                let ids: Vec<_> = page.iter().map(|held| held.id).collect();
                let acked = store.ack(account, &ids, noon()).await.unwrap().count;
                assert_eq!(acked, ids.len() as u64);
                collected += ids.len();
                idle = if ids.is_empty() { idle + 1 } else { 0 };
                if ids.is_empty() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            }
            collected
        });
    }
    let mut collected = 0;
    while let Some(one) = work.join_next().await {
        collected += one.unwrap();
    }
    // Of each pair of producers, half of the letters go to other accounts: those are not twins.
    assert_eq!(collected, 16 * 50);
    assert_eq!(store.totals().await.unwrap().letters, 0);
}
