//! Mallory speaks to a session: it ends, or does not listen; it never panics, and keeps little.
#![expect(clippy::expect_used, reason = "a step that fails fails the test")]

#[path = "../benches/joined/mod.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "this user needs a part of it, and shares it"
)]
mod joined;

use joined::{ALICE, BOB, Line, Rng, Shelf, World, facts};
use packmule_bus::EnvelopeId;
use packmule_bus::label::Priority;
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::pdu::control::Control;
use packmule_bus::pdu::frame;
use packmule_bus::pdu::hello::Hello;
use packmule_bus::pdu::packet;
use packmule_bus::ranges::Ranges;
use packmule_bus::receipt::Reason;
use packmule_bus::session::{
    Answer, Event, Limits, Offer, Puppet, Session, SessionConfig, node_key,
};
use packmule_bus::time::Time;

const NOW: Time = Time::from_micros(1_000_000);

/// Bob's session, and Mallory at the other end of its link.
fn mallory(facts: LinkFacts) -> (Session, Puppet) {
    let config = SessionConfig::default();
    let mut bob = Session::new(NOW, facts, Role::Listener, &[2; 32], [3; 32], config);
    let hello = Hello {
        features: 0,
        epoch: 1,
        instance: [5; 16],
        limits: Limits::default(),
        node: Some(node_key(&[4; 32])),
    };
    let puppet = Puppet::open(NOW, &mut bob, facts, [4; 32], &hello).expect("opened");
    (bob, puppet)
}

fn both() -> [LinkFacts; 4] {
    [true, false]
        .map(|sealed| [true, false].map(|reliable| facts(1200, reliable, true, sealed)))
        .as_flattened()
        .try_into()
        .expect("four")
}

fn offer(n: u32, bytes: u64) -> Offer {
    let mut offer = World::new(Line::clean(244), 1).shelve(ALICE, 1, Priority::Normal);
    let mut id = [0; 32];
    id[..4].copy_from_slice(&n.to_be_bytes());
    offer.id = EnvelopeId::from_bytes(id);
    offer.bytes = bytes;
    offer
}

/// Control messages as frames, from this offset in the stream.
fn talk(messages: &[Control], offset: &mut u64) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        message.write(&mut stream);
    }
    let mut frames = Vec::new();
    frame::put_control(&mut frames, *offset, &stream, true);
    *offset += stream.len() as u64;
    frames
}

/// Why it ended, if it did; everything else that it told.
fn told(session: &mut Session) -> (Option<String>, Vec<Event>) {
    let mut events = Vec::new();
    while let Some(event) = session.poll() {
        if let Event::Broken(why) = event {
            return (Some(why), events);
        }
        events.push(event);
    }
    (None, events)
}

#[test]
fn ten_thousand_offers_are_more_than_bob_takes() {
    for facts in both() {
        let (mut bob, mut mallory) = mallory(facts);
        let (mut offset, mut asked) = (0, 0);
        let mut end = None;
        for n in 0..10_000 {
            let frames = talk(&[Control::Offers(vec![offer(n, 1 << 20)])], &mut offset);
            bob.receive(NOW, &mallory.say(&frames));
            assert!(bob.memory() < 1 << 20, "{} bytes", bob.memory());
            let (broken, events) = told(&mut bob);
            asked += events
                .iter()
                .filter(|e| matches!(e, Event::Offered(_)))
                .count();
            if let Some(why) = broken {
                end = Some(why);
                break;
            }
        }
        assert_eq!(end.as_deref(), Some("more offers at once than we take"));
        assert_eq!(asked, 1024);
        assert!(bob.transmit(NOW, &mut Shelf::default()).is_none());
        assert_eq!(bob.deadline(), None);
    }
}

#[test]
fn offers_too_large_or_empty_are_refused_without_a_question() {
    for facts in both() {
        let (mut bob, mut mallory) = mallory(facts);
        let offers = vec![offer(1, u64::MAX), offer(2, (64 << 20) + 1), offer(3, 0)];
        bob.receive(NOW, &mallory.say(&talk(&[Control::Offers(offers)], &mut 0)));
        let (broken, events) = told(&mut bob);
        assert_eq!(broken, None);
        assert!(!events.iter().any(|e| matches!(e, Event::Offered(_))));
        if !facts.reliable {
            let answers = bob.transmit(NOW, &mut Shelf::default()).expect("an answer");
            let frames = mallory.hear(&answers).expect("readable");
            let refused = Control::Refuse(vec![
                (0, Reason::TooLarge),
                (1, Reason::TooLarge),
                (2, Reason::Damaged),
            ]);
            let mut expected = Vec::new();
            refused.write(&mut expected);
            assert!(frames.windows(expected.len()).any(|w| w == expected));
        }
    }
}

