//! Full and read-only disks, for real.

use std::fs;

use packmule_agent::did::{Method, create};
use packmule_bus::Envelope;
use packmule_node::{Accepted, CreateError, Home, HomeError, QueueError};
use packmule_places::{on_a_disk, remount};

use crate::{PASSPHRASE, accept, by_drive, envelope, home_in, packed, to_bob};

#[test]
fn a_full_disk_refuses_the_next_message_and_keeps_the_others() {
    let test = "disk::a_full_disk_refuses_the_next_message_and_keeps_the_others";
    on_a_disk(test, "size=2m", |disk| {
        let dir = disk.join("bob");
        let home = home_in(&dir);
        let big = |number| Envelope::from_packed(&packed(number, 20_000)).unwrap();
        let mut accepted = 0;
        let error = loop {
            match home.accept_all([&big(accepted)], &by_drive()) {
                Ok(how) => assert_eq!(how, [Accepted::New]),
                Err(error) => break error,
            }
            accepted += 1;
            assert!(accepted < 1000, "the disk never fills");
        };
        assert!(matches!(error, HomeError::DiskFull), "{error:?}");
        assert!(error.to_string().contains("free some space"));
        assert!(accepted > 20, "only {accepted} fitted");
        let mut large = to_bob(1);
        large.packed = packed(1, 400_000);
        let error = home.queue_all(&[large]).unwrap_err();
        assert!(
            matches!(error, QueueError::Home(HomeError::DiskFull)),
            "{error:?}"
        );

        let rows = home.inbox(0, 9999).unwrap();
        assert_eq!(rows.len(), accepted);
        drop(home);

        // The person makes room; then it goes on where it stood.
        remount(disk, "size=8m");
        let home = Home::open(&dir).unwrap();
        home.check().unwrap();
        for row in rows {
            assert!(home.envelope(&row.id).unwrap().is_some());
        }
        let again = accept(&home, &big(accepted), &by_drive());
        assert_eq!(again, Accepted::New);
    });
}

#[test]
fn no_home_is_made_on_a_full_disk() {
    let test = "disk::no_home_is_made_on_a_full_disk";
    on_a_disk(test, "size=32k", |disk| {
        let new = create(Method::Key, &[]).unwrap();
        let error = Home::create(&disk.join("alice"), &new, PASSPHRASE).unwrap_err();
        assert!(
            matches!(error, CreateError::Home(HomeError::DiskFull)),
            "{error:?}"
        );
        assert_eq!(
            fs::read_dir(disk).unwrap().count(),
            0,
            "nothing is left of it"
        );
    });
}

#[test]
fn a_read_only_disk_is_told_as_such() {
    let test = "disk::a_read_only_disk_is_told_as_such";
    on_a_disk(test, "size=4m", |disk| {
        let dir = disk.join("alice");
        let home = home_in(&dir);
        accept(&home, &envelope(1), &by_drive());
        drop(home);
        remount(disk, "ro");
        let outcome =
            Home::open(&dir).and_then(|home| home.accept_all([&envelope(2)], &by_drive()));
        assert!(matches!(outcome, Err(HomeError::ReadOnly)), "{outcome:?}");
    });
}
