//! The filesystem transport as alice, bob and the mule meet it. One binary, so that the helpers
//! below are shared.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helpers fail the test by panicking"
)]

mod batch;
mod crash;
mod endpoint;
mod hostile;
mod many;
mod media;
mod order;
mod rest;
mod story;

use std::{fs, path::Path};

use packmule_drive::{Collect, CollectError, FileHash, Folder, Item, MessageName};

/// When all of this happens, in posix seconds.
const NOW: u64 = 1_795_000_000;

/// A packed message as far as a drive can tell: some JSON, `size` bytes long or a little more.
fn packed(number: usize, size: usize) -> Vec<u8> {
    let filler = "A".repeat(size.saturating_sub(60));
    format!(r#"{{"protected":"eyJ0eXAi{number:08}","ciphertext":"{filler}","tag":"{number}"}}"#)
        .into_bytes()
}

/// The name that a message of ours gets when delivered at `secs`.
fn name_of(bytes: &[u8], secs: u64) -> String {
    MessageName::ours(secs, &FileHash::of(bytes), packmule_bus::Kind::Encrypted)
}

/// Everything readable in the folder; the test fails on anything that is not.
fn all(folder: &Folder) -> Vec<Item> {
    folder.collect().unwrap().map(Result::unwrap).collect()
}

/// What is readable, and what is reported.
fn sorted_out(collect: Collect) -> (Vec<Item>, Vec<CollectError>) {
    let mut items = Vec::new();
    let mut faults = Vec::new();
    for one in collect {
        match one {
            Ok(item) => items.push(item),
            Err(fault) => faults.push(fault),
        }
    }
    (items, faults)
}

/// The names in a folder, sorted.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
