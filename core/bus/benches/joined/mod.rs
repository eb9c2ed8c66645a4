//! Two sessions joined by a link in virtual time, each with a little bus of its own.
//!
//! What is it: [`World`], for the session's tests and bench: latency, byte rate, loss, doubling,
//! jitter, MTU; a seed decides everything. Who calls it: `tests/session*.rs`, `benches/session.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::WireHash;
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::{LinkFacts, Role};
use packmule_bus::ranges::Ranges;
use packmule_bus::receipt::Reason;
use packmule_bus::session::{Answer, Bodies, Event, Limits, Offer, Session, SessionConfig};
use packmule_bus::time::Time;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;

/// SplitMix64: small, and the same everywhere.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn chance(&mut self, p: f64) -> bool {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64 <= p && p > 0.0
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(n + 8);
        while bytes.len() < n {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(n);
        bytes
    }
}

/// What the link between them is like.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub facts: LinkFacts,
    pub latency: u64,
    /// Bytes in a second.
    pub rate: u64,
    pub loss: f64,
    pub doubled: f64,
    /// Up to so many microseconds more, by chance.
    pub jitter: u64,
    /// One bit is wrong, by chance.
    pub damaged: f64,
}

pub fn facts(mtu: usize, reliable: bool, ordered: bool, sealed: bool) -> LinkFacts {
    LinkFacts {
        mtu,
        ordered,
        reliable,
        half_duplex: false,
        sealed,
        rate: None,
    }
}

impl Line {
    pub fn clean(mtu: usize) -> Self {
        Self {
            facts: facts(mtu, true, true, false),
            latency: 30_000,
            rate: 100_000,
            loss: 0.0,
            doubled: 0.0,
            jitter: 0,
            damaged: 0.0,
        }
    }

    pub fn lossy(mtu: usize, loss: f64) -> Self {
        Self {
            facts: facts(mtu, false, true, false),
            loss,
            ..Self::clean(mtu)
        }
    }

    /// Everything goes wrong.
    pub fn wild(mtu: usize) -> Self {
        Self {
            facts: facts(mtu, false, false, false),
            doubled: 0.1,
            jitter: 40_000,
            damaged: 0.02,
            ..Self::lossy(mtu, 0.2)
        }
    }
}

/// Messages that can be sent.
#[derive(Default)]
pub struct Shelf {
    pub bodies: BTreeMap<EnvelopeId, Vec<u8>>,
    /// Not at hand until they are fetched.
    pub away: BTreeSet<EnvelopeId>,
}

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        if self.away.contains(id) {
            return None;
        }
        self.bodies.get(id).map(Vec::as_slice)
    }
}

struct Coming {
    offer: Offer,
    bytes: Vec<u8>,
    got: Ranges,
}

/// One side: a session and a bus of a few lines.
pub struct End {
    pub session: Session,
    pub shelf: Shelf,
    coming: BTreeMap<EnvelopeId, Coming>,
    /// Durable, and when that was.
    pub stored: BTreeMap<EnvelopeId, (Vec<u8>, u64)>,
    /// Whole, not durable until then.
    committing: BTreeMap<EnvelopeId, u64>,
    pub commit: u64,
    pub log: Vec<(u64, Event)>,
    /// Ids that are refused.
    pub refuses: BTreeMap<EnvelopeId, Reason>,
    /// Never stores.
    pub frozen: bool,
    busy_until: u64,
    pub sent_pdus: u64,
    pub sent_bytes: u64,
    pub data_bytes: u64,
    seed: [u8; 32],
    secret: [u8; 32],
    role: Role,
    pub config: SessionConfig,
}

pub struct World {
    pub now: u64,
    pub ends: [End; 2],
    pub line: Line,
    air: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    count: u64,
    pub rng: Rng,
    /// Nothing passes.
    pub cut: bool,
    /// Every PDU, as it was sent: when, by whom, how long.
    pub trace: Vec<(u64, usize, usize)>,
}

