//! Mallory prepares a stick. Bob still gets his one good message, is told about the rest, and
//! nothing hangs, grows or vanishes.

use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
};

use packmule_bus::Kind;
use packmule_drive::{CollectError, Folder, MAX_FILE, Odd};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::{NOW, all, name_of, names, packed, sorted_out};

fn pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "mkfifo is needed for this test");
}

#[test]
fn pipes_links_folders_and_sockets_are_named_and_left() {
    let stick = tempdir().unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    bob.deliver(&packed(1, 100), Kind::Encrypted, NOW).unwrap();
    let secret = tempdir().unwrap();
    fs::write(secret.path().join("secret"), "bob's keys").unwrap();

    let dir = bob.path();
    pipe(&dir.join("pipe.dcem"));
    fs::create_dir(dir.join("folder.dcem")).unwrap();
    symlink(secret.path().join("secret"), dir.join("link.dcem")).unwrap();
    symlink("/dev/zero", dir.join("zero.dcem")).unwrap();
    symlink(dir, dir.join("loop.thid")).unwrap();
    symlink(secret.path(), dir.join("out.threads")).unwrap();
    let _socket = UnixListener::bind(dir.join("socket.dcem")).unwrap();
    fs::write(dir.join("file.thid"), "no folder").unwrap();
    let before = names(dir);

    let (items, faults) = sorted_out(bob.collect().unwrap());
    assert_eq!(items.len(), 1);
    let mut odd: Vec<(String, Odd)> = faults
        .into_iter()
        .map(|fault| match fault {
            CollectError::NotAFile { name, what } => (name, what),
            other => panic!("{other}"),
        })
        .collect();
    odd.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("folder.dcem", Odd::Folder),
        ("link.dcem", Odd::Link),
        ("pipe.dcem", Odd::Special),
        ("socket.dcem", Odd::Special),
        ("zero.dcem", Odd::Link),
    ];
    assert_eq!(odd, expected.map(|(name, what)| (name.to_owned(), what)));
    assert_eq!(names(dir), before, "nothing was removed");
}

#[test]
fn torn_empty_and_endless_files_are_reported_and_left() {
    let stick = tempdir().unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    let good = packed(1, 100);
    bob.deliver(&good, Kind::Encrypted, NOW).unwrap();
    let dir = bob.path();
    let torn = packed(2, 5000);
    fs::write(dir.join(name_of(&torn, NOW)), &torn[..4096]).unwrap();
    let mut flipped = packed(3, 100);
    let flipped_name = name_of(&flipped, NOW);
    flipped[20] ^= 1;
    fs::write(dir.join(&flipped_name), &flipped).unwrap();
    fs::write(dir.join("crashed.dcem"), "").unwrap();
    let endless = File::create(dir.join("endless.dcem")).unwrap();
    endless.set_len(1 << 40).unwrap();
    let edge = File::create(dir.join("edge.dcem")).unwrap();
    edge.set_len(MAX_FILE + 1).unwrap();
    let before = names(dir);

    let (items, faults) = sorted_out(bob.collect().unwrap());
    assert_eq!(items.len(), 1);
    assert_eq!(&*items[0].packed(), good);
    let count = |test: fn(&CollectError) -> bool| faults.iter().filter(|f| test(f)).count();
    assert_eq!(count(|f| matches!(f, CollectError::Damaged { .. })), 2);
    assert_eq!(count(|f| matches!(f, CollectError::Empty { .. })), 1);
    assert_eq!(count(|f| matches!(f, CollectError::TooLarge { .. })), 2);
    assert!(faults.iter().all(|fault| fault.file().is_some()));
    assert!(
        faults
            .iter()
            .any(|fault| fault.file() == Some(&flipped_name))
    );
    assert_eq!(names(dir), before, "nothing was removed");
}

#[test]
fn names_in_no_language_are_ignored() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let stick = tempdir().unwrap();
    let endpoint = stick.path().join("DIDCOMM");
    fs::create_dir(&endpoint).unwrap();
    fs::write(endpoint.join(OsStr::from_bytes(b"\xff\xfe.dcem")), "x").unwrap();
    fs::write(endpoint.join(format!("{}.dcem", "n".repeat(250))), "y").unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    assert_eq!(all(&bob).len(), 1, "a long name is only long");
}

#[test]
fn an_ack_folder_that_is_a_link_or_a_file_is_refused() {
    let stick = tempdir().unwrap();
    let elsewhere = tempdir().unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    let delivered = bob.deliver(&packed(1, 90), Kind::Encrypted, NOW).unwrap();
    symlink(elsewhere.path(), bob.path().join("ack")).unwrap();
    assert!(bob.acknowledge([&delivered.hash]).is_err());
    assert!(bob.acknowledged().is_err());
    assert!(names(elsewhere.path()).is_empty());
}

#[test]
fn receipts_with_foreign_names_are_ignored() {
    let stick = tempdir().unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    let delivered = bob.deliver(&packed(1, 90), Kind::Encrypted, NOW).unwrap();
    bob.acknowledge([&delivered.hash]).unwrap();
    for name in ["x.ack", "aaaa", ".ack", "../../x.ack", "README.TXT"] {
        let _ = fs::write(bob.path().join("ack").join(name), "");
    }
    let receipts = bob.acknowledged().unwrap();
    assert_eq!(receipts.into_iter().collect::<Vec<_>>(), [delivered.hash]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever lies in a folder, collecting ends, and every item is a file's exact bytes.
    #[test]
    fn any_folder_can_be_collected(
        files in proptest::collection::vec(
            ("[a-z0-9.-]{0,20}(\\.dcem|\\.DCSM|\\.dcpm|\\.tmp|\\.thid)?", any::<Vec<u8>>()),
            0..12,
        )
    ) {
        let dir = tempdir().unwrap();
        let mut written = 0;
        for (name, bytes) in &files {
            let path = dir.path().join(name);
            written += usize::from(!path.exists() && fs::write(&path, bytes).is_ok());
        }
        let folder = Folder::at(dir.path()).unwrap();
        let (items, faults) = sorted_out(folder.collect().unwrap());
        prop_assert!(items.len() + faults.len() <= written);
        for item in items {
            prop_assert_eq!(fs::read(dir.path().join(&item.name)).unwrap(), item.packed().into_owned());
        }
    }
}
