//! Chips in a field for programs that know nothing of it: DIR, and how many.
//!
//! What is it: the shortest use of `packmule_sim::nfc`. Who calls it: whoever has no `packmule` at
//! hand: `cargo run -p packmule-sim --example nfc -- DIR 2`. What can go wrong: no terminals left.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use packmule_sim::nfc::air::Rate;
use packmule_sim::nfc::pty::Lines;
use packmule_sim::nfc::tag::TagKind;
use packmule_sim::nfc::{Field, Rogue, Setup};

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().unwrap_or_else(|| "nfc".to_owned()));
    let chips = words.next().and_then(|n| n.parse().ok()).unwrap_or(2);
    let mut setup = Setup {
        chips,
        ..Setup::default()
    };
    for word in words {
        if let Some(tag) = TagKind::of(&word) {
            setup.tags.push(tag);
        } else if let Some(rate) = word.parse().ok().and_then(Rate::of) {
            setup.rate = Some(rate);
        } else {
            setup.rogue = Rogue::of(&word);
        }
    }
    let mut lines = Lines::open(Field::new(setup), chips, &folder)?;
    for path in lines.paths() {
        println!("{}", path.display());
    }
    lines.run(&AtomicBool::new(false))
}
