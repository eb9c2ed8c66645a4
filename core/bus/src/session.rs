//! What two nodes speak over a link.
//!
//! What is it: [`Session`], a state machine for one link: PDUs and times in; PDUs, events and a
//! deadline out. It keeps no envelope bytes beyond a few PDUs. Who calls it: the bus, one for
//! each link. What can go wrong: everything that arrives was written by a stranger; whatever
//! breaks the rules ends in [`Event::Broken`], never in a panic or in memory without bound.
//!
//! A handshake (`door`) gives keys and both Hellos. Then each side offers (`sending`) and answers
//! offers (`receiving`); what it says is one stream of control messages (`talk`, `speech`) beside
//! segments of messages. Links that lose nothing and keep the order carry all that as one stream
//! of sealed records (`records`); on all others each packet is sealed and numbered, acked and
//! said again when lost (`flight`, `arrivals`). MTUs from [`MIN_MTU`] on will do. Either kind ends
//! when the other side has fallen silent: by probes without an answer, or by the clock (`silence`).
//!
//! After each call that takes `&mut self`, [`Session::poll`] until it is empty: `transmit` too
//! has events.

mod arrivals;
mod door;
mod flight;
mod hear;
mod puppet;
mod receiving;
mod records;
mod sending;
mod silence;
mod speak;
mod speech;
mod talk;
mod terms;

use std::collections::VecDeque;
use std::fmt;

#[doc(hidden)]
pub use puppet::{Knock, Puppet};
pub use terms::{Answer, Bodies, Event, Limits, Offer, SessionConfig};

use crate::EnvelopeId;
use crate::bus::io::{Claim, NodeKey};
use crate::link::{LinkFacts, Role};
use crate::pdu::hello::Hello;
use crate::ranges::Ranges;
use crate::receipt::{Reason, Receipt};
use crate::seal::{Dice, Seal, public};
use crate::time::Time;

/// The shortest MTU that a session can use.
pub const MIN_MTU: usize = 20;
/// Longer PDUs than this are not made: the longest that Noise seals.
const MAX_MTU: usize = 65535;

/// The public half of a node's secret: how other nodes know it.
#[must_use]
pub fn node_key(secret: &[u8; 32]) -> NodeKey {
    public(secret)
}

/// One end of a link.
pub struct Session {
    facts: LinkFacts,
    role: Role,
    config: SessionConfig,
    door: door::Door,
    wire: Wire,
    seal: Option<Seal>,
    node: Option<NodeKey>,
    theirs: Option<Hello>,
    talk_out: talk::TalkOut,
    talk_in: talk::TalkIn,
    speech: speech::Speech,
    sending: sending::Sending,
    receiving: receiving::Receiving,
    events: VecDeque<Event>,
    broken: bool,
    /// It ended because nothing was heard since then; noted for records only, packets have acks.
    silent_since: Option<Time>,
    /// Frames on their way out and in; kept only to save allocations.
    plain: Vec<u8>,
    room: Vec<u8>,
}

/// How PDUs carry it.
enum Wire {
    Records(records::Records),
    Packets(Box<Packets>),
}

struct Packets {
    flight: flight::Flight,
    arrivals: arrivals::Arrivals,
    joiner: arrivals::Joiner,
    /// Of a packet that was cut.
    pieces: VecDeque<Vec<u8>>,
    /// Packets that came before the keys to open them: number, its width, the rest.
    early: Vec<(u32, u8, Vec<u8>)>,
    /// Packets in a row that could not be opened.
    unopened: u32,
}

impl Session {
    /// A session over a fresh link. `secret` is the node's X25519 key; `seed` must come from the
    /// system's randomness and never serve another session: ephemeral keys are made from it.
    #[must_use]
    pub fn new(
        now: Time,
        facts: LinkFacts,
        role: Role,
        secret: &[u8; 32],
        seed: [u8; 32],
        config: SessionConfig,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let [instance, _] = halves(dice.throw());
        let lossy = !(facts.reliable && facts.ordered);
        let cipher = !facts.sealed;
        let hello = Hello {
            features: 0,
            epoch: config.epoch,
            instance,
            limits: config.limits,
            node: (!cipher).then(|| public(secret)),
        };
        let wire = if lossy {
            Wire::Packets(Box::new(Packets {
                flight: flight::Flight::new(facts.ordered),
                arrivals: arrivals::Arrivals::default(),
                joiner: arrivals::Joiner::default(),
                pieces: VecDeque::new(),
                early: Vec::new(),
                unopened: 0,
            }))
        } else {
            Wire::Records(records::Records::new(silence::Silence::new(now, &facts)))
        };
        let mut session = Self {
            facts,
            role,
            config,
            door: door::Door::new(now, (role, cipher, lossy), secret, dice, &hello),
            wire,
            seal: None,
            node: None,
            theirs: None,
            talk_out: talk::TalkOut::default(),
            talk_in: talk::TalkIn::default(),
            speech: speech::Speech::default(),
            sending: sending::Sending::new(facts.is_brief()),
            receiving: receiving::Receiving::default(),
            events: VecDeque::new(),
            broken: false,
            silent_since: None,
            plain: Vec::new(),
            room: Vec::new(),
        };
        if facts.mtu < MIN_MTU {
            session.break_off("its PDUs are too short for a session");
        }
        session
    }

