//! Alice puts messages on a stick, the mule carries it, bob takes them off.

use std::fs;

use packmule_bus::Kind;
use packmule_drive::{DeliverError, FileHash, Folder, MAX_FILE, Settled};
use tempfile::tempdir;

use crate::{NOW, all, name_of, names, packed, sorted_out};

#[test]
fn the_mule_carries_a_message_from_alice_to_bob() {
    let stick = tempdir().unwrap();
    let message = packed(1, 500);

    let alice = Folder::open(stick.path()).unwrap();
    let delivered = alice.deliver(&message, Kind::Encrypted, NOW).unwrap();
    alice.sync().unwrap();
    assert!(!delivered.duplicate);
    assert_eq!(names(stick.path()), ["DIDCOMM"]);
    let in_endpoint = names(&stick.path().join("DIDCOMM"));
    assert_eq!(in_endpoint, [name_of(&message, NOW), "README.TXT".into()]);
    assert_eq!(fs::read(&delivered.path).unwrap(), message);

    let bob = Folder::open(stick.path()).unwrap();
    let items = all(&bob);
    assert_eq!(items.len(), 1);
    assert_eq!(&*items[0].packed(), message);
    assert_eq!(items[0].kind, Kind::Encrypted);
    bob.acknowledge([items[0].token.hash()]).unwrap();
    assert_eq!(bob.settle(&items[0].token).unwrap(), Settled::Removed);
    assert_eq!(bob.settle(&items[0].token).unwrap(), Settled::AlreadyGone);
    assert!(all(&bob).is_empty());

    // The stick comes home: alice reads bob's receipt.
    let receipts = alice.acknowledged().unwrap();
    assert!(receipts.contains(&FileHash::of(&message)));
    alice.forget_ack(&delivered.hash).unwrap();
    alice.forget_ack(&delivered.hash).unwrap();
    assert!(alice.acknowledged().unwrap().is_empty());
}

#[test]
fn each_kind_has_its_extension() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    for (number, kind) in [Kind::Encrypted, Kind::Signed, Kind::Plaintext]
        .into_iter()
        .enumerate()
    {
        let delivered = folder.deliver(&packed(number, 90), kind, NOW).unwrap();
        let extension = delivered.path.extension().unwrap().to_str().unwrap();
        assert_eq!(extension, kind.extension());
    }
    let kinds: Vec<Kind> = all(&folder).iter().map(|item| item.kind).collect();
    assert_eq!(kinds.len(), 3);
    assert!(kinds.contains(&Kind::Signed) && kinds.contains(&Kind::Plaintext));
}

#[test]
fn what_is_no_message_is_not_written() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let refused = |bytes: &[u8], kind| folder.deliver(bytes, kind, NOW).unwrap_err();
    assert!(matches!(
        refused(b"", Kind::Encrypted),
        DeliverError::NotAMessage
    ));
    assert!(matches!(
        refused(b"x", Kind::Other),
        DeliverError::NotAMessage
    ));
    let huge = vec![b'x'; usize::try_from(MAX_FILE).unwrap() + 1];
    assert!(matches!(
        refused(&huge, Kind::Encrypted),
        DeliverError::TooLarge { size } if size == MAX_FILE + 1
    ));
    assert_eq!(names(folder.path()), ["README.TXT"]);
}

#[test]
fn a_five_megabyte_attachment_goes_by_folder() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let message = packed(5, 7 << 20);
    folder.deliver(&message, Kind::Encrypted, NOW).unwrap();
    assert_eq!(&*all(&folder)[0].packed(), message);
}

#[test]
fn sending_twice_writes_once_wherever_the_first_lies() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let message = packed(1, 300);
    let first = folder.deliver(&message, Kind::Encrypted, NOW).unwrap();
    let again = folder.deliver(&message, Kind::Encrypted, NOW + 60).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.path, first.path);

    // The endpoint's owner moved it into a thread's folder.
    let thread = folder.path().join("abc.thid");
    fs::create_dir(&thread).unwrap();
    let moved = thread.join(name_of(&message, NOW));
    fs::rename(&first.path, &moved).unwrap();
    let again = folder.deliver(&message, Kind::Encrypted, NOW + 99).unwrap();
    assert!(again.duplicate);
    assert_eq!(again.path, moved);
    assert_eq!(all(&folder).len(), 1);
}

#[test]
fn twins_in_one_batch_are_written_once() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let message = packed(1, 300);
    let mut seen = Vec::new();
    let fresh = folder
        .deliver_all(
            [(&message, Kind::Encrypted), (&message, Kind::Encrypted)],
            NOW,
            |index, one| seen.push((index, one.duplicate)),
        )
        .unwrap();
    assert_eq!(fresh, 1);
    assert_eq!(seen, [(0, false), (1, true)]);
    assert_eq!(all(&folder).len(), 1);
}

