//! An operator writes backups while the gateway runs, and puts one back after a disaster.

use std::fs;

use packmule_agent::protocol::mediation;
use packmule_agent::protocol::pickup::{self, Version};

use super::client::{Client, letters};
use super::near::verb;
use super::service::Gateway;
use crate::stage::{Party, Stage, text};

/// The words of what waits for her.
fn held(alice: &Client) -> Vec<String> {
    let delivered = alice.ask(pickup::delivery_request(Version::V3, 10, None));
    let words = letters(&delivered)
        .into_iter()
        .filter_map(|(_, packed)| alice.read(&packed));
    words.collect()
}

#[test]
fn what_was_held_when_the_backup_was_written_is_held_again() {
    let stage = Stage::new();
    let kiosk = Gateway::start(&stage, "kiosk", &[]);
    let at = kiosk.address.clone();
    let (alice, stranger) = (Client::of(&kiosk), Client::of(&kiosk));
    alice.ask(mediation::request(mediation::Version::V3));
    let write = |words: &str| {
        assert_eq!(
            stranger.forward(alice.did(), &stranger.letter(&alice, words)),
            202
        );
    };
    write("before");
    let file = stage.path("mailboxes.backup");
    let told = verb(&stage, "kiosk", &["gateway", "backup", text(&file)]);
    assert_eq!(told["bytes"], fs::metadata(&file).unwrap().len());
    write("after");

    let operator = Party {
        home: stage.path("kiosk"),
    };
    let restore = |file: &str| operator.run_json(["gateway", "restore", file]);
    assert_eq!(restore(text(&file)).code, 2, "it runs");
    kiosk.kill();
    let mut damaged = fs::read(&file).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4_096].fill(0xA5);
    for bytes in [b"no backup at all".as_slice(), b"", &damaged] {
        let bad = stage.file("bad.backup", bytes);
        assert_ne!(restore(text(&bad)).code, 0, "{} bytes", bytes.len());
    }
    let kiosk = Gateway::at(&stage, "kiosk", &at, &[]);
    assert_eq!(held(&alice), ["before", "after"], "nothing was changed");
    kiosk.kill();

    let told = restore(text(&file)).json();
    let kiosk = Gateway::at(&stage, "kiosk", &at, &[]);
    assert_eq!(held(&alice), ["before"]);
    write("and on");
    assert_eq!(held(&alice), ["before", "and on"]);
    assert_eq!(kiosk.stop(), Some(0));

    // What was there before the backup was put back is kept, whole.
    assert_eq!(restore(told["before"].as_str().unwrap()).code, 0);
    let kiosk = Gateway::at(&stage, "kiosk", &at, &[]);
    assert_eq!(held(&alice), ["before", "after"]);
    assert_eq!(kiosk.stop(), Some(0));
}
