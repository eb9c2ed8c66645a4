use packmule_bus::bus::io::{BatchId, DiskFault, Key, Op, Record};
use packmule_bus::{Envelope, EnvelopeId};

use super::{Disk, Done, Write};
use crate::dice::Dice;
use crate::marks::{Fired, Kind};

fn id(n: u8) -> EnvelopeId {
    Envelope::from_packed(&[n]).unwrap().id()
}

fn batch(n: u8, body: usize) -> Write {
    let ops = vec![
        Op::Put(Record::Seen(id(n), None)),
        Op::Body(id(n), vec![n; body]),
    ];
    Write::Batch(BatchId(u64::from(n)), ops)
}

fn disk(room: u64) -> Disk {
    Disk::new(room, 1_000, Dice::new(1, "alice", "disk"))
}

fn is_there(disk: &Disk, n: u8) -> bool {
    let record = disk.record(&Key::Seen(id(n))).is_some();
    assert_eq!(
        record,
        disk.body(&id(n)).is_some(),
        "a batch is whole or not there"
    );
    record
}

#[test]
fn nothing_is_durable_before_its_time() {
    let (mut disk, mut fired) = (disk(1_000_000), Fired::default());
    let due = disk.write(0, batch(1, 10), &mut fired);
    assert!(disk.finish(due - 1, &mut fired).is_none());
    assert!(!is_there(&disk, 1));
    assert!(matches!(
        disk.finish(due, &mut fired),
        Some(Done::Durable(_))
    ));
    assert!(is_there(&disk, 1));
}

#[test]
fn a_crash_keeps_a_beginning_of_what_was_pending_and_nothing_else() {
    let mut fired = Fired::default();
    for seed in 0..200 {
        let mut disk = Disk::new(1_000_000, 1_000, Dice::new(seed, "bob", "disk"));
        for n in 0..5 {
            disk.write(0, batch(n, 10), &mut fired);
        }
        let kept = disk.crash(10, &mut fired).len();
        for n in 0..5 {
            assert_eq!(is_there(&disk, n), usize::from(n) < kept);
        }
    }
    assert!(fired.count(Kind::TornWrite) > 100);
    assert!(fired.count(Kind::LateCommit) > 20);
}

#[test]
fn a_full_disk_takes_nothing_that_grows_and_lets_go_of_what_it_has() {
    let (mut disk, mut fired) = (disk(1_000), Fired::default());
    let put = |disk: &mut Disk, write, fired: &mut Fired| {
        let due = disk.write(0, write, fired);
        disk.finish(due, fired)
    };
    assert!(matches!(
        put(&mut disk, batch(1, 900), &mut fired),
        Some(Done::Durable(_))
    ));
    let full = put(&mut disk, batch(2, 900), &mut fired);
    assert!(matches!(full, Some(Done::Failed(_, DiskFault::Full))));
    assert!(!is_there(&disk, 2));
    let drop = Write::Batch(BatchId(3), vec![Op::Drop(Key::Held(id(1)))]);
    assert!(matches!(
        put(&mut disk, drop, &mut fired),
        Some(Done::Durable(_))
    ));
    assert!(disk.body(&id(1)).is_none());
    assert!(matches!(
        put(&mut disk, batch(2, 900), &mut fired),
        Some(Done::Durable(_))
    ));
    assert_eq!(fired.count(Kind::DiskFull), 1);
}

#[test]
fn a_disk_that_was_pulled_out_is_broken_until_it_is_back() {
    let (mut disk, mut fired) = (disk(1_000), Fired::default());
    disk.yank_until(5_000_000);
    disk.write(0, batch(1, 1), &mut fired);
    let gone = disk.finish(4_000_000, &mut fired);
    assert!(matches!(gone, Some(Done::Failed(_, DiskFault::Broken))));
    disk.write(4_999_999, batch(1, 1), &mut fired);
    assert!(matches!(
        disk.finish(6_000_000, &mut fired),
        Some(Done::Durable(_))
    ));
}
