//! Whole sessions by a script: three honest nodes, real buses on simulated disks and links, and
//! mallory. The bytes say who meets whom when and over what (lossy, reordering, duplicating,
//! corrupting, slow, half duplex, one way), what is sent, whose power goes at which output, whose
//! disk fills, fails or commits late, whose clock jumps, and what mallory does. Then the network
//! heals. What the simulator holds against its own runs is held against these: every message
//! arrives whole and once or its sender learns why not, nothing is said to be durable before it
//! was committed, quotas and memory are kept, nobody spins, nothing panics.
//!
//! The ranges are those of `sim/src/plan/mixed`, within which the last check knows that what did
//! not arrive was the fault of a bus. A find is printed as a scenario for `packmule sim replay`.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use packmule_sim::medium::{LinkSpec, Spread};
use packmule_sim::presets::{Channel, Loss};
use packmule_sim::scenario::{Contact, Fault, FaultKind, Message, NodeSpec, Quota};
use packmule_sim::{Bug, Scenario, replay};

const HONEST: [&str; 3] = ["alice", "bob", "mule"];
const CAST: [&str; 4] = ["alice", "bob", "mule", "mallory"];
/// Most that happens in the wild part, and its longest time.
const STEPS: usize = 80;
const WILD_MS: u64 = 120_000;
/// No fault lasts longer, in milliseconds.
const LONGEST_MS: u64 = 20_000;
/// Bytes of all messages: what any link of the calm carries in its time.
const LETTERS: usize = 150_000;

fn ms(u: &mut Unstructured<'_>, least: u64, most: u64) -> Result<Duration> {
    Ok(Duration::from_millis(u.int_in_range(least..=most)?))
}

/// A chance in 256 parts, up to `most`.
fn chance(u: &mut Unstructured<'_>, most: f64) -> Result<f64> {
    Ok(f64::from(u.arbitrary::<u8>()?) / 255.0 * most)
}

fn link(u: &mut Unstructured<'_>, fit_for_calm: bool) -> Result<LinkSpec> {
    let mut channel = Channel::default();
    let kind = u.int_in_range(0..=if fit_for_calm { 1 } else { 3 })?;
    channel.latency = ms(u, 0, 80)?;
    channel.jitter = ms(u, 0, 40)?;
    channel.connect = ms(u, 0, 1_500)?;
    channel.mtu = vec![*u.choose(&[60, 100, 182, 244, 512, 1_400, 65_535])?];
    channel.rate = u.int_in_range(20_000..=400_000)?;
    channel.rate_back = channel.rate;
    match kind {
        // A wire: late at worst.
        0 => channel.loss.good = chance(u, 0.1)?,
        // A tap: one speaks, the other answers.
        3 => {
            channel.half_duplex = true;
            channel.turnaround = ms(u, 1, 20)?;
            channel.rate = u.int_in_range(5_000..=60_000)?;
            channel.rate_back = channel.rate;
            channel.reliable = u.arbitrary()?;
            channel.ordered = channel.reliable;
        }
        // The air; in the wild as bad as it gets, and perhaps a light that shines one way.
        _ => {
            let worst = if fit_for_calm { 0.2 } else { 1.0 };
            channel.reliable = false;
            channel.ordered = false;
            channel.loss = Loss {
                to_bad: chance(u, 0.1)?,
                to_good: 0.2,
                good: chance(u, worst)?,
                bad: chance(u, 1.0)?,
            };
            channel.corrupt = chance(u, if fit_for_calm { 0.02 } else { 0.5 })?;
            channel.duplicate = chance(u, if fit_for_calm { 0.05 } else { 0.5 })?;
            channel.reorder = chance(u, if fit_for_calm { 0.05 } else { 0.5 })?;
            channel.reorder_by = ms(u, 1, 80)?;
            channel.one_way = !fit_for_calm && u.ratio(1, 8)?;
        }
    }
    Ok(LinkSpec {
        spread: *u.choose(&[Spread::Even, Spread::Exponential, Spread::Bell])?,
        sealed: u.arbitrary()?,
        queue: u.int_in_range(2..=24)?,
        ..LinkSpec::of(channel)
    })
}

fn node(u: &mut Unstructured<'_>, name: &str) -> Result<NodeSpec> {
    let mut node = NodeSpec {
        name: name.to_owned(),
        mallory: name == "mallory",
        ..NodeSpec::default()
    };
    let nature: u8 = u.arbitrary()?;
    node.carries = nature & 1 == 0;
    node.copies = u.int_in_range(1..=8)?;
    node.sync_ms = *u.choose(&[0.0, 0.5, 5.0, 40.0])?;
    if nature & 2 != 0 {
        node.skew_ppm = u.int_in_range(-1_000..=1_000)?;
        node.ahead_s = u.int_in_range(-3_600..=3_600)?;
    }
    if nature & 4 != 0 {
        let opens = u.int_in_range(0..=60_000)?;
        node.mailbox = vec![(0, opens / 2), (opens, 1_000_000_000)];
    }
    if nature & 8 != 0 {
        node.receipts = u.int_in_range(0..=3)?;
    }
    if nature & 16 != 0 {
        tighten(&mut node.quota, u)?;
    }
    if nature & 32 != 0 {
        node.disk_bytes = u.int_in_range(20_000..=400_000)?;
    }
    if nature & 64 != 0 {
        node.crowded_ms = u.int_in_range(1..=5)?;
    }
    Ok(node)
}

