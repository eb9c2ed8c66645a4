//! The ways to recipients: which is tried when.
//!
//! What is it: [`Ways`], what is configured or known for each recipient, best first, and how
//! each way has done. Who calls it: the bus, for what to dial and what to hand to mailboxes.
//! What can go wrong: a way that never works; it is tried ever more rarely, and the ways after
//! it meanwhile. A way is tried only while something waits for its recipient that it may take.

use std::collections::{BTreeMap, BTreeSet};

use crate::EnvelopeId;
use crate::label::DidTag;
use crate::link::Way;
use crate::time::Time;

/// Messages handed to one mailbox at the same time.
pub(super) const HANDING: usize = 16;
/// Ways remembered that turned up by themselves.
pub(super) const SIGHTINGS: usize = 1_024;

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
    /// Messages that are being handed to it, and after how many failures each set out: all that
    /// set out together fail of one cause, which counts once.
    pub(super) handing: BTreeMap<EnvelopeId, u32>,
    /// Whom it leads to.
    pub(super) to: BTreeSet<DidTag>,
}

#[derive(Clone, Debug)]
pub(super) struct Ways {
    mailboxes: BTreeSet<String>,
    friends: BTreeSet<DidTag>,
    peers: BTreeMap<DidTag, Vec<Way>>,
    pub(super) states: BTreeMap<Way, State>,
    pub(super) due: BTreeSet<(Time, Way)>,
    pub(super) sighted: BTreeSet<Way>,
}

impl Ways {
    pub(super) fn new(mailboxes: BTreeSet<String>) -> Self {
        Self {
            mailboxes,
            friends: BTreeSet::new(),
            peers: BTreeMap::new(),
            states: BTreeMap::new(),
            due: BTreeSet::new(),
            sighted: BTreeSet::new(),
        }
    }

    /// This is a peer of ours from now on.
    pub(super) fn befriend(&mut self, tag: DidTag) {
        self.friends.insert(tag);
    }

    pub(super) fn set(&mut self, to: DidTag, ways: Vec<Way>, now: Time) {
        let before = if ways.is_empty() {
            self.peers.remove(&to)
        } else {
            self.peers.insert(to, ways.clone())
        };
        for way in before.unwrap_or_default() {
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
        self.friends.contains(tag)
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
    pub(super) fn failed(&mut self, way: &Way, next: Time, now: Time) {
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
    pub(super) fn pop_due(&mut self, now: Time, mailbox: bool) -> Vec<Way> {
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
