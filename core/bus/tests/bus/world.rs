//! A small world for stories: a few buses, disks that can be cut off, links that keep order.
//!
//! Everything is decided by the calls of the test: no clock, no die. A disk has what is
//! committed and what is pending; a power cut loses what is pending (or not: see
//! [`World::cut_keeps_pending`]) and all that a bus had in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use packmule_bus::bus::io::{BatchId, Claim, DiskFault, Event, Input, LinkId, Op, Output, Record};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::receipt::Reason;
use packmule_bus::time::{Now, Time};
use packmule_bus::{Envelope, EnvelopeId};

use crate::party::{Node, message, receipt, sign};

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
pub(crate) const MULE: usize = 2;
const CAST: [&str; 5] = ["alice", "bob", "mule", "kiosk", "mallory"];
/// Posix seconds at the beginning of every story.
pub(crate) const DAWN: u64 = 1_750_000_000;

struct Wire {
    ends: [(usize, LinkId); 2],
    facts: LinkFacts,
    /// Counts PDUs, to check that a bus keeps to its room.
    room: [usize; 2],
    transport: &'static str,
}

/// All of it.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: Now,
    wires: BTreeMap<u64, Wire>,
    queue: BTreeMap<(Time, u64), (usize, u8, Input)>,
    number: u64,
    /// Power of this node goes at its so-manieth output.
    pub(crate) cut: Option<(usize, usize)>,
    /// What was pending when the power went is on the disk all the same: written, not told.
    pub(crate) cut_keeps_pending: bool,
    pub(crate) recording: bool,
    /// For messages of failed assertions.
    pub(crate) context: String,
    pub(crate) bytes_moved: usize,
    /// Statements that were verified.
    pub(crate) verified: usize,
}

impl World {
    /// This many of the cast, awake, each with an identity.
    pub(crate) fn new(nodes: usize) -> Self {
        Self::with(nodes, |_| {})
    }

    pub(crate) fn with(nodes: usize, setup: fn(&mut Config)) -> Self {
        let now = Now {
            time: Time::from_micros(1_000_000),
            wall: DAWN,
        };
        let mut world = Self {
            nodes: Vec::new(),
            now,
            wires: BTreeMap::new(),
            queue: BTreeMap::new(),
            number: 0,
            cut: None,
            cut_keeps_pending: false,
            recording: false,
            context: String::new(),
            bytes_moved: 0,
            verified: 0,
        };
        for name in CAST.into_iter().take(nodes) {
            world.nodes.push(Node::new(name, setup));
            world.wake(world.nodes.len() - 1);
        }
        world
    }

    /// Starts a node from what its disk has.
    pub(crate) fn wake(&mut self, node: usize) {
        let now = self.now;
        let one = &mut self.nodes[node];
        one.life += 1;
        one.told.clear();
        let mut config = Config::new([node as u8 + 1; 32], [one.life * 16 + node as u8; 32]);
        (one.setup)(&mut config);
        // Any order will do.
        let records: Vec<Record> = one.disk.records.values().rev().cloned().collect();
        one.bus = Some(Bus::restore(records, config, now));
        let tag = one.tag();
        self.give(node, Input::Identity(vec![tag]));
    }

    /// Power goes: memory is lost, links are gone.
    pub(crate) fn kill(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        one.bus = None;
        let pending = std::mem::take(&mut one.disk.pending);
        if self.cut_keeps_pending {
            for (_, ops) in pending {
                one.disk.apply(ops);
            }
        }
        let life = one.life;
        self.queue
            .retain(|_, (to, of_life, _)| *to != node || *of_life != life);
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for wire in wires {
            if self.wires[&wire].ends.iter().any(|(end, _)| *end == node) {
                self.part(wire);
            }
        }
    }

    /// Links two nodes: reliable, ordered, one millisecond long.
    pub(crate) fn join(&mut self, a: usize, b: usize) -> u64 {
        self.join_by(a, b, "mem", 1200)
    }

    pub(crate) fn join_by(
        &mut self,
        a: usize,
        b: usize,
        transport: &'static str,
        mtu: usize,
    ) -> u64 {
        let facts = LinkFacts {
            mtu,
            ordered: true,
            reliable: true,
            half_duplex: false,
            sealed: false,
            rate: None,
        };
        self.join_as(a, b, transport, facts)
    }

