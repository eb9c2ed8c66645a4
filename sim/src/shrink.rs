//! A failing run made small.
//!
//! What is it: [`shrink`], delta debugging over the parts of a scenario: it leaves out faults,
//! messages, contacts and nodes as long as a promise of the same kind is still broken, then
//! halves what is left. Who calls it: the swarm. What can go wrong: it
//! may end at another way to break the same promise; that is a finding too.

use std::time::{Duration, Instant};

use crate::scenario::Scenario;
use crate::swarm::guarded;

/// The smallest scenario found in at most `budget` runs and about so much time that still breaks
/// a promise of the kind that this one breaks first; itself, if it breaks none.
#[must_use]
pub fn shrink(scenario: &Scenario, budget: u32, time: Duration) -> Scenario {
    let until = Instant::now() + time;
    let Some(kind) = guarded(scenario)
        .violations
        .first()
        .map(|first| first.kind.clone())
    else {
        return scenario.clone();
    };
    let mut search = Search {
        kind,
        best: scenario.clone(),
        budget,
        until,
    };
    loop {
        let before = (search.best.parts(), search.budget);
        search.thin(|scenario| &mut scenario.faults);
        search.thin(|scenario| &mut scenario.messages);
        search.thin(|scenario| &mut scenario.contacts);
        search.thin(|scenario| &mut scenario.nodes);
        if search.best.parts() == before.0 || search.budget == 0 {
            break;
        }
    }
    search.drop_unused_links();
    search.halve();
    search.best
}

struct Search {
    kind: String,
    best: Scenario,
    budget: u32,
    until: Instant,
}

impl Search {
    /// Takes the candidate if it still fails the same way.
    fn try_this(&mut self, candidate: Scenario) -> bool {
        if Instant::now() >= self.until {
            self.budget = 0;
        }
        if self.budget == 0 {
            return false;
        }
        self.budget -= 1;
        let fails = guarded(&candidate)
            .violations
            .iter()
            .any(|found| found.kind == self.kind);
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Leaves out halves, quarters, … of a list, at last single things.
    fn thin<T>(&mut self, list: impl Fn(&mut Scenario) -> &mut Vec<T>) {
        let mut chunk = list(&mut self.best).len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            loop {
                let mut candidate = self.best.clone();
                let items = list(&mut candidate);
                if at >= items.len() {
                    break;
                }
                let end = (at + chunk).min(items.len());
                items.drain(at..end);
                if !self.try_this(candidate) {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
    }

    fn drop_unused_links(&mut self) {
        let mut candidate = self.best.clone();
        let contacts = &candidate.contacts;
        let used = |name: &String| contacts.iter().any(|contact| contact.link == *name);
        candidate.links.retain(|name, _| used(name));
        self.try_this(candidate);
    }

    /// Shorter messages and shorter contacts, as long as that goes.
    fn halve(&mut self) {
        for n in 0..self.best.messages.len() {
            loop {
                let mut candidate = self.best.clone();
                let Some(message) = candidate.messages.get_mut(n).filter(|m| m.bytes > 32) else {
                    break;
                };
                message.bytes /= 2;
                if !self.try_this(candidate) {
                    break;
                }
            }
        }
        for n in 0..self.best.contacts.len() {
            loop {
                let mut candidate = self.best.clone();
                let Some(contact) = candidate.contacts.get_mut(n) else {
                    break;
                };
                let length = contact.to_ms.saturating_sub(contact.from_ms);
                contact.to_ms = contact.from_ms + length / 2;
                if length < 100 || !self.try_this(candidate) {
                    break;
                }
            }
        }
    }
}
