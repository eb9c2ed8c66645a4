//! What became durable, held against the quotas and against loss.

use std::collections::BTreeMap;

use packmule_bus::EnvelopeId;
use packmule_bus::bus::io::{HeldState, Key, NodeKey, Op, Origin, Record};

use super::Book;
use crate::disk::{Disk, Write};
use crate::scenario::Quota;
use crate::world::Micros;

impl Book {
    /// A write became durable on the disk of `n`.
    pub(crate) fn landed(
        &mut self,
        now: Micros,
        n: usize,
        quota: &Quota,
        write: &Write,
        disks: &[Option<&Disk>],
    ) {
        let Some(disk) = disks.get(n).copied().flatten() else {
            return;
        };
        let ops = match write {
            Write::Agent(id) => return self.agent_has(now, n, id),
            Write::Batch(_, ops) => ops,
        };
        let mut took_on = false;
        for op in ops {
            match op {
                Op::Put(Record::Held(held)) => {
                    // What is there now, not what this change put there: a later one of the same
                    // batch, or of the batches that a crash lets through together, may have let
                    // the body of a delivered message go.
                    let waits = matches!(
                        disk.record(&Key::Held(held.id)),
                        Some(Record::Held(held)) if held.state == HeldState::Waiting
                    );
                    if waits && disk.body(&held.id).is_none() {
                        self.blame(
                            now,
                            "lost",
                            n,
                            format!("{} is held without its body", held.id),
                        );
                    }
                    if self.durable.insert((n, held.id)) {
                        took_on = true;
                        self.hop(now, n, held.id, held.origin);
                    }
                    if held.origin == Origin::Own
                        && let Some(letter) = self.letter_mut(&held.id)
                    {
                        letter.accepted = true;
                    }
                }
                Op::Put(Record::Inbox(arrived)) => {
                    if self.durable.insert((n, arrived.id)) {
                        took_on = true;
                        self.hop(now, n, arrived.id, Origin::Mailbox);
                    }
                    if arrived.acknowledged.is_some() {
                        self.closed(n, &arrived.id);
                    }
                }
                _ => {}
            }
        }
        for op in ops {
            if let Op::Drop(Key::Held(id) | Key::Inbox(id)) = op {
                self.dropped(now, n, id, matches!(op, Op::Drop(Key::Inbox(_))), disks);
            }
        }
        if took_on {
            self.quotas(now, n, quota, disk);
        }
    }

    fn agent_has(&mut self, now: Micros, n: usize, id: &EnvelopeId) {
        let unwelcome = self.is_unwelcome(n, id);
        let Some(letter) = self.letter_mut(id) else {
            return;
        };
        if letter.opened {
            return self.blame(now, "twice", n, format!("the agent got {id} twice"));
        }
        letter.opened = true;
        if !unwelcome {
            letter.delivered_at = Some(now);
        }
    }

    fn closed(&mut self, n: usize, id: &EnvelopeId) {
        if let Some(letter) = self.letter_mut(id).filter(|letter| letter.to == n) {
            letter.closed = true;
        }
    }

    /// A record is gone: is the message?
    fn dropped(
        &mut self,
        now: Micros,
        n: usize,
        id: &EnvelopeId,
        inbox: bool,
        disks: &[Option<&Disk>],
    ) {
        let Some(letter) = self.letter(id) else {
            return;
        };
        let (from, to) = (letter.from, letter.to);
        let (accepted, opened, told) = (letter.accepted, letter.opened, letter.told.is_some());
        if inbox && to == n {
            if !opened {
                let text = format!("{id} leaves the inbox before the agent had it");
                return self.blame(now, "lost", n, text);
            }
            self.closed(n, id);
        }
        // The origin may let go of what has expired, and says so after this commit: the end of
        // the run asks whether it did.
        if !accepted || opened || told || from == n {
            return;
        }
        if !self.is_somewhere(id, disks) {
            self.blame(
                now,
                "lost",
                n,
                format!("{id} is dropped here, and nobody else has it"),
            );
        }
    }

    /// Does anybody honest hold it?
    pub(super) fn is_somewhere(&self, id: &EnvelopeId, disks: &[Option<&Disk>]) -> bool {
        let mut disks = disks.iter().enumerate();
        let held = disks.any(|(n, disk)| disk.is_some_and(|disk| self.holds(n, disk, id)));
        held || self.mail.values().any(|(_, envelope)| envelope.id() == *id)
    }

    fn quotas(&mut self, now: Micros, n: usize, quota: &Quota, disk: &Disk) {
        let mut all = (0_u64, 0_u64);
        let mut strangers = 0_u64;
        let mut each: BTreeMap<Option<NodeKey>, (u64, u64)> = BTreeMap::new();
        for record in disk.records() {
            let (bytes, stranger) = match record {
                Record::Held(held) if held.state == HeldState::Waiting => match held.origin {
                    Origin::From(key) => (held.bytes, Some(Some(key))),
                    Origin::Mailbox => (held.bytes, Some(None)),
                    _ => (held.bytes, None),
                },
                Record::Inbox(arrived) if arrived.acknowledged.is_none() => (arrived.bytes, None),
                _ => continue,
            };
            all = (all.0 + bytes, all.1 + 1);
            if let Some(who) = stranger {
                strangers += bytes;
                let account = each.entry(who).or_default();
                *account = (account.0 + bytes, account.1 + 1);
            }
        }
        let most = each
            .values()
            .fold((0, 0), |most, one| (one.0.max(most.0), one.1.max(most.1)));
        let checks = [
            ("bytes", all.0, quota.total_bytes),
            ("messages", all.1, quota.total_count),
            ("bytes of strangers", strangers, quota.strangers_bytes),
            ("bytes of one stranger", most.0, quota.per_stranger_bytes),
            ("messages of one stranger", most.1, quota.per_stranger_count),
        ];
        for (what, used, allowed) in checks {
            if used > allowed {
                let text = format!("{used} {what} are held, {allowed} are allowed");
                self.blame(now, "quota", n, text);
            }
        }
    }
}
