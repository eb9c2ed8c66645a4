//! Mallory, quotas, and a full house.

use super::*;
use crate::link::Way;

fn tight() -> DepotConfig {
    DepotConfig {
        quotas: Quotas {
            total_bytes: 5_000,
            total_count: 100,
            strangers_bytes: 4_000,
            per_stranger_bytes: 2_000,
            per_stranger_count: 10,
            max_message: 3_000,
        },
        ..DepotConfig::default()
    }
}

fn sized(n: u8, bytes: u64) -> Meta {
    Meta {
        bytes,
        ..letter(n, BOB)
    }
}

#[test]
fn room_is_kept_for_what_is_being_received_and_given_back_when_it_is_not() {
    let mut kiosk = Party::with(KIOSK, tight());
    assert_eq!(kiosk.judge(MALLORY, &sized(1, 2_000)), Judgement::Want);
    assert_eq!(
        kiosk.judge(MALLORY, &sized(2, 1)),
        Judgement::Refuse(Reason::Quota)
    );
    assert_eq!(kiosk.judge(MULE, &sized(1, 2_000)), Judgement::Coming);
    assert_eq!(kiosk.judge(ALICE, &sized(3, 2_000)), Judgement::Want);
    assert_eq!(
        kiosk.judge(MULE, &sized(4, 1)),
        Judgement::Refuse(Reason::Full),
        "all strangers' room is taken"
    );
    assert_eq!(kiosk.depot.totals().bytes, 4_000);
    kiosk.depot.abandon(&id(1));
    assert_eq!(kiosk.judge(MALLORY, &sized(2, 2_000)), Judgement::Want);
    assert_eq!(
        kiosk.judge(ALICE, &sized(9, 3_001)),
        Judgement::Refuse(Reason::TooLarge)
    );
}

#[test]
fn what_is_our_own_takes_the_room_of_what_is_carried_and_says_so() {
    let mut kiosk = Party::with(KIOSK, tight());
    for (n, from) in [(1, MALLORY), (2, ALICE)] {
        let mut meta = sized(n, 2_000);
        meta.label.expires = Some(DAWN + 5_000 - u64::from(n));
        assert_eq!(kiosk.judge(from, &meta), Judgement::Want);
        assert_eq!(kiosk.arrive(from, &meta), Arrival::Carry);
    }
    assert_eq!(kiosk.submit(sized(3, 1_500)), Ok(()));
    assert!(
        kiosk.events.contains(&Event::Evicted(id(2))),
        "{:?}",
        kiosk.events
    );
    assert!(kiosk.held(1).is_some(), "one was enough");
    assert_eq!(kiosk.depot.totals().evicted, 1);
    // It is neither fetched again nor claimed to be here.
    assert_eq!(
        kiosk.judge(ALICE, &sized(2, 2_000)),
        Judgement::Refuse(Reason::Policy)
    );
    assert_eq!(kiosk.submit(sized(4, 3_000)), Ok(()));
    assert_eq!(kiosk.held(1), None);
    assert_eq!(kiosk.submit(sized(5, 501)), Err(Reason::Full));
    assert_eq!(kiosk.submit(sized(5, 500)), Ok(()));
    assert_eq!(kiosk.depot.totals().bytes, 5_000);
}

#[test]
fn what_was_carried_is_carried_on_if_the_disk_refuses_it_as_our_own() {
    let mut mule = Party::with(MULE, tight());
    let carried = sized(1, 2_000);
    assert_eq!(mule.judge(ALICE, &carried), Judgement::Want);
    assert_eq!(mule.arrive(ALICE, &carried), Arrival::Carry);
    let before = mule.held(1).cloned();

    let mut turn = Turn::default();
    let now = mule.now;
    let own = mule.depot.submit(now, carried, Vec::new(), &mut turn);
    assert_eq!(own, Ok(()));
    assert!(mule.held(1).unwrap().origin == Origin::Own);
    mule.depot.undo(&id(1));
    assert_eq!(mule.held(1).cloned(), before, "alice was told that we care");
    assert_eq!(mule.depot.totals().bytes, 2_000);
    mule.disk_is_what_ought_to_be();
    mule.meet(BOB, 1);
    assert_eq!(mule.offer(1).len(), 1);
    mule.part(1);

    // The disk has room: it changes hands, and is paid for once.
    assert_eq!(mule.submit(carried), Ok(()));
    assert_eq!(mule.depot.totals().bytes, 2_000);
    assert_eq!(mule.depot.totals().strangers_bytes, 0);
}

