//! What is offered, to whom, in which order; what becomes of a refusal.

use super::*;
use crate::link::Way;

#[test]
fn what_is_for_the_one_who_is_here_goes_first_and_the_urgent_before_all() {
    let mut mule = Party::new(MULE);
    let mut urgent = letter(3, BOB);
    urgent.label.priority = Priority::Urgent;
    for meta in [letter(1, ALICE), letter(2, BOB), urgent, letter(4, ALICE)] {
        mule.submit(meta).unwrap();
    }
    mule.meet(BOB, 1);
    let lots = mule.act(|depot, now, turn| depot.offers(now, LinkId(1), 100, turn));
    let direct: Vec<_> = lots.iter().map(|lot| lot.meta.id).collect();
    assert_eq!(direct, [id(3), id(2)], "at once, without a promise");
    assert!(lots.iter().all(|lot| lot.meta.label.copies == 1));
    let shared: Vec<_> = mule.offers.iter().map(|(_, lot)| lot.meta.id).collect();
    assert_eq!(shared, [id(1), id(4)], "after the promises are durable");
    let least = mule.offers.iter().map(|(_, lot)| lot.age).min();
    assert!(lots.iter().map(|lot| lot.age).max() < least);
    mule.offers.clear();
    assert!(mule.offer(1).is_empty(), "all is offered");
}

#[test]
fn nobody_else_is_offered_anything_until_the_other_side_has_said_who_it_is() {
    let mut mule = Party::new(MULE);
    mule.submit(letter(1, BOB)).unwrap();
    mule.depot
        .contact(mule.now, key(BOB), LinkId(1), "mem", None);
    assert!(mule.offer(1).is_empty());
    let opens = mule.depot.deadline().0.unwrap();
    assert_eq!(opens, Time::from_micros(300_000));
    mule.depot.proved(LinkId(1), tag(BOB));
    assert_eq!(mule.offer(1)[0].label.copies, 1);
    assert_eq!(mule.copies(1), Some(6), "the recipient costs no copies");

    // Somebody who never says who it is, is a carrier after a moment.
    mule.depot
        .contact(mule.now, key(KIOSK), LinkId(2), "mem", None);
    assert!(mule.offer(2).is_empty());
    mule.now.time = mule.now.time + Duration::from_millis(301);
    mule.act(|depot, now, turn| depot.timeout(now, turn));
    assert_eq!(mule.offer(2)[0].label.copies, 3);
}

#[test]
fn a_full_kiosk_is_asked_again_ever_more_rarely_and_a_principled_one_never() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.meet(KIOSK, 1);
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert_eq!(alice.offer(1).len(), 1);
        alice.refused(1, 1, Reason::Full);
        assert_eq!(alice.copies(1), Some(6), "the promise is called off");
        assert!(alice.offer(1).is_empty());
        let at = alice.depot.deadline().0.unwrap();
        let wait = at.since(alice.now.time);
        waits.push(wait.as_secs_f64());
        alice.now.time = at;
    }
    for (wait, about) in waits.iter().zip([2.0, 4.0, 8.0, 16.0]) {
        assert!((about * 0.8..=about * 1.2).contains(wait), "{waits:?}");
    }
    assert_eq!(alice.offer(1).len(), 1);
    alice.refused(1, 1, Reason::Policy);
    alice.part(1);
    alice.wait(5_000);
    alice.meet(KIOSK, 2);
    assert!(alice.offer(2).is_empty());
    let why = alice.depot.why(alice.now, &id(1)).unwrap();
    assert_eq!(why.refusals, [(key(KIOSK), Reason::Policy, None)]);
    alice.meet(MULE, 3);
    assert_eq!(alice.offer(3).len(), 1, "others may");
}

