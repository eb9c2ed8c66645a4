//! Ways: what is dialled, what is handed to mailboxes, and when.

use super::*;
use crate::bus::io::HandFault;
use crate::depot::turn::Next;
use crate::link::Way;

fn way(text: &str) -> Way {
    Way::parse(text).unwrap()
}

fn dials(party: &mut Party) -> Vec<Way> {
    party.depot.dials(party.now)
}

fn deliveries(party: &mut Party) -> Vec<(EnvelopeId, Way)> {
    party.depot.deliveries(party.now)
}

#[test]
fn a_way_is_dialled_when_something_waits_and_not_before() {
    let mut alice = Party::new(ALICE);
    let home = way("tcp://bob:4460");
    alice.depot.ways(tag(BOB), vec![home.clone()]);
    assert!(dials(&mut alice).is_empty());
    alice.submit(letter(1, BOB)).unwrap();
    assert_eq!(dials(&mut alice), std::slice::from_ref(&home));
    assert!(dials(&mut alice).is_empty(), "it is being dialled");
    alice
        .depot
        .contact(alice.now, key(BOB), LinkId(1), "tcp", Some(&home));
    alice.depot.proved(LinkId(1), tag(BOB));
    assert_eq!(alice.offer(1).len(), 1);
    alice.taken(1, 1);
    alice.part(1);
    alice.wait(60);
    assert!(dials(&mut alice).is_empty(), "bob has it");
}

#[test]
fn while_the_best_way_fails_the_next_one_is_tried_and_both_back_off() {
    let mut alice = Party::new(ALICE);
    let (home, mail) = (way("tcp://bob:4460"), way("mail:bob@example.org"));
    alice.depot.ways(tag(BOB), vec![home.clone(), mail.clone()]);
    alice.submit(letter(1, BOB)).unwrap();
    assert!(deliveries(&mut alice).is_empty(), "the better way first");
    assert_eq!(dials(&mut alice), std::slice::from_ref(&home));
    alice.depot.dial_failed(alice.now, &home);
    assert!(dials(&mut alice).is_empty());
    assert_eq!(deliveries(&mut alice), [(id(1), mail.clone())]);
    let later = Err(HandFault::Later("no network".into()));
    alice.act(|depot, now, turn| depot.handed(now, &id(1), &mail, &later, turn));
    assert!(deliveries(&mut alice).is_empty());
    let due = alice.depot.deadline().0.unwrap();
    assert!(due > alice.now.time);
    alice.wait(3);
    assert_eq!(dials(&mut alice), std::slice::from_ref(&home));
    assert_eq!(deliveries(&mut alice), [(id(1), mail.clone())]);
    alice.act(|depot, now, turn| depot.handed(now, &id(1), &mail, &Ok(()), turn));
    assert_eq!(alice.rung(1), Some(Rung::Custody));
    let why = alice.depot.why(alice.now, &id(1)).unwrap();
    assert!(why.next.contains(&Next::AwaitReceipt));
    alice.wait(3_600);
    assert!(deliveries(&mut alice).is_empty(), "it was handed over");
}

#[test]
fn a_mailbox_that_will_never_take_it_makes_a_dead_letter_if_nothing_else_can() {
    let mut alice = Party::new(ALICE);
    let mail = way("mail:bob@example.org");
    alice.depot.ways(tag(BOB), vec![mail.clone()]);
    let mut meta = letter(1, BOB);
    alice.submit(meta).unwrap();
    meta.id = id(2);
    let by = vec!["mail".to_owned()];
    alice
        .act(|depot, now, turn| depot.submit(now, meta, by, turn))
        .unwrap();
    assert_eq!(deliveries(&mut alice).len(), 2);
    let never = Err(HandFault::Never("no such mailbox".into()));
    for n in [1, 2] {
        alice.act(|depot, now, turn| depot.handed(now, &id(n), &mail, &never, turn));
    }
    assert_eq!(alice.rung(1), Some(Rung::Queued), "a mule may carry it");
    assert_eq!(alice.rung(2), Some(Rung::Refused(Reason::NoWay)));
    for n in [1, 2] {
        let why = alice.depot.why(alice.now, &id(n)).unwrap();
        let told = Next::Barred(mail.clone(), "no such mailbox".to_owned());
        assert!(why.next.contains(&told), "{:?}", why.next);
    }
    assert!(deliveries(&mut alice).is_empty());
    assert!(alice.act(|depot, now, turn| depot.retry(now, &id(2), turn)));
    assert_eq!(deliveries(&mut alice).len(), 1);
}

