//! Stories of two sessions: power cuts, refusals, priorities, strangers.

#[path = "../benches/joined/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "this user needs a part of it, and shares it"
)]
mod joined;

use joined::{ALICE, BOB, Line, Shelf, World, facts, takes};
use packmule_bus::label::Priority;
use packmule_bus::link::Role;
use packmule_bus::receipt::{Reason, Receipt};
use packmule_bus::session::{Answer, Event, Limits, Session, SessionConfig};
use packmule_bus::time::Time;

fn lossy() -> Line {
    Line::lossy(244, 0.0)
}

fn custody(event: &Event) -> bool {
    matches!(event, Event::Custody(_))
}

fn broken(event: &Event) -> bool {
    matches!(event, Event::Broken(_))
}

#[test]
fn power_fails_at_bob_between_storing_and_acknowledging() {
    let mut world = World::new(lossy(), 1);
    world.up();
    let id = world.offer(ALICE, 5_000, Priority::Normal);
    world.ends[BOB].commit = 100_000;
    assert!(world.until(5, |w| w.ends[BOB].got(&id) == 5_000));
    // Durable, but the word of it never leaves him.
    world.cut = true;
    assert!(world.until(5, |w| w.ends[BOB].stored.contains_key(&id)));
    assert_eq!(world.happened(ALICE, custody), 0);
    world.restart(BOB, true);
    world.cut = false;
    assert!(world.until(20, |w| w.happened(ALICE, |e| *e == Event::Have(id)) == 1));
    assert_eq!(world.happened(ALICE, |e| *e == Event::Forgot), 1);
    assert_eq!(world.ends[BOB].data_bytes, 5_000, "its bytes came once");
}

/// Bob has all of it in memory when his power fails, and nothing of it on his disk.
fn power_fails_before_storing(mut world: World) -> World {
    world.up();
    world.ends[BOB].frozen = true;
    let id = world.offer(ALICE, 50_000, Priority::Normal);
    assert!(world.until(5, |w| w.ends[BOB].got(&id) == 50_000));
    world.restart(BOB, true);
    world.ends[BOB].frozen = false;
    world
}

#[test]
fn power_fails_at_bob_before_storing() {
    let mut world = power_fails_before_storing(World::new(lossy(), 2));
    assert!(world.until(30, |w| w.happened(ALICE, custody) == 1));
    assert!(world.has_all(BOB));
}

#[test]
fn without_the_epoch_alice_waits_for_ever() {
    // The same story with the bug that the simulator must find.
    let mut world = World::new(lossy(), 2);
    world.ends[ALICE].config.sabotage.no_epoch = true;
    world.restart(ALICE, false);
    let mut world = power_fails_before_storing(world);
    assert!(!world.until(100, |w| w.happened(ALICE, custody) == 1));
}

#[test]
fn power_fails_at_alice_in_the_middle() {
    let mut world = World::new(lossy(), 3);
    world.up();
    let id = world.offer(ALICE, 100_000, Priority::Normal);
    assert!(world.until(5, |w| w.ends[BOB].got(&id) > 30_000));
    world.restart(ALICE, true);
    let offer = world.ends[ALICE].offer_of(id);
    world.ends[ALICE].session.offer(offer);
    assert!(world.until(30, |w| w.happened(ALICE, custody) == 1));
    assert_eq!(world.happened(BOB, |e| *e == Event::Forgot), 1);
    let came = world.ends[BOB].data_bytes;
    assert_eq!(came, 100_000, "what Bob had is not sent again");
}

#[test]
fn a_broken_link_costs_only_what_was_under_way() {
    let mut world = World::new(Line::clean(244), 4);
    world.up();
    let id = world.offer(ALICE, 100_000, Priority::Normal);
    assert!(world.until(5, |w| w.ends[BOB].got(&id) > 60_000));
    world.restart(ALICE, false);
    world.restart(BOB, false);
    world.lose_air();
    let before = world.ends[ALICE].sent_bytes;
    let offer = world.ends[ALICE].offer_of(id);
    world.ends[ALICE].session.offer(offer);
    assert!(world.until(30, |w| w.happened(ALICE, custody) == 1));
    assert!(world.has_all(BOB));
    assert_eq!(world.ends[BOB].data_bytes, 100_000);
    // The eager push may repeat what went before the answer, no more.
    let spent = world.ends[ALICE].sent_bytes - before;
    assert!(spent < 60_000, "{spent} bytes for the rest of 100 kB");
}

