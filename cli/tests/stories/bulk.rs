//! Many messages in one go.

use std::collections::BTreeSet;

use super::stage::{Stage, packed_by, text};
use packmule_agent::did::{Method, create};
use packmule_bus::Kind;
use packmule_transports::drive::Folder;

#[test]
fn ten_thousand_messages_are_imported_in_one_go() {
    const MANY: usize = 10_000;
    let stage = Stage::new();
    let bob = stage.party("bob", "peer2");
    let (alice, to) = (create(Method::Peer2, &[]).unwrap(), bob.did());
    let stick = stage.folder("stick");
    let messages = (0..MANY).map(|n| {
        let packed = packed_by(
            &alice,
            &to,
            &format!("m-{n}"),
            &format!("Message {n}."),
            false,
        );
        (packed, Kind::Encrypted)
    });
    let written = Folder::open(&stick)
        .unwrap()
        .deliver_all(messages, 1_800_000_000, |_, _| {})
        .unwrap();
    assert_eq!(written, MANY);
    let start = std::time::Instant::now();
    let taken = bob.json(["import", text(&stick)]);
    println!("{MANY} messages imported in {:.1?}", start.elapsed());
    assert_eq!(taken["new"], MANY, "{taken}");
    assert_eq!(taken["opened"], MANY, "{taken}");
    let texts = bob.texts();
    assert_eq!(texts.len(), MANY);
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), MANY);
    assert_eq!(bob.json(["import", text(&stick)])["new"], 0);
}
