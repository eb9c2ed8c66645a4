//! The nodes, the links between them, and the queue of what happens next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{LinkId, WireHash};
use packmule_bus::depot::{Meta, Turn};
use packmule_bus::label::{Label, Priority};
use packmule_bus::time::{Now, Time};

use super::person::{Person, id_of};
use super::traffic::{Letter, letters};
use super::transfer::Transfer;
use super::{EPOCH, Run, TraceConfig};
use crate::contacts::Contacts;
use crate::timeline::{Fate, MessageLine};

/// Handshake (Noise XX), hello and a signed claim of a DID, both ways: bytes on the link.
const HANDSHAKE: u64 = 1_000;

/// A link: two nodes within reach of each other.
pub(super) struct Tie {
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) rate: u64,
    /// Bytes of control that the next transfer waits for.
    pub(super) owed: u64,
    pub(super) transfer: Option<Transfer>,
}

/// Something that will happen. At one moment, in this order: ends before beginnings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The transfer on this link, the so-manieth of all, is through.
    Through(LinkId, u64),
    /// A contact (by its index) ends.
    Down(u32),
    /// A contact begins.
    Up(u32),
    /// Somebody writes a message.
    Write(u32),
    /// A depot wants to be woken.
    Wake(u32),
}

pub(super) struct Crowd<'a> {
    pub(super) config: &'a TraceConfig,
    pub(super) people: Vec<Person>,
    pub(super) ties: BTreeMap<LinkId, Tie>,
    pub(super) letters: Vec<Letter>,
    pub(super) ids: BTreeMap<EnvelopeId, u32>,
    pub(super) queue: BinaryHeap<Reverse<(Time, Event)>>,
    pub(super) now: Now,
    pub(super) run: Run,
    /// Nodes that may have something new to do.
    pub(super) touched: BTreeSet<u32>,
    pub(super) transfers: u64,
    pub(super) receipts: u64,
    pub(super) lines: Vec<MessageLine>,
    pub(super) contacts: &'a Contacts,
    open: BTreeMap<u32, LinkId>,
    keep: bool,
    pub(super) end: Time,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(
        contacts: &'a Contacts,
        config: &'a TraceConfig,
        seed: u64,
        keep: bool,
    ) -> Self {
        let nodes = contacts.nodes().len() as u32;
        let end = contacts.end();
        let letters = letters(config, nodes, end, seed);
        let mut queue = BinaryHeap::new();
        for (n, contact) in contacts.contacts().iter().enumerate() {
            queue.push(Reverse((contact.from, Event::Up(n as u32))));
            queue.push(Reverse((contact.to, Event::Down(n as u32))));
        }
        for (n, letter) in letters.iter().enumerate() {
            queue.push(Reverse((letter.at, Event::Write(n as u32))));
        }
        let lines = letters
            .iter()
            .enumerate()
            .filter(|_| keep)
            .map(|(n, letter)| MessageLine {
                id: n,
                from: contacts.name(letter.from).to_owned(),
                to: contacts.name(letter.to).to_owned(),
                bytes: letter.bytes,
                born: letter.at.as_micros() / 1000,
                hops: Vec::new(),
                delivered_at: None,
                earliest: None,
                fate: Fate::Held,
            })
            .collect();
        Self {
            config,
            people: (0..nodes).map(|n| Person::new(n, seed, config)).collect(),
            ties: BTreeMap::new(),
            ids: (0..letters.len() as u32).map(|n| (id_of(n), n)).collect(),
            letters,
            queue,
            now: Now {
                time: Time::default(),
                wall: EPOCH,
            },
            run: Run {
                seed,
                ..Run::default()
            },
            touched: BTreeSet::new(),
            transfers: 0,
            receipts: 0,
            lines,
            contacts,
            open: BTreeMap::new(),
            keep,
            end,
        }
    }

    /// Plays it to its end.
    pub(super) fn run(mut self) -> Run {
        while let Some(Reverse((at, event))) = self.queue.pop() {
            if at > self.end {
                break;
            }
            self.now = Now {
                time: at,
                wall: EPOCH + at.as_micros() / 1_000_000,
            };
            match event {
                Event::Through(link, number) => self.through(link, number),
                Event::Down(contact) => self.down(contact),
                Event::Up(contact) => self.up(contact),
                Event::Write(letter) => self.write(letter),
                Event::Wake(node) => self.wake(node),
            }
            self.pair_up();
        }
        self.run.evicted = self
            .people
            .iter()
            .map(|person| person.depot.totals().evicted)
            .sum();
        if self.keep {
            self.run.timeline = Some(self.story());
        }
        self.run.settle()
    }

    fn up(&mut self, index: u32) {
        let Some(contact) = self.contacts.contacts().get(index as usize).copied() else {
            return;
        };
        let known = self.people.get(contact.a as usize);
        if known.is_none_or(|a| a.near.contains_key(&contact.b)) {
            return; // Windows that overlap are one link.
        }
        let link = LinkId(u64::from(index));
        self.open.insert(index, link);
        for (me, other) in [(contact.a, contact.b), (contact.b, contact.a)] {
            let Some((key, tag)) = self.person(other).map(|p| (p.key, p.tag)) else {
                return;
            };
            let now = self.now;
            if let Some(person) = self.people.get_mut(me as usize) {
                person.near.insert(other, link);
                person.depot.contact(now, key, link, "sim", None);
                person.depot.proved(link, tag);
                person.depot.introduced(link);
            }
        }
        self.ties.insert(
            link,
            Tie {
                a: contact.a,
                b: contact.b,
                rate: contact.rate.unwrap_or(self.config.rate).max(1),
                owed: 0,
                transfer: None,
            },
        );
        self.control(link, HANDSHAKE);
        self.greet(link, contact.a, contact.b);
        self.touched.extend([contact.a, contact.b]);
    }

    fn down(&mut self, index: u32) {
        let Some(link) = self.open.remove(&index) else {
            return;
        };
        self.cut(link);
        let Some(tie) = self.ties.remove(&link) else {
            return;
        };
        let now = self.now;
        for (me, other) in [(tie.a, tie.b), (tie.b, tie.a)] {
            if let Some(person) = self.people.get_mut(me as usize) {
                person.near.remove(&other);
                person.depot.parted(now, link);
            }
        }
        self.touched.extend([tie.a, tie.b]);
    }

    fn write(&mut self, number: u32) {
        let Some(letter) = self.letters.get(number as usize).copied() else {
            return;
        };
        let Some(to) = self.person(letter.to).map(|person| person.tag) else {
            return;
        };
        self.run.created += 1;
        let expires = self.now.wall + self.config.lasts_s;
        let id = id_of(number);
        let mut wire = [0; 16];
        wire.copy_from_slice(id.as_bytes().split_at(16).0);
        let meta = Meta {
            id,
            wire: WireHash(wire),
            bytes: letter.bytes,
            label: Label {
                to,
                expires: Some(expires),
                priority: Priority::Normal,
                hops: self.config.hops,
                copies: self.config.copies,
            },
        };
        let now = self.now;
        let mut turn = Turn::default();
        let Some(writer) = self.people.get_mut(letter.from as usize) else {
            return;
        };
        let taken = writer
            .depot
            .submit(now, meta, Vec::new(), &mut turn)
            .is_ok();
        writer.depot.durable(&id);
        self.settle(letter.from, turn);
        if taken {
            self.wake_later(letter.from);
        } else {
            self.run.turned_away += 1;
        }
        self.touched.insert(letter.from);
    }

    /// Expiry and retries.
    fn wake(&mut self, node: u32) {
        let now = self.now;
        let Some(person) = self.people.get_mut(node as usize) else {
            return;
        };
        if person.wakes != Some(now.time) {
            return; // It was woken before, for something more urgent.
        }
        person.wakes = None;
        let mut turn = Turn::default();
        person.depot.timeout(now, &mut turn);
        let letters = &self.letters;
        let lasts = self.config.lasts_s * 1_000_000;
        let gone: Vec<u32> = person
            .partials
            .keys()
            .filter(|number| {
                letters
                    .get(**number as usize)
                    .is_none_or(|l| l.at.as_micros() + lasts < now.time.as_micros())
            })
            .copied()
            .collect();
        for number in gone {
            person.partials.remove(&number);
            person.depot.abandon(&id_of(number));
        }
        self.settle(node, turn);
        self.touched.insert(node);
        self.wake_later(node);
    }

    /// Asks a depot when it wants to be woken, and sees to it.
    pub(super) fn wake_later(&mut self, node: u32) {
        let now = self.now.time;
        let Some(person) = self.people.get_mut(node as usize) else {
            return;
        };
        let (timer, wall) = person.depot.deadline();
        let by_wall = wall
            .map(|wall| Time::from_micros(wall.saturating_sub(EPOCH).saturating_mul(1_000_000)));
        let Some(at) = timer.into_iter().chain(by_wall).min() else {
            return;
        };
        // Retries of one second are looked at together; one alarm at a time.
        let at = at.max(now + std::time::Duration::from_secs(1));
        if person.wakes.is_none_or(|set| set <= now || at < set) {
            person.wakes = Some(at);
            self.queue.push(Reverse((at, Event::Wake(node))));
        }
    }

    pub(super) fn person(&self, node: u32) -> Option<&Person> {
        self.people.get(node as usize)
    }

    /// Bytes beside messages on a link.
    pub(super) fn control(&mut self, link: LinkId, bytes: u64) {
        if let Some(tie) = self.ties.get_mut(&link) {
            self.run.control_bytes += bytes;
            if self.config.control {
                tie.owed += bytes;
            }
        }
    }
}
