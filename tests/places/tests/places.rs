//! The places are what they promise, and a story that goes wrong in one fails its test.

use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use packmule_places::{on_a_disk, on_a_lan, remount};

#[test]
fn a_disk_fills_grows_and_becomes_read_only() {
    let test = "a_disk_fills_grows_and_becomes_read_only";
    on_a_disk(test, "size=64k", |disk| {
        let large = vec![1; 100 << 10];
        let full = fs::write(disk.join("large"), &large).expect_err("no room for it");
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        remount(disk, "size=256k");
        fs::write(disk.join("large"), &large).expect("room for it");
        remount(disk, "ro");
        let locked = fs::write(disk.join("small"), [1]).expect_err("nothing can be written");
        assert_eq!(locked.kind(), ErrorKind::ReadOnlyFilesystem);
    });
}

#[test]
fn a_lan_has_no_way_out() {
    on_a_lan("a_lan_has_no_way_out", || {
        let interfaces = fs::read_to_string("/proc/self/net/dev").expect("a list");
        let names: Vec<&str> = interfaces
            .lines()
            .filter_map(|line| Some(line.split_once(':')?.0.trim()))
            .collect();
        assert_eq!(names, ["lo"]);
    });
}

#[test]
fn what_fails_inside_fails_outside() {
    let inside = Cell::new(false);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        on_a_disk("what_fails_inside_fails_outside", "size=64k", |_| {
            inside.set(true);
            panic!("as planned");
        });
    }));
    let why = ended.expect_err("the story failed");
    if inside.get() {
        resume_unwind(why);
    }
    let why = why.downcast_ref::<String>().expect("a sentence");
    assert!(why.contains("as planned"), "{why}");
}

#[test]
#[should_panic(expected = "there is no such::story")]
fn a_story_that_never_ran_is_no_success() {
    on_a_disk("such::story", "size=64k", |_| ());
}

#[test]
#[should_panic(expected = "no such place can be made here")]
fn a_disk_that_cannot_be_made_is_told() {
    on_a_disk(
        "a_disk_that_cannot_be_made_is_told",
        "size=nonsense",
        |_| (),
    );
}
