//! What must be true, at every step and at the end: the checkers of a run.
//!
//! What is it: [`Book`], which knows every message of the run, sees every write that becomes
//! durable and hears every word that a bus says, and compares them. Who calls it: the engine.
//! What can go wrong: what it finds is a [`Violation`]; each kind is one promise broken:
//!
//! | kind | promise |
//! |---|---|
//! | `before_durable` | nothing is said about an envelope before it is durable |
//! | `lost` | an accepted message is delivered, held, expired or refused: nothing else |
//! | `twice` | the application gets a message at most once |
//! | `changed` | … whole and unchanged |
//! | `false_word` | nobody is told what did not happen |
//! | `quota` | quotas hold on disk |
//! | `memory` | memory is bounded |
//! | `stuck` | after the last fault, what has a path arrives, and its origin learns of it |
//! | `mtu`, `room`, `spin`, `storm` | the driver's rules |

mod landed;
mod last;
mod line;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use packmule_bus::bus::io::{Key, NodeKey, SettleId};
use packmule_bus::receipt::{Reason, Rung};
use packmule_bus::{Envelope, EnvelopeId};
use serde::{Deserialize, Serialize};

use crate::dice::Dice;
use crate::disk::Disk;
use crate::scenario::{Message, Scenario};
use crate::timeline::Timeline;
use crate::world::Micros;

/// Bytes of memory that a node may use, links aside: the body cache and the room for arriving
/// messages of the engine's configuration, a large message, and as much again for books.
const MEMORY: usize = 4 << 20;
/// … and for each link: offers, windows, queues.
const MEMORY_PER_LINK: usize = 2 << 20;

/// A promise broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// Which promise: see the table in the source of this module.
    pub kind: String,
    /// At which node.
    pub node: Option<String>,
    /// What was seen.
    pub text: String,
}

/// What an agent made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It can read it; it makes that durable now.
    Whole,
    /// It is not for it: somebody changed the label.
    NotOurs,
    /// It could not read it, or had it already.
    Nothing,
}

/// All that is known of a run's messages.
pub(crate) struct Book {
    violations: Vec<Violation>,
    names: Vec<String>,
    odd_clocks: Vec<bool>,
    letters: BTreeMap<usize, Letter>,
    by_id: BTreeMap<EnvelopeId, usize>,
    /// Which node ever had which message durably.
    durable: BTreeSet<(usize, EnvelopeId)>,
    keys: BTreeMap<NodeKey, usize>,
    mail: BTreeMap<u64, (usize, Envelope)>,
    mailed: u64,
    timeline: Option<Timeline>,
    unwelcome: BTreeSet<usize>,
    mallory: bool,
    gap: (u64, u64),
    sizes: Vec<usize>,
    titles: Vec<String>,
    seed: u64,
}

/// A message of the scenario.
struct Letter {
    id: EnvelopeId,
    packed: Vec<u8>,
    from: usize,
    to: usize,
    born: Micros,
    expires: Option<Micros>,
    /// Durable at its origin: from now on it must not be lost.
    accepted: bool,
    delivered_at: Option<Micros>,
    /// The recipient's agent has it durably, welcome or not.
    opened: bool,
    /// The recipient's bus has durably noted what the agent said.
    closed: bool,
    /// What its origin was told last that is an end.
    told: Option<Rung>,
    refused: Option<Reason>,
}

fn title(message: &Message) -> String {
    format!("{} {} {}", message.from, message.at_ms, message.to)
}

impl Book {
    pub(crate) fn new(scenario: &Scenario, with_timeline: bool) -> Self {
        let nodes = &scenario.nodes;
        let unwelcome = scenario.messages.iter().enumerate();
        Self {
            violations: Vec::new(),
            names: nodes.iter().map(|node| node.name.clone()).collect(),
            odd_clocks: nodes.iter().map(|node| node.ahead_s != 0).collect(),
            letters: BTreeMap::new(),
            by_id: BTreeMap::new(),
            durable: BTreeSet::new(),
            keys: BTreeMap::new(),
            mail: BTreeMap::new(),
            mailed: 0,
            timeline: with_timeline.then(|| line::blank(scenario)),
            unwelcome: unwelcome
                .filter(|(_, m)| m.unwelcome)
                .map(|(n, _)| n)
                .collect(),
            mallory: nodes.iter().any(|node| node.mallory),
            gap: (0, 0),
            sizes: scenario
                .messages
                .iter()
                .map(|message| message.bytes)
                .collect(),
            titles: scenario.messages.iter().map(title).collect(),
            seed: scenario.seed,
        }
    }

    pub(crate) fn accuse(&mut self, now: Micros, kind: &str, node: Option<String>, text: String) {
        self.mark(now, node.clone(), "violation", &text);
        self.violations.push(Violation {
            at_ms: now / 1000,
            kind: kind.to_owned(),
            node,
            text,
        });
    }

