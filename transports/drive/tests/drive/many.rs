//! Ten thousand messages in one folder.

use std::time::Instant;

use packmule_bus::Kind;
use packmule_drive::{Folder, Settled};
use tempfile::tempdir;

use crate::{NOW, packed};

#[test]
fn ten_thousand_messages_go_in_and_out_in_one_go() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let messages = || (0..10_000).map(|number| (packed(number, 2048), Kind::Encrypted));

    let start = Instant::now();
    let mut told = 0;
    let fresh = folder
        .deliver_all(messages(), NOW, |index, _| {
            assert_eq!(index, told, "progress comes in order");
            told += 1;
        })
        .unwrap();
    folder.sync().unwrap();
    let exported = start.elapsed();
    assert_eq!((fresh, told), (10_000, 10_000));

    let start = Instant::now();
    assert_eq!(
        folder.deliver_all(messages(), NOW + 5, |_, _| {}).unwrap(),
        0
    );
    let repeated = start.elapsed();

    let start = Instant::now();
    let collect = folder.collect().unwrap();
    assert_eq!(collect.remaining(), 10_000);
    assert!(!collect.truncated());
    let listed = start.elapsed();
    let mut taken = Vec::new();
    for item in collect {
        let item = item.unwrap();
        taken.push(item.packed().into_owned());
        assert_eq!(folder.settle(&item.token).unwrap(), Settled::Removed);
    }
    let imported = start.elapsed();
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 10_000);
    println!(
        "10,000 messages of 2 kB: export {exported:.2?}, again {repeated:.2?}, \
         list {listed:.2?}, import {imported:.2?}"
    );
}
