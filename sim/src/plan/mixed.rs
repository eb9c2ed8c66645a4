//! Runs in which nearly everything is drawn: who, over what, how much, which faults.
//!
//! What is it: [`Mixed`], the knobs, and [`draw`]. Every run has a wild part, in which anything
//! may fail, and a calm one, in which every two honest nodes meet once for long enough, so that
//! what is not delivered at its end is a fault of the bus. Who calls it: [`Plan::scenario`].
//! What can go wrong: nothing.

mod trouble;
mod weather;

use serde::{Deserialize, Serialize};

use super::{Plan, draw::size};
use crate::dice::Dice;
use crate::scenario::{Contact, Message, NodeSpec, Quota, Scenario};

/// The knobs. Shares are from 0 to 1; pairs are least and most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mixed {
    /// Seconds of the wild part.
    pub wild_s: (u64, u64),
    /// Messages.
    pub messages: (u64, u64),
    /// Bytes of most of them, evenly over the logarithm.
    pub bytes: (u64, u64),
    /// The share of large ones, up to `large_bytes`.
    pub large: f64,
    /// See `large`.
    pub large_bytes: u64,
    /// Contacts in the wild part.
    pub contacts: (u64, u64),
    /// Faults at honest nodes.
    pub faults: (u64, u64),
    /// The share of runs in which mallory takes part.
    pub mallory: f64,
    /// The share of links that need our cipher.
    pub noise: f64,
    /// The share of nodes whose quotas are tight.
    pub tight: f64,
    /// The share of nodes that take several inputs in one turn.
    pub crowded: f64,
}

impl Default for Mixed {
    fn default() -> Self {
        Self {
            wild_s: (30, 180),
            messages: (3, 24),
            bytes: (20, 20_000),
            large: 0.02,
            large_bytes: 100_000,
            contacts: (4, 24),
            faults: (0, 8),
            mallory: 0.5,
            noise: 0.15,
            tight: 0.3,
            crowded: 0.35,
        }
    }
}

/// Everybody who keeps the law.
const HONEST: [&str; 5] = ["alice", "bob", "kiosk", "mule", "cloud"];
/// How long two honest nodes meet in the calm, in milliseconds.
const CALM_CONTACT_MS: u64 = 90_000;

/// Draws the run of `seed`.
pub(super) fn draw(plan: &Plan, mixed: &Mixed, seed: u64) -> Scenario {
    let mut dice = Dice::new(seed, "mixed", "shape");
    let calm_ms = 1000 * dice.between(mixed.wild_s.0, mixed.wild_s.1);
    let with_mallory = dice.chance(mixed.mallory);
    let mut scenario = Scenario {
        name: plan.name.clone(),
        seed,
        calm_ms,
        links: weather::links(mixed, seed),
        ..Scenario::default()
    };
    // One length for many messages, so that a quota can be met exactly.
    let usual = size(&mut dice, mixed.bytes);
    for name in HONEST {
        scenario.nodes.push(node(mixed, name, seed, usual));
    }
    if with_mallory {
        scenario.nodes.push(NodeSpec {
            name: "mallory".to_owned(),
            mallory: true,
            ..NodeSpec::default()
        });
    }
    wild_contacts(&mut scenario, mixed, seed);
    calm_contacts(&mut scenario, seed);
    messages(&mut scenario, mixed, usual, seed);
    scenario.faults = trouble::draw(&scenario, mixed, seed);
    scenario.contacts.sort_by_key(|contact| contact.from_ms);
    scenario
}

fn node(mixed: &Mixed, name: &str, seed: u64, usual: usize) -> NodeSpec {
    let mut dice = Dice::new(seed, name, "nature");
    let mut node = NodeSpec {
        name: name.to_owned(),
        carries: dice.chance(0.8),
        copies: u16::try_from(dice.between(1, 8)).unwrap_or(1),
        ..NodeSpec::default()
    };
    if dice.chance(mixed.tight) {
        tighten(&mut node.quota, &mut dice, usual as u64);
    }
    node.sync_ms = match dice.below(4) {
        0 => 0.0,
        1 => 0.5,
        2 => 5.0,
        _ => 40.0,
    };
    if dice.chance(0.25) {
        node.skew_ppm = i32::try_from(dice.between(0, 2_000)).unwrap_or(0) - 1_000;
    }
    if dice.chance(0.15) {
        node.ahead_s = i64::try_from(dice.between(0, 7_200)).unwrap_or(0) - 3_600;
    }
    if dice.chance(0.15) {
        // Closed for a while, then open until long after the run.
        let opens = dice.below(60_000);
        node.mailbox = vec![(0, opens / 2), (opens, 1_000_000_000)];
    }
    if dice.chance(0.25) {
        node.receipts = dice.below(3);
    }
    if dice.chance(0.05) {
        node.disk_bytes = dice.between(20_000, 400_000);
    }
    if dice.chance(mixed.crowded) {
        node.crowded_ms = dice.between(1, 5);
    }
    node
}

