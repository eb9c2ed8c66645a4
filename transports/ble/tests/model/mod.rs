//! Two sessions over two pipes over a model of the link layer.
//!
//! What is it: [`Model`]: virtual time goes from one packet to the next. Who calls it: the test of
//! throughput. What can go wrong: nothing is lost here, link layers repeat; what is modelled is
//! time and room.

use std::collections::{BTreeMap, VecDeque};

use packmule_ble::airtime::Air;
use packmule_ble::pipe::Pipe;
use packmule_ble::plan;
use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::WireHash;
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::Role;
use packmule_bus::ranges::Ranges;
use packmule_bus::session::{Answer, Bodies, Event, Offer, Session, SessionConfig};
use packmule_bus::time::Time;

const ALICE: usize = 0;
const KIOSK: usize = 1;

/// Data PDUs that a stack and its controller hold for sending.
const QUEUE: usize = 64;

/// How the radio is set.
#[derive(Clone, Copy)]
pub struct Radio {
    pub air: Air,
    pub mtu: usize,
}

#[derive(Default)]
struct Shelf(BTreeMap<EnvelopeId, Vec<u8>>);

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

/// One side.
struct End {
    pipe: Pipe,
    session: Option<Session>,
    shelf: Shelf,
    /// Data PDUs to go: their lengths, and the value with the last one of it.
    queue: VecDeque<(usize, Option<Vec<u8>>)>,
    /// Values that came in this event.
    came: Vec<Vec<u8>>,
    got: Ranges,
    wanted: Option<(EnvelopeId, u64)>,
    up: bool,
    broken: Option<String>,
}

pub struct Model {
    radio: Radio,
    now: u64,
    ends: [End; 2],
    whole: Option<u64>,
    sent: Vec<u8>,
    arrived: Vec<u8>,
}

impl Model {
    pub fn new(radio: Radio) -> Self {
        let value = plan::value(radio.mtu).expect("an MTU");
        let end = |role| End {
            pipe: Pipe::new(role, value, *b"a device").expect("long enough"),
            session: None,
            shelf: Shelf::default(),
            queue: VecDeque::new(),
            came: Vec::new(),
            got: Ranges::new(),
            wanted: None,
            up: false,
            broken: None,
        };
        Self {
            radio,
            now: 0,
            ends: [end(Role::Dialer), end(Role::Listener)],
            whole: None,
            sent: Vec::new(),
            arrived: Vec::new(),
        }
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    /// Runs until both sessions know one another.
    pub fn up(&mut self) {
        for _ in 0..10_000 {
            if self.ends.iter().all(|end| end.up) {
                return;
            }
            self.event();
        }
        let broken = self.ends.each_ref().map(|end| end.broken.clone());
        assert!(broken.is_empty(), "no handshake: {broken:?}");
    }

    /// Alice has a message of so many bytes.
    pub fn offer(&mut self, bytes: usize) {
        let mut state = 1_u32;
        let mut body = Vec::with_capacity(bytes);
        while body.len() < bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            body.push(state.to_be_bytes()[0]);
        }
        self.sent.clone_from(&body);
        self.arrived = vec![0; bytes];
        let id = EnvelopeId::from_bytes([5; 32]);
        let end = &mut self.ends[ALICE];
        end.shelf.0.insert(id, body);
        let offer = Offer {
            id,
            wire: WireHash([7; 16]),
            bytes: bytes as u64,
            label: Label {
                to: DidTag::of("did:example:kiosk"),
                expires: None,
                priority: Priority::Normal,
                hops: 8,
                copies: 1,
            },
            age: 1,
        };
        end.session.as_mut().expect("up").offer(offer);
    }

    /// Runs until the kiosk has the message; when that was.
    pub fn until_whole(&mut self) -> u64 {
        for _ in 0..100_000 {
            if let Some(whole) = self.whole {
                assert!(self.arrived == self.sent, "other bytes came");
                return whole;
            }
            self.event();
        }
        let broken = self.ends.each_ref().map(|end| end.broken.clone());
        assert!(broken.is_empty(), "it never came: {broken:?}");
        0
    }

