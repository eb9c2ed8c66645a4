//! How messages travel and end.

use super::*;
use crate::bus::io::Origin;
use crate::link::Way;

#[test]
fn alices_message_rides_with_the_mule_and_bobs_receipt_comes_home() {
    let (mut alice, mut mule, mut bob) = (Party::new(ALICE), Party::new(MULE), Party::new(BOB));
    alice.submit(letter(1, BOB)).unwrap();
    assert_eq!(alice.rung(1), Some(Rung::Queued));
    assert_eq!(visit(&mut alice, &mut mule, 1), [1]);
    assert_eq!(alice.rung(1), Some(Rung::Custody));
    assert_eq!(
        mule.held(1).map(|held| held.origin),
        Some(Origin::From(key(ALICE)))
    );

    assert_eq!(visit(&mut mule, &mut bob, 2), [1]);
    assert_eq!(mule.held(1), None, "bob's own node has it");
    assert_eq!(bob.received().len(), 1);
    bob.acknowledge(1);
    let word = bob.told.pop().unwrap();

    assert!(mule.depot.wants_receipt(&word));
    mule.hear(word);
    mule.meet(ALICE, 3);
    let told = mule.depot.receipts_for(LinkId(3), 10);
    assert_eq!(told.len(), 1);
    alice.hear(told[0].clone());
    assert_eq!(alice.rung(1), Some(Rung::Delivered));
    assert_eq!(alice.depot.totals().bytes, 0, "the body is gone");
    assert!(alice.offer(3).is_empty());
}

#[test]
fn bobs_receipt_frees_the_mule_that_never_meets_him() {
    let (mut alice, mut mule) = (Party::new(ALICE), Party::new(MULE));
    alice.submit(letter(1, BOB)).unwrap();
    visit(&mut alice, &mut mule, 1);
    mule.meet(KIOSK, 2);
    assert_eq!(mule.offer(2).len(), 1);
    mule.hear(receipt(BOB, &[1], None));
    assert_eq!(mule.held(1), None);
    assert_eq!(mule.withdrawn, [id(1)]);
    assert_eq!(mule.judge(ALICE, &letter(1, BOB)), Judgement::Have);
}

#[test]
fn mallorys_own_receipt_for_bobs_message_changes_nothing() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.hear(receipt(MALLORY, &[1], None));
    assert_eq!(alice.rung(1), Some(Rung::Queued));
    alice.hear(receipt(MALLORY, &[1], Some(Reason::Rejected)));
    assert_eq!(alice.rung(1), Some(Rung::Queued));
}

#[test]
fn bobs_word_to_alices_agent_ends_what_she_sent_and_nothing_that_she_carries() {
    let mut alice = Party::new(ALICE);
    let mail = Way::parse("mail:bob@example.org").unwrap();
    alice.depot.ways(tag(BOB), vec![mail.clone()]);
    alice.submit(letter(1, BOB)).unwrap();
    assert_eq!(alice.depot.deliveries(alice.now).len(), 1);
    alice.act(|depot, now, turn| depot.handed(now, &id(1), &mail, &Ok(()), turn));
    assert_eq!(alice.rung(1), Some(Rung::Custody));
    assert!(alice.depot.totals().bytes > 0);
    for _ in 0..2 {
        alice.act(|depot, now, turn| depot.answered_for(now, &id(1), turn));
        assert_eq!(alice.rung(1), Some(Rung::Delivered));
        assert_eq!(alice.depot.totals().bytes, 0, "the body is gone");
    }

    let mut mule = Party::new(MULE);
    let mut kiosk = Party::new(KIOSK);
    kiosk.submit(letter(2, BOB)).unwrap();
    assert_eq!(visit(&mut kiosk, &mut mule, 1), [2]);
    mule.act(|depot, now, turn| depot.answered_for(now, &id(2), turn));
    assert!(mule.held(2).is_some(), "only a signed receipt ends it");
}

#[test]
fn a_receipt_known_before_the_message_makes_it_unwanted() {
    let mut mule = Party::new(MULE);
    mule.hear(receipt(BOB, &[1], None));
    assert_eq!(mule.judge(ALICE, &letter(1, BOB)), Judgement::Have);
    assert_eq!(mule.judge(ALICE, &letter(2, BOB)), Judgement::Want);
}

