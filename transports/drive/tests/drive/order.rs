//! "Receivers MUST process them in a predictable order": the extension's rules, one by one.

use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use packmule_drive::Folder;
use tempfile::tempdir;

use crate::{all, packed};

/// Writes a message by hand, as a stranger's agent would, changed at `secs`.
fn put(folder: &Path, name: &str, secs: u64) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, packed(name.len(), 100)).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(secs))
        .unwrap();
}

fn order(folder: &Path) -> Vec<String> {
    let folder = Folder::at(folder).unwrap();
    all(&folder).into_iter().map(|item| item.name).collect()
}

#[test]
fn names_without_a_number_go_by_time_of_change() {
    let endpoint = tempdir().unwrap();
    put(endpoint.path(), "a.dcem", 300);
    put(endpoint.path(), "b.dcem", 100);
    put(endpoint.path(), "c.dcem", 200);
    assert_eq!(order(endpoint.path()), ["b.dcem", "c.dcem", "a.dcem"]);
}

#[test]
fn numbers_order_as_numbers_whatever_the_times_say() {
    let endpoint = tempdir().unwrap();
    put(endpoint.path(), "10--x.dcem", 100);
    put(endpoint.path(), "9--x.dcem", 200);
    put(endpoint.path(), "0011--x.dcem", 50);
    assert_eq!(
        order(endpoint.path()),
        ["9--x.dcem", "10--x.dcem", "0011--x.dcem"]
    );
}

#[test]
fn in_a_mixed_folder_names_without_a_number_come_first() {
    let endpoint = tempdir().unwrap();
    put(endpoint.path(), "1--x.dcem", 1);
    put(endpoint.path(), "late.dcem", 900);
    put(
        endpoint.path(),
        "4edb801f-4735-4305-952e-4486dda87b81.dcem",
        100,
    );
    assert_eq!(
        order(endpoint.path()),
        [
            "4edb801f-4735-4305-952e-4486dda87b81.dcem",
            "late.dcem",
            "1--x.dcem"
        ]
    );
}

#[test]
fn equal_numbers_keep_the_order_of_writing() {
    let endpoint = tempdir().unwrap();
    put(endpoint.path(), "5--b.dcem", 10);
    put(endpoint.path(), "5--a.dcem", 20);
    assert_eq!(order(endpoint.path()), ["5--b.dcem", "5--a.dcem"]);
}

#[test]
fn the_folders_of_threads_are_read_and_no_others() {
    let endpoint = tempdir().unwrap();
    for name in [
        "1--root.dcem",
        "4edb801f.thid/2--in-thread.dcem",
        "a73.threads/3--in-prefix.dcem",
        "000.threads/000.thid/4--in-both.dcem",
        "4ed.threads/4edb801f-4735-4305-952e-4486dda87b81/5--in-table-form.dcem",
    ] {
        put(endpoint.path(), name, 1);
    }
    for ignored in [
        "ack/no.dcem",
        "old/no.dcem",
        "ab.threads/no.dcem",
        "x.thid/deeper.thid/no.dcem",
        "a73.threads/other/no.dcem",
        "000.threads/000.thid/000.thid/no.dcem",
        "1--no.txt",
        "no.dcem.tmp",
    ] {
        put(endpoint.path(), ignored, 1);
    }
    assert_eq!(
        order(endpoint.path()),
        [
            "1--root.dcem",
            "4edb801f.thid/2--in-thread.dcem",
            "a73.threads/3--in-prefix.dcem",
            "000.threads/000.thid/4--in-both.dcem",
            "4ed.threads/4edb801f-4735-4305-952e-4486dda87b81/5--in-table-form.dcem",
        ]
    );
}

#[test]
fn messages_in_subfolders_are_settled_there() {
    let endpoint = tempdir().unwrap();
    put(endpoint.path(), "000.threads/000.thid/1--x.dcem", 1);
    let folder = Folder::at(endpoint.path()).unwrap();
    let item = all(&folder).remove(0);
    folder.settle(&item.token).unwrap();
    assert!(all(&folder).is_empty());
    let placeholder = endpoint.path().join("000.threads/000.thid");
    assert!(placeholder.is_dir(), "the owner's policy folders stay");
}

#[test]
fn we_introduce_no_nesting_and_write_beside_it() {
    let endpoint = tempdir().unwrap();
    fs::create_dir_all(endpoint.path().join("000.threads/000.thid")).unwrap();
    let folder = Folder::at(endpoint.path()).unwrap();
    let message = packed(1, 100);
    let delivered = folder
        .deliver(&message, packmule_bus::Kind::Encrypted, 7)
        .unwrap();
    assert_eq!(delivered.path.parent().unwrap(), endpoint.path());
}
