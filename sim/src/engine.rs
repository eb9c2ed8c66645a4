//! One run: real buses, simulated everything else.
//!
//! What is it: [`replay`], which runs a [`Scenario`] from its first event to its end and says
//! what it saw. Who calls it: the swarm, the shrinker, `sim replay`, tests. What can go wrong:
//! that is what it looks for; see [`crate::book`] for what is checked. The run depends on the
//! scenario alone: no clock, no thread, no address, no order of a hash map.

mod agent;
mod crowd;
mod faults;
mod links;
mod mallory;
mod node;
mod outputs;
mod post;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Input, LinkId};
use packmule_bus::link::Way;

use self::links::Meet;
use self::node::{Node, disks};
use crate::book::{Book, Violation};
use crate::dice::Fnv;
use crate::marks::Fired;
use crate::medium::End;
use crate::scenario::Scenario;
use crate::timeline::{ContactSpan, Timeline};
use crate::world::{Micros, World};

/// No run may plan more events than this: more is a storm, not a simulation.
const MOST_EVENTS: u64 = 3_000_000;
/// … nor more than this in one second of virtual time: no second of 2,000 mixed runs has as many,
/// and the busiest of the other plans has a thousand.
const MOST_A_SECOND: u64 = 50_000;
/// A run stops after so many violations: the first few tell everything.
const MOST_VIOLATIONS: usize = 5;

/// What may happen.
#[derive(Debug)]
enum Ev {
    /// A contact begins.
    Open(usize),
    /// A contact ends.
    Close(usize),
    /// A contact becomes a link, if both ends are there.
    Connect(usize, Option<Way>),
    /// A link breaks, of this generation.
    Break(usize, u32),
    /// A PDU arrives.
    Arrive(usize, u32, End, Vec<u8>),
    /// An adapter has sent something.
    Room(usize, u32, End),
    /// A node in this life hears something.
    Feed(usize, u32, Box<Input>),
    /// A busy node takes what has come.
    Turn(usize, u32),
    /// A disk has something to say.
    Disk(usize, u32),
    /// An agent looks at a message.
    Agent(usize, u32, EnvelopeId),
    /// A bus's deadline.
    Timer(usize, u32, Micros),
    /// Somebody writes a message.
    Submit(usize),
    /// Something goes wrong.
    Fault(usize),
    /// A node comes back.
    Boot(usize),
    /// A node looks into its mailbox.
    Look(usize, u32),
}

/// What was seen in one run.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// Which faults really happened, and how often.
    pub faults_fired: std::collections::BTreeMap<String, u64>,
    /// The fingerprint of everything that happened: the same scenario, the same fingerprint.
    pub hash: u64,
    /// Events of the run.
    pub events: u64,
    /// Messages that their recipient's agent got.
    pub delivered: u64,
    /// Messages submitted.
    pub submitted: u64,
    /// Mean seconds between the earliest possible arrival, by contacts alone, and the real one,
    /// over delivered messages for which both are known.
    pub gap_s: f64,
    /// The run, drawn, if that was asked for.
    pub timeline: Option<Timeline>,
    #[serde(skip)]
    pub(crate) fired: Fired,
}

/// A contact, for the oracle and the timeline.
pub(crate) struct Span {
    pub(crate) ends: [usize; 2],
    pub(crate) from: Micros,
    pub(crate) to: Micros,
    pub(crate) rate: u64,
    names: [String; 2],
    link: String,
    bytes: u64,
}

impl Span {
    pub(crate) fn line(&self) -> ContactSpan {
        let [a, b] = self.names.clone();
        ContactSpan {
            a,
            b,
            link: self.link.clone(),
            from: self.from / 1000,
            to: self.to / 1000,
            bytes: self.bytes,
        }
    }
}

/// Runs a scenario.
#[must_use]
pub fn replay(scenario: &Scenario, with_timeline: bool) -> Outcome {
    let mut sim = Sim::new(scenario, with_timeline);
    sim.run();
    sim.outcome()
}

struct Sim<'a> {
    scenario: &'a Scenario,
    world: World<Ev>,
    nodes: Vec<Node>,
    meets: Vec<Meet>,
    book: Book,
    fired: Fired,
    trace: Fnv,
}

