//! Many short messages in one file, for those who know it.

use std::fs;

use packmule_bus::{Envelope, Kind};
use packmule_drive::{CollectError, DeliverError, Folder, MAX_IN_BATCH, MessageName, Settled};
use tempfile::tempdir;

use crate::{NOW, all, names, packed, sorted_out};

fn wires(count: usize, size: usize) -> Vec<Vec<u8>> {
    let wire = |number| {
        let envelope = Envelope::from_packed(&packed(number, size)).unwrap();
        envelope.to_wire()
    };
    (0..count).map(wire).collect()
}

fn batches(folder: &Folder) -> Vec<String> {
    let mut names = names(folder.path());
    names.retain(|name| name.ends_with(".dcb"));
    names
}

#[test]
fn a_thousand_messages_are_one_file_that_goes_with_the_last_of_them() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let mut told = 0;
    let fresh = folder.deliver_batches(wires(1_000, 2_048), NOW, |index, one| {
        assert_eq!(index, told, "progress comes in order");
        assert!(!one.duplicate);
        told += 1;
    });
    assert_eq!((fresh.unwrap(), told), (1_000, 1_000));
    assert_eq!(batches(&folder).len(), 1);
    // Whoever knows only the extension sees no message.
    assert_eq!(MessageName::parse(&batches(&folder)[0]), None);
    // A writer that was killed before it noted this does it again.
    let again = folder.deliver_batches(wires(1_000, 2_048), NOW + 9, |_, one| {
        assert!(one.duplicate);
    });
    assert_eq!((again.unwrap(), batches(&folder).len()), (0, 1));

    let items = all(&folder);
    assert_eq!(items.len(), 1_000);
    for (number, item) in items.iter().enumerate() {
        let id = |bytes: &[u8]| Envelope::from_packed(bytes).unwrap().id();
        assert_eq!(id(&item.packed()), id(&packed(number, 2_048)));
        assert_eq!(item.kind, Kind::Encrypted);
    }
    let (last, others) = items.split_last().unwrap();
    for item in others {
        // Said twice it counts once.
        assert_eq!(folder.settle(&item.token).unwrap(), Settled::Shared);
        assert_eq!(folder.settle(&item.token).unwrap(), Settled::Shared);
    }
    assert_eq!(batches(&folder).len(), 1);
    assert_eq!(folder.settle(&last.token).unwrap(), Settled::Removed);
    assert!(batches(&folder).is_empty());
}

#[test]
fn a_set_larger_than_a_batch_is_several() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let messages = wires(64, 200_000);
    assert_eq!(
        folder.deliver_batches(&messages, NOW, |_, _| {}).unwrap(),
        64
    );
    assert!(batches(&folder).len() > 1);
    assert_eq!(all(&folder).len(), 64);
}

#[test]
fn a_torn_batch_is_left_in_place_and_told_of() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    folder
        .deliver_batches(wires(10, 500), NOW, |_, _| {})
        .unwrap();
    let path = folder.path().join(&batches(&folder)[0]);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    for torn in [&whole[..whole.len() / 2], &[], &flipped] {
        fs::write(&path, torn).unwrap();
        let (items, faults) = sorted_out(folder.collect().unwrap());
        assert!(items.is_empty());
        assert!(
            matches!(
                faults[..],
                [CollectError::Damaged { .. } | CollectError::Empty { .. }]
            ),
            "{faults:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), torn);
    }
    // The writer that comes again finds no duplicate, and makes it whole.
    let again = folder.deliver_batches(wires(10, 500), NOW, |_, _| {});
    assert_eq!(again.unwrap(), 10);
    assert_eq!(all(&folder).len(), 10);
}

#[test]
fn a_record_that_is_no_message_keeps_its_file_and_not_the_others() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let mut records = wires(3, 500);
    records[1] = b"\xffmallory was here".to_vec();
    folder.deliver_batches(&records, NOW, |_, _| {}).unwrap();
    let (items, faults) = sorted_out(folder.collect().unwrap());
    assert!(
        matches!(faults[..], [CollectError::NotABatch { .. }]),
        "{faults:?}"
    );
    assert_eq!(items.len(), 2);
    for item in items {
        assert_eq!(folder.settle(&item.token).unwrap(), Settled::Shared);
    }
    assert_eq!(batches(&folder).len(), 1);
}

#[test]
fn what_is_too_long_for_a_batch_is_refused_and_the_rest_goes_out() {
    let stick = tempdir().unwrap();
    let folder = Folder::open(stick.path()).unwrap();
    let mut records = wires(2, 500);
    records.push(vec![0; MAX_IN_BATCH + 1]);
    let outcome = folder.deliver_batches(&records, NOW, |_, _| {});
    assert!(
        matches!(outcome, Err(DeliverError::TooLarge { .. })),
        "{outcome:?}"
    );
    // Nothing was said to be safe that is not; here nothing was.
    assert!(batches(&folder).is_empty());
}