    /// A PDU came. An empty one says nothing.
    pub fn receive(&mut self, now: Time, pdu: &[u8]) {
        if self.broken || pdu.is_empty() {
            return;
        }
        let outcome = match self.wire {
            Wire::Records(_) => self.hear_bytes(now, pdu),
            Wire::Packets(_) => self.hear_packet(now, pdu),
        };
        if let Err(why) = outcome {
            self.break_off(why);
        }
    }

    /// The next PDU, at most the MTU long; call it while the link has room. `None`: nothing to
    /// say now.
    pub fn transmit(&mut self, now: Time, bodies: &mut dyn Bodies) -> Option<Vec<u8>> {
        if self.broken {
            return None;
        }
        match self.wire {
            Wire::Records(_) => self.next_bytes(now, bodies),
            Wire::Packets(_) => self.next_packet(now, bodies),
        }
    }

    /// When [`Session::timeout`] is to be called, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.broken {
            return None;
        }
        let mut deadlines = vec![self.door.deadline()];
        match &self.wire {
            Wire::Packets(packets) => {
                deadlines.push(packets.arrivals.deadline());
                deadlines.push(packets.flight.deadline());
            }
            // Before that the door is patient for both.
            Wire::Records(records) if self.seal.is_some() => {
                deadlines.push(Some(records.silence.deadline()));
            }
            Wire::Records(_) => {}
        }
        deadlines.into_iter().flatten().min()
    }

    /// The deadline has come (or not: calling it early does no harm). There may be something to
    /// transmit now.
    pub fn timeout(&mut self, now: Time) {
        if self.broken {
            return;
        }
        if let Err(why) = self.door.timeout(now) {
            self.break_off(why);
            return;
        }
        let live = self.seal.is_some();
        let lost = match &mut self.wire {
            Wire::Packets(packets) => {
                packets.arrivals.timeout(now);
                packets.flight.timeout(now)
            }
            Wire::Records(records) => (!live || records.silence.timeout(now)).then(Vec::new),
        };
        match lost {
            Some(again) => self.lost(again),
            None => {
                if let Some(records) = self.records_mut() {
                    self.silent_since = Some(records.silence.last_heard());
                }
                self.break_off("the other side has fallen silent");
            }
        }
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Offers a bundle to the other side. An id that is on offer already is left as it is.
    pub fn offer(&mut self, offer: Offer) {
        if self.theirs.is_some() && !self.sending.takes(&offer) && !self.sending.has(&offer.id) {
            let refused = Event::Refused(offer.id, Reason::TooLarge);
            self.events.push_back(refused);
        } else {
            self.sending.offer(offer);
        }
    }

    /// Takes an offer back.
    pub fn withdraw(&mut self, id: &EnvelopeId) {
        if let Some(handle) = self.sending.withdraw(id) {
            self.speech.withdraw(handle);
        }
    }

    /// Answers an offer of the other side; may be said again to want other bytes.
    pub fn answer(&mut self, id: &EnvelopeId, answer: Answer) {
        match answer {
            Answer::Want(missing) => {
                let nothing = missing.is_empty();
                let coming = self.trim(id, &missing);
                match self.receiving.want(id, &missing, &coming) {
                    // What remains to be said is custody.
                    Some(_) if nothing => {}
                    Some((handle, missing, again)) => self.speech.want(handle, missing, again),
                    None => {}
                }
            }
            Answer::Have => {
                if let Some(handle) = self.end(id) {
                    self.speech.have(handle);
                }
            }
            Answer::Refuse(reason) => self.refuse(id, reason),
        }
    }

    /// An offered message is durable here: says custody.
    pub fn stored(&mut self, id: &EnvelopeId) {
        if let Some(handle) = self.end(id) {
            self.speech.custody(handle);
        }
    }

    /// An offered message is not taken after all; at any time before `stored`.
    pub fn refuse(&mut self, id: &EnvelopeId, reason: Reason) {
        if let Some(handle) = self.end(id) {
            self.say_refused(handle, reason);
        }
    }

    /// What has come of a message, and the bus has not seen yet; what of it the bus does not
    /// want, it will not see.
    fn trim(&mut self, of: &EnvelopeId, missing: &Ranges) -> Ranges {
        let mut coming = Ranges::new();
        let about = |event: &Event| matches!(event, Event::Data { id, .. } if id == of);
        if !self.events.iter().any(about) {
            return coming;
        }
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Data { id, offset, bytes } if id == *of => {
                    for part in missing.within(offset..offset + bytes.len() as u64) {
                        let (from, to) = (part.start - offset, part.end - offset);
                        let bytes = bytes.get(from as usize..to as usize).unwrap_or_default();
                        self.events.push_back(Event::Data {
                            id,
                            offset: part.start,
                            bytes: bytes.to_vec(),
                        });
                        coming.insert(part);
                    }
                }
                other => self.events.push_back(other),
            }
        }
        coming
    }

    /// Ends an offer of the other side: nothing more is told of it.
    fn end(&mut self, of: &EnvelopeId) -> Option<u64> {
        let handle = self.receiving.end(of)?;
        self.events
            .retain(|event| !matches!(event, Event::Data { id, .. } if id == of));
        Some(handle)
    }

    fn say_refused(&mut self, handle: u64, reason: Reason) {
        if !self.config.sabotage.lose_refusals {
            self.speech.refuse(handle, reason);
        }
    }

    /// Passes receipts on.
    pub fn tell(&mut self, receipts: &[Receipt]) {
        self.speech.tell(receipts);
    }

    /// Receipts that wait to be told.
    #[must_use]
    pub fn receipts_waiting(&self) -> usize {
        self.speech.receipts_waiting()
    }

    /// Claims DIDs.
    pub fn claim(&mut self, claims: Vec<Claim>) {
        self.speech.claim(claims);
    }

    /// The body asked for by [`Event::NeedBody`] is at hand.
    pub fn body_came(&mut self, id: &EnvelopeId) {
        self.sending.body_came(id);
    }

    /// Says goodbye after all that is waiting to be said.
    pub fn bye(&mut self) {
        self.speech.bye();
    }

    /// The node at the other end, once it is known.
    #[must_use]
    pub const fn peer(&self) -> Option<NodeKey> {
        self.node
    }

    /// Can messages pass?
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.seal.is_some() && !self.broken
    }

    /// Since when the other side may not have heard the receipts it was told, should the session
    /// end now. On a link that loses: always, if one of them has no ack, for an end that we hear
    /// may be one that does not hear us. On a link that loses nothing: since it has fallen silent.
    #[must_use]
    pub fn unsure_since(&self) -> Option<Time> {
        let open = match self.wire {
            Wire::Packets(_) => self.talk_out.receipts_open(),
            Wire::Records(_) => false,
        };
        if open || self.speech.receipts_waiting() > 0 {
            return Some(Time::default());
        }
        self.silent_since
    }

    /// About how many bytes this session holds, the events not polled yet included: for whoever
    /// checks that strangers cannot make it grow.
    #[must_use]
    pub fn memory(&self) -> usize {
        let wire = match &self.wire {
            Wire::Records(records) => records.memory(),
            Wire::Packets(packets) => {
                let early = packets.early.iter().map(|(.., sealed)| sealed.len() + 32);
                let pieces = packets.pieces.iter().map(Vec::len);
                packets.flight.memory()
                    + packets.joiner.memory()
                    + early.chain(pieces).sum::<usize>()
            }
        };
        let events = self.events.iter().map(|event| match event {
            Event::Data { bytes, .. } => bytes.len() + 64,
            Event::Offered(offers) => offers.len() * size_of::<Offer>(),
            _ => 64,
        });
        let said = self.talk_out.memory() + self.talk_in.memory() + self.speech.memory();
        let offers = self.sending.memory() + self.receiving.memory();
        wire + said + offers + events.sum::<usize>() + self.plain.len() + self.room.len()
    }

    /// Is what one PDU brings worth a write to the disk?
    pub(crate) fn is_dear(&self) -> bool {
        self.facts.is_dear()
    }

    fn mtu(&self) -> usize {
        self.facts.mtu.min(MAX_MTU)
    }

    fn packets_mut(&mut self) -> Option<&mut Packets> {
        match &mut self.wire {
            Wire::Packets(packets) => Some(packets),
            Wire::Records(_) => None,
        }
    }

    fn records_mut(&mut self) -> Option<&mut records::Records> {
        match &mut self.wire {
            Wire::Records(records) => Some(records),
            Wire::Packets(_) => None,
        }
    }

    /// Ends the session: nothing is said or heard any more.
    fn break_off(&mut self, why: &str) {
        self.broken = true;
        self.sending.clear();
        self.receiving.clear();
        self.talk_in = talk::TalkIn::default();
        self.events.push_back(Event::Broken(why.to_owned()));
    }
}

fn halves(bytes: [u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    for (half, from) in halves.iter_mut().zip(bytes.chunks(16)) {
        half.copy_from_slice(from);
    }
    halves
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("facts", &self.facts)
            .field("role", &self.role)
            .field("peer", &self.node)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}