#[test]
fn rules_broken_end_the_session() {
    let want = |handle| Control::Want {
        handle,
        missing: Ranges::new(),
        again: Ranges::new(),
    };
    let segment = |handle, offset, bytes: &[u8]| {
        let mut frames = Vec::new();
        frame::put_segment(&mut frames, handle, offset, bytes, true);
        frames
    };
    let one = Control::Offers(vec![offer(1, 100)]);
    let mut ack = Vec::new();
    frame::put_ack(&mut ack, &Ranges::of(70..80), 0, 100);
    let cases: [(&str, Vec<u8>); 11] = [
        ("want of what was never offered", talk(&[want(0)], &mut 0)),
        ("custody of it", talk(&[Control::Custody(vec![3])], &mut 0)),
        (
            "have of it",
            talk(&[Control::Have(vec![u64::MAX - 1])], &mut 0),
        ),
        (
            "refusal of it",
            talk(&[Control::Refuse(vec![(9, Reason::Full)])], &mut 0),
        ),
        (
            "taken back before",
            talk(&[Control::Withdraw(vec![0])], &mut 0),
        ),
        ("offered twice", talk(&[one.clone(), one.clone()], &mut 0)),
        ("beyond the end", {
            let mut frames = Vec::new();
            let mut stream = Vec::new();
            one.write(&mut stream);
            frame::put_control(&mut frames, 0, &stream, false);
            frames.extend(segment(0, 99, b"xx"));
            frames
        }),
        ("an unknown frame", vec![0x3f, 1, 2, 3]),
        ("half a frame", vec![0x21, 0x80]),
        ("a control message too long", {
            let mut frames = Vec::new();
            frame::put_control(&mut frames, 0, &[1, 0xff, 0xff, 0xff, 0x7f], true);
            frames
        }),
        ("an offset beyond everything", segment(0, u64::MAX, b"xx")),
    ];
    for facts in both() {
        for (name, frames) in &cases {
            let (mut bob, mut mallory) = mallory(facts);
            bob.receive(NOW, &mallory.say(frames));
            let (broken, _) = told(&mut bob);
            assert!(broken.is_some(), "{name}");
        }
        let (mut bob, mut mallory) = mallory(facts);
        bob.receive(NOW, &mallory.say(&ack));
        assert_eq!(told(&mut bob).0.is_some(), !facts.reliable, "a lying ack");
    }
}

#[test]
fn what_later_versions_say_is_passed_over() {
    for facts in both() {
        let (mut bob, mut mallory) = mallory(facts);
        // A frame and a control message of unknown types, then a known one.
        let mut frames = vec![0x77, 3, 1, 2, 3];
        let mut stream = vec![0x55, 2, 9, 9];
        Control::Bye.write(&mut stream);
        frame::put_control(&mut frames, 0, &stream, true);
        bob.receive(NOW, &mallory.say(&frames));
        let (broken, events) = told(&mut bob);
        assert_eq!(broken, None);
        assert!(events.contains(&Event::Bye));
    }
}

#[test]
fn segments_without_offers_are_kept_only_within_bounds() {
    let (mut bob, mut mallory) = mallory(facts(1200, false, true, false));
    let mut acked = 0;
    for n in 0..2_000 {
        let mut frames = Vec::new();
        frame::put_segment(&mut frames, 5, n * 1000, &[0; 1000], true);
        bob.receive(NOW, &mallory.say(&frames));
        assert!(bob.memory() < 1 << 20, "{} bytes", bob.memory());
    }
    while let Some(pdu) = bob.transmit(NOW, &mut Shelf::default()) {
        // A reset may be among them: Mallory counts on without waiting for acks.
        let frames = mallory.hear(&pdu).unwrap_or_default();
        for frame in frame::Frames::new(&frames) {
            if let Ok(frame::Frame::Ack { packets, .. }) = frame {
                acked = acked.max(packets.total());
            }
        }
    }
    // 128 KiB at 1000 bytes and their cost: the rest has to come again.
    assert!((100..=130).contains(&acked), "{acked}");
    assert_eq!(told(&mut bob).0, None);
}

