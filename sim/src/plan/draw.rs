//! One run of a plan whose nodes and links are given: windows, messages and faults are drawn.
//!
//! What is it: [`draw`]. Who calls it: [`Plan::scenario`]. What can go wrong: nothing; a plan
//! was checked when it was read.

use super::{Meeting, Plan, Traffic, Trouble};
use crate::dice::Dice;
use crate::scenario::{Contact, Fault, Message, Scenario};

/// Draws the run of `seed`.
pub(super) fn draw(plan: &Plan, seed: u64) -> Scenario {
    let ends_ms = millis(plan.duration_s);
    let calm_ms = millis(plan.calm_s.unwrap_or(plan.duration_s * 2.0 / 3.0)).min(ends_ms);
    let mut scenario = Scenario {
        name: plan.name.clone(),
        seed,
        ends_ms,
        calm_ms,
        links: plan.links.clone(),
        nodes: plan.nodes.clone(),
        ..Scenario::default()
    };
    for (n, meeting) in plan.contacts.iter().enumerate() {
        let mut dice = Dice::new(seed, &meeting.a, &format!("meets {} {n}", meeting.b));
        meet(meeting, ends_ms, &mut dice, &mut scenario.contacts);
    }
    for (n, traffic) in plan.traffic.iter().enumerate() {
        let mut dice = Dice::new(seed, "traffic", &n.to_string());
        write(traffic, calm_ms, &mut dice, &mut scenario.messages);
    }
    for (n, trouble) in plan.faults.iter().enumerate() {
        let mut dice = Dice::new(seed, "faults", &n.to_string());
        hurt(trouble, calm_ms, &mut dice, &mut scenario.faults);
    }
    scenario.contacts.sort_by_key(|contact| contact.from_ms);
    scenario.messages.sort_by_key(|message| message.at_ms);
    scenario.faults.sort_by_key(|fault| fault.at_ms);
    scenario
}

fn meet(meeting: &Meeting, ends_ms: u64, dice: &mut Dice, contacts: &mut Vec<Contact>) {
    let mut add = |from_ms: u64, to_ms: u64| {
        if from_ms < to_ms && from_ms < ends_ms {
            contacts.push(Contact {
                a: meeting.a.clone(),
                b: meeting.b.clone(),
                link: meeting.link.clone(),
                from_ms,
                to_ms: to_ms.min(ends_ms),
                dial: meeting.dial,
            });
        }
    };
    for (from, to) in &meeting.windows {
        add(millis(*from), millis(*to));
    }
    let Some(every) = meeting.every_s.filter(|every| *every > 0.0) else {
        return;
    };
    let mut at = meeting.first_s;
    while millis(at) < ends_ms {
        let sway = (dice.unit() * 2.0 - 1.0) * meeting.sway_s;
        let from = (at + sway).max(0.0);
        add(millis(from), millis(from + meeting.for_s));
        at += every;
    }
}

fn write(traffic: &Traffic, calm_ms: u64, dice: &mut Dice, messages: &mut Vec<Message>) {
    let (from, to) = span(traffic.between_s, calm_ms);
    for _ in 0..traffic.count {
        let Some(writer) = dice.pick(&traffic.from) else {
            return;
        };
        let others: Vec<&String> = traffic.to.iter().filter(|name| *name != writer).collect();
        let Some(reader) = dice.pick(&others) else {
            continue;
        };
        messages.push(Message {
            at_ms: dice.between(from, to),
            from: writer.clone(),
            to: (*reader).clone(),
            bytes: size(dice, traffic.bytes),
            lasts_s: traffic.lasts_s,
            priority: traffic.priority,
            unwelcome: dice.chance(traffic.unwelcome),
        });
    }
}

fn hurt(trouble: &Trouble, calm_ms: u64, dice: &mut Dice, faults: &mut Vec<Fault>) {
    let (from, to) = span(trouble.between_s, calm_ms);
    let to = to.min(calm_ms);
    let mut add = |at_ms: u64, dice: &mut Dice| {
        if let Some(node) = dice.pick(&trouble.nodes) {
            faults.push(Fault {
                at_ms,
                node: node.clone(),
                kind: trouble.kind.clone(),
            });
        }
    };
    for _ in 0..trouble.repeat {
        let at = dice.between(from, to.max(from));
        add(at, dice);
    }
    if trouble.per_hour > 0.0 {
        let mean_ms = 3_600_000.0 / trouble.per_hour;
        let mut at = from + wait(dice, mean_ms);
        while at < to {
            add(at, dice);
            at += wait(dice, mean_ms);
        }
    }
}

/// Bytes drawn evenly over the logarithm.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "lengths of messages are far below 2^52"
)]
pub(super) fn size(dice: &mut Dice, (least, most): (u64, u64)) -> usize {
    let (low, high) = ((least.max(1) as f64).ln(), (most.max(1) as f64).ln());
    let drawn = (low + (high - low).max(0.0) * dice.unit()).exp() as u64;
    drawn.clamp(least.max(1), most.max(least).max(1)) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates, and any time is a time"
)]
fn wait(dice: &mut Dice, mean_ms: f64) -> u64 {
    (dice.exponential(mean_ms) as u64).max(1)
}

fn span(between_s: Option<(f64, f64)>, calm_ms: u64) -> (u64, u64) {
    between_s.map_or((0, calm_ms), |(from, to)| (millis(from), millis(to)))
}

/// Seconds as whole milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}