    fn blame(&mut self, now: Micros, kind: &str, n: usize, text: String) {
        let name = self.names.get(n).cloned();
        self.accuse(now, kind, name, text);
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn delivered(&self) -> u64 {
        let letters = self.letters.values();
        letters
            .filter(|letter| letter.delivered_at.is_some())
            .count() as u64
    }

    pub(crate) fn submitted(&self) -> u64 {
        self.letters.len() as u64
    }

    /// Ids of all messages that anybody can know of.
    pub(crate) fn ids(&self) -> Vec<EnvelopeId> {
        self.by_id.keys().copied().collect()
    }

    /// Somebody writes a message: `None` if it was written before.
    pub(crate) fn write(
        &mut self,
        now: Micros,
        message: usize,
        from: usize,
        to: usize,
        lasts_s: Option<u64>,
    ) -> Option<Envelope> {
        if self.letters.contains_key(&message) {
            return None;
        }
        // Named by what it is, not by its number: other messages may be left out.
        let name = self.titles.get(message)?;
        let mut packed = format!("{name} ").into_bytes();
        let rest = self.sizes.get(message)?.saturating_sub(packed.len());
        packed.extend(Dice::new(self.seed, "body", name).bytes(rest));
        let envelope = Envelope::from_packed(&packed).ok()?;
        let letter = Letter {
            id: envelope.id(),
            packed,
            from,
            to,
            born: now,
            expires: lasts_s.map(|lasts| now + lasts * 1_000_000),
            accepted: false,
            delivered_at: None,
            opened: false,
            closed: false,
            told: None,
            refused: None,
        };
        if self.by_id.contains_key(&letter.id) {
            // The same words to the same person at the same time: one message.
            return None;
        }
        self.by_id.insert(letter.id, message);
        self.letters.insert(message, letter);
        Some(envelope)
    }

    /// An agent opens what its store holds under this id.
    pub(crate) fn opened(
        &mut self,
        now: Micros,
        n: usize,
        id: &EnvelopeId,
        packed: Option<&[u8]>,
    ) -> Opened {
        let Some(letter) = self.letter(id) else {
            return Opened::NotOurs;
        };
        if letter.to != n {
            return Opened::NotOurs;
        }
        if letter.opened {
            return Opened::Nothing;
        }
        match packed {
            Some(packed) if packed == letter.packed => Opened::Whole,
            Some(_) => {
                self.blame(
                    now,
                    "changed",
                    n,
                    format!("message {id} is not what was sent"),
                );
                Opened::Nothing
            }
            None => {
                self.blame(
                    now,
                    "lost",
                    n,
                    format!("the body of {id} is gone before it was opened"),
                );
                Opened::Nothing
            }
        }
    }

    /// Will the recipient's agent refuse it?
    pub(crate) fn is_unwelcome(&self, n: usize, id: &EnvelopeId) -> bool {
        let message = self.by_id.get(id);
        let ours = self.letter(id).is_some_and(|letter| letter.to == n);
        !ours || message.is_none_or(|message| self.unwelcome.contains(message))
    }

    pub(crate) fn memory(&mut self, now: Micros, n: usize, bytes: usize, links: usize) {
        let bound = MEMORY + links * MEMORY_PER_LINK;
        if bytes > bound {
            self.blame(
                now,
                "memory",
                n,
                format!("{bytes} bytes with {links} links"),
            );
        }
    }

    /// A clock jumped.
    pub(crate) fn odd_clock(&mut self, n: usize) {
        if let Some(odd) = self.odd_clocks.get_mut(n) {
            *odd = true;
        }
    }

    /// Somebody honest was met under this key.
    pub(crate) fn met(&mut self, key: NodeKey, n: usize) {
        self.keys.insert(key, n);
    }

    /// A message is dropped into a mailbox.
    pub(crate) fn drop_letter(&mut self, target: usize, envelope: Envelope) {
        self.mailed += 1;
        self.mail.insert(self.mailed, (target, envelope));
    }

    /// What is in a mailbox.
    pub(crate) fn letters(&self, target: usize) -> Vec<(u64, Envelope)> {
        let mail = self.mail.iter().filter(|(_, (to, _))| *to == target);
        mail.map(|(number, (_, envelope))| (*number, envelope.clone()))
            .collect()
    }

    /// A mailbox is told to let go of something.
    pub(crate) fn settled(&mut self, now: Micros, n: usize, settle: SettleId, disk: &Disk) {
        let Some((_, envelope)) = self.mail.remove(&settle.0) else {
            return;
        };
        let id = envelope.id();
        let seen = disk.record(&Key::Seen(id)).is_some();
        if !seen && !self.durable.contains(&(n, id)) {
            self.blame(
                now,
                "before_durable",
                n,
                format!("settles {id} before it is durable"),
            );
        }
    }

    fn letter(&self, id: &EnvelopeId) -> Option<&Letter> {
        self.letters.get(self.by_id.get(id)?)
    }

    fn letter_mut(&mut self, id: &EnvelopeId) -> Option<&mut Letter> {
        self.letters.get_mut(self.by_id.get(id)?)
    }
}
