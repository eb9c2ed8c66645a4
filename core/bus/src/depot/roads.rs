//! What is dialled and what is handed to mailboxes, and what came of it.
//!
//! What is it: the depot's side of [`super::ways`]. Who calls it: the bus. What can go wrong: a
//! mailbox takes a message and its answer is lost; then it is handed over twice, and the
//! recipient knows it by its id.

use super::Depot;
use super::queue::Entry;
use super::turn::Turn;
use super::ways::{HANDING, SIGHTINGS};
use crate::EnvelopeId;
use crate::bus::io::{Event, HandFault, Taker};
use crate::label::DidTag;
use crate::link::Way;
use crate::receipt::{Reason, Rung};
use crate::time::Now;

/// Characters kept of why a way will never take a message: a server's words among them.
const WORDS: usize = 300;

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
                        state.handing.insert(id, state.tries);
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
        let mut of_this_try = true;
        if let Some(state) = self.ways.states.get_mut(way) {
            of_this_try = state.handing.remove(id) == Some(state.tries);
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
            Err(HandFault::Later(_)) if of_this_try => self.put_off(way),
            Err(HandFault::Later(_)) => {
                let next = self.ways.get(way).map_or(now.time, |state| state.next);
                self.ways.due.insert((next.max(now.time), way.clone()));
            }
            Err(HandFault::Never(why)) => {
                if let Some(entry) = self.queue.get_mut(id) {
                    let why = why.chars().take(WORDS).collect();
                    entry.barred.insert(way.clone(), why);
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
            .any(|(way, _)| !entry.barred.contains_key(way) && entry.allows(way.transport()));
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
            && !entry.barred.contains_key(way)
            && entry.allows(way.transport())
            && !self.is_over(&entry.held.label)
            && !self.contacts.is_here(&entry.held.label.to)
            && self.better_are_down(entry, way)
    }

    /// Are all better ways for this message failing, or barred to it?
    fn better_are_down(&self, entry: &Entry, way: &Way) -> bool {
        self.ways
            .of(&entry.held.label.to)
            .take_while(|(better, _)| *better != way)
            .all(|(better, state)| {
                state.tries > 0
                    || entry.barred.contains_key(better)
                    || !entry.allows(better.transport())
            })
    }
}

impl Entry {
    /// May it go by this transport?
    pub(super) fn allows(&self, transport: &str) -> bool {
        self.held.by.is_empty() || self.held.by.iter().any(|by| by == transport)
    }
}
