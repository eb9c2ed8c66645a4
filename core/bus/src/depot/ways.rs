//! The ways to recipients: which is tried when.
//!
//! What is it: [`Ways`], what is configured or known for each recipient, best first, and how
//! each way has done. Who calls it: the bus, for what to dial and what to hand to mailboxes.
//! What can go wrong: a way that never works; it is tried ever more rarely, and the ways after
//! it meanwhile. A way is tried only while something waits for its recipient that it may take.

use std::collections::{BTreeMap, BTreeSet};

use super::Depot;
use super::turn::Turn;
use crate::EnvelopeId;
use crate::bus::io::{Event, HandFault, Taker};
use crate::label::DidTag;
use crate::link::Way;
use crate::receipt::{Reason, Rung};
use crate::time::{Now, Time};

/// Messages handed to one mailbox at the same time.
const HANDING: usize = 16;
/// Ways remembered that turned up by themselves.
const SIGHTINGS: usize = 1_024;

/// How a way is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) mailbox: bool,
    /// Failures since it last worked.
    pub(super) tries: u32,
    /// Not before.
    pub(super) next: Time,
    /// It is being dialled.
    pub(super) dialling: bool,
    /// Links that it opened.
    pub(super) links: usize,
    /// Messages that are being handed to it.
    pub(super) handing: BTreeSet<EnvelopeId>,
    /// Whom it leads to.
    pub(super) to: BTreeSet<DidTag>,
}

#[derive(Clone, Debug)]
pub(super) struct Ways {
    mailboxes: BTreeSet<String>,
    peers: BTreeMap<DidTag, Vec<Way>>,
    states: BTreeMap<Way, State>,
    due: BTreeSet<(Time, Way)>,
    sighted: BTreeSet<Way>,
}

impl Ways {
    pub(super) fn new(mailboxes: BTreeSet<String>) -> Self {
        Self {
            mailboxes,
            peers: BTreeMap::new(),
            states: BTreeMap::new(),
            due: BTreeSet::new(),
            sighted: BTreeSet::new(),
        }
    }

    pub(super) fn set(&mut self, to: DidTag, ways: Vec<Way>, now: Time) {
        for way in self.peers.insert(to, ways.clone()).unwrap_or_default() {
            if let Some(state) = self.states.get_mut(&way) {
                state.to.remove(&to);
                if state.to.is_empty() && state.links == 0 && !state.dialling {
                    self.states.remove(&way);
                }
            }
        }
        for way in ways {
            let mailbox = self.mailboxes.contains(way.transport());
            let state = self.states.entry(way).or_default();
            state.mailbox |= mailbox;
            state.to.insert(to);
        }
        self.wake(&to, now);
    }

    /// Is this a peer of ours?
    pub(super) fn knows(&self, tag: &DidTag) -> bool {
        self.peers.contains_key(tag)
    }

    /// Is this way configured for this recipient?
    pub(super) fn leads(&self, way: &Way, to: &DidTag) -> bool {
        self.states
            .get(way)
            .is_some_and(|state| state.to.contains(to))
    }

    pub(super) fn of(&self, to: &DidTag) -> impl Iterator<Item = (&Way, &State)> {
        let ways = self.peers.get(to).into_iter().flatten();
        ways.filter_map(|way| Some((way, self.states.get(way)?)))
    }

    pub(super) fn get(&self, way: &Way) -> Option<&State> {
        self.states.get(way)
    }

    /// Something waits for this recipient: the best way is due, and while that one is backing
    /// off the next one too.
    pub(super) fn wake(&mut self, to: &DidTag, now: Time) {
        let Some(ways) = self.peers.get(to) else {
            return;
        };
        for way in ways {
            let Some(state) = self.states.get(way) else {
                continue;
            };
            if state.links > 0 || state.dialling {
                return;
            }
            self.due.insert((state.next.max(now), way.clone()));
            if state.tries == 0 {
                return;
            }
        }
    }

    /// A person is impatient: nothing backs off.
    pub(super) fn hurry(&mut self, to: &DidTag, now: Time) {
        for way in self.peers.get(to).into_iter().flatten() {
            if let Some(state) = self.states.get_mut(way) {
                state.next = Time::default();
                self.due.insert((now, way.clone()));
            }
        }
    }

    pub(super) fn opened(&mut self, way: &Way) {
        self.sighted.remove(way);
        let state = self.states.entry(way.clone()).or_default();
        state.dialling = false;
        state.tries = 0;
        state.links += 1;
    }