fn tighten(quota: &mut Quota, u: &mut Unstructured<'_>) -> Result<()> {
    let few = u.int_in_range(1..=4)?;
    let room = few * u.int_in_range(100..=5_000)?;
    match u.int_in_range(0..=5)? {
        0 => quota.per_stranger_count = few,
        1 => quota.per_stranger_bytes = room,
        2 => quota.strangers_bytes = room,
        3 => quota.total_count = few + 2,
        4 => quota.total_bytes = room * 3,
        _ => quota.max_message = room,
    }
    Ok(())
}

fn trouble(u: &mut Unstructured<'_>) -> Result<FaultKind> {
    let for_ms = u.int_in_range(50..=LONGEST_MS)?;
    Ok(match u.int_in_range(0..=7)? {
        0 | 1 => FaultKind::Crash {
            output: u.int_in_range(0..=12)?,
            down_ms: if u.arbitrary()? { for_ms } else { for_ms / 40 },
            unnoticed: u.arbitrary()?,
            silent: u.arbitrary()?,
        },
        2 => FaultKind::DiskFull { for_ms },
        3 => FaultKind::DiskError { for_ms },
        4 => FaultKind::SlowDisk {
            for_ms,
            times: u.int_in_range(2..=200)?,
        },
        5 => FaultKind::Yank { for_ms },
        6 => FaultKind::ClockJump {
            by_s: u.int_in_range(-2_000..=2_000)?,
        },
        _ => FaultKind::Cut {
            for_ms: for_ms / 4 + 1,
        },
    })
}

fn mischief(u: &mut Unstructured<'_>) -> Result<FaultKind> {
    let count = u.int_in_range(1..=60)?;
    let which = u.int_in_range(0..=FaultKind::MISCHIEFS - 1)?;
    Ok(FaultKind::mischief(which, count, LONGEST_MS))
}

fn scenario(u: &mut Unstructured<'_>) -> Result<Scenario> {
    let mut story = Scenario {
        name: "talk".to_owned(),
        seed: u.arbitrary()?,
        // Is this target blind? With a bug put back into the bus (`run.sh --blind`) it must not be.
        sabotage: std::env::var_os("FUZZ_BUG").map(|_| Bug::AckBeforeCommit),
        ..Scenario::default()
    };
    for name in CAST {
        story.nodes.push(node(u, name)?);
    }
    for (name, calm) in [("road", true), ("air", false), ("other", false)] {
        story.links.insert(name.to_owned(), link(u, calm)?);
    }
    let (mut now, mut room) = (0, LETTERS);
    for _ in 0..STEPS {
        if u.is_empty() || now >= WILD_MS {
            break;
        }
        now += u.int_in_range(0..=3_000)?;
        let (a, b) = (*u.choose(&CAST)?, *u.choose(&CAST)?);
        match u.int_in_range(0..=3)? {
            0 if a != b => story.contacts.push(Contact {
                a: a.to_owned(),
                b: b.to_owned(),
                link: (*u.choose(&["road", "air", "other"])?).to_owned(),
                from_ms: now,
                to_ms: now + u.int_in_range(200..=60_000)?,
                dial: u.ratio(1, 8)?,
            }),
            1 if a != b && a != "mallory" && b != "mallory" => {
                let most = if u.ratio(1, 16)? { 60_000 } else { 4_000 };
                let bytes = u.int_in_range(20..=most)?.min(room);
                if bytes < 20 {
                    continue;
                }
                room -= bytes;
                story.messages.push(Message {
                    at_ms: now,
                    from: a.to_owned(),
                    to: b.to_owned(),
                    bytes,
                    lasts_s: if u.ratio(1, 5)? {
                        Some(u.int_in_range(5..=600)?)
                    } else {
                        None
                    },
                    priority: u.int_in_range(0..=2)?,
                    unwelcome: u.ratio(1, 12)?,
                });
            }
            2 | 3 => story.faults.push(Fault {
                at_ms: now,
                node: a.to_owned(),
                kind: if a == "mallory" {
                    mischief(u)?
                } else {
                    trouble(u)?
                },
            }),
            _ => {}
        }
    }
    heal(&mut story, now, u)?;
    Ok(story)
}

/// From now on nothing fails, and every two honest nodes meet once for long enough; some of them
/// have been together since before.
fn heal(story: &mut Scenario, now: u64, u: &mut Unstructured<'_>) -> Result<()> {
    story.calm_ms = now + LONGEST_MS + 1_000;
    let begins = story.calm_ms + 15_000;
    for contact in &mut story.contacts {
        contact.to_ms = contact.to_ms.min(story.calm_ms);
    }
    for (n, a) in HONEST.iter().enumerate() {
        for b in HONEST.iter().skip(n + 1) {
            let since: u16 = u.arbitrary()?;
            let early = since % 2 == 1;
            story.contacts.push(Contact {
                a: (*a).to_owned(),
                b: (*b).to_owned(),
                link: "road".to_owned(),
                from_ms: if early {
                    u64::from(since) % story.calm_ms
                } else {
                    begins
                },
                to_ms: begins + 90_000,
                dial: false,
            });
        }
    }
    story.ends_ms = begins + 95_000;
    story.contacts.sort_by_key(|contact| contact.from_ms);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let Ok(story) = scenario(&mut Unstructured::new(data)) else {
        return;
    };
    let outcome = replay(&story, false);
    let Some(broken) = outcome.violations.first() else {
        return;
    };
    let text = story.to_toml().unwrap_or_default();
    panic!("{broken:?}\n# for `packmule sim replay`:\n{text}");
});