impl World {
    pub fn new(line: Line, seed: u64) -> Self {
        let mut rng = Rng(seed);
        let ends = [Role::Dialer, Role::Listener].map(|role| {
            let mut seed = [0; 32];
            seed.copy_from_slice(&rng.bytes(32));
            let mut secret = [0; 32];
            secret.copy_from_slice(&rng.bytes(32));
            let config = SessionConfig {
                epoch: rng.next(),
                ..SessionConfig::default()
            };
            End {
                session: Session::new(Time::default(), line.facts, role, &secret, seed, config),
                shelf: Shelf::default(),
                coming: BTreeMap::new(),
                stored: BTreeMap::new(),
                committing: BTreeMap::new(),
                commit: 0,
                log: Vec::new(),
                refuses: BTreeMap::new(),
                frozen: false,
                busy_until: 0,
                sent_pdus: 0,
                sent_bytes: 0,
                data_bytes: 0,
                seed,
                secret,
                role,
                config,
            }
        });
        Self {
            now: 0,
            ends,
            line,
            air: BTreeMap::new(),
            count: 0,
            rng,
            cut: false,
            trace: Vec::new(),
        }
    }

    pub fn time(&self) -> Time {
        Time::from_micros(self.now)
    }

    /// Another session of the same life (`reborn`: of a new one, all that is not durable lost)
    /// on the same link.
    pub fn restart(&mut self, side: usize, reborn: bool) {
        let now = self.time();
        let fresh = self.rng.bytes(32);
        let epoch = self.rng.next();
        let end = &mut self.ends[side];
        end.seed.copy_from_slice(&fresh);
        if reborn {
            end.config.epoch = epoch;
            end.coming.clear();
            end.committing.clear();
        }
        end.session = Session::new(
            now,
            self.line.facts,
            end.role,
            &end.secret,
            end.seed,
            end.config,
        );
    }

    /// After a restart: offers what is not known to be over.
    pub fn offer_again(&mut self, side: usize) {
        self.ends[side].offer_again();
    }

    /// Other limits, before anything is said.
    pub fn limit(&mut self, side: usize, limits: Limits) {
        self.ends[side].config.limits = limits;
        self.restart(side, false);
    }

    /// Puts a message on a side's shelf, and offers it.
    pub fn offer(&mut self, side: usize, bytes: usize, priority: Priority) -> EnvelopeId {
        let offer = self.shelve(side, bytes, priority);
        let id = offer.id;
        self.ends[side].session.offer(offer);
        id
    }

    pub fn shelve(&mut self, side: usize, bytes: usize, priority: Priority) -> Offer {
        let body = self.rng.bytes(bytes);
        let mut name = [0; 32];
        name.copy_from_slice(&self.rng.bytes(32));
        let id = EnvelopeId::from_bytes(name);
        self.ends[side].shelf.bodies.insert(id, body);
        Offer {
            id,
            wire: WireHash([7; 16]),
            bytes: bytes as u64,
            label: Label {
                to: DidTag::of("did:example:bob"),
                expires: Some(2_000_000_000),
                priority,
                hops: 8,
                copies: 6,
            },
            age: self.ends[side].shelf.bodies.len() as u64,
        }
    }

    /// Runs until something holds, at most so many seconds. Did it?
    pub fn until(&mut self, seconds: u64, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + seconds * 1_000_000;
        loop {
            self.settle();
            if holds(self) {
                return true;
            }
            let next = self.next_time();
            if next > end {
                self.now = end;
                return false;
            }
            self.now = self.now.max(next);
            self.deliver();
        }
    }