#[test]
fn an_outage_delays_and_loses_nothing() {
    for ordered in [true, false] {
        let mut line = Line::lossy(244, 0.1);
        line.facts.ordered = ordered;
        let mut world = World::new(line, 5);
        world.up();
        world.offer(ALICE, 100_000, Priority::Normal);
        world.run(300);
        world.cut = true;
        world.run(20_000);
        world.cut = false;
        let at = world.now;
        assert!(world.until(60, |w| w.happened(ALICE, custody) == 1));
        assert!(
            world.now - at < 40_000_000,
            "{} s after",
            (world.now - at) / 1_000_000
        );
        assert_eq!(world.happened(BOB, |e| *e == Event::Forgot), 0);
    }
}

/// A laptop that is closed, a kiosk whose visitor walks away: no medium tells.
#[test]
fn a_link_that_loses_nothing_ends_when_the_other_side_falls_silent() {
    for mtu in [20, 244, 65535] {
        let mut world = World::new(Line::clean(mtu), 7);
        world.up();
        world.offer(ALICE, 100, Priority::Normal);
        assert!(world.until(5, |w| w.happened(ALICE, custody) == 1));
        world.cut = true;
        world.lose_air();
        let at = world.now;
        for side in [ALICE, BOB] {
            assert!(world.until(120, |w| w.happened(side, broken) == 1));
            let after = (world.when(side, broken).expect("it is over") - at) / 1_000_000;
            assert!((50..=65).contains(&after), "after {after} s");
        }
    }
}

/// Nothing to say, and nobody gone: a short PDU each way, three times in a minute.
#[test]
fn a_quiet_link_stays_up_and_is_woken_seldom() {
    let mut world = World::new(Line::clean(1200), 8);
    world.up();
    world.run(1_000);
    let before = world.trace.len();
    world.run(3_600_000);
    for side in [ALICE, BOB] {
        assert_eq!(world.happened(side, broken), 0);
    }
    let said = &world.trace[before..];
    assert!(said.iter().all(|(_, _, bytes)| *bytes < 24), "{said:?}");
    assert!(said.len() <= 2 * 181, "{} PDUs in an hour", said.len());
    // The second of each pair answers the first: the link wakes once for both.
    let mut wakes = 0;
    let mut last = 0;
    for (at, ..) in said {
        wakes += usize::from(*at > last + 1_000_000);
        last = *at;
    }
    assert!(wakes <= 181, "{wakes} times awake in an hour");
}

/// Bob only listens for minutes, behind a queue of alice's: she does not give him up.
#[test]
fn a_long_message_on_a_slow_link_is_no_silence() {
    let mut line = Line::clean(1200);
    line.rate = 2_000;
    let mut world = World::new(line, 9);
    world.up();
    world.offer(ALICE, 600_000, Priority::Bulk);
    assert!(world.until(400, |w| w.happened(ALICE, custody) == 1));
    for side in [ALICE, BOB] {
        assert_eq!(world.happened(side, broken), 0);
    }
    assert!(world.now > 250_000_000, "it did take minutes");
}

#[test]
fn an_urgent_message_overtakes_a_large_one() {
    for line in [Line::clean(244), lossy()] {
        let mut world = World::new(line, 6);
        world.up();
        let bulk = world.offer(ALICE, 1_000_000, Priority::Bulk);
        world.run(2_000);
        let start = world.now;
        let urgent = world.offer(ALICE, 2_000, Priority::Urgent);
        assert!(world.until(20, |w| w.ends[BOB].stored.contains_key(&bulk)));
        let at = world.ends[BOB].stored[&urgent].1;
        // One record's rest, its own bytes, the way: 100 kB/s and 30 ms.
        assert!(at - start < 120_000, "{} ms", (at - start) / 1000);
        assert!(at < world.ends[BOB].stored[&bulk].1);
    }
}

