//! What a bus says, held against what is true.

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{Event, HeldState, Key, NodeKey, Origin, Record};
use packmule_bus::receipt::{Reason, Rung};

use super::Book;
use crate::disk::Disk;
use crate::world::Micros;

impl Book {
    /// A bus tells something. Does its agent have to look at a message?
    pub(crate) fn told(&mut self, now: Micros, n: usize, event: &Event, disk: &Disk) -> bool {
        match event {
            Event::Received(arrived) => return self.received(now, n, &arrived.id, disk),
            Event::Progress { id, rung, by, .. } => self.progress(now, n, id, *rung, *by, disk),
            Event::Carrying(id) => {
                let held = disk.record(&Key::Held(*id)).is_some() && disk.body(id).is_some();
                if !held && !self.durable.contains(&(n, *id)) {
                    self.blame(
                        now,
                        "before_durable",
                        n,
                        format!("carries {id}, not durably"),
                    );
                }
            }
            Event::NotTaken(id, reason) => self.ended(n, id, Rung::Refused(*reason), Some(*reason)),
            Event::Dead(id, reason) => {
                let rung = match reason {
                    Reason::Expired => Rung::Expired,
                    reason => Rung::Refused(*reason),
                };
                self.truthful(now, n, id, *reason);
                self.ended(n, id, rung, Some(*reason));
            }
            Event::Evicted(id) if self.letter(id).is_some_and(|letter| letter.from == n) => {
                self.blame(now, "lost", n, format!("evicts its own message {id}"));
            }
            _ => {}
        }
        false
    }

    fn received(&mut self, now: Micros, n: usize, id: &EnvelopeId, disk: &Disk) -> bool {
        let durable = disk.record(&Key::Inbox(*id)).is_some() && disk.body(id).is_some();
        let Some(letter) = self.letter(id) else {
            let text = format!("{id} came whole, and nobody wrote it");
            self.blame(now, "changed", n, text);
            return false;
        };
        let (ours, closed) = (letter.to == n, letter.closed);
        if !ours && !self.mallory {
            self.blame(now, "false_word", n, format!("{id} is for somebody else"));
        }
        if ours && closed {
            let text = format!("{id} comes again after the agent acknowledged it");
            self.blame(now, "twice", n, text);
        }
        if !durable {
            let text = format!("the application hears of {id} before it is durable");
            self.blame(now, "before_durable", n, text);
        }
        true
    }

    fn progress(
        &mut self,
        now: Micros,
        n: usize,
        id: &EnvelopeId,
        rung: Rung,
        by: Option<NodeKey>,
        disk: &Disk,
    ) {
        let Some(letter) = self.letter(id) else {
            return;
        };
        let (to, opened, delivered) = (letter.to, letter.opened, letter.delivered_at.is_some());
        match rung {
            Rung::Queued => {
                let held = matches!(
                    disk.record(&Key::Held(*id)),
                    Some(Record::Held(held)) if held.origin == Origin::Own
                );
                if !held || disk.body(id).is_none() {
                    self.blame(
                        now,
                        "before_durable",
                        n,
                        format!("{id} is queued, not durably"),
                    );
                }
                if let Some(letter) = self.letter_mut(id) {
                    letter.accepted = true;
                }
            }
            Rung::Custody => {
                // Whoever knows from a receipt that it has arrived need not have it.
                let holder = by.and_then(|key| self.keys.get(&key).copied());
                let holder =
                    holder.filter(|holder| !opened && !self.durable.contains(&(*holder, *id)));
                if let Some(holder) = holder {
                    let name = self.names.get(holder).cloned().unwrap_or_default();
                    let text = format!("{name} has custody of {id}, not durably");
                    self.blame(now, "before_durable", n, text);
                }
            }
            Rung::Delivered => {
                if !delivered {
                    let name = self.names.get(to).cloned().unwrap_or_default();
                    let text = format!("{id} is delivered, it says; {name}'s agent never got it");
                    self.blame(now, "false_word", n, text);
                }
                self.ended(n, id, rung, None);
            }
            Rung::Refused(reason) => {
                self.truthful(now, n, id, reason);
                self.ended(n, id, rung, Some(reason));
            }
            Rung::Expired => self.ended(n, id, rung, Some(Reason::Expired)),
            _ => {}
        }
    }

    /// Is this reason true?
    fn truthful(&mut self, now: Micros, n: usize, id: &EnvelopeId, reason: Reason) {
        let Some(letter) = self.letter(id).filter(|letter| letter.from == n) else {
            return;
        };
        let fair = match reason {
            Reason::Rejected => letter.opened && letter.delivered_at.is_none(),
            Reason::Expired => letter.expires.is_some() || self.odd_clocks.contains(&true),
            Reason::Damaged | Reason::Hops | Reason::Forgotten => false,
            _ => true,
        };
        if !fair {
            let text = format!("{id} was refused because {reason}, which is not so");
            self.blame(now, "false_word", n, text);
        }
    }

    fn ended(&mut self, n: usize, id: &EnvelopeId, rung: Rung, reason: Option<Reason>) {
        if let Some(letter) = self.letter_mut(id).filter(|letter| letter.from == n) {
            letter.told = Some(rung);
            letter.refused = reason;
        }
    }

    /// Does this disk, or a mailbox, still owe the message to its recipient?
    pub(super) fn holds(&self, n: usize, disk: &Disk, id: &EnvelopeId) -> bool {
        let inbox = disk.record(&Key::Inbox(*id)).is_some();
        let held = match disk.record(&Key::Held(*id)) {
            Some(Record::Held(held)) => match held.state {
                HeldState::Waiting => disk.body(id).is_some(),
                // A dead letter is there for a person to see, at its origin.
                HeldState::Dead(_) => true,
                HeldState::Delivered => false,
            },
            _ => false,
        };
        let _ = n;
        (inbox && disk.body(id).is_some()) || held
    }
}