#[test]
fn a_torn_copy_does_not_pass_for_the_message() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let message = packed(1, 300);
    let first = folder.deliver(&message, Kind::Encrypted, NOW).unwrap();
    fs::write(&first.path, &message[..100]).unwrap();

    let again = folder.deliver(&message, Kind::Encrypted, NOW + 1).unwrap();
    assert!(!again.duplicate);
    let (items, faults) = sorted_out(folder.collect().unwrap());
    assert_eq!(&*items[0].packed(), message);
    assert_eq!(
        faults.len(),
        1,
        "the torn one is still reported: {faults:?}"
    );

    // In the same second the name is the same, and the torn file is healed.
    fs::remove_file(&again.path).unwrap();
    folder.deliver(&message, Kind::Encrypted, NOW).unwrap();
    assert_eq!(all(&folder).len(), 1);
}

#[test]
fn a_fault_in_the_middle_keeps_what_came_before_it() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let batch = [
        (packed(1, 200), Kind::Encrypted),
        (packed(2, 200), Kind::Encrypted),
        (Vec::new(), Kind::Encrypted),
        (packed(4, 200), Kind::Encrypted),
    ];
    let mut safe = Vec::new();
    let error = folder
        .deliver_all(batch, NOW, |index, _| safe.push(index))
        .unwrap_err();
    assert!(matches!(error, DeliverError::NotAMessage));
    assert_eq!(safe, [0, 1]);
    assert_eq!(all(&folder).len(), 2);
}

#[test]
fn settling_never_removes_another_message_of_the_same_name() {
    let stick = tempdir().unwrap();
    let endpoint = stick.path().join("DIDCOMM");
    fs::create_dir(&endpoint).unwrap();
    let by_hand = endpoint.join("for bob.dcem");
    fs::write(&by_hand, packed(1, 100)).unwrap();
    let bob = Folder::open(stick.path()).unwrap();
    let first = all(&bob).remove(0);

    fs::write(&by_hand, packed(2, 150)).unwrap();
    assert_eq!(bob.settle(&first.token).unwrap(), Settled::Changed);
    assert_eq!(&*all(&bob)[0].packed(), packed(2, 150));
}

#[test]
fn temporary_files_of_dead_writers_are_swept_after_a_day() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    folder
        .deliver(&packed(1, 100), Kind::Encrypted, NOW)
        .unwrap();
    let dead = folder
        .path()
        .join(format!("{}.4711-0.tmp", name_of(b"dead", 9)));
    let foreign = folder.path().join("msg1.dcem.tmp");
    fs::write(&dead, b"half a mess").unwrap();
    fs::write(&foreign, b"not ours").unwrap();

    let written = fs::metadata(&dead).unwrap().modified().unwrap();
    let written = written
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert_eq!(
        folder.sweep(written + 3600).unwrap(),
        0,
        "it may still be writing"
    );
    assert_eq!(folder.sweep(written + 90_000).unwrap(), 1);
    assert!(!dead.exists());
    assert!(foreign.exists());
}

#[test]
fn two_writers_at_once_lose_and_double_nothing() {
    let stick = tempdir().unwrap();
    let write = |from: usize| {
        let folder = Folder::open(stick.path()).unwrap();
        let batch = (from..from + 150).map(|number| (packed(number, 400), Kind::Encrypted));
        folder.deliver_all(batch, NOW, |_, _| {}).unwrap()
    };
    // Alice's phone and laptop share messages 50..150.
    let (phone, laptop) = std::thread::scope(|scope| {
        let phone = scope.spawn(|| write(0));
        let laptop = scope.spawn(|| write(50));
        (phone.join().unwrap(), laptop.join().unwrap())
    });
    assert!(phone + laptop >= 200);
    let folder = Folder::open(stick.path()).unwrap();
    let mut found: Vec<Vec<u8>> = all(&folder)
        .into_iter()
        .map(|item| item.packed().into_owned())
        .collect();
    found.sort();
    let mut expected: Vec<Vec<u8>> = (0..200).map(|number| packed(number, 400)).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert!(
        names(folder.path())
            .iter()
            .all(|name| !name.ends_with(".tmp"))
    );
}

#[test]
fn two_readers_at_once_share_the_messages() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let batch = (0..300).map(|number| (packed(number, 200), Kind::Encrypted));
    folder.deliver_all(batch, NOW, |_, _| {}).unwrap();
    let take = || {
        let mut taken = Vec::new();
        for item in folder.collect().unwrap() {
            let item = item.unwrap();
            folder.settle(&item.token).unwrap();
            taken.push(item.packed().into_owned());
        }
        taken
    };
    let mut taken = std::thread::scope(|scope| {
        let other = scope.spawn(take);
        let mut mine = take();
        mine.extend(other.join().unwrap());
        mine
    });
    taken.sort();
    taken.dedup();
    assert_eq!(taken.len(), 300);
    assert!(all(&folder).is_empty());
}