    /// One connection event: packets go in turns as long as there is time and something to say.
    /// What came is given to the hosts after it.
    fn event(&mut self) {
        let Radio { air, .. } = self.radio;
        let start = self.now;
        for side in [ALICE, KIOSK] {
            self.speak(side);
        }
        let mut left = air.interval;
        loop {
            let lengths = self
                .ends
                .each_ref()
                .map(|end| end.queue.front().map_or(0, |(length, _)| *length));
            let takes = air.exchange(lengths[ALICE], lengths[KIOSK]);
            let Some(rest) = left.checked_sub(takes) else {
                break;
            };
            if lengths == [0, 0] {
                break;
            }
            left = rest;
            for side in [ALICE, KIOSK] {
                if let Some((_, Some(value))) = self.ends[side].queue.pop_front() {
                    self.ends[1 - side].came.push(value);
                }
                // A host keeps its controller busy.
                self.speak(side);
            }
        }
        self.now = start + air.interval;
        for side in [ALICE, KIOSK] {
            self.hear(side);
        }
    }

    fn speak(&mut self, side: usize) {
        let time = Time::from_micros(self.now);
        let Radio { air, .. } = self.radio;
        let end = &mut self.ends[side];
        while end.queue.len() < QUEUE {
            if end.pipe.has_room()
                && let Some(session) = &mut end.session
                && let Some(pdu) = session.transmit(time, &mut end.shelf)
            {
                assert!(end.pipe.give(pdu));
            }
            let Some(value) = end.pipe.say() else {
                break;
            };
            let lengths = air.cut(value.len());
            let last = lengths.len() - 1;
            let mut value = Some(value);
            for (at, length) in lengths.into_iter().enumerate() {
                let carried = if at == last { value.take() } else { None };
                end.queue.push_back((length, carried));
            }
        }
        self.listen(side);
    }

    fn hear(&mut self, side: usize) {
        let time = Time::from_micros(self.now);
        let end = &mut self.ends[side];
        for value in std::mem::take(&mut end.came) {
            end.pipe.heard(&value).expect("an honest value");
        }
        if end.session.is_none() && end.pipe.is_open() {
            let role = if side == ALICE {
                Role::Dialer
            } else {
                Role::Listener
            };
            let byte = u8::try_from(side).unwrap_or_default() + 1;
            let config = SessionConfig {
                epoch: u64::from(byte),
                ..SessionConfig::default()
            };
            let facts = end.pipe.facts();
            let (secret, seed) = ([byte; 32], [byte + 10; 32]);
            end.session = Some(Session::new(time, facts, role, &secret, seed, config));
        }
        while let Some(session) = &mut end.session
            && let Some(pdu) = end.pipe.take()
        {
            session.receive(time, &pdu);
        }
        if let Some(session) = &mut end.session
            && session.deadline().is_some_and(|due| due <= time)
        {
            session.timeout(time);
        }
        self.listen(side);
    }

    /// What a bus would do with what a session tells.
    fn listen(&mut self, side: usize) {
        let end = &mut self.ends[side];
        while let Some(event) = end.session.as_mut().and_then(Session::poll) {
            let Some(session) = &mut end.session else {
                return;
            };
            match event {
                Event::Up { .. } => end.up = true,
                Event::Offered(offers) => {
                    for offer in offers {
                        let mut missing = Ranges::new();
                        missing.insert(0..offer.bytes);
                        end.wanted = Some((offer.id, offer.bytes));
                        session.answer(&offer.id, Answer::Want(missing));
                    }
                }
                Event::Data { offset, bytes, .. } => {
                    let from = usize::try_from(offset).unwrap_or(usize::MAX);
                    let place = self.arrived.get_mut(from..from + bytes.len());
                    place.expect("within the message").copy_from_slice(&bytes);
                    end.got.insert(offset..offset + bytes.len() as u64);
                    if let Some((id, length)) = end.wanted
                        && end.got.covers(0..length)
                    {
                        self.whole = Some(self.now);
                        session.stored(&id);
                        end.wanted = None;
                    }
                }
                Event::Broken(why) => end.broken = Some(why),
                _ => {}
            }
        }
    }
}