    pub(super) fn closed(&mut self, way: &Way, next: Time) {
        let Some(state) = self.states.get_mut(way) else {
            return;
        };
        state.links = state.links.saturating_sub(1);
        state.next = next;
        if state.to.is_empty() && state.links == 0 {
            self.states.remove(way);
        } else {
            self.due.insert((next, way.clone()));
        }
    }

    /// It did not work; the ways after it may be tried.
    fn failed(&mut self, way: &Way, next: Time, now: Time) {
        let Some(state) = self.states.get_mut(way) else {
            return;
        };
        state.dialling = false;
        state.tries = state.tries.saturating_add(1);
        state.next = next;
        let to = state.to.clone();
        if to.is_empty() {
            self.states.remove(way);
            return;
        }
        self.due.insert((next, way.clone()));
        for tag in to {
            self.wake(&tag, now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the ways that are due out, of one kind; the others stay.
    fn pop_due(&mut self, now: Time, mailbox: bool) -> Vec<Way> {
        let mut over = Vec::new();
        for (at, way) in &self.due {
            if *at > now {
                break;
            }
            let kind = self.states.get(way).is_some_and(|state| state.mailbox);
            if kind == mailbox {
                over.push((*at, way.clone()));
            }
        }
        for item in &over {
            self.due.remove(item);
        }
        let ways = over.into_iter().map(|(_, way)| way);
        // It may have been put off since it was noted.
        ways.filter(|way| self.states.get(way).is_some_and(|state| state.next <= now))
            .collect()
    }
}

impl Depot {
    /// The driver has found that a way, once opened, is a mailbox.
    pub fn mailbox(&mut self, way: &Way) {
        let now = self.now.time;
        let Some(state) = self.ways.states.get_mut(way) else {
            return;
        };
        state.mailbox = true;
        state.dialling = false;
        state.tries = 0;
        self.ways.due.insert((now, way.clone()));
    }

    /// A way turned up by itself: [`Depot::dials`] names it, once for each time it turns up
    /// while it is not open.
    pub fn sighted(&mut self, now: Now, way: &Way) {
        self.read(now);
        let busy = self
            .ways
            .get(way)
            .is_some_and(|state| state.links > 0 || state.dialling || state.next > now.time);
        if !busy && self.ways.sighted.len() < SIGHTINGS {
            self.ways.sighted.insert(way.clone());
        }
    }

    /// What to dial now. Each is answered by `contact` with that way, `mailbox`, or
    /// `dial_failed`.
    pub fn dials(&mut self, now: Now) -> Vec<Way> {
        self.read(now);
        let mut dials: Vec<Way> = Vec::new();
        for way in self.ways.pop_due(now.time, false) {
            let Some(state) = self.ways.get(&way) else {
                continue;
            };
            let idle = state.links == 0 && !state.dialling;
            let to: Vec<DidTag> = state.to.iter().copied().collect();
            if idle && to.iter().any(|tag| self.wants(tag, &way)) {
                dials.push(way);
            }
        }
        for way in std::mem::take(&mut self.ways.sighted) {
            let open = self.ways.get(&way);
            if open.is_none_or(|state| state.links == 0 && !state.dialling) && !dials.contains(&way)
            {
                dials.push(way);
            }
        }
        for way in &dials {
            self.ways.states.entry(way.clone()).or_default().dialling = true;
        }
        dials
    }

    /// A way did not open, or nobody of our kind was there.
    pub fn dial_failed(&mut self, now: Now, way: &Way) {
        self.read(now);
        self.put_off(way);
    }

    fn put_off(&mut self, way: &Way) {
        let tries = self.ways.get(way).map_or(1, |state| state.tries + 1);
        let wait = self.wait(tries);
        let now = self.now.time;
        self.ways.failed(way, now + wait, now);
    }

    /// What to hand to which mailbox now. Each is answered by `handed`.
    pub fn deliveries(&mut self, now: Now) -> Vec<(EnvelopeId, Way)> {
        self.read(now);
        let mut handed = Vec::new();
        for way in self.ways.pop_due(now.time, true) {
            let to = self.ways.get(&way).map(|state| state.to.clone());
            for tag in to.unwrap_or_default() {
                for id in self.queue.to(&tag).copied().collect::<Vec<_>>() {
                    let busy = self.ways.get(&way).map_or(0, |state| state.handing.len());
                    if busy >= HANDING {
                        break;
                    }
                    if !self.fits(&id, &way) {
                        continue;
                    }
                    if let Some(entry) = self.queue.get_mut(&id) {
                        entry.handing = Some(way.clone());
                    }
                    if let Some(state) = self.ways.states.get_mut(&way) {
                        state.handing.insert(id);
                    }
                    handed.push((id, way.clone()));
                }
            }
        }
        handed
    }

    /// A mailbox has a message, or why it has not.
    pub fn handed(
        &mut self,
        now: Now,
        id: &EnvelopeId,
        way: &Way,
        outcome: &Result<(), HandFault>,
        turn: &mut Turn,
    ) {
        self.read(now);
        if let Some(state) = self.ways.states.get_mut(way) {
            state.handing.remove(id);
        }
        if let Some(entry) = self.queue.get_mut(id) {
            entry.handing = None;
        }
        match outcome {
            Ok(()) => {
                if let Some(state) = self.ways.states.get_mut(way) {
                    state.tries = 0;
                }
                self.in_mailbox(id, way, turn);
                self.ways.due.insert((now.time, way.clone()));
            }
            Err(HandFault::Later(_)) => self.put_off(way),
            Err(HandFault::Never(_)) => {
                if let Some(entry) = self.queue.get_mut(id) {
                    entry.barred.insert(way.clone());
                }
                self.try_elsewhere(id, turn);
                self.ways.due.insert((now.time, way.clone()));
            }
        }
    }

    fn in_mailbox(&mut self, id: &EnvelopeId, way: &Way, turn: &mut Turn) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        if !entry.is_own() {
            self.release(id, turn);
            return;
        }
        if !entry.is_waiting() {
            return;
        }
        let at = self.now.wall;
        let transport = way.transport().to_owned();
        self.queue.change(id, |held| {
            held.takers.push(Taker {
                node: None,
                transport: transport.clone(),
                at,
                copies: 0,
                sure: true,
            });
        });
        self.put(id, turn);
        turn.tell(Event::Progress {
            id: *id,
            rung: Rung::Custody,
            by: None,
            transport: Some(transport),
        });
        self.enter_everywhere(id);
    }

    /// A way will never take it: the next one; none left and nobody else may carry it: it ends.
    fn try_elsewhere(&mut self, id: &EnvelopeId, turn: &mut Turn) {
        let Some(entry) = self.queue.get(id) else {
            return;
        };
        let to = entry.held.label.to;
        let open = self
            .ways
            .of(&to)
            .any(|(way, _)| !entry.barred.contains(way) && entry.allows(way.transport()));
        let carried = entry.held.label.copies > 1 && entry.held.by.is_empty();
        if !open && !carried && entry.is_own() && entry.is_waiting() {
            self.fail(id, Reason::NoWay, None, turn);
        } else {
            let now = self.now.time;
            let ways: Vec<Way> = self.ways.of(&to).map(|(way, _)| way.clone()).collect();
            for way in ways {
                self.ways.due.insert((now, way));
            }
        }
    }

    /// Does anything wait for this recipient that this way may take?
    fn wants(&self, to: &DidTag, way: &Way) -> bool {
        self.queue.to(to).any(|id| self.fits(id, way))
    }

    /// May this way take this message now?
    fn fits(&self, id: &EnvelopeId, way: &Way) -> bool {
        let Some(entry) = self.queue.get(id) else {
            return false;
        };
        entry.durable
            && entry.is_waiting()
            && entry.handing.is_none()
            && !entry.reached()
            && !entry.barred.contains(way)
            && entry.allows(way.transport())
            && !self.is_over(&entry.held.label)
            && !self.contacts.is_here(&entry.held.label.to)
            && self.better_are_down(entry, way)
    }

    /// Are all better ways for this message failing, or barred to it?
    fn better_are_down(&self, entry: &super::queue::Entry, way: &Way) -> bool {
        self.ways
            .of(&entry.held.label.to)
            .take_while(|(better, _)| *better != way)
            .all(|(better, state)| {
                state.tries > 0
                    || entry.barred.contains(better)
                    || !entry.allows(better.transport())
            })
    }
}

impl super::queue::Entry {
    /// May it go by this transport?
    pub(super) fn allows(&self, transport: &str) -> bool {
        self.held.by.is_empty() || self.held.by.iter().any(|by| by == transport)
    }
}
