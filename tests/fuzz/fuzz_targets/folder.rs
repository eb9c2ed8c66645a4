//! Lays out a folder from the fuzzer's bytes, then collects it: whatever lies there, collecting
//! ends, every item is a file's exact bytes, and nothing is removed.
//!
//! Input: records of `kind (1 byte), name length (1), content length (1), name, content`. Kind:
//! 0 file, 1 folder, 2 symbolic link to the content's text, 3 file in the folder made last; with
//! its highest bit a batch whose name tells the hash of the content.
#![no_main]

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path, PathBuf},
};

use libfuzzer_sys::fuzz_target;
use packmule_bus::Envelope;
use packmule_drive::{FileHash, Folder, MessageName, path_of_uri};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = MessageName::parse(text);
        let _ = text.parse::<FileHash>();
        if let Ok(path) = path_of_uri(text) {
            assert!(path.is_absolute());
        }
    }
    let Ok(dir) = tempfile::tempdir() else { return };
    lay_out(dir.path(), data);
    let before = count(dir.path());
    let folder = Folder::at(dir.path()).expect("the folder is there");
    for item in folder.collect().expect("it can be listed").flatten() {
        if item.name.ends_with(".dcb") {
            assert!(Envelope::from_packed(&item.packed()).is_ok());
        } else {
            assert_eq!(
                fs::read(dir.path().join(&item.name)).ok(),
                Some(item.packed().into_owned())
            );
        }
    }
    let _ = folder.acknowledged();
    let _ = folder.wanted();
    for rest in folder.rests().expect("it can be listed").flatten() {
        assert!(rest.frames().count() > 0);
    }
    assert_eq!(count(dir.path()), before, "collecting removed something");
});

fn lay_out(root: &Path, mut data: &[u8]) {
    let mut last = root.to_owned();
    for _ in 0..24 {
        let [kind, name_length, content_length, rest @ ..] = data else {
            return;
        };
        let (name, rest) = rest.split_at(rest.len().min(usize::from(*name_length)));
        let (content, rest) = rest.split_at(rest.len().min(usize::from(*content_length)));
        data = rest;
        if kind & 0x80 != 0 {
            let name = format!("{kind}--{}.dcb", FileHash::of(content));
            let _ = fs::write(root.join(name), content);
            continue;
        }
        // One plain path component: the fuzzer must not leave its folder.
        if name.is_empty()
            || name == b"."
            || name == b".."
            || name.contains(&b'/')
            || name.contains(&0)
        {
            continue;
        }
        let path = |dir: &PathBuf| dir.join(std::ffi::OsStr::from_bytes(name));
        let here = path(&root.to_owned());
        match kind % 4 {
            0 if !here.is_symlink() => drop(fs::write(here, content)),
            1 => {
                if fs::create_dir(&here).is_ok() {
                    last = here;
                }
            }
            2 => drop(symlink(std::ffi::OsStr::from_bytes(content), here)),
            3 if !path(&last).is_symlink() => drop(fs::write(path(&last), content)),
            _ => {}
        }
    }
}

fn count(root: &Path) -> usize {
    fs::read_dir(root).map_or(0, |entries| {
        entries
            .flatten()
            .map(|entry| {
                let below = entry.file_type().is_ok_and(|kind| kind.is_dir());
                1 + if below { count(&entry.path()) } else { 0 }
            })
            .sum()
    })
}
