//! What must be true when a run is over: nothing lost, nothing stuck.

use packmule_bus::bus::io::{HeldState, Key, Record};
use packmule_bus::receipt::{Reason, Rung};

use super::{Book, Letter};
use crate::disk::Disk;
use crate::scenario::{Contact, Scenario};
use crate::world::Micros;

/// A contact this long, in the calm, is long enough for anything, in milliseconds.
const LONG: u64 = 60_000;
/// How long after the last fault everybody is back, in milliseconds.
const SETTLED: u64 = 15_000;
/// Whoever keeps fewer receipts than this may forget one before it was told.
const FEW: u64 = 100;
/// A disk with less room than this may stay full for ever.
const AMPLE: u64 = 4 << 20;

impl Book {
    /// The end of a run.
    pub(crate) fn last_check(&mut self, now: Micros, scenario: &Scenario, disks: &[Option<&Disk>]) {
        let mut found = Vec::new();
        for letter in self.letters.values() {
            if let Some((kind, text)) = self.verdict(now, letter, scenario, disks) {
                found.push((kind, letter.from, text));
            }
        }
        for (kind, n, text) in found {
            self.blame(now, kind, n, text);
        }
    }

    fn verdict(
        &self,
        now: Micros,
        letter: &Letter,
        scenario: &Scenario,
        disks: &[Option<&Disk>],
    ) -> Option<(&'static str, String)> {
        let id = letter.id;
        if !letter.accepted {
            return None;
        }
        let ended = letter.opened || letter.told.is_some();
        // With a clock that is wrong anything may seem to have expired.
        let odd = self.odd_clocks.contains(&true);
        let may_expire =
            letter.expires.is_some_and(|at| at <= now) || (odd && letter.expires.is_some());
        if !ended && !may_expire && !self.is_somewhere(&id, disks) {
            return Some(("lost", format!("nobody has {id}, and nobody was told")));
        }
        let disk = disks.get(letter.from).copied().flatten()?;
        let row = match disk.record(&Key::Held(id)) {
            Some(Record::Held(held)) => Some(held.state),
            _ => None,
        };
        let knows = matches!(
            letter.told,
            Some(Rung::Delivered | Rung::Refused(_) | Rung::Expired)
        );
        let knows = knows || matches!(row, Some(HeldState::Delivered | HeldState::Dead(_)));
        if knows || !self.could_meet(letter, scenario) || self.has_no_room(letter, scenario) {
            return None;
        }
        if letter.expires.is_some() {
            let silent = !letter.opened && may_expire && row.is_none() && !odd;
            return silent.then(|| {
                (
                    "lost",
                    format!("{id} expired, and its origin never said so"),
                )
            });
        }
        // Whoever throws receipts away cannot tell for ever.
        let forgetful = scenario
            .nodes
            .get(letter.to)
            .is_some_and(|node| node.receipts < FEW);
        if letter.opened && forgetful {
            return None;
        }
        Some(if letter.opened {
            (
                "stuck",
                format!("{id} has arrived, and its origin never learnt"),
            )
        } else {
            (
                "stuck",
                format!("{id} never arrived, though the two met for long enough"),
            )
        })
    }

    /// Did the two meet in the calm for long enough, over a link that goes both ways?
    fn could_meet(&self, letter: &Letter, scenario: &Scenario) -> bool {
        let (Some(from), Some(to)) = (self.names.get(letter.from), self.names.get(letter.to))
        else {
            return false;
        };
        let fits = |contact: &&Contact| {
            let between = (&contact.a == from && &contact.b == to)
                || (&contact.a == to && &contact.b == from);
            let begins = contact
                .from_ms
                .max(letter.born / 1000)
                .max(scenario.calm_ms + SETTLED);
            let both_ways = scenario
                .links
                .get(&contact.link)
                .is_some_and(|link| !link.channel.one_way);
            let long = contact.to_ms.min(scenario.ends_ms).saturating_sub(begins) >= LONG;
            between && both_ways && long && !contact.dial
        };
        scenario.contacts.iter().any(|contact| fits(&contact))
    }

    /// Would it fit at all?
    fn has_no_room(&self, letter: &Letter, scenario: &Scenario) -> bool {
        let ends = [letter.from, letter.to];
        ends.iter()
            .filter_map(|n| scenario.nodes.get(*n))
            .any(|node| {
                let quota = &node.quota;
                node.disk_bytes < AMPLE || quota.total_count < 20 || quota.total_bytes < AMPLE
            })
            || matches!(letter.refused, Some(Reason::TooLarge))
    }
}
