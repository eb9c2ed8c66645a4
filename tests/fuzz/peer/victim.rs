//! A real bus with a store that commits when it is told to, and what is held against all it says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::LazyLock;

use packmule_bus::bus::io::{
    BatchId, Claim, DiskFault, Event, Input, Key, LinkId, Op, Output, Record, Submission, WireHash,
};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::LinkFacts;
use packmule_bus::receipt::{Reason, Rung};
use packmule_bus::time::{Now, Time};
use packmule_bus::{Envelope, EnvelopeId};
use packmule_sim::Bug;
use packmule_sim::keys::Signer;

const EPOCH: u64 = 1_800_000_000;
/// Bytes that the bus may hold, and more of them for each link.
const MEMORY: usize = 6 << 20;
const MEMORY_PER_LINK: usize = 2 << 20;

static LETTERS: LazyLock<[(EnvelopeId, Vec<u8>); 8]> = LazyLock::new(|| {
    let lengths = [1, 20, 130, 300, 900, 1_500, 4_000, 20_000];
    let mut fill = b'a';
    lengths.map(|length| {
        fill += 1;
        let envelope = Envelope::from_packed(&vec![fill; length]).expect("an envelope");
        (envelope.id(), envelope.to_wire())
    })
});

/// A letter that exists, by number: its name, its wire form.
pub fn letter(n: u8) -> &'static (EnvelopeId, Vec<u8>) {
    &LETTERS[usize::from(n % 8)]
}

/// What the kiosk said to mallory.
pub struct Said {
    pub link: LinkId,
    pub pdu: Vec<u8>,
    /// Durable here when it was said; an answer to what was never durable is a lie.
    pub durable: Rc<BTreeSet<EnvelopeId>>,
    /// Letters that mallory has signed for, by receipts that this node knows.
    pub signed: Rc<BTreeSet<EnvelopeId>>,
}

pub struct Victim {
    bus: Bus,
    now: u64,
    lives: u8,
    next_link: u64,
    links: BTreeMap<LinkId, (LinkFacts, usize)>,
    store: BTreeMap<Key, Record>,
    bodies: BTreeMap<EnvelopeId, Vec<u8>>,
    /// Handed to the disk and not yet durable.
    waiting: VecDeque<(BatchId, Vec<Op>)>,
    /// Everything that was durable here at any time.
    durable: Rc<BTreeSet<EnvelopeId>>,
    /// Letters that mallory has signed for, as far as this life of the bus knows.
    signed: Rc<BTreeSet<EnvelopeId>>,
    received: Vec<EnvelopeId>,
    /// Handshakes of which mallory may sign a claim.
    pub hashes: Vec<[u8; 32]>,
    pub said: VecDeque<Said>,
}

impl Victim {
    pub fn new() -> Self {
        let mut kiosk = Self {
            bus: Bus::restore([], config(0), clocks(0)),
            now: 0,
            lives: 0,
            next_link: 1,
            links: BTreeMap::new(),
            store: BTreeMap::new(),
            bodies: BTreeMap::new(),
            waiting: VecDeque::new(),
            durable: Rc::default(),
            received: Vec::new(),
            hashes: Vec::new(),
            said: VecDeque::new(),
            signed: Rc::default(),
        };
        kiosk.hear(Input::Identity(vec![Signer::of("kiosk", 1).tag()]));
        kiosk
    }

    pub const fn wall(&self) -> u64 {
        EPOCH + self.now / 1_000_000
    }