#[test]
fn of_equal_priority_the_oldest_goes_first() {
    let mut world = World::new(Line::clean(244), 7);
    let mut offers: Vec<_> = (0..20)
        .map(|_| world.shelve(ALICE, 3_000, Priority::Normal))
        .collect();
    let ids: Vec<_> = offers.iter().map(|o| o.id).collect();
    offers.reverse();
    for offer in offers {
        world.ends[ALICE].session.offer(offer);
    }
    assert!(world.until(30, |w| w.has_all(BOB)));
    let times: Vec<u64> = ids.iter().map(|id| world.ends[BOB].stored[id].1).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_small_message_costs_one_round_trip() {
    for line in [Line::clean(244), lossy()] {
        let mut world = World::new(line, 8);
        world.up();
        world.run(1_000);
        let start = world.now;
        let id = world.offer(ALICE, 100, Priority::Normal);
        assert!(world.until(5, |w| w.happened(ALICE, custody) == 1));
        let stored = world.ends[BOB].stored[&id].1;
        assert!(stored - start < 33_000, "one way");
        assert!(world.now - start < 65_000, "and back");
    }
}

#[test]
fn what_bob_has_is_not_sent_again_and_what_he_refuses_ends() {
    for line in [Line::clean(517), Line::wild(517)] {
        let mut world = World::new(line, 9);
        let (had, unwanted, wanted) = (
            world.offer(ALICE, 300_000, Priority::Normal),
            world.offer(ALICE, 300_000, Priority::Normal),
            world.offer(ALICE, 3_000, Priority::Normal),
        );
        let body = world.ends[ALICE].shelf.bodies[&had].clone();
        world.ends[BOB].stored.insert(had, (body, 0));
        world.ends[BOB].refuses.insert(unwanted, Reason::Quota);
        assert!(world.until(60, |w| w.happened(ALICE, custody) == 1));
        world.run(5_000);
        assert_eq!(world.happened(ALICE, |e| *e == Event::Have(had)), 1);
        let refused = Event::Refused(unwanted, Reason::Quota);
        assert_eq!(world.happened(ALICE, |e| *e == refused), 1);
        assert_eq!(world.happened(ALICE, |e| *e == Event::Custody(wanted)), 1);
        assert_eq!(world.ends[BOB].data_bytes, 3_000);
        let spent = world.ends[ALICE].sent_bytes;
        assert!(spent < 150_000, "{spent} bytes pushed for nothing");
    }
}

#[test]
fn a_refusal_may_come_late_and_must_not_be_lost() {
    for lose in [false, true] {
        let mut world = World::new(Line::clean(244), 10);
        world.ends[BOB].config.sabotage.lose_refusals = lose;
        world.restart(BOB, false);
        world.up();
        let id = world.offer(ALICE, 100_000, Priority::Normal);
        assert!(world.until(5, |w| w.ends[BOB].got(&id) > 50_000));
        world.ends[BOB].session.refuse(&id, Reason::Full);
        let refused = Event::Refused(id, Reason::Full);
        let heard = world.until(10, |w| w.happened(ALICE, |e| *e == refused) == 1);
        assert_eq!(heard, !lose);
    }
}

#[test]
fn an_offer_is_taken_back() {
    for line in [Line::clean(244), Line::wild(244)] {
        let mut world = World::new(line, 11);
        world.up();
        let id = world.offer(ALICE, 500_000, Priority::Normal);
        assert!(world.until(5, |w| w.ends[BOB].got(&id) > 1_000));
        world.ends[ALICE].session.withdraw(&id);
        assert!(world.until(20, |w| w.happened(BOB, |e| *e == Event::Withdrawn(id)) == 1));
        // And made again later: a new offer of the same message.
        let offer = world.ends[ALICE].offer_of(id);
        world.ends[ALICE].session.offer(offer);
        assert!(world.until(60, |w| w.happened(ALICE, custody) == 1));
        assert!(world.has_all(BOB));
    }
}

#[test]
fn damaged_bytes_are_asked_for_again() {
    for line in [Line::clean(244), Line::wild(244)] {
        let mut world = World::new(line, 12);
        world.up();
        let id = world.offer(ALICE, 40_000, Priority::Normal);
        world.ends[BOB].frozen = true;
        assert!(world.until(20, |w| w.ends[BOB].got(&id) == 40_000));
        world.ends[BOB].frozen = false;
        world.ends[BOB].damage(&id);
        assert!(world.until(20, |w| w.happened(ALICE, custody) == 1));
        assert!(world.has_all(BOB));
        assert_eq!(world.ends[BOB].data_bytes, 80_000);
    }
}

#[test]
fn a_body_that_is_not_at_hand_holds_nobody_else_up() {
    let mut world = World::new(Line::clean(244), 13);
    let away = world.shelve(ALICE, 20_000, Priority::Urgent);
    world.ends[ALICE].shelf.away.insert(away.id);
    world.ends[ALICE].session.offer(away.clone());
    let here = world.offer(ALICE, 20_000, Priority::Bulk);
    assert!(world.until(20, |w| w.happened(ALICE, custody) == 2));
    assert!(world.has_all(BOB));
    let need = Event::NeedBody(away.id);
    assert_eq!(world.happened(ALICE, |e| *e == need), 1, "asked once");
    assert!(world.ends[BOB].stored.contains_key(&here));
}

#[test]
fn bob_says_what_he_takes() {
    let mut world = World::new(Line::clean(244), 14);
    let limits = Limits {
        max_bytes: 10_000,
        offers: 3,
        parallel: 1,
    };
    world.limit(BOB, limits);
    let large = world.offer(ALICE, 10_001, Priority::Normal);
    for _ in 0..50 {
        world.offer(ALICE, 500, Priority::Normal);
    }
    assert!(world.until(60, |w| w.happened(ALICE, custody) == 50));
    let refused = Event::Refused(large, Reason::TooLarge);
    assert_eq!(world.happened(ALICE, |e| *e == refused), 1);
    assert_eq!(world.happened(BOB, broken), 0);
    // An offer made later is not even told.
    world.offer(ALICE, 20_000, Priority::Normal);
    world.run(1000);
    assert_eq!(
        world.happened(ALICE, |e| matches!(e, Event::Refused(_, Reason::TooLarge))),
        2
    );
}

fn refusal(id: packmule_bus::EnvelopeId) -> Receipt {
    Receipt {
        ids: vec![id],
        refused: Some(Reason::Rejected),
        at: 1_700_000_000,
        did: format!("did:peer:4{}", "z".repeat(3000)),
        kid: "#key-1".to_owned(),
        signature: vec![3; 64],
    }
}

/// Seed 4175 of the mixed plan: whoever is heard on a light that shines one way hears nothing.
#[test]
fn a_receipt_without_an_ack_may_not_have_been_heard() {
    let mut world = World::new(Line::lossy(244, 0.0), 15);
    world.up();
    let id = world.shelve(ALICE, 1, Priority::Normal).id;
    assert_eq!(world.ends[ALICE].session.unsure_since(), None);
    world.cut = true;
    world.ends[ALICE].session.tell(&[refusal(id)]);
    assert!(world.ends[ALICE].session.unsure_since().is_some());
    world.run(5_000);
    assert!(world.ends[ALICE].session.unsure_since().is_some());
    world.cut = false;
    let told = Event::Receipts(vec![refusal(id)]);
    assert!(world.until(20, |w| w.happened(BOB, |e| *e == told) == 1));
    world.run(5_000);
    assert_eq!(world.ends[ALICE].session.unsure_since(), None);
}

#[test]
fn receipts_claims_and_goodbyes_cross() {
    for line in [Line::clean(20), Line::lossy(244, 0.2)] {
        let mut world = World::new(line, 15);
        world.up();
        let id = world.shelve(ALICE, 1, Priority::Normal).id;
        world.ends[ALICE].shelf.bodies.clear();
        let receipt = refusal(id);
        let claim = packmule_bus::bus::io::Claim {
            did: "did:example:alice".to_owned(),
            kid: "did:example:alice#1".to_owned(),
            signature: vec![4; 64],
        };
        world.ends[ALICE]
            .session
            .tell(std::slice::from_ref(&receipt));
        world.ends[ALICE].session.claim(vec![claim.clone()]);
        world.ends[ALICE].session.bye();
        assert!(world.until(20, |w| w.happened(BOB, |e| *e == Event::Bye) == 1));
        let (receipts, claims) = (Event::Receipts(vec![receipt]), Event::Claims(vec![claim]));
        assert_eq!(world.happened(BOB, |e| *e == receipts), 1);
        assert_eq!(world.happened(BOB, |e| *e == claims), 1);
    }
}

#[test]
fn custody_of_many_is_said_at_once() {
    let mut world = World::new(Line::clean(517), 16);
    world.up();
    world.ends[BOB].commit = 3_000_000;
    for _ in 0..200 {
        world.offer(ALICE, 50, Priority::Normal);
    }
    world.run(2_900);
    let before = world.ends[BOB].sent_bytes;
    assert!(world.until(20, |w| w.happened(ALICE, custody) == 200));
    let spent = world.ends[BOB].sent_bytes - before;
    assert!(spent < 3_000, "{spent} bytes for 200 custodies");
}

#[test]
fn half_duplex_by_poll_and_response() {
    for (reliable, mtu) in [(true, 250), (false, 250), (false, 60)] {
        let mut facts = facts(mtu, reliable, true, false);
        facts.half_duplex = true;
        let config = SessionConfig::default();
        let new =
            |role, n: u8| Session::new(Time::default(), facts, role, &[n; 32], [n; 32], config);
        let (mut alice, mut bob) = (new(Role::Dialer, 1), new(Role::Listener, 2));
        let mut shelf = World::new(Line::clean(244), 17);
        let offer = shelf.shelve(BOB, 4_000, Priority::Normal);
        let body = shelf.ends[BOB].shelf.bodies[&offer.id].clone();
        bob.offer(offer.clone());
        let (mut got, mut polls, mut settled) = (vec![0; body.len()], 0, false);
        let mut nothing = Shelf::default();
        while !settled && polls < 400 {
            polls += 1;
            let now = Time::from_micros(polls * 10_000);
            // Alice polls: what she has to say, or nothing; Bob answers likewise.
            let poll = alice.transmit(now, &mut nothing).unwrap_or_default();
            bob.receive(now, &poll);
            let answer = bob.transmit(now, &mut shelf.ends[BOB].shelf);
            alice.receive(now, &answer.unwrap_or_default());
            while let Some(event) = alice.poll() {
                match event {
                    Event::Offered(offers) => {
                        let all = packmule_bus::ranges::Ranges::of(0..offers[0].bytes);
                        alice.answer(&offers[0].id, Answer::Want(all));
                    }
                    Event::Data { id, offset, bytes } => {
                        let end = offset as usize + bytes.len();
                        got[offset as usize..end].copy_from_slice(&bytes);
                        if got == body {
                            alice.stored(&id);
                        }
                    }
                    _ => {}
                }
            }
            while let Some(event) = bob.poll() {
                settled |= event == Event::Custody(offer.id);
            }
        }
        assert!(settled, "reliable {reliable}, mtu {mtu}");
        let least = 4_000 / mtu as u64;
        assert!(polls < least * 2 + 12, "{polls} polls, mtu {mtu}");
    }
}

#[test]
fn a_link_is_used_to_the_full() {
    // Against latency and byte rate alone.
    for (mtu, rate) in [(244, 20_000), (244, 100_000), (244, 180_000)] {
        let line = Line {
            rate,
            ..Line::clean(mtu)
        };
        for bytes in [100_000, 500_000] {
            let ideal = 0.03 + bytes as f64 / rate as f64;
            let share = ideal / takes(line, bytes, 1);
            assert!(share >= 0.95, "{share:.3} at {rate} B/s, {bytes} bytes");
        }
    }
    // Against (1 − p) × capacity.
    for loss in [0.05, 0.2, 0.3] {
        let line = Line::lossy(244, loss);
        let ideal = 1_000_000.0 / (line.rate as f64 * (1.0 - loss));
        let share = ideal / takes(line, 1_000_000, 1);
        assert!(share >= 0.85, "{share:.3} at {loss}");
    }
}

#[test]
fn links_too_narrow_or_silent_end_with_a_word() {
    let narrow = facts(19, true, true, false);
    let config = SessionConfig::default();
    let mut session = Session::new(
        Time::default(),
        narrow,
        Role::Dialer,
        &[1; 32],
        [1; 32],
        config,
    );
    assert!(session.poll().is_some_and(|e| broken(&e)));
    // Nobody answers.
    for line in [Line::clean(244), lossy()] {
        let mut world = World::new(line, 18);
        world.cut = true;
        world.run(130_000);
        assert_eq!(world.happened(ALICE, broken), 1);
        assert_eq!(world.happened(BOB, broken), 1);
    }
    // Somebody falls silent for good.
    let mut world = World::new(lossy(), 19);
    world.up();
    world.offer(ALICE, 5_000, Priority::Normal);
    world.cut = true;
    world.run(1_200_000);
    assert_eq!(world.happened(ALICE, broken), 1);
}
