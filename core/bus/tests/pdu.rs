//! PDUs: the octets of version 1 never change, and any octets at all are read without harm.
//!
//! `PACKMULE_WRITE_FIXTURES=1 cargo test -p packmule-bus --test pdu` writes the vectors and the
//! fuzz seeds anew; do that for a new version only.
#![expect(clippy::expect_used, reason = "a step that fails fails the test")]

mod fixtures;

use std::fs;

use data_encoding::HEXLOWER;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Claim, NodeKey, WireHash};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::pdu::control::{Control, MAX_RANGES};
use packmule_bus::pdu::frame::{self, Frame, Frames};
use packmule_bus::pdu::hello::Hello;
use packmule_bus::pdu::packet::{self, Handshake, Packet};
use packmule_bus::ranges::Ranges;
use packmule_bus::receipt::{Reason, Receipt};
use packmule_bus::session::{Bodies, Limits, Offer, Session, SessionConfig};
use packmule_bus::time::Time;
use proptest::prelude::*;

use fixtures::{fixture, writing};

fn some_offer(n: u8, expires: Option<u64>, priority: Priority) -> Offer {
    Offer {
        id: EnvelopeId::from_bytes([n; 32]),
        wire: WireHash([n + 1; 16]),
        bytes: 734 * u64::from(n),
        label: Label {
            to: DidTag::from_bytes([n + 2; 16]),
            expires,
            priority,
            hops: 8,
            copies: 6,
        },
        age: 0,
    }
}

fn controls() -> Vec<(&'static str, Control)> {
    let receipt = Receipt {
        ids: vec![
            EnvelopeId::from_bytes([1; 32]),
            EnvelopeId::from_bytes([2; 32]),
        ],
        refused: Some(Reason::Rejected),
        at: 1_790_000_000,
        did: "did:example:bob".to_owned(),
        kid: "did:example:bob#key-1".to_owned(),
        signature: (0..64).collect(),
    };
    let claim = Claim {
        did: "did:example:alice".to_owned(),
        kid: "did:example:alice#key-1".to_owned(),
        signature: (64..128).collect(),
    };
    vec![
        (
            "offers",
            Control::Offers(vec![
                some_offer(1, None, Priority::Normal),
                some_offer(200, Some(1_800_000_000), Priority::Urgent),
                some_offer(3, Some(5), Priority::Bulk),
            ]),
        ),
        (
            "want-all",
            Control::Want {
                handle: 0,
                missing: Ranges::new(),
                again: Ranges::new(),
            },
        ),
        (
            "want-some",
            Control::Want {
                handle: 300,
                missing: [0..100, 200..1_000_000].into_iter().collect(),
                again: Ranges::of(50..60),
            },
        ),
        ("have", Control::Have(vec![0, 1, 2, 500])),
        (
            "refuse",
            Control::Refuse(vec![(7, Reason::Full), (5, Reason::TooLarge)]),
        ),
        ("custody", Control::Custody((10..40).collect())),
        ("withdraw", Control::Withdraw(vec![9])),
        ("receipts", Control::Receipts(vec![receipt])),
        ("claims", Control::Claims(vec![claim])),
        ("bye", Control::Bye),
    ]
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let mut list = Vec::new();
    let mut add = |name, write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        list.push((name, out));
    };
    let numbers: Ranges = [3..5, 9..10, 1000..2000].into_iter().collect();
    add("ping", &frame::put_ping);
    add("ack", &|out| {
        assert!(frame::put_ack(out, &numbers, 25_000, 100));
    });
    add("control-last", &|out| {
        frame::put_control(out, 77, b"abc", true)
    });
    add("control", &|out| frame::put_control(out, 77, b"abc", false));
    add("segment-last", &|out| {
        frame::put_segment(out, 5, 1_000_000, b"xyz", true)
    });
    add("segment", &|out| {
        frame::put_segment(out, 500, 0, b"xyz", false)
    });
    list
}

fn hello() -> Hello {
    Hello {
        features: 0,
        epoch: 0x0102_0304_0506_0708,
        instance: [9; 16],
        limits: Limits::default(),
        node: Some(NodeKey([8; 32])),
    }
}

struct Shelf(Vec<u8>);

impl Bodies for Shelf {
    fn body(&mut self, _: &EnvelopeId) -> Option<&[u8]> {
        Some(&self.0)
    }
}