    pub fn link_up(&mut self, facts: LinkFacts) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(link, (facts, 0));
        self.hear(Input::LinkUp {
            link,
            facts,
            role: packmule_bus::link::Role::Listener,
            transport: "sim".to_owned(),
            way: None,
        });
        self.room(link, 64);
        link
    }

    pub fn room(&mut self, link: LinkId, more: usize) {
        if let Some((_, room)) = self.links.get_mut(&link) {
            *room += more;
            self.hear(Input::Room(link, more));
        }
    }

    pub fn link_down(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.hear(Input::LinkDown(link));
        }
    }

    pub fn has(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    pub fn pdu(&mut self, link: LinkId, pdu: Vec<u8>) {
        if self.has(link) {
            self.hear(Input::Pdu(link, pdu));
        }
    }

    pub fn submit(&mut self, n: u8, to_alice: bool) {
        // Letters of its own are others than those that mallory has.
        let envelope = Envelope::from_packed(&vec![b'A' + n; 40 << n]).expect("an envelope");
        let label = Label {
            to: Signer::of(if to_alice { "alice" } else { "mallory" }, 1).tag(),
            expires: None,
            priority: Priority::Normal,
            hops: 4,
            copies: 3,
        };
        self.hear(Input::Submit(Submission::of(&envelope, label, Vec::new())));
    }

    /// The agent looks at what came for it.
    pub fn agent(&mut self, likes_it: bool) {
        if let Some(id) = self.received.pop() {
            self.hear(Input::Acknowledge(
                id,
                (!likes_it).then_some(Reason::Rejected),
            ));
        }
    }

    /// Time goes by, and with it every deadline on the way.
    pub fn pass(&mut self, micros: u64) {
        let until = self.now + micros;
        for _ in 0..200 {
            match self.bus.deadline() {
                Some(at) if at.as_micros() <= until => {
                    self.now = self.now.max(at.as_micros());
                    self.hear(Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    pub fn commit(&mut self, batches: usize) {
        for _ in 0..batches {
            let Some((batch, ops)) = self.waiting.pop_front() else {
                break;
            };
            for op in ops {
                self.write(op);
            }
            self.hear(Input::Committed(batch));
        }
    }

    pub fn fail(&mut self, batches: usize, full: bool) {
        let fault = if full {
            DiskFault::Full
        } else {
            DiskFault::Broken
        };
        for _ in 0..batches {
            if let Some((batch, _)) = self.waiting.pop_front() {
                self.hear(Input::Failed(batch, fault));
            }
        }
    }

    /// Only what was committed is left, and the next life begins with it.
    pub fn power_cut(&mut self) {
        self.lives += 1;
        self.waiting.clear();
        self.links.clear();
        self.said.clear();
        self.received.clear();
        self.hashes.clear();
        let records: Vec<Record> = self.store.values().cloned().collect();
        self.signed = Rc::default();
        records.iter().for_each(|record| self.learn(record));
        self.bus = Bus::restore(records, config(self.lives), clocks(self.now));
        self.hear(Input::Identity(vec![Signer::of("kiosk", 1).tag()]));
    }

    /// The bus knows this: it may be mallory's word.
    fn learn(&mut self, record: &Record) {
        if let Record::Receipt(receipt) = record
            && receipt.did == "did:sim:mallory"
        {
            Rc::make_mut(&mut self.signed).extend(&receipt.ids);
        }
    }

    fn write(&mut self, op: Op) {
        match op {
            Op::Put(record) => {
                if let Record::Held(packmule_bus::bus::io::Held { id, .. }) = &record {
                    Rc::make_mut(&mut self.durable).insert(*id);
                }
                if let Record::Inbox(arrived) = &record {
                    Rc::make_mut(&mut self.durable).insert(arrived.id);
                }
                self.store.insert(record.key(), record);
            }
            Op::Drop(key) => {
                if let Key::Held(id) | Key::Inbox(id) = &key {
                    self.bodies.remove(id);
                }
                self.store.remove(&key);
            }
            Op::Body(id, wire) => {
                self.bodies.insert(id, wire);
            }
            _ => {}
        }
    }

    /// One input and all that follows from it; questions are answered at once.
    fn hear(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let outputs: Vec<Output> = self.bus.handle(clocks(self.now), input).collect();
            for output in outputs {
                inputs.extend(self.carry_out(output));
            }
        }
        let bound = MEMORY + self.links.len() * MEMORY_PER_LINK;
        assert!(self.bus.memory() <= bound, "{} bytes", self.bus.memory());
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Transmit(link, pdu) => {
                let (facts, room) = self.links.get_mut(&link).expect("a link that is up");
                assert!(!pdu.is_empty() && pdu.len() <= facts.mtu);
                *room = room
                    .checked_sub(1)
                    .expect("never more than there is room for");
                self.said.push_back(Said {
                    link,
                    pdu,
                    durable: Rc::clone(&self.durable),
                    signed: Rc::clone(&self.signed),
                });
                None
            }
            Output::Persist(batch, ops) => {
                ops.iter().for_each(|op| {
                    if let Op::Put(record) = op {
                        self.learn(record);
                    }
                });
                self.waiting.push_back((batch, ops));
                None
            }
            Output::Fetch(id) => Some(Input::Fetched(id, self.bodies.get(&id).cloned())),
            Output::Prove { ask, hash, role } => {
                self.hashes.push(hash);
                let claims = vec![Signer::of("kiosk", 1).claim(&hash, role)];
                Some(Input::Proven(ask, claims))
            }
            Output::Verify {
                ask,
                did,
                statement,
                signature,
                ..
            } => {
                let name = did.strip_prefix("did:sim:").unwrap_or("nobody");
                let good = Signer::of(name, 1).verify(&statement, &signature);
                Some(Input::Verified(ask, good))
            }
            Output::Sign {
                ask,
                ids,
                refused,
                at,
                ..
            } => {
                assert!(
                    ids.iter().all(|id| self.durable.contains(id)),
                    "signed too early"
                );
                let receipt = Signer::of("kiosk", 1).receipt(ids, refused, at);
                Some(Input::Signed(ask, Some(receipt)))
            }
            Output::Dial(way) => Some(Input::DialFailed(way, "nobody is there".to_owned())),
            Output::Close(link) => {
                self.links.remove(&link)?;
                Some(Input::LinkDown(link))
            }
            Output::Event(event) => {
                self.judge(&event);
                if let Event::Received(arrived) = event {
                    self.received.push(arrived.id);
                }
                None
            }
            _ => None,
        }
    }

    fn judge(&self, event: &Event) {
        match event {
            Event::Received(arrived) => assert!(self.durable.contains(&arrived.id)),
            Event::Carrying(id) => assert!(self.durable.contains(id)),
            Event::Progress { id, rung, .. } => {
                assert!(self.durable.contains(id), "{rung:?} before it was durable");
                let to_alice = match self.store.get(&Key::Held(*id)) {
                    Some(Record::Held(held)) => held.label.to == Signer::of("alice", 1).tag(),
                    _ => false,
                };
                assert!(
                    !(to_alice && *rung == Rung::Delivered),
                    "nobody else may say so"
                );
            }
            Event::Proved(_, tag) => assert_eq!(*tag, Signer::of("mallory", 1).tag()),
            _ => {}
        }
    }
}

fn clocks(now: u64) -> Now {
    Now {
        time: Time::from_micros(now),
        wall: EPOCH + now / 1_000_000,
    }
}

fn config(life: u8) -> Config {
    let mut config = Config::new([9; 32], [life; 32]);
    config.depot.quotas.strangers_bytes = 200_000;
    config.body_cache = 64 << 10;
    config.arriving = 1 << 20;
    config.ahead = 256 << 10;
    config.partial_checkpoint = 16 << 10;
    // Is this target blind? With a bug put back into the bus (`run.sh --blind`) it must not be.
    config.sabotage = Bug::flags(std::env::var_os("FUZZ_BUG").map(|_| Bug::AckBeforeCommit));
    config
}

/// A claim that holds, or one to somebody else's DID.
pub fn claim(hash: &[u8; 32], did: &str) -> Claim {
    let mut claim = Signer::of("mallory", 1).claim(hash, packmule_bus::link::Role::Dialer);
    claim.did = did.to_owned();
    claim
}

/// The name of a wire form, or of none.
pub fn name(wire: &[u8], honest: bool) -> WireHash {
    if honest {
        WireHash::of(wire)
    } else {
        WireHash([7; 16])
    }
}

/// Herself, for [`tag`].
pub const MALLORY: u8 = 2;

/// The tag of somebody.
pub fn tag(n: u8) -> DidTag {
    Signer::of(
        ["kiosk", "alice", "mallory", "nobody"][usize::from(n % 4)],
        1,
    )
    .tag()
}
