//! One message on its way over one link.

use std::cmp::Reverse;
use std::time::Duration;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{HeldState, LinkId};
use packmule_bus::depot::{Arrival, Judgement, Lot, Meta, Source, Turn};
use packmule_bus::time::Time;

use super::crowd::{Crowd, Event};

/// An offer and its answer, sealed: bytes on the link.
const OFFER: u64 = 150;
/// Custody, sealed.
const CUSTODY: u64 = 60;
/// One sealed record carries this much of a message ...
const RECORD: u64 = 16_384;
/// ... and costs this much more: header, tag, offset.
const RECORD_COSTS: u64 = 32;

/// A message under way.
pub(super) struct Transfer {
    pub(super) number: u64,
    pub(super) letter: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    meta: Meta,
    /// When its first byte goes.
    begins: Time,
    /// Bytes that the receiver had before.
    before: u64,
    rate: u64,
}

impl Crowd<'_> {
    /// Lets idle nodes that were touched, and their idle neighbours, begin what they can: for
    /// the recipient first.
    pub(super) fn pair_up(&mut self) {
        while let Some(node) = self.touched.pop_first() {
            for direct in [true, false] {
                let near: Vec<(u32, LinkId)> = match self.person(node) {
                    Some(person) if !person.busy => {
                        person.near.iter().map(|(n, l)| (*n, *l)).collect()
                    }
                    _ => break,
                };
                for (other, link) in near {
                    for (from, to) in [(node, other), (other, node)] {
                        if direct && !self.has_for(from, to) {
                            continue;
                        }
                        self.begin(link, from, to);
                    }
                }
            }
        }
    }

    /// Does one hold a message for the other?
    fn has_for(&self, from: u32, to: u32) -> bool {
        let (Some(from), Some(to)) = (self.person(from), self.person(to)) else {
            return false;
        };
        from.depot
            .held()
            .any(|held| held.state == HeldState::Waiting && held.label.to == to.tag)
    }

    /// Offers until something is wanted or nothing is left, if both are idle.
    fn begin(&mut self, link: LinkId, from: u32, to: u32) {
        let idle = |node| self.person(node).is_some_and(|person| !person.busy);
        if !idle(from) || !idle(to) {
            return;
        }
        let now = self.now;
        loop {
            let mut turn = Turn::default();
            let Some(sender) = self.people.get_mut(from as usize) else {
                return;
            };
            let at_once = sender.depot.offers(now, link, 1, &mut turn);
            let promised = self.settle(from, turn);
            let lots = at_once.into_iter().map(|lot| (link, lot)).chain(promised);
            let Some((_, lot)) = lots.into_iter().next() else {
                return;
            };
            self.control(link, OFFER);
            if self.ask(link, from, to, &lot) {
                return;
            }
        }
    }

    /// One offer and its answer: has a transfer begun?
    fn ask(&mut self, link: LinkId, from: u32, to: u32, lot: &Lot) -> bool {
        let now = self.now;
        let meta = lot.meta;
        let Some((key, tag)) = self.person(from).map(|p| (p.key, p.tag)) else {
            return false;
        };
        let mut turn = Turn::default();
        let Some(receiver) = self.people.get_mut(to as usize) else {
            return false;
        };
        let answer = receiver.depot.judge(now, key, &[tag], &meta, &mut turn);
        self.settle(to, turn);
        let mut turn = Turn::default();
        let Some(sender) = self.people.get_mut(from as usize) else {
            return false;
        };
        match answer {
            // Nobody else can be bringing it: a node receives one at a time.
            Judgement::Want | Judgement::Coming => {
                self.depart(link, from, to, meta);
                return true;
            }
            Judgement::Have => sender.depot.had(now, link, &meta.id, &mut turn),
            Judgement::Refuse(reason) => {
                sender.depot.refused(now, link, &meta.id, reason, &mut turn);
            }
            _ => {}
        }
        self.settle(from, turn);
        self.wake_later(from);
        false
    }

    fn depart(&mut self, link: LinkId, from: u32, to: u32, meta: Meta) {
        let letter = self.ids.get(&meta.id).copied().unwrap_or(u32::MAX);
        let before = self
            .people
            .get_mut(to as usize)
            .and_then(|person| person.partials.remove(&letter))
            .unwrap_or(0);
        self.control(link, CUSTODY);
        let Some(tie) = self.ties.get_mut(&link) else {
            return;
        };
        self.transfers += 1;
        if before > 0 {
            self.run.resumed += 1;
        }
        let spans = |bytes: u64| Duration::from_micros(bytes.saturating_mul(1_000_000) / tie.rate);
        let begins = self.now.time + spans(tie.owed);
        tie.owed = 0;
        let left = meta.bytes.saturating_sub(before).max(1);
        let ends = begins + spans(left + left.div_ceil(RECORD) * RECORD_COSTS);
        tie.transfer = Some(Transfer {
            number: self.transfers,
            letter,
            from,
            to,
            meta,
            begins,
            before,
            rate: tie.rate,
        });
        self.queue
            .push(Reverse((ends, Event::Through(link, self.transfers))));
        for node in [from, to] {
            if let Some(person) = self.people.get_mut(node as usize) {
                person.busy = true;
            }
        }
    }

    /// The last byte is across.
    pub(super) fn through(&mut self, link: LinkId, number: u64) {
        let Some(tie) = self.ties.get_mut(&link) else {
            return;
        };
        if tie.transfer.as_ref().map(|transfer| transfer.number) != Some(number) {
            return;
        }
        let Some(done) = tie.transfer.take() else {
            return;
        };
        self.idle(&done);
        self.run.relayed += 1;
        self.run.data_bytes += done.meta.bytes.saturating_sub(done.before);
        let now = self.now;
        let Some(key) = self.person(done.from).map(|person| person.key) else {
            return;
        };
        let id = done.meta.id;
        let source = Source::Node {
            key,
            transport: "sim".into(),
        };
        let mut turn = Turn::default();
        let Some(receiver) = self.people.get_mut(done.to as usize) else {
            return;
        };
        let arrival = receiver.depot.arrived(now, &source, &done.meta, &mut turn);
        receiver.depot.durable(&id);
        self.settle(done.to, turn);
        let mut turn = Turn::default();
        if let Some(sender) = self.people.get_mut(done.from as usize) {
            match arrival {
                Arrival::Inbox | Arrival::Carry => {
                    sender.depot.taken(now, link, &id, &mut turn);
                }
                Arrival::Have => sender.depot.had(now, link, &id, &mut turn),
                Arrival::Refuse(reason) => {
                    sender.depot.refused(now, link, &id, reason, &mut turn);
                }
                _ => {}
            }
        }
        self.settle(done.from, turn);
        if arrival == Arrival::Inbox {
            self.run.delivered += 1;
            let born = self.letters.get(done.letter as usize).map(|l| l.at);
            let latency = now.time.since(born.unwrap_or_default());
            self.run.latencies_s.push(latency.as_secs_f64());
            self.keep(done.to, &id);
        }
        if matches!(arrival, Arrival::Inbox | Arrival::Carry) {
            self.note_hop(done.letter, done.from, done.to, arrival == Arrival::Inbox);
        }
        self.wake_later(done.to);
    }

    /// A contact ends: what is under way on it is cut.
    pub(super) fn cut(&mut self, link: LinkId) {
        let Some(cut) = self.ties.get_mut(&link).and_then(|tie| tie.transfer.take()) else {
            return;
        };
        self.run.aborted += 1;
        self.keep_part(&cut);
        self.idle(&cut);
        // The last byte never went: the promise is void.
        let now = self.now;
        let mut turn = Turn::default();
        if let Some(sender) = self.people.get_mut(cut.from as usize) {
            sender.depot.recall(now, link, &cut.meta.id, &mut turn);
        }
        self.settle(cut.from, turn);
    }

    /// The sender takes an offer back: its copy is gone.
    pub(super) fn withdrawn(&mut self, link: LinkId, by: u32, id: &EnvelopeId) {
        let Some(tie) = self.ties.get_mut(&link) else {
            return;
        };
        let is_it = |transfer: &Transfer| transfer.from == by && transfer.meta.id == *id;
        if tie.transfer.as_ref().is_some_and(is_it)
            && let Some(cut) = tie.transfer.take()
        {
            self.run.aborted += 1;
            self.keep_part(&cut);
            self.idle(&cut);
        }
    }

    /// What came so far stays with the receiver; the rest of the room kept for it is free.
    fn keep_part(&mut self, cut: &Transfer) {
        let micros = self.now.time.since(cut.begins).as_micros() as u64;
        let sent = micros.saturating_mul(cut.rate) / 1_000_000;
        let came = sent * RECORD / (RECORD + RECORD_COSTS);
        let part = (cut.before + came).min(cut.meta.bytes.saturating_sub(1));
        self.run.data_bytes += part - cut.before;
        let now = self.now;
        if let Some(receiver) = self.people.get_mut(cut.to as usize) {
            if self.config.resume && part > 0 {
                receiver.partials.insert(cut.letter, part);
                let (id, tag) = (cut.meta.id, cut.meta.label.to);
                receiver.depot.paused(now, &id, &tag, part);
            } else {
                receiver.depot.abandon(&cut.meta.id);
            }
        }
    }

    fn idle(&mut self, transfer: &Transfer) {
        for node in [transfer.from, transfer.to] {
            if let Some(person) = self.people.get_mut(node as usize) {
                person.busy = false;
            }
            self.touched.insert(node);
        }
    }

    /// Is this message on its way to this node?
    pub(super) fn is_receiving(&self, node: u32, letter: u32) -> bool {
        self.ties.values().any(|tie| {
            tie.transfer
                .as_ref()
                .is_some_and(|transfer| transfer.to == node && transfer.letter == letter)
        })
    }
}
