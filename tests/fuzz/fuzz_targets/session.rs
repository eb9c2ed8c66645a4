//! A live session and a peer without manners, without cipher: whatever the peer says, nothing
//! panics, what is told stays within what was offered, and memory stays bounded.
//!
//! The first byte chooses the kind of link; then come frames, each bunch with two bytes of length
//! before it. A length with its highest bit set: a raw PDU.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{NodeKey, WireHash};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::pdu::hello::Hello;
use packmule_bus::ranges::Ranges;
use packmule_bus::receipt::Reason;
use packmule_bus::session::{Answer, Bodies, Event, Limits, Offer, Puppet, Session, SessionConfig};
use packmule_bus::time::Time;

const MTU: usize = 200;

struct Shelf([u8; 1000]);

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        (id.as_bytes()[0] != 3).then_some(&self.0)
    }
}

fn ours(n: u8) -> Offer {
    Offer {
        id: EnvelopeId::from_bytes([n; 32]),
        wire: WireHash([n; 16]),
        // The last one's body is shorter than it says.
        bytes: if n == 4 { 1001 } else { 1000 },
        label: Label {
            to: DidTag::from_bytes([n; 16]),
            expires: None,
            priority: Priority::Normal,
            hops: 1,
            copies: 1,
        },
        age: u64::from(n),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else {
        return;
    };
    let facts = LinkFacts {
        mtu: MTU,
        ordered: kind & 2 == 0,
        reliable: kind & 1 == 0,
        half_duplex: kind & 4 != 0,
        sealed: true,
        rate: None,
    };
    let limits = Limits {
        max_bytes: 1 << 30,
        offers: 16,
        parallel: 2,
    };
    let config = SessionConfig {
        limits,
        ..SessionConfig::default()
    };
    let mut now = 0;
    let time = Time::from_micros;
    let mut bob = Session::new(time(now), facts, Role::Listener, &[1; 32], [2; 32], config);
    let hello = Hello {
        features: 0,
        epoch: 1,
        instance: [3; 16],
        limits,
        node: Some(NodeKey([4; 32])),
    };
    let mut mallory = Puppet::open(time(now), &mut bob, facts, [5; 32], &hello).expect("opened");
    for n in 1..=4 {
        bob.offer(ours(n));
    }
    let mut shelf = Shelf([7; 1000]);
    let mut offered: BTreeMap<EnvelopeId, u64> = BTreeMap::new();
    while let Some((head, more)) = rest.split_first_chunk::<2>() {
        let head = u16::from_be_bytes(*head);
        let length = usize::from(head & 0x7fff).min(more.len());
        let (bytes, more) = more.split_at(length);
        rest = more;
        if head & 0x8000 != 0 {
            bob.receive(time(now), bytes);
        } else {
            let pdu = mallory.say(bytes);
            bob.receive(time(now), &pdu);
        }
        let mut waiting = 0;
        while let Some(event) = bob.poll() {
            match event {
                Event::Offered(offers) => {
                    for offer in offers {
                        assert!(offer.bytes > 0 && offer.bytes <= limits.max_bytes);
                        offered.insert(offer.id, offer.bytes);
                        let half = Ranges::of(offer.bytes / 2..offer.bytes);
                        match offer.id.as_bytes()[31] % 4 {
                            0 => bob.answer(&offer.id, Answer::Have),
                            1 => bob.refuse(&offer.id, Reason::Policy),
                            2 => bob.answer(&offer.id, Answer::Want(half)),
                            _ => {}
                        }
                    }
                    assert!(offered.len() <= 100_000);
                }
                Event::Data { id, offset, bytes } => {
                    waiting += bytes.len();
                    let whole = offered.get(&id).copied().expect("offered before");
                    assert!(offset + bytes.len() as u64 <= whole);
                    if bytes.first() == Some(&0) {
                        bob.stored(&id);
                    }
                }
                _ => {}
            }
        }
        // No more than was said: what waited for its offer included.
        assert!(waiting <= length + (256 << 10));
        now += 7_000;
        if bob.deadline().is_some_and(|at| at <= time(now)) {
            bob.timeout(time(now));
        }
        for _ in 0..8 {
            let Some(pdu) = bob.transmit(time(now), &mut shelf) else {
                break;
            };
            assert!(!pdu.is_empty() && pdu.len() <= MTU);
        }
    }
});
