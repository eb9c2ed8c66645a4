//! Alice's reader and the kiosk's card, a session each, and the air between them.

use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::WireHash;
use packmule_bus::label::{DidTag, Label, Priority};
use packmule_bus::link::Role;
use packmule_bus::ranges::Ranges;
use packmule_bus::session::{Answer, Bodies, Event, Offer, Session, SessionConfig};
use packmule_bus::time::Time;
use packmule_nfc::FACTS;
use packmule_nfc::applet::Applet;
use packmule_nfc::field::Lost;
use packmule_nfc::pipe::{End, Host, ReadError, Reader, Token};
use packmule_nfc::t4t::Type4;
use packmule_sim::nfc::air::{self, Rate};

/// What somebody holds that a crash does not take.
struct Shelf {
    offer: Option<Offer>,
    body: Vec<u8>,
}

impl Bodies for Shelf {
    fn body(&mut self, id: &EnvelopeId) -> Option<&[u8]> {
        let offer = self.offer.as_ref()?;
        (offer.id == *id).then_some(&self.body[..])
    }
}

pub(crate) struct Person {
    role: Role,
    lives: u8,
    now: Time,
    session: Session,
    shelf: Shelf,
    got: Vec<u8>,
    have: Ranges,
    whole: bool,
    settled: bool,
}

impl Person {
    fn new(role: Role, size: Option<usize>) -> Self {
        let salt = if role == Role::Dialer { 1 } else { 2 };
        let body: Vec<u8> = (0..size.unwrap_or_default())
            .map(|n| (n * 31 + n / 256 + salt) as u8)
            .collect();
        let offer = size.map(|_| Offer {
            id: EnvelopeId::from_bytes([salt as u8; 32]),
            wire: WireHash::of(&body),
            bytes: body.len() as u64,
            label: Label {
                to: DidTag::of("did:example:bob"),
                expires: None,
                priority: Priority::Normal,
                hops: 4,
                copies: 1,
            },
            age: 1,
        });
        let settled = offer.is_none();
        let mut person = Self {
            role,
            lives: 0,
            now: Time::default(),
            session: session(role, 0, Time::default()),
            shelf: Shelf { offer, body },
            got: Vec::new(),
            have: Ranges::new(),
            whole: false,
            settled,
        };
        person.begin();
        person
    }

    /// A new session, and a new life of whoever has it.
    fn begin(&mut self) {
        self.lives += 1;
        self.session = session(self.role, self.lives, self.now);
        if let Some(offer) = self.shelf.offer.clone()
            && !self.settled
        {
            self.session.offer(offer);
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll() {
            match event {
                Event::Offered(offers) => {
                    for offer in offers {
                        self.offered(&offer);
                    }
                }
                Event::Data { id, offset, bytes } => {
                    let end = offset as usize + bytes.len();
                    self.got.resize(self.got.len().max(end), 0);
                    self.got[offset as usize..end].copy_from_slice(&bytes);
                    self.have.insert(offset..end as u64);
                    self.perhaps_whole(&id);
                }
                Event::Custody(_) | Event::Have(_) => self.settled = true,
                Event::Refused(id, why) => panic!("{id:?} was refused: {why:?}"),
                Event::Broken(why) => panic!("{:?}: {why}", self.role),
                _ => {}
            }
        }
    }

    fn offered(&mut self, offer: &Offer) {
        if self.whole {
            self.session.answer(&offer.id, Answer::Have);
            return;
        }
        self.got.resize(offer.bytes as usize, 0);
        let missing = self.have.missing(0..offer.bytes);
        self.session.answer(&offer.id, Answer::Want(missing));
        self.perhaps_whole(&offer.id);
    }

    fn perhaps_whole(&mut self, id: &EnvelopeId) {
        if self.have.missing(0..self.got.len() as u64).is_empty() {
            assert!(!self.whole, "it came twice");
            self.whole = true;
            self.session.stored(id);
        }
    }
}

fn session(role: Role, life: u8, now: Time) -> Session {
    let own = if role == Role::Dialer { 1 } else { 2 };
    let config = SessionConfig {
        epoch: u64::from(life),
        ..SessionConfig::default()
    };
    Session::new(
        now,
        FACTS,
        role,
        &[own; 32],
        [own ^ (life << 2); 32],
        config,
    )
}

impl End for Person {
    fn has_room(&self) -> bool {
        true
    }

