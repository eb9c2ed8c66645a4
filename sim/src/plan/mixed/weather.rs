//! The links of a mixed run: some clean, some wild.
//!
//! What is it: [`links`]. Who calls it: the draw of a mixed run. What can go wrong: nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Mixed;
use crate::dice::Dice;
use crate::medium::{LinkSpec, Spread};
use crate::presets::{Channel, Loss};

/// Three links of different kinds; the first is always fit for the calm.
pub(super) fn links(mixed: &Mixed, seed: u64) -> BTreeMap<String, LinkSpec> {
    let mut links = BTreeMap::new();
    for n in 0..3 {
        let mut dice = Dice::new(seed, "link", &n.to_string());
        let kind = if n == 0 { dice.below(2) } else { dice.below(5) };
        let (name, mut channel) = match kind {
            0 => ("wire", wire(&mut dice)),
            1 | 2 => ("radio", radio(&mut dice)),
            3 => ("tap", tap(&mut dice)),
            _ => ("light", light(&mut dice)),
        };
        let name = format!("{name}{n}");
        channel.name.clone_from(&name);
        let spread = match dice.below(3) {
            0 => Spread::Exponential,
            1 => Spread::Bell,
            _ => Spread::Even,
        };
        // A channel that corrupts cannot say that it is sealed and have us notice.
        let sealed = !dice.chance(mixed.noise);
        let spec = LinkSpec {
            spread,
            sealed,
            queue: usize::try_from(dice.between(2, 24)).unwrap_or(2),
            ..LinkSpec::of(channel)
        };
        links.insert(name, spec);
    }
    links
}

/// Two can say anything over it, and fast enough.
pub(super) fn is_fit_for_calm(link: &LinkSpec) -> bool {
    let channel = &link.channel;
    !channel.one_way && channel.rate >= 20_000 && channel.mtu.iter().all(|mtu| *mtu >= 60)
}

fn base(about: &str) -> Channel {
    Channel {
        name: String::new(),
        about: about.to_owned(),
        connect: ms(0),
        latency: ms(0),
        jitter: ms(0),
        rate: 1_000_000,
        rate_back: 1_000_000,
        burst: 65_535,
        mtu: vec![1400],
        overhead: 0,
        half_duplex: false,
        turnaround: ms(0),
        loss: Loss::default(),
        corrupt: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        reorder_by: ms(0),
        reliable: true,
        ordered: true,
        one_way: false,
        idle: None,
        life: None,
    }
}

/// A cable, a LAN, a socket.
fn wire(dice: &mut Dice) -> Channel {
    let mut channel = base("a wire");
    channel.latency = ms(dice.between(0, 60));
    channel.jitter = ms(dice.below(20));
    channel.rate = dice.between(100_000, 5_000_000);
    channel.rate_back = dice.between(100_000, 5_000_000);
    channel.mtu = vec![*dice.pick(&[1400, 16_000, 65_535]).unwrap_or(&1400)];
    channel.loss.good = if dice.chance(0.3) { 0.02 } else { 0.0 };
    channel.connect = ms(dice.below(300));
    channel
}

/// Packets in the air.
fn radio(dice: &mut Dice) -> Channel {
    let mut channel = base("a radio");
    channel.reliable = false;
    channel.ordered = false;
    channel.latency = ms(dice.between(2, 80));
    channel.jitter = ms(dice.below(40));
    channel.rate = dice.between(20_000, 400_000);
    channel.rate_back = channel.rate;
    channel.burst = dice.between(200, 8_000);
    channel.mtu = (0..dice.between(1, 3))
        .map(|_| *dice.pick(&[100, 182, 244, 512, 1200]).unwrap_or(&244))
        .collect();
    channel.overhead = dice.below(20);
    channel.loss = match dice.below(3) {
        0 => Loss::default(),
        1 => Loss::even(dice.unit() * 0.2),
        _ => Loss {
            to_bad: 0.02,
            to_good: 0.2,
            good: 0.01,
            bad: 0.6,
        },
    };
    channel.corrupt = if dice.chance(0.4) { 0.01 } else { 0.0 };
    channel.duplicate = if dice.chance(0.4) { 0.02 } else { 0.0 };
    channel.reorder = if dice.chance(0.5) { 0.03 } else { 0.0 };
    channel.reorder_by = ms(dice.between(1, 80));
    channel.connect = ms(dice.below(1500));
    channel
}

/// One speaks, the other answers.
fn tap(dice: &mut Dice) -> Channel {
    let mut channel = base("a tap");
    channel.half_duplex = true;
    channel.turnaround = ms(dice.between(1, 20));
    channel.latency = ms(dice.below(5));
    channel.rate = dice.between(5_000, 60_000);
    channel.rate_back = channel.rate;
    channel.burst = 256;
    channel.mtu = vec![*dice.pick(&[60, 244, 255, 2_000]).unwrap_or(&244)];
    channel.reliable = dice.chance(0.5);
    channel.ordered = channel.reliable;
    channel
}

/// One shows, the other looks, and has no way to answer.
fn light(dice: &mut Dice) -> Channel {
    let mut channel = radio(dice);
    channel.one_way = true;
    "a light".clone_into(&mut channel.about);
    channel
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