#[test]
fn a_dialled_way_that_turns_out_to_be_a_mailbox_is_one_from_then_on() {
    let mut alice = Party::new(ALICE);
    let ws = way("ws://cloud/inbox");
    alice.depot.ways(tag(BOB), vec![ws.clone()]);
    alice.submit(letter(1, BOB)).unwrap();
    assert_eq!(dials(&mut alice), std::slice::from_ref(&ws));
    alice.depot.mailbox(&ws);
    assert_eq!(deliveries(&mut alice), [(id(1), ws)]);
    assert!(dials(&mut alice).is_empty());
}

#[test]
fn a_mailbox_is_given_a_few_at_a_time_until_all_is_there() {
    let mut alice = Party::new(ALICE);
    let mail = way("mail:bob@example.org");
    alice.depot.ways(tag(BOB), vec![mail.clone()]);
    for n in 1..=40 {
        alice.submit(letter(n, BOB)).unwrap();
    }
    let mut handed = Vec::new();
    loop {
        let some = deliveries(&mut alice);
        if some.is_empty() {
            break;
        }
        assert!(some.len() <= 16);
        for (id, way) in some {
            alice.act(|depot, now, turn| depot.handed(now, &id, &way, &Ok(()), turn));
            handed.push(id);
        }
    }
    assert_eq!(handed, (1..=40).map(id).collect::<Vec<_>>());
}

#[test]
fn one_cut_of_the_network_is_one_failure_however_many_were_on_their_way() {
    let mut alice = Party::new(ALICE);
    let mail = way("mail:bob@example.org");
    alice.depot.ways(tag(BOB), vec![mail.clone()]);
    for n in 1..=16 {
        alice.submit(letter(n, BOB)).unwrap();
    }
    let some = deliveries(&mut alice);
    assert_eq!(some.len(), 16);
    let cut = Err(HandFault::Later("no network".into()));
    for (n, (id, way)) in some.into_iter().enumerate() {
        // The last ones time out when the way may already be tried again.
        alice.wait(u64::from(n == 12) * 30);
        alice.act(|depot, now, turn| depot.handed(now, &id, &way, &cut, turn));
    }
    let again = deliveries(&mut alice);
    assert_eq!(
        again.len(),
        16,
        "30 s after the first failure all may go again"
    );
    for (id, way) in again {
        alice.act(|depot, now, turn| depot.handed(now, &id, &way, &cut, turn));
    }
    // The second failure: not before twice the first wait, and far from the longest.
    let wait = alice.depot.deadline().0.unwrap().since(alice.now.time);
    let retry = DepotConfig::default().retry;
    assert_eq!(alice.depot.ways.get(&mail).unwrap().tries, 2);
    assert!(wait <= retry.wait(2, u64::MAX), "{wait:?}");
}

#[test]
fn whoever_turns_up_is_dialled_once() {
    let mut alice = Party::new(ALICE);
    let lan = way("tcp://192.0.2.7:4460");
    alice.depot.sighted(alice.now, &lan);
    alice.depot.sighted(alice.now, &lan);
    assert_eq!(dials(&mut alice), std::slice::from_ref(&lan));
    alice.depot.sighted(alice.now, &lan);
    assert!(dials(&mut alice).is_empty());
    alice
        .depot
        .contact(alice.now, key(KIOSK), LinkId(1), "tcp", Some(&lan));
    alice.depot.sighted(alice.now, &lan);
    assert!(dials(&mut alice).is_empty());
    alice.part(1);
    alice.depot.sighted(alice.now, &lan);
    assert_eq!(dials(&mut alice), [lan]);
}

#[test]
fn the_same_seed_jitters_the_same_and_another_does_not() {
    let run = |seed: u8| {
        let mut depot = Depot::new(DepotConfig::default(), [seed; 32]);
        let home = way("tcp://bob:4460");
        depot.ways(tag(BOB), vec![home.clone()]);
        let now = Now {
            time: Time::default(),
            wall: DAWN,
        };
        depot
            .submit(now, letter(1, BOB), Vec::new(), &mut Turn::default())
            .unwrap();
        depot.durable(&id(1));
        assert_eq!(depot.dials(now), std::slice::from_ref(&home));
        depot.dial_failed(now, &home);
        depot.deadline().0
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
