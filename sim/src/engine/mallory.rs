//! Mallory: speaks the session correctly where it serves, and keeps no law.
//!
//! It drives real [`Session`]s by hand: whatever a bus would never say, it says. It takes
//! offers and keeps its word to itself, or gives its word and keeps nothing; claims DIDs that
//! are not its own; forges receipts; offers what does not exist; sends again what it heard.

use std::collections::{BTreeMap, VecDeque};

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Input, LinkId, WireHash};
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::Role;
use packmule_bus::ranges::Ranges;
use packmule_bus::session::{Answer, Bodies, Event, Offer, Session, SessionConfig};
use packmule_bus::time::Time;

use super::{Ev, Sim};
use crate::keys::Signer;
use crate::marks::{Fired, Kind};
use crate::scenario::FaultKind;
use crate::world::Micros;

/// Most of anything that it remembers.
const MEMORY: usize = 300;

/// What mallory knows.
#[derive(Default)]
pub(super) struct Mallory {
    talks: BTreeMap<LinkId, Talk>,
    /// PDUs that it heard, to send again.
    heard: VecDeque<Vec<u8>>,
    /// Bundles that it heard of.
    offers: VecDeque<Offer>,
    bodies: Loot,
    /// Until when it gives its word for what it takes.
    lies_until: Micros,
    /// The one timer that counts: each that is planned beside it would plan one more.
    timer: Option<Micros>,
}

struct Talk {
    session: Session,
    role: Role,
    room: usize,
    first: Option<Vec<u8>>,
    /// Raw PDUs that go before anything the session says.
    raw: VecDeque<Vec<u8>>,
}

/// Bytes that it got hold of, whole or not.
#[derive(Default)]
struct Loot(BTreeMap<EnvelopeId, Vec<u8>>);

impl Bodies for Loot {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

impl Sim<'_> {
    pub(super) fn mallory_hears(&mut self, n: usize, input: Input) {
        let now = self.world.now();
        let scenario = self.scenario;
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let time = node.clocks(now).time;
        let (secret, seed, epoch) = (node.secret, node.dice.key(), node.dice.any());
        let super::node::Body::Mallory(mallory) = &mut node.body else {
            return;
        };
        match input {
            Input::LinkUp {
                link, facts, role, ..
            } => {
                let config = SessionConfig {
                    epoch,
                    ..SessionConfig::default()
                };
                let session = Session::new(time, facts, role, &secret, seed, config);
                let talk = Talk {
                    session,
                    role,
                    room: 0,
                    first: None,
                    raw: VecDeque::new(),
                };
                mallory.talks.insert(link, talk);
            }
            Input::LinkDown(link) => {
                mallory.talks.remove(&link);
            }
            Input::Room(link, more) => {
                if let Some(talk) = mallory.talks.get_mut(&link) {
                    talk.room += more;
                }
            }
            Input::Pdu(link, pdu) => {
                if let Some(talk) = mallory.talks.get_mut(&link) {
                    talk.session.receive(time, &pdu);
                    keep(&mut mallory.heard, pdu);
                }
            }
            _ => {}
        }
        let names: Vec<String> = scenario
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect();
        let own = node.signer.clone();
        mallory.listen(now, &own, &names, &mut self.fired);
        self.mallory_speaks(n);
    }