    /// Runs for so many milliseconds.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + millis * 1000;
        loop {
            self.settle();
            let next = self.next_time();
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.deliver();
        }
    }

    /// Whatever was on its way is gone.
    pub fn lose_air(&mut self) {
        self.air.clear();
    }

    pub fn up(&mut self) {
        assert!(
            self.until(100, |w| w.ends.iter().all(|e| e.session.is_up())),
            "no handshake"
        );
    }

    fn next_time(&self) -> u64 {
        let air = self.air.keys().next().map(|(at, _)| *at);
        let ends = self.ends.iter().flat_map(|end| {
            let busy = Some(end.busy_until).filter(|at| *at > self.now);
            let deadline = end.session.deadline().map(Time::as_micros);
            [busy, deadline, end.committing.values().min().copied()]
        });
        ends.chain([air]).flatten().min().unwrap_or(u64::MAX)
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.air.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let (to, pdu) = entry.remove();
            let now = self.time();
            self.ends[to].session.receive(now, &pdu);
            self.ends[to].listen(self.now);
        }
        let now = self.time();
        for end in &mut self.ends {
            if end.session.deadline().is_some_and(|at| at <= now) {
                end.session.timeout(now);
            }
        }
    }

    /// Lets both sides say what they have to say now.
    fn settle(&mut self) {
        let now = self.time();
        for side in [ALICE, BOB] {
            self.ends[side].listen(self.now);
            while self.ends[side].busy_until <= self.now {
                let end = &mut self.ends[side];
                let pdu = end.session.transmit(now, &mut end.shelf);
                end.listen(self.now);
                let Some(pdu) = pdu else {
                    break;
                };
                self.send(side, pdu);
            }
        }
    }

    fn send(&mut self, side: usize, mut pdu: Vec<u8>) {
        assert!(
            pdu.len() <= self.line.facts.mtu && !pdu.is_empty(),
            "{} bytes",
            pdu.len()
        );
        self.trace.push((self.now, side, pdu.len()));
        let end = &mut self.ends[side];
        end.sent_pdus += 1;
        end.sent_bytes += pdu.len() as u64;
        let takes = (pdu.len() as u64 * 1_000_000).div_ceil(self.line.rate);
        end.busy_until = end.busy_until.max(self.now) + takes;
        let busy_until = end.busy_until;
        if self.cut || self.rng.chance(self.line.loss) {
            return;
        }
        let copies = 1 + usize::from(self.rng.chance(self.line.doubled));
        for _ in 0..copies {
            let late = match self.line.jitter {
                0 => 0,
                most => self.rng.below(most),
            };
            if self.rng.chance(self.line.damaged) {
                let at = self.rng.below(pdu.len() as u64) as usize;
                pdu[at] ^= 1 << self.rng.below(8);
            }
            self.count += 1;
            let at = busy_until + self.line.latency + late;
            self.air.insert((at, self.count), (1 - side, pdu.clone()));
        }
    }

    pub fn happened(&self, side: usize, what: impl Fn(&Event) -> bool) -> usize {
        self.ends[side].log.iter().filter(|(_, e)| what(e)).count()
    }

    pub fn when(&self, side: usize, what: impl Fn(&Event) -> bool) -> Option<u64> {
        let found = self.ends[side].log.iter().find(|(_, e)| what(e));
        found.map(|(at, _)| *at)
    }

    /// Has this side all that the other one has?
    pub fn has_all(&self, side: usize) -> bool {
        let theirs = &self.ends[1 - side].shelf.bodies;
        theirs
            .iter()
            .all(|(id, body)| self.ends[side].stored.get(id).is_some_and(|s| s.0 == *body))
    }
}