/// All that two sessions say until one message is over.
fn transcript(facts: LinkFacts) -> Vec<(char, Vec<u8>)> {
    let config = SessionConfig {
        epoch: 1,
        ..SessionConfig::default()
    };
    let new =
        |role, n: u8| Session::new(Time::default(), facts, role, &[n; 32], [n + 16; 32], config);
    let (mut alice, mut bob) = (new(Role::Dialer, 1), new(Role::Listener, 2));
    let mut shelf = Shelf((0..=255).collect());
    let mut offer = some_offer(1, None, Priority::Normal);
    offer.bytes = 256;
    alice.offer(offer.clone());
    let mut said = Vec::new();
    for step in 0..12 {
        let now = Time::from_micros(step * 1000);
        while let Some(pdu) = alice.transmit(now, &mut shelf) {
            bob.receive(now, &pdu);
            said.push(('a', pdu));
        }
        while let Some(event) = bob.poll() {
            if matches!(event, packmule_bus::session::Event::Data { .. }) {
                bob.stored(&offer.id);
            }
        }
        while let Some(pdu) = bob.transmit(now, &mut shelf) {
            alice.receive(now, &pdu);
            said.push(('b', pdu));
        }
    }
    let mut custody = false;
    while let Some(event) = alice.poll() {
        custody |= event == packmule_bus::session::Event::Custody(offer.id);
    }
    assert!(custody);
    said
}

fn facts(reliable: bool, sealed: bool, mtu: usize) -> LinkFacts {
    LinkFacts {
        mtu,
        ordered: true,
        reliable,
        half_duplex: false,
        sealed,
        rate: None,
    }
}

#[test]
fn the_octets_of_version_1_never_change() {
    let mut now = String::new();
    let mut add =
        |name: &str, bytes: &[u8]| now.push_str(&format!("{name} {}\n", HEXLOWER.encode(bytes)));
    add("hello", &hello().to_bytes());
    for (name, control) in controls() {
        let mut out = Vec::new();
        control.write(&mut out);
        add(&format!("control-{name}"), &out);
    }
    for (name, frame) in frames() {
        add(&format!("frame-{name}"), &frame);
    }
    add("reset", &packet::reset());
    for (name, facts) in [
        ("records-noise", facts(true, false, 244)),
        ("records-clear", facts(true, true, 244)),
        ("packets-noise", facts(false, false, 244)),
        ("packets-clear", facts(false, true, 244)),
        ("pieces-noise", facts(false, false, 20)),
    ] {
        for (who, pdu) in transcript(facts) {
            add(&format!("{name}-{who}"), &pdu);
        }
    }
    let path = fixture("pdu/v1.txt");
    if writing() {
        fs::write(&path, &now).expect("written");
        seeds(&now);
    }
    assert_eq!(fs::read_to_string(&path).expect("vectors"), now);
}

/// What the fuzz targets begin with.
fn seeds(vectors: &str) {
    let mut session = vec![0];
    for (nth, line) in vectors.lines().enumerate() {
        let (name, octets) = line.split_once(' ').expect("two words");
        let octets = HEXLOWER.decode(octets.as_bytes()).expect("hex");
        if nth < 30 {
            fs::write(fixture("hostile/pdu").join(name), &octets).expect("written");
        }
        // The session's target takes frames, each with its length before it.
        if name.starts_with("frame-") || name.starts_with("control-") {
            let mut frames = octets.clone();
            if name.starts_with("control-") {
                frames.clear();
                frame::put_control(&mut frames, 0, &octets, true);
            }
            session.extend_from_slice(&(frames.len() as u16).to_be_bytes());
            session.extend_from_slice(&frames);
            let mut alone = vec![nth as u8 & 3];
            alone.extend_from_slice(&(frames.len() as u16).to_be_bytes());
            alone.extend_from_slice(&frames);
            fs::write(fixture("hostile/session").join(name), &alone).expect("written");
        }
    }
    fs::write(fixture("hostile/session/all"), &session).expect("written");
}

#[test]
fn what_was_recorded_is_still_read() {
    let vectors = fs::read_to_string(fixture("pdu/v1.txt")).expect("vectors");
    let recorded = |name: &str| {
        let line = vectors
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        let octets = line.expect("recorded");
        HEXLOWER.decode(octets.as_bytes()).expect("hex")
    };
    assert_eq!(Hello::from_bytes(&recorded("hello")), Ok(hello()));
    for (name, control) in controls() {
        let octets = recorded(&format!("control-{name}"));
        let length = octets.len();
        assert_eq!(Control::read(&octets), Ok(Some((control, length))));
    }
    for (name, frame) in frames() {
        let octets = recorded(&format!("frame-{name}"));
        let (read, made): (Vec<_>, Vec<_>) = (
            Frames::new(&octets).collect(),
            Frames::new(&frame).collect(),
        );
        assert_eq!(read, made);
        assert!(read.iter().all(Result::is_ok), "{name}");
    }
    assert_eq!(Packet::read(&recorded("reset")), Ok(Packet::Reset));
}

