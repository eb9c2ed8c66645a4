//! How much two whole nodes move, joined in memory, in one thread, with a disk that answers at
//! once: `cargo bench -p packmule-bus --bench bus`. Sealed link, receipts and all: the time is
//! until the last receipt is back.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a step that fails fails the bench"
)]

#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use std::collections::{BTreeMap, VecDeque};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use packmule_bus::bus::io::{
    Claim, Event, HeldState, Input, Key, LinkId, Op, Output, Record, Submission,
};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::receipt::Receipt;
use packmule_bus::time::{Now, Time};
use packmule_bus::{Envelope, EnvelopeId};
use samples::{Method, Rng, party, sealed};

fn main() {
    divan::main();
}

const LINK: LinkId = LinkId(1);
const DIDS: [&str; 2] = ["did:example:alice", "did:example:bob"];

struct Node {
    bus: Bus,
    bodies: BTreeMap<EnvelopeId, Vec<u8>>,
    inputs: VecDeque<Input>,
    delivered: usize,
}

struct Pair {
    nodes: [Node; 2],
    micros: u64,
}

impl Pair {
    fn new() -> Self {
        let node = |number: u8| Node {
            bus: Bus::restore(
                [],
                Config::new([number + 1; 32], [number + 8; 32]),
                Now::default(),
            ),
            bodies: BTreeMap::new(),
            inputs: VecDeque::new(),
            delivered: 0,
        };
        let mut pair = Self {
            nodes: [node(0), node(1)],
            micros: 1,
        };
        let facts = LinkFacts {
            mtu: 65_535,
            ordered: true,
            reliable: true,
            half_duplex: false,
            sealed: false,
            rate: None,
        };
        for (number, role) in [Role::Dialer, Role::Listener].into_iter().enumerate() {
            let inputs = &mut pair.nodes[number].inputs;
            inputs.push_back(Input::Identity(vec![DidTag::of(DIDS[number])]));
            inputs.push_back(Input::LinkUp {
                link: LINK,
                facts,
                role,
                transport: "mem".to_owned(),
                way: None,
            });
            inputs.push_back(Input::Room(LINK, 16));
        }
        pair.rest();
        pair
    }

    /// Until nothing moves.
    fn rest(&mut self) {
        loop {
            let mut moved = false;
            for number in 0..2 {
                while let Some(input) = self.nodes[number].inputs.pop_front() {
                    moved = true;
                    self.give(number, input);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn give(&mut self, number: usize, input: Input) {
        self.micros += 1;
        let now = Now {
            time: Time::from_micros(self.micros),
            wall: 1_750_000_000,
        };
        let [alice, bob] = &mut self.nodes;
        let (node, other) = if number == 0 {
            (alice, bob)
        } else {
            (bob, alice)
        };
        for output in node.bus.handle(now, input) {
            match output {
                Output::Transmit(link, pdu) => {
                    other.inputs.push_back(Input::Pdu(link, pdu));
                    node.inputs.push_back(Input::Room(link, 1));
                }
                Output::Persist(batch, ops) => {
                    for op in ops {
                        match op {
                            Op::Body(id, wire) => {
                                node.bodies.insert(id, wire);
                            }
                            Op::Drop(Key::Held(id) | Key::Inbox(id)) => {
                                node.bodies.remove(&id);
                            }
                            Op::Put(Record::Held(held)) if held.state == HeldState::Delivered => {
                                node.delivered += 1;
                            }
                            _ => {}
                        }
                    }
                    node.inputs.push_back(Input::Committed(batch));
                }
                Output::Fetch(id) => {
                    let body = node.bodies.get(&id).cloned();
                    node.inputs.push_back(Input::Fetched(id, body));
                }
                Output::Prove { ask, .. } => {
                    let claim = Claim {
                        did: DIDS[number].to_owned(),
                        kid: "1".to_owned(),
                        signature: vec![1; 64],
                    };
                    node.inputs.push_back(Input::Proven(ask, vec![claim]));
                }
                Output::Verify { ask, .. } => {
                    node.inputs.push_back(Input::Verified(ask, true));
                }
                Output::Sign {
                    ask,
                    ids,
                    refused,
                    at,
                    ..
                } => {
                    let mut signature = vec![2; 64];
                    signature.extend(ids.first().map(|id| *id.as_bytes()).unwrap_or_default());
                    let receipt = Receipt {
                        ids,
                        refused,
                        at,
                        did: DIDS[number].to_owned(),
                        kid: "1".to_owned(),
                        signature: signature.split_off(32),
                    };
                    node.inputs.push_back(Input::Signed(ask, Some(receipt)));
                }
                Output::Event(Event::Received(arrived)) => {
                    node.inputs.push_back(Input::Acknowledge(arrived.id, None));
                }
                Output::Event(Event::NotTaken(id, reason)) => panic!("{id}: {reason}"),
                _ => {}
            }
        }
    }
}

/// Authcrypt, as bob's real letters are: of random ciphertext nothing can be squeezed.
fn letters(count: usize, bytes: usize) -> Vec<Submission> {
    let mut rng = Rng(5);
    let alice = party(&mut rng, Method::Key, "https://hop.nimbus.is");
    let bob = party(&mut rng, Method::Key, "https://hop.nimbus.is");
    let mut letter = |_| {
        let packed = sealed(&mut rng, Some(&alice), &bob, bytes).json;
        let envelope = Envelope::from_packed(packed.as_bytes()).expect("a letter");
        let label = Label {
            to: DidTag::of(DIDS[1]),
            expires: Some(1_750_100_000),
            priority: Priority::Normal,
            hops: 8,
            copies: 6,
        };
        Submission::of(&envelope, label, Vec::new())
    };
    (0..count).map(&mut letter).collect()
}

/// Messages and bytes of each.
const CASES: [(usize, usize); 4] = [
    (5_000, 2_000),
    (500, 100_000),
    (100, 1_000_000),
    (8, 16_000_000),
];

#[divan::bench(args = CASES, sample_count = 5, sample_size = 1)]
fn there_and_back(bencher: Bencher<'_, '_>, (count, bytes): (usize, usize)) {
    bencher
        .counter(ItemsCount::new(count))
        .counter(BytesCount::new(count * bytes))
        .with_inputs(|| (Pair::new(), letters(count, bytes)))
        .bench_values(|(mut pair, letters)| {
            for letter in letters {
                pair.nodes[0].inputs.push_back(Input::Submit(letter));
            }
            pair.rest();
            assert_eq!(pair.nodes[0].delivered, count, "every receipt is back");
            pair
        });
}

/// One at a time, each after the receipt of the one before.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn serial(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(1_000_usize))
        .with_inputs(|| (Pair::new(), letters(1_000, 2_000)))
        .bench_values(|(mut pair, letters)| {
            for letter in letters {
                pair.nodes[0].inputs.push_back(Input::Submit(letter));
                pair.rest();
            }
            assert_eq!(pair.nodes[0].delivered, 1_000, "every receipt is back");
            pair
        });
}