/// Seeds 49438 and 59818 of the mixed plan: bob has proven who he is on one link, and answers on
/// another.
#[test]
fn bobs_own_node_says_no_on_any_of_its_links() {
    let mut alice = Party::new(ALICE);
    alice.meet(BOB, 1);
    let second = LinkId(2);
    alice
        .depot
        .contact(alice.now, key(BOB), second, "tcp", None);
    alice.submit(letter(1, BOB)).unwrap();
    alice.depot.introduced(second);
    assert_eq!(alice.offer(2).len(), 1);
    alice.refused(2, 1, Reason::TooLarge);
    assert_eq!(alice.rung(1), Some(Rung::Refused(Reason::TooLarge)));
}

#[test]
fn bobs_own_node_saying_no_ends_it() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.meet(BOB, 1);
    alice.offer(1);
    alice.refused(1, 1, Reason::Full);
    assert_eq!(alice.rung(1), Some(Rung::Queued));
    alice.wait(3);
    assert_eq!(alice.offer(1).len(), 1);
    alice.refused(1, 1, Reason::TooLarge);
    assert_eq!(alice.rung(1), Some(Rung::Refused(Reason::TooLarge)));
}

#[test]
fn a_bundle_goes_over_one_of_two_links_to_the_same_node() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.meet(MULE, 1);
    alice.meet(MULE, 2);
    assert_eq!(alice.offer(1).len(), 1);
    assert!(alice.offer(2).is_empty());
    alice.part(1);
    let again = alice.offer(2);
    assert_eq!(again[0].label.copies, 3, "the promise is still in doubt");
    assert_eq!(alice.copies(1), Some(3));
}

#[test]
fn what_never_left_is_promised_to_nobody() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.meet(MULE, 1);
    alice.offer(1);
    assert_eq!(alice.copies(1), Some(3));
    alice.act(|depot, now, turn| depot.recall(now, LinkId(1), &id(1), turn));
    assert_eq!(alice.copies(1), Some(6));
    alice.part(1);
    assert!(alice.held(1).unwrap().takers.is_empty());
}

#[test]
fn a_peer_that_forgot_is_offered_everything_again() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.submit(letter(2, MULE)).unwrap();
    alice.meet(MULE, 1);
    assert_eq!(alice.offer(1).len(), 2);
    alice.depot.forgot(LinkId(1));
    let again = alice.offer(1);
    assert_eq!(again.len(), 2);
    assert_eq!(alice.copies(1), Some(3), "the same promise");
}

#[test]
fn a_message_goes_by_the_transports_it_may_and_no_other() {
    let mut alice = Party::new(ALICE);
    let by = vec!["qr".to_owned()];
    alice
        .act(|depot, now, turn| depot.submit(now, letter(1, BOB), by, turn))
        .unwrap();
    alice.meet(BOB, 1);
    assert!(alice.offer(1).is_empty());
    alice
        .depot
        .contact(alice.now, key(BOB), LinkId(2), "qr", None);
    alice.depot.proved(LinkId(2), tag(BOB));
    assert_eq!(alice.offer(2).len(), 1);
}

#[test]
fn the_last_copy_moves_along_a_configured_way_and_along_no_other() {
    let mut mule = Party::new(MULE);
    let way = Way::parse("tcp://kiosk:4460").unwrap();
    let mut meta = letter(1, BOB);
    meta.label.copies = 1;
    mule.judge(ALICE, &meta);
    mule.arrive(ALICE, &meta);
    mule.meet(KIOSK, 1);
    assert!(mule.offer(1).is_empty());
    mule.part(1);
    mule.depot.ways(tag(BOB), vec![way.clone()]);
    mule.depot
        .contact(mule.now, key(KIOSK), LinkId(2), "tcp", Some(&way));
    mule.depot.introduced(LinkId(2));
    assert_eq!(mule.offer(2)[0].label.copies, 1);
    assert_eq!(mule.copies(1), Some(0));
    mule.taken(2, 1);
    assert_eq!(mule.held(1), None, "its duty has passed on");
    assert_eq!(mule.depot.totals().seen, 1);
}
