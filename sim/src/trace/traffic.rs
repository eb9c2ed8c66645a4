//! Who writes to whom, when, how long: The ONE's message generator, from our dice.

use packmule_bus::time::Time;

use super::{TraceConfig, after};
use crate::dice::Dice;

/// A message of the replay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    pub(super) at: Time,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) bytes: u64,
}

/// All messages until `end`, in the order of time.
pub(super) fn letters(config: &TraceConfig, nodes: u32, end: Time, seed: u64) -> Vec<Letter> {
    let mut dice = Dice::new(seed, "world", "traffic");
    let mut letters = Vec::new();
    let mut at = Time::default();
    loop {
        let (least, most) = config.every_s;
        at = at + after(least + (most - least) * dice.unit());
        // A million is more than any trace we know asks for, and a bound.
        if at > end || letters.len() >= 1_000_000 {
            return letters;
        }
        let from = dice.below(u64::from(nodes)) as u32;
        // Anybody but the writer.
        let to = dice.below(u64::from(nodes) - 1) as u32;
        letters.push(Letter {
            at,
            from,
            to: if to >= from { to + 1 } else { to },
            bytes: dice.between(config.bytes.0, config.bytes.1),
        });
    }
}
