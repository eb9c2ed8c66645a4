//! Everything that we emit and a foreign crate claims to read, it reads, and the other way
//! round; what does not work fails exactly as `known.json` says.

use std::collections::BTreeSet;

use packmule_interop::{OURS, Ours, run, through_compact};
use packmule_interop_foreign::kinds::{Cell, Kind, Outcome};
use packmule_interop_foreign::{Parties, Peer};

#[test]
fn every_kind_goes_both_ways_or_fails_as_known() {
    let cells = run();
    let unexpected: Vec<String> = cells
        .iter()
        .filter(|cell| cell.outcome == Outcome::Unexpected)
        .map(|cell| {
            format!(
                "{} -> {} {}: {}",
                cell.producer, cell.consumer, cell.kind, cell.detail
            )
        })
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));

    let kinds = Kind::all(&Parties::of_fixtures()).len();
    for consumer in ["didcomm-rust", "affinidi"] {
        let read: BTreeSet<_> = cells
            .iter()
            .filter(|cell| cell.producer == OURS && cell.consumer == consumer)
            .map(|cell| &cell.kind)
            .collect();
        assert_eq!(
            read.len(),
            2 * kinds,
            "{consumer} was given every kind, twice"
        );
    }
}

/// The kept messages of every producer stay readable, without the producer being here; what
/// must be refused is refused as `known.json` says.
#[test]
fn kept_messages_of_every_producer_are_read() {
    let parties = Parties::of_fixtures();
    let ours = Ours::new(&parties);
    let kinds = Kind::all(&parties);
    let (mut read, mut refused) = (0, 0);
    for folder in std::fs::read_dir(Parties::fixtures()).expect("fixtures") {
        let folder = folder.expect("a folder").path();
        let producer = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for kind in &kinds {
            let path = folder.join(format!("{}.json", kind.name));
            let Ok(packed) = std::fs::read_to_string(&path) else {
                continue;
            };
            for packed in [through_compact(&packed).expect("compact form"), packed] {
                let fault = match ours.unpack(&packed) {
                    Ok(opened) => kind.differs(&opened),
                    Err(refusal) => Some(refusal.to_string()),
                };
                let cell = Cell::judge(&producer, OURS, &kind.name, fault);
                match cell.outcome {
                    Outcome::Ok => read += 1,
                    Outcome::Known => refused += 1,
                    Outcome::Unexpected => panic!("{producer} {}: {}", kind.name, cell.detail),
                }
            }
        }
    }
    assert_eq!(read, 2 * 55, "every kept message, twice");
    assert_eq!(refused, 2 * 3, "Veramo's authcrypt, twice");
}