    pub(super) fn mallory_timer(&mut self, n: usize, at: Micros) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let time = node.clocks(now).time;
        let super::node::Body::Mallory(mallory) = &mut node.body else {
            return;
        };
        if mallory.timer != Some(at) {
            return;
        }
        mallory.timer = None;
        for talk in mallory.talks.values_mut() {
            if talk.session.deadline().is_some_and(|due| due <= time) {
                talk.session.timeout(time);
            }
        }
        self.mallory_speaks(n);
    }

    /// Everything that there is room for goes out.
    fn mallory_speaks(&mut self, n: usize) {
        let now = self.world.now();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let (life, time) = (node.life, node.clocks(now).time);
        let super::node::Body::Mallory(mallory) = &mut node.body else {
            return;
        };
        let mut out = Vec::new();
        let mut due: Option<Time> = None;
        for (link, talk) in &mut mallory.talks {
            while talk.room > 0 {
                let said = talk.raw.pop_front();
                let said = said.or_else(|| talk.session.transmit(time, &mut mallory.bodies));
                let Some(pdu) = said else {
                    break;
                };
                talk.first.get_or_insert_with(|| pdu.clone());
                talk.room -= 1;
                out.push((*link, pdu));
            }
            due = [due, talk.session.deadline()].into_iter().flatten().min();
        }
        // A little late is soon enough for mallory, and cannot spin.
        let at = due.map(|due| due.as_micros().max(now + 1_000));
        let at = at.filter(|at| mallory.timer.is_none_or(|timer| *at < timer));
        if at.is_some() {
            mallory.timer = at;
        }
        for (link, pdu) in out {
            self.transmit(n, link, pdu);
        }
        if let Some(at) = at {
            self.world.at(at, Ev::Timer(n, life, at));
        }
    }

    /// Mallory does what the plan wants of it.
    pub(super) fn mallory_acts(&mut self, n: usize, kind: &FaultKind) {
        let now = self.world.now();
        let wall = self.true_wall();
        let victims: Vec<String> = self
            .scenario
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect();
        let known = self.book.ids();
        let Some(node) = self.nodes.get_mut(n) else {
            return;
        };
        let (own, dice) = (node.signer.clone(), &mut node.dice);
        let super::node::Body::Mallory(mallory) = &mut node.body else {
            return;
        };
        if let FaultKind::BlackHole { for_ms } = kind {
            mallory.lies_until = now + for_ms * 1000;
            return;
        }
        for talk in mallory.talks.values_mut() {
            match kind {
                FaultKind::Replay { count } => {
                    let heard = mallory.heard.make_contiguous();
                    for _ in 0..*count {
                        if let Some(pdu) = dice.pick(heard) {
                            self.fired.hit(Kind::Replay);
                            talk.raw.push_back(pdu.clone());
                        }
                    }
                }
                FaultKind::HelloFlood { count } => {
                    for first in (0..*count).filter_map(|_| talk.first.clone()) {
                        self.fired.hit(Kind::HelloFlood);
                        talk.raw.push_back(first);
                    }
                }
                FaultKind::Garbage { count } => {
                    for _ in 0..*count {
                        self.fired.hit(Kind::Garbage);
                        let length = dice.between(1, 20);
                        talk.raw
                            .push_back(dice.bytes(usize::try_from(length).unwrap_or(1)));
                    }
                }
                FaultKind::Offers { count } | FaultKind::Oversized { count } => {
                    let oversized = matches!(kind, FaultKind::Oversized { .. });
                    for _ in 0..*count {
                        let bytes = if oversized {
                            u64::MAX >> dice.below(24)
                        } else {
                            dice.between(1, 5_000)
                        };
                        self.fired.hit(if oversized {
                            Kind::OversizedClaim
                        } else {
                            Kind::OfferFlood
                        });
                        let to = dice.pick(&victims).map_or("", String::as_str);
                        talk.session.offer(fiction(dice.key(), bytes, to));
                    }
                }
                FaultKind::Lies { count } => {
                    for _ in 0..*count {
                        let (Some(id), Some(victim)) = (dice.pick(&known), dice.pick(&victims))
                        else {
                            break;
                        };
                        self.fired.hit(Kind::LyingReceipt);
                        let mut receipt = own.receipt(vec![*id], None, wall);
                        receipt.did = format!("did:sim:{victim}");
                        receipt.kid = format!("{}#1", receipt.did);
                        talk.session.tell(&[receipt]);
                    }
                }
                FaultKind::Relabel { count } => {
                    for _ in 0..*count {
                        let Some(mut offer) = dice.pick(mallory.offers.make_contiguous()).cloned()
                        else {
                            break;
                        };
                        self.fired.hit(Kind::Relabel);
                        let victim = dice.pick(&victims).map_or("", String::as_str);
                        offer.label = Label {
                            to: if dice.chance(0.5) {
                                DidTag::of(&format!("did:sim:{victim}"))
                            } else {
                                offer.label.to
                            },
                            expires: dice.chance(0.5).then(|| wall + 10),
                            priority: Priority::Urgent,
                            hops: u8::MAX,
                            copies: u16::MAX,
                        };
                        talk.session.offer(offer);
                    }
                }
                _ => {}
            }
        }
        self.mallory_speaks(n);
    }
}

impl Mallory {
    /// What it makes of what its sessions hear.
    fn listen(&mut self, now: Micros, own: &Signer, names: &[String], fired: &mut Fired) {
        for talk in self.talks.values_mut() {
            while let Some(event) = talk.session.poll() {
                match event {
                    Event::Up { hash, .. } => {
                        let claims = names.iter().map(|name| {
                            fired.hit(Kind::FalseClaim);
                            let mut claim = own.claim(&hash, talk.role);
                            claim.did = format!("did:sim:{name}");
                            claim.kid = format!("{}#1", claim.did);
                            claim
                        });
                        talk.session.claim(claims.collect());
                    }
                    Event::Offered(offers) => {
                        for offer in offers {
                            let mut all = Ranges::default();
                            all.insert(0..offer.bytes);
                            talk.session.answer(&offer.id, Answer::Want(all));
                            keep(&mut self.offers, offer);
                        }
                    }
                    Event::Data { id, offset, bytes } => {
                        let whole = self
                            .offers
                            .iter()
                            .find(|offer| offer.id == id)
                            .map(|offer| offer.bytes);
                        let end = offset.saturating_add(bytes.len() as u64);
                        if self.bodies.0.len() < MEMORY {
                            let body = self.bodies.0.entry(id).or_default();
                            if body.len() as u64 == offset {
                                body.extend_from_slice(&bytes);
                            }
                        }
                        if whole == Some(end) {
                            if now < self.lies_until {
                                fired.hit(Kind::BlackHole);
                                talk.session.stored(&id);
                            } else {
                                fired.hit(Kind::WithheldAck);
                            }
                        }
                    }
                    Event::NeedBody(id) => {
                        self.bodies.0.entry(id).or_insert_with(|| vec![0x5a; 64]);
                        talk.session.body_came(&id);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A bundle that does not exist.
fn fiction(name: [u8; 32], bytes: u64, to: &str) -> Offer {
    let [a, b, ..] = name;
    Offer {
        id: EnvelopeId::from_bytes(name),
        wire: WireHash([a ^ b; 16]),
        bytes,
        label: Label {
            to: DidTag::of(&format!("did:sim:{to}")),
            expires: None,
            priority: Priority::Urgent,
            hops: 8,
            copies: 9,
        },
        age: 0,
    }
}

fn keep<T>(queue: &mut VecDeque<T>, thing: T) {
    if queue.len() >= MEMORY {
        queue.pop_front();
    }
    queue.push_back(thing);
}
