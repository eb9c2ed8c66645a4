//! Frames shown until a message is whole: ours beside the `ur` crate, beside our own UR reader on
//! that crate's parts, and beside plain cycling as BBQr does it.
//!
//! usage: qr-peers [SEEDS] [SEEDS for the `ur` crate at k = 500]
//!
//! Every cell is one number of frames k and one kind of loss; a seed is a place to join and a row
//! of lost frames, the same for every code. Prints a table for each k, then one JSON line, and
//! fails where ours needs more than 0.01 frames beyond k on average, is not ahead, or where the UR
//! reader needs more than 60 % of the crate's frames (k = 100, late join).

mod codes;

use std::collections::BTreeMap;

use codes::{CODES, Code};
use serde_json::json;

const COUNTS: [usize; 5] = [5, 10, 50, 100, 500];

/// Bytes of a fragment or symbol: it does not matter to the count.
const FRAGMENT: usize = 200;

/// What is lost on the way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Loss {
    /// So many of a hundred.
    Chance(u64),
    /// Every so manieth.
    Every(u64),
}

const LOSSES: [Loss; 6] = [
    Loss::Chance(0),
    Loss::Chance(10),
    Loss::Chance(30),
    Loss::Chance(50),
    Loss::Every(2),
    Loss::Every(3),
];

impl Loss {
    fn name(self) -> String {
        match self {
            Self::Chance(percent) => format!("{percent} %"),
            Self::Every(n) => format!("1 in {n}"),
        }
    }
}

/// Chance (splitmix64), the same for every code that is given the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// One run: frames shown since the receiver joined, and frames it received. None: it would never
/// be whole.
fn run(code: &mut dyn Code, k: usize, loss: Loss, late: bool, seed: u64) -> Option<(u64, u64)> {
    let mut dice = Dice(seed);
    let join = dice.next() % (3 * k as u64);
    let phase = dice.next();
    let begin = if late { join } else { 0 };
    code.restart();
    let mut received = 0;
    for shown in 1..=40 * k as u64 {
        let lost = match loss {
            Loss::Chance(percent) => dice.next() % 100 < percent,
            Loss::Every(n) => (shown + phase).is_multiple_of(n),
        };
        if lost {
            continue;
        }
        received += 1;
        if code.take(begin + shown - 1) {
            return Some((shown, received));
        }
    }
    None
}

/// What all runs of a cell came to.
#[derive(Clone, Debug, Default)]
struct Cell {
    shown: Vec<u64>,
    received: u64,
    never: u64,
}

impl Cell {
    fn at(&self, part: f64) -> u64 {
        let last = self.shown.len().saturating_sub(1);
        self.shown
            .get((last as f64 * part).round() as usize)
            .copied()
            .unwrap_or(u64::MAX)
    }

    /// Those that never end count as shown until they were given up.
    fn mean(&self, k: usize) -> f64 {
        let shown: u64 = self.shown.iter().sum::<u64>() + self.never * 40 * k as u64;
        shown as f64 / (self.shown.len() as u64 + self.never) as f64
    }

    fn excess(&self, k: usize) -> f64 {
        self.received as f64 / self.shown.len() as f64 - k as f64
    }

    fn text(&self) -> String {
        if self.never > 0 && self.shown.is_empty() {
            return "never".into();
        }
        let never = if self.never > 0 { "*" } else { "" };
        format!("{}/{}{never}", self.at(0.5), self.at(0.99))
    }
}