#[test]
fn unwanted_bytes_are_dropped() {
    for facts in both() {
        let (mut bob, mut mallory) = mallory(facts);
        let mut offset = 0;
        let offers = Control::Offers(vec![offer(1, 1000), offer(2, 1000)]);
        bob.receive(NOW, &mallory.say(&talk(&[offers], &mut offset)));
        let (_, events) = told(&mut bob);
        let Some(Event::Offered(offers)) = events.last() else {
            panic!("no offers");
        };
        bob.answer(&offers[0].id, Answer::Want(Ranges::of(100..200)));
        bob.answer(&offers[1].id, Answer::Refuse(Reason::Policy));
        for handle in [0, 1] {
            for _ in 0..3 {
                let mut frames = Vec::new();
                frame::put_segment(&mut frames, handle, 0, &[7; 1000], true);
                bob.receive(NOW, &mallory.say(&frames));
            }
        }
        let (broken, events) = told(&mut bob);
        assert_eq!(broken, None);
        let data = Event::Data {
            id: offers[0].id,
            offset: 100,
            bytes: vec![7; 100],
        };
        assert_eq!(events, [data]);
    }
}

#[test]
fn noise_is_not_heard_on_links_that_may_lose() {
    let mut rng = Rng(1);
    let mut world = World::new(Line::lossy(244, 0.0), 20);
    world.up();
    let id = world.offer(ALICE, 50_000, Priority::Normal);
    for _ in 0..3_000 {
        world.run(1);
        for side in [ALICE, BOB] {
            let length = rng.below(244) as usize;
            let noise = rng.bytes(length);
            let now = world.time();
            let session = &mut world.ends[side].session;
            session.receive(now, &noise);
            assert!(session.memory() < 1 << 20, "{} bytes", session.memory());
        }
    }
    assert!(world.until(10, |w| w.ends[BOB].stored.contains_key(&id)));
    assert_eq!(world.happened(ALICE, |e| *e == Event::Forgot), 0);
}

#[test]
fn noise_ends_a_session_on_links_that_lose_nothing() {
    let mut rng = Rng(2);
    for _ in 0..200 {
        let mut world = World::new(Line::clean(244), 21);
        world.up();
        let now = world.time();
        for _ in 0..100 {
            let noise = rng.bytes(200);
            world.ends[BOB].session.receive(now, &noise);
        }
        let (broken, _) = told(&mut world.ends[BOB].session);
        assert!(broken.is_some());
    }
}

#[test]
fn a_strangers_reset_and_a_strangers_handshake_leave_the_session_alone() {
    let mut world = World::new(Line::lossy(244, 0.0), 22);
    world.up();
    let id = world.offer(ALICE, 100_000, Priority::Normal);
    let mut stranger = Session::new(
        NOW,
        world.line.facts,
        Role::Dialer,
        &[66; 32],
        [66; 32],
        SessionConfig::default(),
    );
    for _ in 0..300 {
        world.run(10);
        let now = world.time();
        for side in [ALICE, BOB] {
            world.ends[side].session.receive(now, &packet::reset());
        }
        // Mallory dials Bob as well, on the same radio.
        if let Some(knock) = stranger.transmit(now, &mut Shelf::default()) {
            world.ends[BOB].session.receive(now, &knock);
        }
        stranger.timeout(now);
    }
    assert!(world.until(20, |w| w.ends[BOB].stored.contains_key(&id)));
    for side in [ALICE, BOB] {
        assert_eq!(world.happened(side, |e| *e == Event::Forgot), 0);
        assert_eq!(world.happened(side, |e| matches!(e, Event::Broken(_))), 0);
        let peers = world.ends[side]
            .log
            .iter()
            .filter_map(|(_, e)| match e {
                Event::Up { peer, .. } => Some(*peer),
                _ => None,
            })
            .collect::<std::collections::BTreeSet<_>>();
        assert_eq!(peers.len(), 1, "nobody else came in");
    }
    assert_eq!(world.ends[BOB].data_bytes, 100_000);
}

#[test]
fn a_replayed_packet_is_not_heard_twice() {
    let (mut bob, mut mallory) = mallory(facts(1200, false, false, false));
    let pdu = mallory.say(&talk(&[Control::Bye], &mut 0));
    for _ in 0..5 {
        bob.receive(NOW, &pdu);
    }
    let (_, events) = told(&mut bob);
    let byes = events.iter().filter(|e| **e == Event::Bye).count();
    assert_eq!(byes, 1);
}