#[test]
fn heads_are_small() {
    let head = |handle, offset| {
        let mut out = Vec::new();
        frame::put_segment(&mut out, handle, offset, &[], true);
        out.len()
    };
    assert_eq!(head(0, 0), 3);
    assert_eq!(head(127, 1_000_000), 5);
    assert!(head(16_383, 200_000_000) <= 8);
    let mut custody = Vec::new();
    Control::Custody((0..100).collect()).write(&mut custody);
    assert!(
        custody.len() <= 102,
        "a byte for each of a hundred custodies"
    );
}

#[test]
fn more_ranges_than_can_be_told_are_told_as_fewer() {
    let many: Ranges = (0..1000_u64).map(|n| n * 10..n * 10 + 5).collect();
    let want = Control::Want {
        handle: 1,
        missing: many.clone(),
        again: Ranges::new(),
    };
    let mut out = Vec::new();
    want.write(&mut out);
    let Ok(Some((Control::Want { missing, .. }, _))) = Control::read(&out) else {
        panic!("not read");
    };
    assert_eq!(missing.count(), MAX_RANGES);
    assert!(many.iter().all(|range| missing.covers(range)));
    assert_eq!(missing.last().map(|r| r.end), Some(9995));
}

fn handles() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::btree_set(any::<u32>(), 0..50)
        .prop_map(|set| set.into_iter().map(u64::from).collect())
}

fn ranges() -> impl Strategy<Value = Ranges> {
    prop::collection::vec((0_u64..1 << 40, 1_u64..1000), 0..20).prop_map(|list| {
        list.into_iter()
            .map(|(start, n)| start..start + n)
            .collect()
    })
}

fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let one = (
        any::<u64>(),
        any::<Option<u64>>(),
        0..3_u8,
        any::<u8>(),
        any::<u16>(),
    );
    let one = one.prop_map(|(bytes, expires, priority, hops, copies)| {
        let priority = [Priority::Bulk, Priority::Normal, Priority::Urgent][usize::from(priority)];
        let mut offer = some_offer(hops / 2, expires, priority);
        offer.bytes = bytes;
        offer.label.hops = hops;
        offer.label.copies = copies;
        offer
    });
    prop::collection::vec(one, 0..20)
}

fn any_control() -> impl Strategy<Value = Control> {
    prop_oneof![
        offers().prop_map(Control::Offers),
        (any::<u64>(), ranges(), ranges()).prop_map(|(handle, missing, again)| Control::Want {
            handle,
            missing,
            again
        }),
        handles().prop_map(Control::Have),
        handles().prop_map(Control::Custody),
        handles().prop_map(Control::Withdraw),
        prop::collection::vec((any::<u64>(), 1..12_u8), 0..20).prop_map(|list| {
            let reason = |byte| Reason::from_byte(byte).expect("a reason");
            Control::Refuse(list.into_iter().map(|(h, r)| (h, reason(r))).collect())
        }),
        Just(Control::Bye),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(control in any_control(), numbers in ranges(), cut in 0..1000_usize) {
        let mut out = Vec::new();
        control.write(&mut out);
        let length = out.len();
        prop_assert_eq!(Control::read(&out), Ok(Some((control, length))));
        // Any beginning of it is waited for, or is refused; never taken for another.
        prop_assert_eq!(Control::read(&out[..cut.min(length - 1)]), Ok(None));
        let mut ack = Vec::new();
        if frame::put_ack(&mut ack, &numbers, 5, usize::MAX) {
            let frames: Vec<_> = Frames::new(&ack).collect();
            prop_assert_eq!(frames, vec![Ok(Frame::Ack { packets: numbers, delay: 5 })]);
        }
    }

    #[test]
    fn any_octets_are_read_without_harm(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        for kind in 0..=9 {
            let mut message = vec![kind];
            message.push((octets.len() % 128) as u8);
            message.extend_from_slice(&octets);
            if let Ok(Some((control, length))) = Control::read(&message) {
                prop_assert!(length <= message.len());
                let mut again = Vec::new();
                control.write(&mut again);
                if control != Control::Later && !matches!(control, Control::Refuse(_)) {
                    prop_assert_eq!(Control::read(&again).map(|c| c.map(|c| c.0)), Ok(Some(control)));
                }
            }
        }
        for frame in Frames::new(&octets).flatten() {
            if let Frame::Ack { packets, .. } = frame {
                prop_assert!(!packets.is_empty());
            }
        }
        let _ = Hello::from_bytes(&octets);
        let _ = Handshake::read(&octets);
        let _ = Packet::read(&octets);
    }
}
