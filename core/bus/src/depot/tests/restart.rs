//! What a restart must not change.

use super::*;

#[test]
fn bob_gets_a_message_once_though_he_restarts_at_every_step() {
    let mut bob = Party::new(BOB);
    let meta = letter(1, BOB);
    assert_eq!(bob.judge(ALICE, &meta), Judgement::Want);
    bob.crash();
    assert_eq!(bob.depot.totals().count, 0, "nothing was durable");
    assert_eq!(bob.arrive(ALICE, &meta), Arrival::Inbox);
    bob.crash();
    assert_eq!(bob.received().len(), 2, "said again, for it has no answer");
    assert_eq!(bob.judge(MULE, &meta), Judgement::Have);
    bob.act(|depot, now, turn| depot.acknowledge(now, &id(1), Verdict::Kept, turn));
    bob.crash();
    assert_eq!(bob.received().len(), 2);
    assert_eq!(bob.signs.len(), 1, "the receipt is still owed");
    let (by, ids, refused) = bob.signs.remove(0);
    let signed = receipt(BOB, &[1], None);
    bob.act(|depot, now, turn| depot.signed(now, by, &ids, refused, Some(signed), turn));
    bob.crash();
    assert!(bob.signs.is_empty());
    assert_eq!(bob.judge(MULE, &meta), Judgement::Have);
    bob.meet(MULE, 1);
    assert_eq!(bob.depot.receipts_for(LinkId(1), 9).len(), 1);
}

#[test]
fn the_sabotage_forgets_at_a_restart_what_was_seen() {
    let mut config = DepotConfig::default();
    config.sabotage.forget_dedup = true;
    let mut bob = Party::with(BOB, config);
    let meta = letter(1, BOB);
    assert_eq!(bob.arrive(ALICE, &meta), Arrival::Inbox);
    bob.acknowledge(1);
    assert_eq!(bob.judge(MULE, &meta), Judgement::Have);
    bob.disk.retain(|key, _| !matches!(key, Key::Receipt(_)));
    bob.depot = Depot::new(bob.config.clone(), [BOB; 32]);
    bob.depot.identity(vec![tag(BOB)]);
    for record in bob.disk.values() {
        bob.depot.restore(record);
    }
    assert_eq!(
        bob.depot
            .judge(bob.now, key(MULE), &[], &meta, &mut Turn::default()),
        Judgement::Want
    );
}

#[test]
fn what_was_held_what_stood_and_what_it_weighed_are_the_same_after_a_restart() {
    let (mut alice, mut mule) = (Party::new(ALICE), Party::new(MULE));
    for n in 1..=4 {
        alice.submit(letter(n, BOB)).unwrap();
    }
    visit(&mut alice, &mut mule, 1);
    alice.hear(receipt(BOB, &[2], None));
    alice.hear(receipt(BOB, &[3], Some(Reason::Rejected)));
    for party in [&mut alice, &mut mule] {
        let before: Vec<Held> = party.depot.held().cloned().collect();
        let totals = party.depot.totals();
        party.crash();
        assert_eq!(party.depot.held().cloned().collect::<Vec<_>>(), before);
        assert_eq!(party.depot.totals(), totals);
    }
}

#[test]
fn a_promise_is_durable_before_the_offer_and_is_kept_for_the_same_node_alone() {
    let (mut alice, mut mule) = (Party::new(ALICE), Party::new(MULE));
    alice.submit(letter(1, BOB)).unwrap();
    alice.meet(MULE, 1);
    let offered = alice.offer(1);
    assert_eq!(offered[0].label.copies, 3);
    assert_eq!(mule.judge(ALICE, &offered[0]), Judgement::Want);
    assert_eq!(mule.arrive(ALICE, &offered[0]), Arrival::Carry);
    // The mule's answer is lost: alice's power fails.
    alice.crash();
    assert_eq!(alice.copies(1), Some(3));
    alice.meet(KIOSK, 2);
    assert_eq!(alice.offer(2)[0].label.copies, 1, "of what is surely hers");
    alice.refused(2, 1, Reason::Policy);
    assert_eq!(alice.copies(1), Some(3));
    alice.part(2);

    alice.meet(MULE, 3);
    let again = alice.offer(3);
    assert_eq!(again[0].label.copies, 3, "the promise, not another share");
    assert_eq!(mule.judge(ALICE, &again[0]), Judgement::Have);
    alice.act(|depot, now, turn| depot.had(now, LinkId(3), &id(1), turn));
    assert_eq!(alice.copies(1), Some(3));
    assert_eq!(alice.rung(1), Some(Rung::Custody));
    assert_eq!(mule.copies(1), Some(3));
}

#[test]
fn a_failed_batch_leaves_no_trace() {
    let mut mule = Party::new(MULE);
    let mut turn = Turn::default();
    let meta = letter(1, BOB);
    assert_eq!(mule.judge(ALICE, &meta), Judgement::Want);
    let source = Source::Node {
        key: key(ALICE),
        transport: "mem".into(),
    };
    mule.depot.arrived(mule.now, &source, &meta, &mut turn);
    assert_eq!(mule.depot.totals().bytes, 1_000);
    mule.meet(KIOSK, 1);
    assert!(mule.offer(1).is_empty(), "it is not durable");
    mule.depot.undo(&id(1));
    assert_eq!(mule.depot.totals(), Totals::default());
    assert_eq!(mule.depot.record(&Key::Held(id(1))), None);
    assert_eq!(mule.judge(ALICE, &meta), Judgement::Want);
}