impl<'a> Sim<'a> {
    fn new(scenario: &'a Scenario, with_timeline: bool) -> Self {
        let nodes: Vec<Node> = scenario
            .nodes
            .iter()
            .map(|spec| Node::new(spec, scenario))
            .collect();
        let mut sim = Self {
            world: World::default(),
            meets: Meet::all(scenario, &nodes),
            book: Book::new(scenario, with_timeline),
            fired: Fired::default(),
            trace: Fnv::default(),
            nodes,
            scenario,
        };
        for node in 0..sim.nodes.len() {
            sim.world.at(0, Ev::Boot(node));
        }
        for (n, meet) in sim.meets.iter().enumerate() {
            sim.world.at(meet.from, Ev::Open(n));
            sim.world.at(meet.to, Ev::Close(n));
        }
        for (n, message) in scenario.messages.iter().enumerate() {
            sim.world.at(message.at_ms * 1000, Ev::Submit(n));
        }
        for (n, fault) in scenario.faults.iter().enumerate() {
            sim.world.at(fault.at_ms * 1000, Ev::Fault(n));
        }
        sim
    }

    fn run(&mut self) {
        let end = self.scenario.ends_ms * 1000;
        let mut second = (0, 0);
        while let Some(event) = self.world.next(end) {
            self.trace.number(self.world.now());
            self.step(event);
            if self.book.violations().len() >= MOST_VIOLATIONS {
                return;
            }
            let (now, planned) = (self.world.now(), self.world.planned());
            if second.0 != now / 1_000_000 {
                second = (now / 1_000_000, planned);
            }
            if planned > MOST_EVENTS || planned - second.1 > MOST_A_SECOND {
                let next = self.world.next(Micros::MAX);
                let text = format!("events without end, among them {next:?}");
                self.book.accuse(now, "storm", None, text);
                return;
            }
        }
        self.last_check();
    }

    fn step(&mut self, event: Ev) {
        match event {
            Ev::Open(meet) => self.open(meet),
            Ev::Close(meet) => self.close(meet),
            Ev::Connect(meet, way) => self.connect(meet, way),
            Ev::Break(meet, up) => self.break_link(meet, up),
            Ev::Arrive(meet, up, to, pdu) => self.arrive(meet, up, to, pdu),
            Ev::Room(meet, up, end) => self.room(meet, up, end),
            Ev::Feed(node, life, input) => self.feed_in(node, life, *input),
            Ev::Turn(node, life) => self.turn(node, life),
            Ev::Disk(node, life) => self.disk_done(node, life),
            Ev::Agent(node, life, id) => self.agent_looks(node, life, id),
            Ev::Timer(node, life, at) => self.timer(node, life, at),
            Ev::Submit(message) => self.submit(message),
            Ev::Fault(fault) => self.fault(fault),
            Ev::Boot(node) => self.boot(node),
            Ev::Look(node, life) => self.look(node, life),
        }
    }

    /// What is true at the end of a run.
    fn last_check(&mut self) {
        let now = self.world.now();
        let disks = disks(&self.nodes);
        self.book.last_check(now, self.scenario, &disks);
        self.check_settles();
        self.check_silent();
    }

    fn outcome(mut self) -> Outcome {
        let now = self.world.now();
        let spans: Vec<Span> = self.meets.into_iter().map(Meet::span).collect();
        self.book.close(now, &spans);
        Outcome {
            faults_fired: self.fired.by_name(),
            hash: self.trace.value(),
            events: self.world.planned(),
            delivered: self.book.delivered(),
            submitted: self.book.submitted(),
            gap_s: self.book.gap_s(),
            fired: self.fired,
            violations: self.book.violations().to_vec(),
            timeline: self.book.into_timeline(),
        }
    }

    fn node_of(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Something is heard, later, by whoever is alive now.
    fn tell_later(&mut self, node: usize, wait: Micros, input: Input) {
        let Some(life) = self.nodes.get(node).map(|node| node.life) else {
            return;
        };
        self.world
            .after(wait, Ev::Feed(node, life, Box::new(input)));
    }

    fn accuse(&mut self, kind: &'static str, node: usize, text: String) {
        let name = self.nodes.get(node).map(|node| node.name.clone());
        self.book.accuse(self.world.now(), kind, name, text);
    }

    /// Which contact and end a node's link is.
    fn port(&self, node: usize, link: LinkId) -> Option<(usize, End)> {
        self.nodes.get(node)?.links.get(&link).copied()
    }
}

#[cfg(test)]
mod tests;
