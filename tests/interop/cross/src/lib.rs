//! Cross-tests of packmule with foreign Rust implementations, at library level.
//!
//! **What it is.** [`Ours`] puts packmule's agent behind the same [`Peer`] trait as the foreign
//! crates; [`run`] packs every kind of message with everybody and lets everybody else read it,
//! once as packed and once after the compact form.
//!
//! **Who calls it.** `tests/library.rs` (asserts), the `cross-library` binary (prints cells for
//! the table of `run.sh`), and the bench.
//!
//! **What can go wrong.** Everything unexpected becomes a cell with its reason; only damaged
//! fixtures panic.

mod ours;

pub use ours::{Ours, Prepared};

use packmule_bus::Envelope;
use packmule_interop_foreign::kinds::{Cell, Kind};
use packmule_interop_foreign::{Parties, Peer, affinidi::Affinidi, sicpa::Sicpa};

/// What packmule is called in the table.
pub const OURS: &str = "packmule";

/// Runs everything: packmule to both crates and both crates to packmule.
#[must_use]
pub fn run() -> Vec<Cell> {
    let parties = Parties::of_fixtures();
    let ours = Ours::new(&parties);
    let sicpa = Sicpa::new(&parties);
    let affinidi = Affinidi::new(&parties);
    let kinds = Kind::all(&parties);
    let foreign: [(&str, &dyn Peer); 2] = [("didcomm-rust", &sicpa), ("affinidi", &affinidi)];
    let mut cells = Vec::new();
    for (name, peer) in foreign {
        for kind in &kinds {
            cells.extend(one((OURS, &ours), (name, peer), kind));
        }
        for kind in &kinds {
            cells.extend(one((name, peer), (OURS, &ours), kind));
        }
    }
    cells
}

/// Packs one kind with `producer`; `consumer` reads it as packed, then once more after the
/// compact form (kinds that end in `, compact`). One cell if it cannot be packed, else two.
fn one(producer: (&str, &dyn Peer), consumer: (&str, &dyn Peer), kind: &Kind) -> Vec<Cell> {
    let packed = match producer.1.pack(&kind.message(), &kind.plan) {
        Ok(packed) => packed,
        Err(refusal) => {
            let error = Some(refusal.0);
            return vec![Cell::judge(producer.0, "(packing)", &kind.name, error)];
        }
    };
    let read = |packed: &str| match consumer.1.unpack(packed) {
        Ok(read) => kind.differs(&read),
        Err(refusal) => Some(refusal.0),
    };
    let direct = Cell::judge(producer.0, consumer.0, &kind.name, read(&packed));
    let error = match through_compact(&packed) {
        Ok(packed) => read(&packed),
        Err(error) => Some(error),
    };
    let mut compact = Cell::judge(producer.0, consumer.0, &kind.name, error);
    compact.kind.push_str(", compact");
    vec![direct, compact]
}

/// What a receiver at the far end of a link has: the packed message, after the wire form.
///
/// # Errors
/// In words, when the compact envelope loses or refuses something.
pub fn through_compact(packed: &str) -> Result<String, String> {
    let envelope = Envelope::from_packed(packed.as_bytes()).map_err(|error| error.to_string())?;
    let wire = envelope.to_wire();
    let arrived = Envelope::decode(&wire).map_err(|error| error.to_string())?;
    if arrived.id() != envelope.id() {
        return Err("the envelope's id changed on the way".to_owned());
    }
    if wire.len() >= packed.len() {
        return Err(format!(
            "{} bytes became {} bytes",
            packed.len(),
            wire.len()
        ));
    }
    String::from_utf8(arrived.to_json()).map_err(|error| error.to_string())
}