#[test]
fn what_bobs_agent_rejects_becomes_alices_dead_letter() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.hear(receipt(BOB, &[1], Some(Reason::Rejected)));
    assert_eq!(alice.rung(1), Some(Rung::Refused(Reason::Rejected)));
    assert!(alice.events.contains(&Event::Dead(id(1), Reason::Rejected)));
    // A later word that it arrived after all stands above it.
    alice.hear(receipt(BOB, &[1], None));
    assert_eq!(alice.rung(1), Some(Rung::Delivered));
}

#[test]
fn an_expired_message_waits_for_a_person_who_lets_it_try_again() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.wait(10_000);
    assert_eq!(alice.rung(1), Some(Rung::Queued), "its last second");
    alice.wait(1);
    assert_eq!(alice.rung(1), Some(Rung::Expired));
    assert_eq!(alice.depot.totals().dead, 1);
    alice.meet(BOB, 1);
    assert!(alice.offer(1).is_empty());

    assert!(alice.act(|depot, now, turn| depot.retry(now, &id(1), turn)));
    assert_eq!(alice.rung(1), Some(Rung::Queued));
    assert_eq!(alice.offer(1).len(), 1);
}

#[test]
fn a_mule_lets_go_of_what_expired_and_knows_it_for_a_while() {
    let (mut alice, mut mule) = (Party::new(ALICE), Party::new(MULE));
    alice.submit(letter(1, BOB)).unwrap();
    visit(&mut alice, &mut mule, 1);
    assert_eq!(mule.depot.deadline().1, Some(DAWN + 10_001));
    mule.wait(10_001);
    assert_eq!(mule.held(1), None);
    assert_eq!(mule.depot.totals().bytes, 0);
    assert_eq!(mule.judge(ALICE, &letter(1, BOB)), Judgement::Have);
    assert_eq!(
        mule.judge(ALICE, &letter(2, BOB)),
        Judgement::Refuse(Reason::Expired)
    );
}

#[test]
fn what_expired_stays_so_when_the_clock_goes_back_and_a_short_jump_ends_nothing() {
    let mut alice = Party::new(ALICE);
    alice.submit(letter(1, BOB)).unwrap();
    alice.submit(letter(2, BOB)).unwrap();
    alice.now.wall += 1_000_000;
    alice.wait(1);
    assert_eq!(alice.rung(1), Some(Rung::Queued), "a jump is doubted");
    let (timer, wall) = alice.depot.deadline();
    assert!(timer.is_some() && wall.is_none());
    alice.now.wall -= 1_000_000;
    alice.wait(600);
    assert_eq!(alice.rung(1), Some(Rung::Queued));

    alice.now.wall += 1_000_000;
    alice.wait(1);
    alice.wait(600);
    assert_eq!(alice.rung(1), Some(Rung::Expired));
    alice.now.wall = DAWN;
    alice.wait(1);
    assert_eq!(alice.rung(1), Some(Rung::Expired));
}

#[test]
fn a_forgotten_message_is_gone_and_its_copies_end_with_their_time() {
    let (mut alice, mut mule) = (Party::new(ALICE), Party::new(MULE));
    alice.submit(letter(1, BOB)).unwrap();
    visit(&mut alice, &mut mule, 1);
    assert!(alice.act(|depot, now, turn| depot.forget(now, &id(1), turn)));
    assert!(!alice.act(|depot, now, turn| depot.forget(now, &id(1), turn)));
    assert_eq!(alice.depot.totals().count, 0);
    assert!(mule.held(1).is_some());
    assert_eq!(alice.judge(MULE, &letter(1, BOB)), Judgement::Have);
}

#[test]
fn receipts_speak_of_many_messages_when_many_wait() {
    let mut bob = Party::new(BOB);
    for n in 1..=5 {
        assert_eq!(bob.judge(ALICE, &letter(n, BOB)), Judgement::Want);
        assert_eq!(bob.arrive(ALICE, &letter(n, BOB)), Arrival::Inbox);
    }
    for n in 1..=5 {
        bob.act(|depot, now, turn| depot.acknowledge(now, &id(n), Verdict::Kept, turn));
    }
    assert_eq!(bob.signs.len(), 1, "one signature at a time");
    let (by, ids, refused) = bob.signs.remove(0);
    assert_eq!(ids, [id(1)]);
    let signed = receipt(BOB, &[1], None);
    bob.act(|depot, now, turn| depot.signed(now, by, &ids, refused, Some(signed), turn));
    assert_eq!(bob.signs[0].1, [id(2), id(3), id(4), id(5)]);
}