    fn give(&mut self, pdu: Vec<u8>) {
        self.session.receive(self.now, &pdu);
        self.events();
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let pdu = self.session.transmit(self.now, &mut self.shelf);
        self.events();
        pdu
    }

    fn has_left(&self) -> bool {
        false
    }

    fn ended(&mut self) {
        panic!("{:?}: nobody has left", self.role);
    }
}

struct Kiosk {
    person: Person,
    opened: u8,
}

impl Host for Kiosk {
    fn open(&mut self) -> Option<Token> {
        self.opened += 1;
        if self.opened > 1 {
            self.person.begin();
        }
        Some([self.opened; 8])
    }

    fn end(&mut self) -> &mut dyn End {
        &mut self.person
    }
}

/// What a story is told about.
pub(crate) struct World {
    alice: Person,
    kiosk: Kiosk,
    reader: Reader,
    card: Applet,
    /// Kill this side at that exchange.
    pub(crate) kill: Option<(u64, bool)>,
    /// Commands so far, selections too.
    pub(crate) exchanges: u64,
    /// Those that carry PDUs.
    pub(crate) turns: u64,
    pub(crate) breaks: u64,
    /// Sessions of both sides.
    pub(crate) sessions: u32,
    lengths: Vec<(usize, usize)>,
}

impl World {
    /// Alice has a message of `there` bytes for the kiosk, which has one of `back` bytes for her.
    pub(crate) fn new(there: Option<usize>, back: Option<usize>) -> Self {
        Self {
            alice: Person::new(Role::Dialer, there),
            kiosk: Kiosk {
                person: Person::new(Role::Listener, back),
                opened: 0,
            },
            reader: Reader::new([1; 8]),
            card: blank(),
            kill: None,
            exchanges: 0,
            turns: 0,
            breaks: 0,
            sessions: 2,
            lengths: Vec::new(),
        }
    }

    /// Exchanges until all is settled, at most so many; whether it was.
    pub(crate) fn run(&mut self, most: u64, mut cut: impl FnMut(u64) -> Option<Lost>) -> bool {
        while self.exchanges < most {
            if self.alice.settled && self.kiosk.person.settled {
                return true;
            }
            let at = self.exchanges;
            self.exchanges += 1;
            match self.kill {
                Some((when, true)) if when == at => self.kill_alice(),
                Some((when, false)) if when == at => self.kill_kiosk(),
                _ => {}
            }
            self.exchange(cut(at));
        }
        false
    }

    fn exchange(&mut self, cut: Option<Lost>) {
        let now = Time::from_micros(self.exchanges * 50_000);
        (self.alice.now, self.kiosk.person.now) = (now, now);
        let command = self.reader.command(&mut self.alice);
        self.turns += u64::from(command.get(1) == Some(&0xd2));
        if cut == Some(Lost::Command) {
            return self.lost();
        }
        let answer = self.card.hear(&command, &mut self.kiosk);
        assert!(command.len() <= 261 && answer.len() <= 257);
        self.lengths.push((command.len(), answer.len()));
        if cut == Some(Lost::Answer) {
            return self.lost();
        }
        match self.reader.heard(&answer, &mut self.alice) {
            Ok(()) => {}
            Err(ReadError::Forgotten) => {
                // The link is over: she begins another one.
                self.alice.begin();
                self.sessions += 1;
                self.reader = Reader::new([100 + self.sessions as u8; 8]);
                self.card.lost();
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn lost(&mut self) {
        self.breaks += 1;
        self.reader.lost();
        self.card.lost();
    }

    fn kill_alice(&mut self) {
        self.alice.begin();
        self.sessions += 1;
        self.reader = Reader::new([50; 8]);
        self.card.lost();
    }

    fn kill_kiosk(&mut self) {
        self.card = blank();
        self.reader.lost();
    }

    pub(crate) fn assert_whole(&self) {
        let (alice, kiosk) = (&self.alice, &self.kiosk.person);
        for (from, to) in [(alice, kiosk), (kiosk, alice)] {
            if from.shelf.offer.is_some() {
                assert!(to.whole && to.got == from.shelf.body);
            } else {
                assert!(to.got.is_empty());
            }
        }
    }

    /// How long all of it takes on the air.
    pub(crate) fn air_time(&self, rate: Rate) -> Duration {
        let exchanges = self.lengths.iter();
        exchanges
            .map(|(command, answer)| air::exchange(*command, *answer, rate))
            .sum()
    }
}

fn blank() -> Applet {
    Applet::new(Type4::default())
}