#[test]
fn a_carried_message_does_not_make_room_for_itself() {
    let mut mule = Party::with(MULE, tight());
    for n in [1, 2] {
        let from = if n == 1 { ALICE } else { MALLORY };
        let mut carried = sized(n, 2_000);
        carried.label.expires = Some(DAWN + 1_000 * u64::from(n));
        assert_eq!(mule.judge(from, &carried), Judgement::Want);
        assert_eq!(mule.arrive(from, &carried), Arrival::Carry);
    }
    assert_eq!(mule.submit(sized(1, 2_000)), Ok(()));
    assert_eq!(mule.depot.totals().evicted, 1);
    assert!(mule.held(1).is_some() && mule.held(2).is_none());
    assert_eq!(mule.depot.totals().bytes, 2_000);
}

#[test]
fn a_newcomer_takes_the_place_of_what_expires_sooner_only_if_that_is_the_policy() {
    for full in [WhenFull::Refuse, WhenFull::Evict] {
        let mut config = tight();
        config.policy.full = full;
        let mut kiosk = Party::with(KIOSK, config);
        let mut old = sized(1, 2_000);
        old.label.expires = Some(DAWN + 100);
        kiosk.judge(MALLORY, &old);
        kiosk.arrive(MALLORY, &old);
        let judged = kiosk.judge(MALLORY, &sized(2, 1_500));
        if full == WhenFull::Refuse {
            assert_eq!(judged, Judgement::Refuse(Reason::Quota));
            assert!(kiosk.held(1).is_some());
        } else {
            assert_eq!(judged, Judgement::Want);
            assert_eq!(kiosk.held(1), None);
            let mut older = sized(3, 2_000);
            older.label.expires = Some(DAWN + 50);
            kiosk.arrive(MALLORY, &sized(2, 1_500));
            assert_eq!(
                kiosk.judge(MALLORY, &older),
                Judgement::Refuse(Reason::Quota)
            );
        }
    }
}

#[test]
fn half_messages_keep_only_what_is_here_and_make_way() {
    let mut kiosk = Party::with(KIOSK, tight());
    let whole = sized(1, 2_000);
    assert_eq!(kiosk.judge(MALLORY, &whole), Judgement::Want);
    kiosk.depot.paused(kiosk.now, &id(1), &tag(BOB), 300);
    assert_eq!(kiosk.depot.totals().bytes, 300);
    assert_eq!(kiosk.judge(MALLORY, &sized(2, 1_700)), Judgement::Want);
    assert!(kiosk.discarded.is_empty());
    kiosk.depot.paused(kiosk.now, &id(2), &tag(BOB), 1_600);
    // It goes on where it stopped, and the other one makes way.
    assert_eq!(kiosk.judge(MALLORY, &whole), Judgement::Want);
    assert_eq!(kiosk.discarded, [id(2)]);
    assert_eq!(kiosk.depot.totals().bytes, 2_000);
    assert_eq!(kiosk.arrive(MALLORY, &whole), Arrival::Carry);
    assert_eq!(kiosk.depot.totals().reserved_bytes, 0);
}

#[test]
fn ten_thousand_offers_are_judged_and_not_one_more_than_fits_is_wanted() {
    let mut config = DepotConfig::default();
    config.quotas.per_stranger_count = 100;
    config.quotas.strangers_bytes = 150_000;
    let mut kiosk = Party::with(KIOSK, config);
    let mut wanted = 0;
    for n in 0..10_000_u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        let meta = Meta {
            id: EnvelopeId::from_bytes(bytes),
            ..letter(1, BOB)
        };
        let from = MALLORY + (n % 3) as u8;
        wanted += usize::from(kiosk.judge(from, &meta) == Judgement::Want);
    }
    assert_eq!(wanted, 150);
    assert_eq!(kiosk.depot.totals().strangers_bytes, 150_000);
}

