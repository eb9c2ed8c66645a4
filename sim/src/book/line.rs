//! The book as a timeline, for whoever asked for one.

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::Origin;
use packmule_bus::receipt::Rung;
use packmule_bus::time::Time;

use super::{Book, Letter};
use crate::contacts::arrival::{Oracle, Start};
use crate::contacts::{Contact, Contacts};
use crate::engine::Span;
use crate::scenario::Scenario;
use crate::timeline::{Fate, Hop, Mark, MessageLine, NodeLine, Timeline};
use crate::world::Micros;

/// A timeline on which nothing happened yet.
pub(super) fn blank(scenario: &Scenario) -> Timeline {
    let node = |node: &crate::scenario::NodeSpec| NodeLine {
        name: node.name.clone(),
        role: if node.mallory { "mallory" } else { "honest" }.to_owned(),
        down: Vec::new(),
    };
    let messages = scenario.messages.iter().enumerate();
    Timeline {
        name: scenario.name.clone(),
        seed: scenario.seed,
        ends_ms: scenario.ends_ms,
        calm_ms: scenario.calm_ms,
        nodes: scenario.nodes.iter().map(node).collect(),
        contacts: Vec::new(),
        messages: messages
            .map(|(id, message)| MessageLine {
                id,
                from: message.from.clone(),
                to: message.to.clone(),
                bytes: message.bytes as u64,
                born: message.at_ms,
                hops: Vec::new(),
                delivered_at: None,
                earliest: None,
                fate: Fate::NeverAccepted,
            })
            .collect(),
        events: Vec::new(),
    }
}

impl Book {
    pub(super) fn mark(&mut self, now: Micros, node: Option<String>, kind: &str, text: &str) {
        if let Some(timeline) = &mut self.timeline {
            timeline.events.push(Mark {
                at: now / 1000,
                node,
                kind: kind.to_owned(),
                text: text.to_owned(),
            });
        }
    }

    /// A fault begins.
    pub(crate) fn fault(&mut self, now: Micros, n: usize, kind: &str) {
        let name = self.names.get(n).cloned();
        self.mark(now, name, kind, kind);
    }

    /// A node's power is gone.
    pub(crate) fn is_down(&mut self, now: Micros, n: usize) {
        let line = self
            .timeline
            .as_mut()
            .and_then(|line| line.nodes.get_mut(n));
        if let Some(line) = line {
            line.down.push((now / 1000, u64::MAX));
        }
    }

    /// A node is running.
    pub(crate) fn is_up(&mut self, now: Micros, n: usize) {
        let line = self
            .timeline
            .as_mut()
            .and_then(|line| line.nodes.get_mut(n));
        if let Some(last) = line.and_then(|line| line.down.last_mut()) {
            last.1 = last.1.min(now / 1000);
        }
    }

    pub(super) fn hop(&mut self, now: Micros, n: usize, id: EnvelopeId, origin: Origin) {
        let from = match origin {
            Origin::Own => Some(n),
            Origin::From(key) | Origin::Friend(key) => self.keys.get(&key).copied(),
            Origin::Mailbox => None,
        };
        let message = self.by_id.get(&id).copied();
        let name = |n: usize| self.names.get(n).cloned();
        let hop = Hop {
            from: from.and_then(name).unwrap_or_default(),
            to: name(n).unwrap_or_default(),
            at: now / 1000,
        };
        let line = self.timeline.as_mut().zip(message);
        if let Some(line) = line.and_then(|(line, message)| line.messages.get_mut(message)) {
            line.hops.push(hop);
        }
    }

    /// The run is over.
    pub(crate) fn close(&mut self, now: Micros, spans: &[Span]) {
        let contacts = spans.iter().map(|span| {
            let mut contact = Contact::new(
                node(span.ends[0]),
                node(span.ends[1]),
                Time::from_micros(span.from),
                Time::from_micros(span.to),
            );
            contact.rate = Some(span.rate);
            contact
        });
        let contacts = Contacts::new(self.names.clone(), contacts.collect());
        let oracle = Oracle::new(&contacts);
        for (n, letter) in &self.letters {
            let start = Start {
                node: node(letter.from),
                at: Time::from_micros(letter.born),
                bytes: letter.packed.len() as u64,
                rate: 0,
                until: Time::from_micros(now),
            };
            if letter.delivered_at.is_none() && self.timeline.is_none() {
                continue;
            }
            let earliest = oracle.earliest(start, node(letter.to)).map(Time::as_micros);
            if let (Some(earliest), Some(at)) = (earliest, letter.delivered_at) {
                self.gap.0 += at.saturating_sub(earliest);
                self.gap.1 += 1;
            }
            let line = self
                .timeline
                .as_mut()
                .and_then(|line| line.messages.get_mut(*n));
            if let Some(line) = line {
                line.born = letter.born / 1000;
                line.delivered_at = letter.delivered_at.map(|at| at / 1000);
                line.earliest = earliest.map(|at| at / 1000);
                line.fate = fate(letter, now);
            }
        }
        if let Some(line) = &mut self.timeline {
            for down in line.nodes.iter_mut().flat_map(|node| &mut node.down) {
                down.1 = down.1.min(now / 1000);
            }
            line.contacts = spans.iter().map(Span::line).collect();
            let lost: Vec<usize> = (0..line.messages.len())
                .filter(|n| line.messages.get(*n).is_some_and(|m| m.fate == Fate::Lost))
                .collect();
            debug_assert!(lost.is_empty() || !self.violations.is_empty(), "{lost:?}");
        }
    }

    /// Mean seconds between the earliest possible arrival and the real one.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    pub(crate) fn gap_s(&self) -> f64 {
        self.gap.0 as f64 / 1e6 / self.gap.1.max(1) as f64
    }

    pub(crate) fn into_timeline(self) -> Option<Timeline> {
        self.timeline
    }
}

fn fate(letter: &Letter, now: Micros) -> Fate {
    match (letter.told, letter.refused) {
        _ if letter.delivered_at.is_some() => Fate::Delivered,
        (Some(Rung::Expired), _) => Fate::Expired,
        (_, Some(reason)) => Fate::Refused(reason.to_string()),
        _ if letter.expires.is_some_and(|at| at <= now) => Fate::Expired,
        _ if !letter.accepted => Fate::NeverAccepted,
        _ => Fate::Held,
    }
}

fn node(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