    pub(crate) fn join_as(
        &mut self,
        a: usize,
        b: usize,
        transport: &'static str,
        facts: LinkFacts,
    ) -> u64 {
        self.number += 1;
        let number = self.number;
        let room = if facts.half_duplex { 1 } else { 4 };
        let ends = [(a, LinkId(number)), (b, LinkId(number))];
        self.wires.insert(
            number,
            Wire {
                ends,
                facts,
                room: [room, room],
                transport,
            },
        );
        for ((node, link), role) in ends.into_iter().zip([Role::Dialer, Role::Listener]) {
            let up = Input::LinkUp {
                link,
                facts,
                role,
                transport: transport.to_owned(),
                way: None,
            };
            self.later(node, Duration::ZERO, up);
            self.later(node, Duration::ZERO, Input::Room(link, room));
        }
        number
    }

    /// A link goes; PDUs on it are lost.
    pub(crate) fn part(&mut self, wire: u64) {
        let Some(gone) = self.wires.remove(&wire) else {
            return;
        };
        self.queue.retain(|_, (_, _, input)| {
            !matches!(input, Input::Pdu(link, _) | Input::Room(link, _) if link.0 == wire)
        });
        for (node, link) in gone.ends {
            if self.nodes[node].bus.is_some() {
                self.later(node, Duration::ZERO, Input::LinkDown(link));
            }
        }
    }

    fn later(&mut self, node: usize, wait: Duration, input: Input) {
        self.number += 1;
        let life = self.nodes[node].life;
        let at = self.now.time + wait;
        self.queue.insert((at, self.number), (node, life, input));
    }