#[test]
fn a_memory_full_of_unexpired_ids_takes_nothing_new_and_forgets_nothing() {
    let config = DepotConfig {
        seen_kept: 4,
        ..DepotConfig::default()
    };
    let mut mule = Party::with(MULE, config);
    for n in 1..=4 {
        assert_eq!(mule.judge(ALICE, &letter(n, BOB)), Judgement::Want);
        assert_eq!(mule.arrive(ALICE, &letter(n, BOB)), Arrival::Carry);
        mule.hear(receipt(BOB, &[n], None));
    }
    assert_eq!(mule.depot.totals().seen, 4);
    mule.crash();
    assert_eq!(
        mule.judge(ALICE, &letter(5, BOB)),
        Judgement::Refuse(Reason::Full)
    );
    for n in 1..=4 {
        assert_eq!(mule.judge(ALICE, &letter(n, BOB)), Judgement::Have);
    }
    // After expiry and margin there is room again.
    mule.wait(10_000 + 86_400 + 700);
    mule.wait(700);
    let mut fresh = letter(6, BOB);
    fresh.label.expires = Some(mule.now.wall + 100);
    assert_eq!(mule.judge(ALICE, &fresh), Judgement::Want);
    assert_eq!(mule.arrive(ALICE, &fresh), Arrival::Carry);
    mule.hear(receipt(BOB, &[6], None));
    assert_eq!(mule.depot.totals().seen, 4);
    assert_eq!(mule.judge(ALICE, &fresh), Judgement::Have);
}

#[test]
fn greedy_labels_are_cut_down_and_spent_ones_refused() {
    let mut mule = Party::new(MULE);
    let mut greedy = letter(1, BOB);
    greedy.label.copies = u16::MAX;
    greedy.label.hops = u8::MAX;
    greedy.label.expires = None;
    assert_eq!(mule.judge(MALLORY, &greedy), Judgement::Want);
    mule.arrive(MALLORY, &greedy);
    let label = mule.held(1).unwrap().label;
    let policy = Policy::default();
    assert_eq!((label.copies, label.hops), (policy.copies, policy.hops - 1));
    assert_eq!(label.expires, Some(DAWN + policy.lifetime_s));
    let mut spent = letter(2, BOB);
    spent.label.hops = 0;
    assert_eq!(mule.judge(MALLORY, &spent), Judgement::Refuse(Reason::Hops));
    // Bob himself takes it all the same.
    assert_eq!(Party::new(BOB).judge(MALLORY, &spent), Judgement::Want);
}

#[test]
fn who_carries_nothing_for_strangers_still_serves_friends() {
    let mut config = DepotConfig::default();
    config.policy.carry_for_strangers = false;
    let mut kiosk = Party::with(KIOSK, config);
    assert_eq!(
        kiosk.judge(MALLORY, &letter(1, BOB)),
        Judgement::Refuse(Reason::Policy)
    );
    // That somebody's door is known makes nobody a friend.
    let door = Way::parse("http://bob/").unwrap();
    kiosk.depot.strangers_ways(tag(BOB), vec![door]);
    assert_eq!(
        kiosk.judge(MALLORY, &letter(1, BOB)),
        Judgement::Refuse(Reason::Policy)
    );
    kiosk.depot.ways(tag(BOB), Vec::new());
    assert_eq!(kiosk.judge(MALLORY, &letter(1, BOB)), Judgement::Want);
    assert_eq!(kiosk.depot.totals().strangers_bytes, 1_000);
    assert_eq!(kiosk.judge(BOB, &letter(2, BOB)), Judgement::Want);
    assert_eq!(
        kiosk.depot.totals().strangers_bytes,
        1_000,
        "bob is a friend"
    );
}

