//! Full and read-only media, for real.

use std::{fs, process::Command};

use packmule_bus::Kind;
use packmule_drive::{DeliverError, Folder, MarkError, Settled};
use packmule_places::{on_a_disk, remount};

use crate::{NOW, all, name_of, names, packed, sorted_out};

#[test]
fn a_full_drive_is_told_and_loses_nothing() {
    let test = "media::a_full_drive_is_told_and_loses_nothing";
    on_a_disk(test, "size=256k", |drive| {
        let alice = Folder::open(drive).unwrap();
        let mut safe = Vec::new();
        let error = alice
            .deliver_all(
                (0..200).map(|number| (packed(number, 3000), Kind::Encrypted)),
                NOW,
                |index, _| safe.push(index),
            )
            .unwrap_err();
        let DeliverError::Full { needed, free } = error else {
            panic!("{error}");
        };
        assert!(
            needed > 3000 && free < needed,
            "{needed} needed, {free} free"
        );
        assert!(safe.len() > 30, "only {} fitted", safe.len());

        // What was reported is there, whole, and nothing else.
        let found = all(&alice);
        assert_eq!(found.len(), safe.len());
        assert!(safe.iter().all(|number| {
            let message = packed(*number, 3000);
            found.iter().any(|item| *item.packed() == *message)
        }));
        assert!(
            names(alice.path())
                .iter()
                .all(|name| !name.ends_with(".tmp"))
        );

        // Bob takes his; then the rest fits.
        for item in &found {
            assert_eq!(alice.settle(&item.token).unwrap(), Settled::Removed);
        }
        alice
            .deliver(&packed(199, 3000), Kind::Encrypted, NOW)
            .unwrap();
    });
}

#[test]
fn a_drive_that_fills_up_while_writing_keeps_no_half_message() {
    let test = "media::a_drive_that_fills_up_while_writing_keeps_no_half_message";
    // Room for bytes, yet not for another file: only the write itself can find out.
    on_a_disk(test, "size=1m,nr_inodes=6", |drive| {
        let alice = Folder::open(drive).unwrap();
        let mut safe = 0;
        let error = alice
            .deliver_all(
                (0..20).map(|number| (packed(number, 500), Kind::Encrypted)),
                NOW,
                |_, _| safe += 1,
            )
            .unwrap_err();
        assert!(matches!(error, DeliverError::Full { .. }), "{error}");
        assert!(safe > 0);
        assert_eq!(all(&alice).len(), safe);
        assert!(
            names(alice.path())
                .iter()
                .all(|name| !name.ends_with(".tmp"))
        );
    });
}

#[test]
fn a_drive_too_full_for_its_folder_is_told_as_full() {
    let test = "media::a_drive_too_full_for_its_folder_is_told_as_full";
    on_a_disk(test, "size=64k,nr_inodes=1", |drive| {
        let alice = Folder::open(drive).unwrap();
        let error = alice
            .deliver(&packed(1, 100), Kind::Encrypted, NOW)
            .unwrap_err();
        assert!(matches!(error, DeliverError::Full { .. }), "{error}");
    });
}

#[test]
fn a_write_protected_drive_can_be_read() {
    let test = "media::a_write_protected_drive_can_be_read";
    on_a_disk(test, "size=256k", |drive| {
        let alice = Folder::open(drive).unwrap();
        let sent = alice
            .deliver(&packed(1, 100), Kind::Encrypted, NOW)
            .unwrap();
        remount(drive, "ro");

        let bob = Folder::open(drive).unwrap();
        let item = all(&bob).remove(0);
        assert_eq!(&*item.packed(), packed(1, 100));
        assert_eq!(bob.settle(&item.token).unwrap(), Settled::ReadOnly);
        assert!(matches!(
            bob.acknowledge([&sent.hash]),
            Err(MarkError::ReadOnly)
        ));
        assert!(bob.acknowledged().unwrap().is_empty());
        bob.sync().unwrap();
        let error = bob
            .deliver(&packed(2, 100), Kind::Encrypted, NOW)
            .unwrap_err();
        assert!(matches!(error, DeliverError::ReadOnly), "{error}");
        // What lies there already needs no writing.
        assert!(
            bob.deliver(&packed(1, 100), Kind::Encrypted, NOW)
                .unwrap()
                .duplicate
        );
        assert_eq!(all(&bob).len(), 1);

        remount(drive, "rw");
        assert_eq!(bob.settle(&item.token).unwrap(), Settled::Removed);
    });
}

#[test]
fn a_write_protected_drive_without_endpoint_is_told_as_such() {
    let test = "media::a_write_protected_drive_without_endpoint_is_told_as_such";
    on_a_disk(test, "size=64k,ro", |drive| {
        let folder = Folder::open(drive).unwrap();
        assert!(all(&folder).is_empty());
        let error = folder
            .deliver(&packed(1, 100), Kind::Encrypted, NOW)
            .unwrap_err();
        assert!(matches!(error, DeliverError::ReadOnly), "{error}");
    });
}

#[test]
fn a_drive_pulled_out_during_collect_ends_it() {
    let test = "media::a_drive_pulled_out_during_collect_ends_it";
    on_a_disk(test, "size=256k", |drive| {
        let bob = Folder::open(drive).unwrap();
        bob.deliver(&packed(1, 100), Kind::Encrypted, NOW).unwrap();
        let item = all(&bob).remove(0);
        let pulled = Command::new("umount").arg(drive).status().unwrap();
        assert!(pulled.success(), "no open handle keeps the drive busy");
        // A clean removal leaves an empty mount point: nothing to collect, nothing to settle.
        assert!(bob.settle(&item.token).is_err());
        let (items, _) = sorted_out(bob.collect().unwrap());
        assert!(items.is_empty());
        assert!(!fs::exists(drive.join("DIDCOMM").join(name_of(&packed(1, 100), NOW))).unwrap());
    });
}