impl End {
    /// What the bus would do.
    fn listen(&mut self, now: u64) {
        let due = self.committing.iter().filter(|(_, at)| **at <= now);
        let due: Vec<EnvelopeId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.committing.remove(&id);
            if let Some(whole) = self.coming.remove(&id) {
                self.stored.insert(id, (whole.bytes, now));
                self.session.stored(&id);
            }
        }
        while let Some(event) = self.session.poll() {
            self.hear(now, &event);
            if !matches!(event, Event::Data { .. }) {
                self.log.push((now, event));
            }
        }
    }

    fn hear(&mut self, now: u64, event: &Event) {
        match event {
            Event::Offered(offers) => {
                for offer in offers {
                    self.judge(offer);
                }
            }
            Event::Data { id, offset, bytes } => {
                self.data_bytes += bytes.len() as u64;
                let Some(coming) = self.coming.get_mut(id) else {
                    return;
                };
                let range = *offset..offset + bytes.len() as u64;
                assert!(
                    coming.got.missing(range.clone()).total() == bytes.len() as u64,
                    "no byte comes twice"
                );
                coming.bytes[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
                coming.got.insert(range);
                if coming.got.total() == coming.offer.bytes && !self.frozen {
                    self.committing.insert(*id, now + self.commit);
                    if self.commit == 0 {
                        self.listen(now);
                    }
                }
            }
            Event::NeedBody(id) => {
                self.shelf.away.remove(id);
                self.session.body_came(id);
            }
            Event::Withdrawn(id) => {
                self.coming.remove(id);
            }
            Event::Forgot => {
                // What is durable stays; offers are made again.
                self.offer_again();
            }
            _ => {}
        }
    }

    fn offer_again(&mut self) {
        let settled = |id: &EnvelopeId| {
            self.log
                .iter()
                .any(|(_, e)| matches!(e, Event::Custody(x) | Event::Have(x) if x == id))
        };
        let bodies = self.shelf.bodies.keys();
        let again: Vec<EnvelopeId> = bodies.filter(|id| !settled(id)).copied().collect();
        for id in again {
            let offer = self.offer_of(id);
            self.session.offer(offer);
        }
    }

    pub fn offer_of(&self, id: EnvelopeId) -> Offer {
        Offer {
            id,
            wire: WireHash([7; 16]),
            bytes: self.shelf.bodies.get(&id).map_or(0, |b| b.len() as u64),
            label: Label {
                to: DidTag::of("did:example:bob"),
                expires: None,
                priority: Priority::Normal,
                hops: 8,
                copies: 6,
            },
            age: 0,
        }
    }

    fn judge(&mut self, offer: &Offer) {
        if self.stored.contains_key(&offer.id) {
            self.session.answer(&offer.id, Answer::Have);
            return;
        }
        if let Some(reason) = self.refuses.get(&offer.id) {
            self.session.answer(&offer.id, Answer::Refuse(*reason));
            return;
        }
        let coming = self.coming.entry(offer.id).or_insert_with(|| Coming {
            offer: offer.clone(),
            bytes: vec![0; offer.bytes as usize],
            got: Ranges::new(),
        });
        let missing = coming.got.missing(0..offer.bytes);
        if missing.is_empty() {
            self.committing.insert(offer.id, 0);
        }
        self.session.answer(&offer.id, Answer::Want(missing));
    }

    /// How much of a message has come.
    pub fn got(&self, id: &EnvelopeId) -> u64 {
        self.coming.get(id).map_or(0, |c| c.got.total())
    }

    /// Throws away what came of a message, but stays alive.
    pub fn damage(&mut self, id: &EnvelopeId) {
        if let Some(coming) = self.coming.get_mut(id) {
            coming.got = Ranges::new();
            let all = Ranges::of(0..coming.offer.bytes);
            self.session.answer(id, Answer::Want(all));
        }
    }
}

/// How long a message of so many bytes takes from its offer until it is whole at the other side,
/// after both are up; seconds.
pub fn takes(line: Line, bytes: usize, seed: u64) -> f64 {
    let mut world = World::new(line, seed);
    world.up();
    world.run(2000);
    let start = world.now;
    let id = world.offer(ALICE, bytes, Priority::Normal);
    assert!(world.until(100_000, |w| w.ends[BOB].stored.contains_key(&id)));
    let (body, at) = &world.ends[BOB].stored[&id];
    assert!(*body == world.ends[ALICE].shelf.bodies[&id]);
    Duration::from_micros(at - start).as_secs_f64()
}
