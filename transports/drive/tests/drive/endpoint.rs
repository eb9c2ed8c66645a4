//! Which folder is meant by a path or a URI.

use std::{fs, os::unix::fs::symlink};

use packmule_bus::Kind;
use packmule_drive::{Folder, FolderError};
use tempfile::tempdir;

use crate::{NOW, all, names, packed};

#[test]
fn looking_at_a_drive_writes_nothing() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    assert_eq!(folder.path(), stick.path().join("DIDCOMM"));
    assert!(all(&folder).is_empty());
    assert!(folder.acknowledged().unwrap().is_empty());
    folder.sync().unwrap();
    assert!(names(stick.path()).is_empty());
}

#[test]
fn a_didcomm_folder_is_found_in_any_case_and_from_inside() {
    let stick = tempdir().unwrap();
    let inner = stick.path().join("didcomm");
    fs::create_dir(&inner).unwrap();
    assert_eq!(Folder::open(stick.path()).unwrap().path(), inner);
    assert_eq!(Folder::open(&inner).unwrap().path(), inner);
    // On a file system that tells them apart, the exact name wins.
    fs::create_dir(stick.path().join("DIDCOMM")).unwrap();
    assert_eq!(
        Folder::open(stick.path()).unwrap().path(),
        stick.path().join("DIDCOMM")
    );
}

#[test]
fn a_folder_that_holds_messages_is_an_endpoint_itself() {
    for sign in ["a.dcem", "b.DCSM", "000.thid/", "000.threads/"] {
        let folder = tempdir().unwrap();
        match sign.strip_suffix('/') {
            Some(name) => fs::create_dir(folder.path().join(name)).unwrap(),
            None => fs::write(folder.path().join(sign), "x").unwrap(),
        }
        assert_eq!(Folder::open(folder.path()).unwrap().path(), folder.path());
    }
}

#[test]
fn an_endpoint_uri_names_the_folder_exactly() {
    let dir = tempdir().unwrap();
    let inbox = dir.path().join("bob's inbox");
    fs::create_dir(&inbox).unwrap();
    let uri = Folder::at(&inbox).unwrap().endpoint_uri().unwrap();
    assert!(uri.starts_with("file:///"), "{uri}");
    let alice = Folder::from_uri(&uri).unwrap();
    let delivered = alice
        .deliver(&packed(1, 100), Kind::Encrypted, NOW)
        .unwrap();
    assert_eq!(delivered.path.parent().unwrap(), inbox);
    assert!(matches!(
        Folder::from_uri("file://nas/inbox"),
        Err(FolderError::Uri(_))
    ));
}

#[test]
fn a_path_that_is_missing_is_not_made_up() {
    let dir = tempdir().unwrap();
    let unmounted = dir.path().join("STICK");
    let error = Folder::open(&unmounted).unwrap_err();
    assert!(matches!(error, FolderError::Missing(_)), "{error}");
    assert!(error.to_string().contains("mounted?"));
    assert!(!unmounted.exists());
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(
        Folder::open(&file),
        Err(FolderError::NotAFolder(_))
    ));
    assert!(matches!(Folder::at(&file), Err(FolderError::NotAFolder(_))));
}

#[test]
fn a_hostile_stick_cannot_send_us_elsewhere() {
    let stick = tempdir().unwrap();
    let home = tempdir().unwrap();
    symlink(home.path(), stick.path().join("DIDCOMM")).unwrap();
    assert!(matches!(
        Folder::open(stick.path()),
        Err(FolderError::NotAFolder(_))
    ));

    // Nor when the link is put there between the look and the write.
    fs::remove_file(stick.path().join("DIDCOMM")).unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    symlink(home.path(), stick.path().join("DIDCOMM")).unwrap();
    assert!(
        folder
            .deliver(&packed(1, 100), Kind::Encrypted, NOW)
            .is_err()
    );
    assert!(folder.collect().is_err());
    assert!(names(home.path()).is_empty());
}