/// One of the quotas becomes tight: a few messages, or exactly as many of the usual length, or a
/// byte less than that.
fn tighten(quota: &mut Quota, dice: &mut Dice, usual: u64) {
    let few = dice.between(1, 4);
    let room = few * (usual + 64);
    match dice.below(6) {
        0 => quota.per_stranger_count = few,
        1 => quota.per_stranger_bytes = room,
        2 => quota.strangers_bytes = room,
        3 => quota.total_count = few + 2,
        4 => quota.total_bytes = room * 3,
        _ => quota.max_message = usual.max(60) * 2,
    }
}

fn wild_contacts(scenario: &mut Scenario, mixed: &Mixed, seed: u64) {
    let mut dice = Dice::new(seed, "mixed", "contacts");
    let names: Vec<String> = scenario.links.keys().cloned().collect();
    for _ in 0..dice.between(mixed.contacts.0, mixed.contacts.1) {
        let (Some(a), Some(b)) = (dice.pick(&scenario.nodes), dice.pick(&scenario.nodes)) else {
            return;
        };
        let (a, b) = (a.name.clone(), b.name.clone());
        let from_ms = dice.below(scenario.calm_ms);
        let to_ms = (from_ms + dice.between(200, 60_000)).min(scenario.calm_ms);
        let link = dice.pick(&names).cloned().unwrap_or_default();
        let dial = dice.chance(0.15);
        if a != b {
            scenario.contacts.push(Contact {
                a,
                b,
                link,
                from_ms,
                to_ms,
                dial,
            });
        }
    }
    // Mallory would not be mallory if it met nobody.
    if scenario.nodes.iter().any(|node| node.mallory) {
        for _ in 0..2 {
            let from_ms = dice.below(scenario.calm_ms / 2);
            scenario.contacts.push(Contact {
                a: "mallory".to_owned(),
                b: (*dice.pick(&HONEST).unwrap_or(&"alice")).to_owned(),
                link: dice.pick(&names).cloned().unwrap_or_default(),
                from_ms,
                to_ms: (from_ms + 30_000).min(scenario.calm_ms),
                dial: false,
            });
        }
    }
}

/// Every two honest nodes meet once, over a link that is not the worst.
fn calm_contacts(scenario: &mut Scenario, seed: u64) {
    let mut dice = Dice::new(seed, "mixed", "calm");
    let names: Vec<String> = scenario
        .links
        .iter()
        .filter(|(_, link)| weather::is_fit_for_calm(link))
        .map(|(name, _)| name.clone())
        .collect();
    // A restarted node has to be back, and its retries are due within their longest wait.
    let begins = scenario.calm_ms + 15_000;
    for (n, a) in HONEST.iter().enumerate() {
        for b in HONEST.iter().skip(n + 1) {
            // Some have been together since before the calm: whatever a restart made one of them
            // forget, no new link reminds the other of it.
            let since = dice.chance(0.4).then(|| dice.below(scenario.calm_ms));
            let begins = begins + dice.below(60_000);
            scenario.contacts.push(Contact {
                a: (*a).to_owned(),
                b: (*b).to_owned(),
                link: dice.pick(&names).cloned().unwrap_or_default(),
                from_ms: since.unwrap_or(begins),
                to_ms: begins + CALM_CONTACT_MS,
                dial: false,
            });
        }
    }
    scenario.ends_ms = begins + 60_000 + CALM_CONTACT_MS + 5_000;
}

fn messages(scenario: &mut Scenario, mixed: &Mixed, usual: usize, seed: u64) {
    let mut dice = Dice::new(seed, "mixed", "messages");
    let same = dice.chance(0.5);
    for _ in 0..dice.between(mixed.messages.0, mixed.messages.1) {
        let from = *dice.pick(&HONEST).unwrap_or(&"alice");
        let to = *dice.pick(&HONEST).unwrap_or(&"bob");
        let bytes = if dice.chance(mixed.large) {
            size(&mut dice, (mixed.bytes.1, mixed.large_bytes))
        } else if same && dice.chance(0.8) {
            usual
        } else {
            size(&mut dice, mixed.bytes)
        };
        let at_ms = dice.below(scenario.calm_ms);
        let lasts_s = dice.chance(0.2).then(|| dice.between(5, 600));
        if from != to {
            scenario.messages.push(Message {
                at_ms,
                from: from.to_owned(),
                to: to.to_owned(),
                bytes,
                lasts_s,
                priority: u8::try_from(dice.below(3)).unwrap_or(1),
                unwelcome: dice.chance(0.08),
            });
        }
    }
    scenario.messages.sort_by_key(|message| message.at_ms);
}