#[test]
fn mallorys_answers_to_what_nobody_offered_her_are_nothing() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    let before = alice.held(1).cloned();
    alice.meet(MALLORY, 1);
    alice.taken(1, 1);
    alice.refused(1, 1, Reason::Rejected);
    alice.taken(1, 77);
    alice.taken(99, 1);
    assert_eq!(alice.held(1).cloned(), before);
}

#[test]
fn mallorys_receipts_fill_their_share_and_no_more() {
    let config = DepotConfig {
        receipts_kept: 8,
        ..DepotConfig::default()
    };
    let mut mule = Party::with(MULE, config);
    for n in 1..=6 {
        mule.hear(receipt(BOB, &[n], None));
        mule.hear(receipt(MALLORY, &[n + 100], None));
    }
    assert_eq!(mule.depot.totals().receipts, 4, "two for each DID");
    mule.meet(ALICE, 1);
    let told = mule.depot.receipts_for(LinkId(1), 9);
    assert!(told.contains(&receipt(BOB, &[6], None)));
}

#[test]
fn mallorys_false_label_does_not_keep_a_message_from_the_mule_it_is_for() {
    let (false_label, genuine) = (letter(1, ALICE), letter(1, MULE));
    for released in [false, true] {
        let mut mule = Party::new(MULE);
        assert_eq!(mule.arrive(MALLORY, &false_label), Arrival::Carry);
        if released {
            mule.hear(receipt(ALICE, &[1], None));
            mule.crash();
            assert_eq!(mule.judge(MALLORY, &false_label), Judgement::Have);
        }
        assert_eq!(mule.judge(KIOSK, &genuine), Judgement::Want);
        assert_eq!(mule.arrive(KIOSK, &genuine), Arrival::Inbox);
        assert_eq!(mule.held(1), None);
        mule.acknowledge(1);
        mule.crash();
        assert_eq!(mule.judge(KIOSK, &genuine), Judgement::Have);
        assert_eq!(mule.received().len(), 1);
        assert_eq!(mule.depot.totals().bytes, 0);
    }
}

#[test]
fn mallorys_false_label_does_not_keep_a_message_from_others_either() {
    let (false_label, genuine) = (letter(1, ALICE), letter(1, BOB));
    let mut mule = Party::new(MULE);
    assert_eq!(mule.arrive(MALLORY, &false_label), Arrival::Carry);
    // Mule cannot tell which label lies; kiosk must not think that mule has what is for bob.
    assert_eq!(
        mule.judge(KIOSK, &genuine),
        Judgement::Refuse(Reason::Policy)
    );
    mule.hear(receipt(ALICE, &[1], None));
    assert_eq!(mule.judge(MALLORY, &false_label), Judgement::Have);
    assert_eq!(mule.judge(KIOSK, &genuine), Judgement::Want);
}

#[test]
fn who_refused_to_carry_it_is_asked_again_once_it_proves_to_be_the_recipient() {
    for ends in [Reason::TooLarge, Reason::Policy] {
        let mut kiosk = Party::new(KIOSK);
        assert_eq!(kiosk.submit(letter(1, ALICE)), Ok(()));
        kiosk
            .depot
            .contact(kiosk.now, key(ALICE), LinkId(1), "mem", None);
        kiosk.depot.introduced(LinkId(1));
        assert_eq!(kiosk.offer(1).len(), 1, "a copy for a carrier");
        kiosk.refused(1, 1, ends);
        assert_eq!(kiosk.offer(1), []);
        kiosk.depot.proved(LinkId(1), tag(ALICE));
        assert_eq!(kiosk.offer(1).len(), 1, "the message for its recipient");
        kiosk.refused(1, 1, ends);
        assert_eq!(
            kiosk.held(1).map(|held| held.state),
            Some(if ends.ends_with_recipient() {
                HeldState::Dead(ends)
            } else {
                HeldState::Waiting
            })
        );
    }
}