type Table = BTreeMap<(&'static str, bool, Loss), Cell>;

fn table(k: usize, seeds: u64, slow: u64) -> Table {
    let mut table = Table::new();
    for (name, make) in CODES {
        let mut code = make(k, FRAGMENT);
        let seeds = if name == "ur crate" && k >= 500 {
            slow
        } else {
            seeds
        };
        for late in [false, true] {
            for loss in LOSSES {
                let mut cell = Cell::default();
                for seed in 0..seeds {
                    match run(code.as_mut(), k, loss, late, seed) {
                        Some((shown, received)) => {
                            cell.shown.push(shown);
                            cell.received += received;
                        }
                        None => cell.never += 1,
                    }
                }
                cell.shown.sort_unstable();
                table.insert((name, late, loss), cell);
            }
        }
    }
    table
}

fn print(k: usize, table: &Table) {
    let heads: Vec<String> = LOSSES.iter().map(|loss| loss.name()).collect();
    println!(
        "\nk = {k}: frames shown until whole, median/99th of a hundred; ours: mean received beyond k"
    );
    println!(
        "{:<28} {}",
        "",
        heads.iter().map(|h| format!("{h:>12}")).collect::<String>()
    );
    for (name, _) in CODES {
        for late in [false, true] {
            let row: String = LOSSES
                .iter()
                .map(|loss| format!("{:>12}", table[&(name, late, *loss)].text()))
                .collect();
            let join = if late { ", joined late" } else { "" };
            println!("{:<28} {row}", format!("{name}{join}"));
            if name == "packmule" {
                let row: String = LOSSES
                    .iter()
                    .map(|loss| format!("{:>12.4}", table[&(name, late, *loss)].excess(k)))
                    .collect();
                println!("{:<28} {row}", "  beyond k");
            }
        }
    }
}

/// Frames received beyond k, on average over all cells, and in one: the code itself lacks one symbol
/// about once in a hundred times with k of them (RFC 6330), and a thousand seeds scatter.
const MEAN: f64 = 0.01;
const CELL: f64 = 0.02;

/// What does not hold of one k.
fn failures(k: usize, table: &Table) -> Vec<String> {
    let mut failed = Vec::new();
    for late in [false, true] {
        for loss in LOSSES {
            let cell = |name| &table[&(name, late, loss)];
            let (ours, whole) = (
                cell("packmule"),
                format!("k = {k}, {}, late {late}", loss.name()),
            );
            if ours.never > 0 || ours.excess(k) > CELL {
                failed.push(format!("{whole}: {:.4} frames beyond k", ours.excess(k)));
            }
            for peer in ["ur crate", "cycling"] {
                let theirs = cell(peer);
                // Nobody is ahead of a code that itself needs k and no more.
                let perfect = theirs.never == 0 && theirs.excess(k) < 0.01;
                let lossy = loss != Loss::Chance(0);
                if lossy && !perfect && ours.mean(k) >= theirs.mean(k) {
                    failed.push(format!("{whole}: {peer} is ahead"));
                }
            }
            let (reader, theirs) = (cell("ur, our reader"), cell("ur crate"));
            let ratio = reader.mean(k) / theirs.mean(k);
            if k == 100 && late && ratio > 0.60 {
                failed.push(format!(
                    "{whole}: our UR reader needs {:.0} %",
                    ratio * 100.0
                ));
            }
        }
    }
    failed
}

fn main() {
    let number = |n: usize, or: u64| {
        std::env::args()
            .nth(n)
            .map_or(or, |text| text.parse().expect("a number of seeds"))
    };
    let seeds = number(1, 1000);
    let slow = number(2, seeds);
    let mut failed = Vec::new();
    let mut cells = Vec::new();
    let mut excess = Vec::new();
    for k in COUNTS {
        let table = table(k, seeds, slow);
        let ours = table.iter().filter(|((name, _, _), _)| *name == "packmule");
        excess.extend(ours.map(|(_, cell)| cell.excess(k)));
        print(k, &table);
        failed.extend(failures(k, &table));
        for ((name, late, loss), cell) in &table {
            cells.push(json!({
                "code": name, "k": k, "late": late, "loss": loss.name(),
                "median": cell.at(0.5), "p99": cell.at(0.99), "mean": cell.mean(k),
                "excess": cell.excess(k), "never": cell.never, "seeds": cell.shown.len() as u64 + cell.never,
            }));
        }
    }
    let mean = excess.iter().sum::<f64>() / excess.len() as f64;
    println!("packmule, all cells: {mean:.4} frames beyond k");
    if mean > MEAN {
        failed.push(format!("{mean:.4} frames beyond k on average"));
    }
    println!(
        "{}",
        json!({ "seeds": seeds, "cells": cells, "failed": failed })
    );
    for line in &failed {
        eprintln!("qr-peers: {line}");
    }
    if !failed.is_empty() {
        std::process::exit(1);
    }
}
