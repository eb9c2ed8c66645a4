//! What goes wrong in a mixed run.
//!
//! What is it: [`draw`]. Who calls it: the draw of a mixed run. What can go wrong: everything,
//! that is the point; but nothing that lasts into the calm.

use super::{HONEST, Mixed};
use crate::dice::Dice;
use crate::scenario::{Fault, FaultKind, Scenario};

/// Longest time that a fault lasts, in milliseconds.
const LONGEST_MS: u64 = 20_000;

/// Faults at honest nodes, and mallory's doings, all over before the calm.
pub(super) fn draw(scenario: &Scenario, mixed: &Mixed, seed: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut dice = Dice::new(seed, "mixed", "faults");
    let end = scenario.calm_ms.saturating_sub(LONGEST_MS + 1000);
    for _ in 0..dice.between(mixed.faults.0, mixed.faults.1) {
        // Faults hurt most while something happens: near a contact's beginning or a message.
        let near = match dice.below(3) {
            0 => dice.pick(&scenario.contacts).map(|contact| contact.from_ms),
            1 => dice.pick(&scenario.messages).map(|message| message.at_ms),
            _ => None,
        };
        let at_ms = match near {
            Some(at) => at + dice.below(3_000),
            None => dice.below(end),
        };
        let node = (*dice.pick(&HONEST).unwrap_or(&"alice")).to_owned();
        let kind = honest(&mut dice);
        faults.push(Fault {
            at_ms: at_ms.min(end),
            node,
            kind,
        });
    }
    if scenario.nodes.iter().any(|node| node.mallory) {
        let met: Vec<_> = scenario
            .contacts
            .iter()
            .filter(|contact| contact.a == "mallory" || contact.b == "mallory")
            .collect();
        for _ in 0..dice.between(2, 8) {
            let Some(contact) = dice.pick(&met) else {
                break;
            };
            faults.push(Fault {
                at_ms: dice.between(contact.from_ms, contact.to_ms),
                node: "mallory".to_owned(),
                kind: mallory(&mut dice),
            });
        }
    }
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

fn honest(dice: &mut Dice) -> FaultKind {
    let for_ms = dice.between(50, LONGEST_MS);
    match dice.below(16) {
        0..=6 => FaultKind::Crash {
            output: u32::try_from(dice.below(12)).unwrap_or(0),
            down_ms: if dice.chance(0.5) {
                dice.between(1, 500)
            } else {
                for_ms
            },
            unnoticed: dice.chance(0.5),
            silent: dice.chance(0.3),
        },
        7 | 8 => FaultKind::DiskFull { for_ms },
        9 => FaultKind::DiskError { for_ms },
        10 | 11 => FaultKind::SlowDisk {
            for_ms,
            times: u32::try_from(dice.between(2, 200)).unwrap_or(2),
        },
        12 => FaultKind::Yank { for_ms },
        13 => FaultKind::ClockJump {
            by_s: i64::try_from(dice.between(0, 4_000)).unwrap_or(0) - 2_000,
        },
        _ => FaultKind::Cut {
            for_ms: dice.between(1, 5_000),
        },
    }
}

fn mallory(dice: &mut Dice) -> FaultKind {
    let count = u32::try_from(dice.between(1, 60)).unwrap_or(1);
    FaultKind::mischief(dice.below(FaultKind::MISCHIEFS), count, LONGEST_MS)
}