    /// Gives an input now, and carries out what comes of it.
    pub(crate) fn give(&mut self, node: usize, input: Input) {
        let Some(bus) = self.nodes[node].bus.as_mut() else {
            return;
        };
        let outputs: Vec<Output> = bus.handle(self.now, input).collect();
        for output in outputs {
            self.nodes[node].outputs += 1;
            if self.cut == Some((node, self.nodes[node].outputs)) {
                self.cut = None;
                self.kill(node);
                return;
            }
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        if self.recording {
            let line = format!("{:?} {output:?}", self.now.time);
            self.nodes[node].log.push(line);
        }
        let millisecond = Duration::from_millis(1);
        match output {
            Output::Transmit(link, pdu) => self.transmit(node, link, pdu),
            Output::Persist(batch, ops) => {
                self.nodes[node].disk.pending.push_back((batch, ops));
                if !self.nodes[node].disk.slow {
                    // A reading of the disk's own clock: `Timeout` stands for it.
                    self.later(node, millisecond, Input::Committed(batch));
                }
            }
            Output::Fetch(id) => {
                let body = self.nodes[node].disk.bodies.get(&id).cloned();
                self.later(node, millisecond, Input::Fetched(id, body));
            }
            Output::Prove { ask, hash, role } => {
                let own = self.nodes[node].did();
                let did = self.nodes[node].claims_to_be.clone();
                let did = did.unwrap_or_else(|| own.clone());
                let claim = Claim {
                    kid: format!("{did}#1"),
                    signature: sign(&own, &Claim::statement(&did, &hash, role)),
                    did,
                };
                self.later(node, millisecond, Input::Proven(ask, vec![claim]));
            }
            Output::Verify {
                ask,
                did,
                statement,
                signature,
                ..
            } => {
                self.verified += 1;
                let holds = sign(&did, &statement) == signature;
                self.later(node, millisecond, Input::Verified(ask, holds));
            }
            Output::Sign {
                ask,
                ids,
                refused,
                at,
                ..
            } => {
                let receipt = receipt(&self.nodes[node].did(), ids, refused, at);
                self.later(node, millisecond, Input::Signed(ask, Some(receipt)));
            }
            Output::Dial(way) => self.nodes[node].dialled.push(way),
            Output::Deliver { id, way, wire } => {
                assert!(Envelope::decode(&wire).is_ok_and(|envelope| envelope.id() == id));
                self.nodes[node].delivered.push((id, way.clone()));
                let outcome = Ok(());
                self.later(node, millisecond, Input::Handed { id, way, outcome });
            }
            Output::Close(link) => self.part(link.0),
            Output::Settle(settle) => self.nodes[node].settled.push(settle.0),
            Output::Unsettle(settle) => self.nodes[node].unsettled.push(settle.0),
            Output::Event(event) => self.heard(node, event),
            other => panic!("an output that this world does not know: {other:?}"),
        }
    }

    fn transmit(&mut self, node: usize, link: LinkId, pdu: Vec<u8>) {
        let Some(wire) = self.wires.get_mut(&link.0) else {
            return;
        };
        assert!(pdu.len() <= wire.facts.mtu, "a PDU above the MTU");
        let end = usize::from(wire.ends[0].0 != node);
        assert!(wire.room[end] > 0, "a PDU without room");
        wire.room[end] -= 1;
        let other = wire.ends[1 - end];
        self.bytes_moved += pdu.len();
        // A radio takes a PDU every few milliseconds.
        let pace = Duration::from_micros(if wire.transport == "ble" { 5_000 } else { 500 });
        self.later(other.0, Duration::from_millis(1), Input::Pdu(other.1, pdu));
        self.later(node, pace, Input::Room(link, 1));
    }

    fn heard(&mut self, node: usize, event: Event) {
        let one = &mut self.nodes[node];
        one.events.push(event.clone());
        if let Event::Received(arrived) = event {
            assert!(
                one.disk.bodies.contains_key(&arrived.id),
                "{} was told of a message that is not on the disk",
                one.name
            );
            let told = one.told.entry(arrived.id).or_default();
            *told += 1;
            assert_eq!(*told, 1, "{} was told twice in one life", one.name);
            if one.silent_agent {
                return;
            }
            one.kept.insert(arrived.id);
            let verdict = one.rejects.then_some(Reason::Rejected);
            self.later(
                node,
                Duration::from_millis(1),
                Input::Acknowledge(arrived.id, verdict),
            );
        }
    }

    /// The disk deals with its oldest batch.
    fn land(&mut self, node: usize, batch: BatchId) -> Option<Input> {
        let disk = &mut self.nodes[node].disk;
        let (first, ops) = disk.pending.pop_front()?;
        assert_eq!(first, batch, "batches land in order");
        let needs_room = ops.iter().any(|op| !matches!(op, Op::Drop(_)));
        if disk.full && needs_room {
            return Some(Input::Failed(batch, DiskFault::Full));
        }
        disk.apply(ops);
        disk.check();
        Some(Input::Committed(batch))
    }

    /// Lets a slow disk deal with all it has.
    pub(crate) fn land_all(&mut self, node: usize) {
        while let Some((batch, _)) = self.nodes[node].disk.pending.front() {
            let batch = *batch;
            if let Some(input) = self.land(node, batch) {
                self.give(node, input);
            }
        }
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.time + time;
        let mut steps = 0_u64;
        loop {
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timer = self
                .nodes
                .iter()
                .enumerate()
                .filter_map(|(node, one)| Some((one.bus.as_ref()?.deadline()?, node)))
                .min();
            let at = match (queued, timer) {
                (None, None) => break,
                (Some(at), None) => at,
                (None, Some((at, _))) => at,
                (Some(a), Some((b, _))) => a.min(b),
            };
            if at > end {
                break;
            }
            self.pass_to(at.max(self.now.time));
            steps += 1;
            assert!(steps < 3_000_000, "the world does not come to rest");
            if queued.is_some_and(|queued| queued <= self.now.time) {
                let Some((_, (node, life, input))) = self.queue.pop_first() else {
                    break;
                };
                if life == self.nodes[node].life && self.nodes[node].bus.is_some() {
                    self.input(node, input);
                }
            } else if let Some((_, node)) = timer {
                self.give(node, Input::Timeout);
            }
        }
        self.pass_to(end);
    }

    fn input(&mut self, node: usize, input: Input) {
        match input {
            Input::Room(link, room) => {
                let Some(wire) = self.wires.get_mut(&link.0) else {
                    return;
                };
                if room == 1 {
                    wire.room[usize::from(wire.ends[0].0 != node)] += room;
                }
                self.give(node, Input::Room(link, room));
            }
            Input::Committed(batch) => {
                if let Some(input) = self.land(node, batch) {
                    self.give(node, input);
                }
            }
            other => self.give(node, other),
        }
    }

    fn pass_to(&mut self, at: Time) {
        self.now.time = at;
        self.now.wall = DAWN + (at.as_micros() - 1_000_000) / 1_000_000;
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// A message of so many bytes from one to another, with this number in it.
    pub(crate) fn send(&mut self, from: usize, to: usize, number: u32, bytes: usize) -> EnvelopeId {
        let (id, submission) = message(number, bytes, self.nodes[to].tag());
        self.give(from, Input::Submit(submission));
        id
    }

    pub(crate) fn bus(&self, node: usize) -> &Bus {
        self.nodes[node].bus.as_ref().expect("it is awake")
    }

    pub(crate) fn outputs(&self, node: usize) -> usize {
        self.nodes[node].outputs
    }

    pub(crate) fn told(&self, node: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.nodes[node].events.iter().filter(|e| wanted(e)).count()
    }
}
