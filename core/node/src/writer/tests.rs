//! Batches of alice's bus, written and read back.

use packmule_agent::{
    did::{Method, create},
    keystore::Cost,
};
use packmule_bus::{
    Envelope,
    bus::io::{
        Arrived, Held, HeldState, Key, NodeKey, Op, Origin, Partial, Record, Taker, Verdict,
        WireHash,
    },
    label::{DidTag, Label, Priority},
    receipt::{Reason, Receipt},
};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::{InState, OutState, bodies, outbox::OwnRow, records::Restored};

const NOW: u64 = 1_795_000_000;

struct Stage {
    place: TempDir,
    home: Home,
    writer: Writer,
}

impl Stage {
    fn new() -> Self {
        let place = tempdir().unwrap();
        let cost = Cost {
            memory_kib: 64,
            passes: 1,
            ..Cost::STANDARD
        };
        let new = create(Method::Key, &[]).unwrap();
        let home = Home::create_with(&place.path().join("alice"), &new, b"x", cost).unwrap();
        let writer = Writer::start(&home).unwrap();
        Self {
            place,
            home,
            writer,
        }
    }

    fn land(&self, ops: Vec<Op>) {
        self.land_with(ops, Vec::new());
    }

    fn land_with(&self, ops: Vec<Op>, rows: Vec<OwnRow>) {
        let (tell, told) = channel();
        let batch = Batch {
            ops,
            rows,
            ..Batch::default()
        };
        let telling = move |outcome| tell.send(outcome).unwrap();
        self.writer.persist(batch, Box::new(telling));
        assert_eq!(told.recv().unwrap(), Ok(()));
    }

    fn records(&self) -> Vec<Record> {
        let db = self.home.connect().unwrap();
        let mut restored = Restored::begin(&db, self.home.shelf()).unwrap();
        let records = (&mut restored).collect();
        assert!(restored.troubles().is_empty());
        records
    }

    fn body(&self, envelope: &Envelope) -> Option<(Vec<u8>, bool)> {
        bodies::get(&self.home.db(), self.home.shelf(), &envelope.id()).unwrap()
    }

    fn files(&self) -> usize {
        let folder = self.place.path().join("alice/bodies");
        std::fs::read_dir(folder).map_or(0, |files| files.count())
    }
}

fn envelope(number: usize, size: usize) -> Envelope {
    let filler = "A".repeat(size);
    let json = format!(r#"{{"protected":"eyJ0eXAi{number:08}","ciphertext":"{filler}"}}"#);
    Envelope::from_packed(json.as_bytes()).unwrap()
}

fn label() -> Label {
    Label {
        to: DidTag::of("did:example:bob"),
        expires: Some(NOW + 99),
        priority: Priority::Urgent,
        hops: 8,
        copies: 6,
    }
}

fn held(envelope: &Envelope, origin: Origin) -> Held {
    let wire = envelope.to_wire();
    Held {
        id: envelope.id(),
        wire: WireHash::of(&wire),
        bytes: wire.len() as u64,
        label: label(),
        origin,
        since: NOW,
        by: vec!["tcp".into(), "mem".into()],
        takers: Vec::new(),
        state: HeldState::Waiting,
    }
}

fn arrived(envelope: &Envelope) -> Arrived {
    Arrived {
        id: envelope.id(),
        to: DidTag::of("did:example:alice"),
        bytes: envelope.to_wire().len() as u64,
        transport: "tcp".into(),
        at: NOW,
        expires: None,
        acknowledged: None,
    }
}

fn own_row(envelope: &Envelope) -> OwnRow {
    OwnRow {
        id: envelope.id(),
        message_id: "m".into(),
        peer: "did:example:bob".into(),
        bytes: 300,
        created: NOW,
        expires: None,
    }
}

fn body(envelope: &Envelope) -> Op {
    Op::Body(envelope.id(), envelope.to_wire())
}

#[test]
fn every_kind_of_record_comes_back_as_it_went() {
    let stage = Stage::new();
    let mule = NodeKey([7; 32]);
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| envelope(number, 300));
    let mut carried = held(&two, Origin::From(mule));
    carried.state = HeldState::Dead(Reason::Hops);
    carried.takers.push(Taker {
        node: Some(mule),
        transport: "tcp".into(),
        at: NOW,
        copies: 3,
        sure: false,
    });
    let mut refused = arrived(&four);
    refused.acknowledged = Some(Verdict::Refused(Reason::Rejected));
    let mut records = vec![
        Record::Held(held(&one, Origin::Own)),
        Record::Held(carried),
        Record::Held(held(&three, Origin::Friend(mule))),
        Record::Inbox(refused),
        Record::Seen(four.id(), None),
        Record::Seen(envelope(9, 9).id(), Some(NOW + 5)),
        Record::Receipt(Receipt {
            ids: vec![one.id(), two.id()],
            refused: Some(Reason::Expired),
            at: NOW,
            did: "did:example:bob".into(),
            kid: "did:example:bob#1".into(),
            signature: vec![1, 2, 3],
        }),
        Record::Partial(Partial {
            wire: WireHash([9; 16]),
            id: three.id(),
            bytes: 1000,
            label: label(),
            pieces: vec![(0..3, vec![1, 2, 3]), (10..12, vec![4, 5])],
            at: NOW,
        }),
    ];
    let mut ops: Vec<Op> = records.iter().cloned().map(Op::Put).collect();
    ops.extend([&one, &two, &three, &four].map(body));
    stage.land(ops);
    let mut back = stage.records();
    back.sort_by_key(Record::key);
    records.sort_by_key(Record::key);
    assert_eq!(back, records);
    stage.land(
        records
            .iter()
            .map(|record| Op::Drop(record.key()))
            .collect(),
    );
    // What the inbox took stays seen.
    assert_eq!(stage.records(), [Record::Seen(four.id(), None)]);
}

#[test]
fn a_message_for_us_is_in_the_inbox_once_whatever_brought_it() {
    let stage = Stage::new();
    let [one, two] = [1, 2].map(|number| envelope(number, 300));
    let arrival = crate::Arrival {
        channel: "drive".into(),
        received: NOW,
    };
    stage.home.accept_all([&one], &arrival).unwrap();
    for message in [&one, &two, &two] {
        stage.land(vec![
            Op::Put(Record::Inbox(arrived(message))),
            body(message),
        ]);
    }
    let rows = stage.home.inbox(0, 9).unwrap();
    let channels: Vec<_> = rows.iter().map(|row| row.channel.as_str()).collect();
    assert_eq!(channels, ["drive", "tcp"]);
    assert!(rows.iter().all(|row| row.state == InState::New));
    assert_eq!(stage.home.envelope(&two.id()).unwrap().unwrap(), two);

    // Discarded and brought again: no row, and no bytes that nobody asks for.
    stage.home.discard(&two.id()).unwrap();
    stage.land(vec![Op::Put(Record::Inbox(arrived(&two))), body(&two)]);
    assert_eq!(stage.home.inbox(0, 9).unwrap().len(), 1);
    assert_eq!(stage.body(&two), None);
}

#[test]
fn what_becomes_of_our_own_message_is_shown_in_the_outbox() {
    let stage = Stage::new();
    let message = envelope(1, 300);
    let mut record = held(&message, Origin::Own);
    let put = |record: &Held| vec![Op::Put(Record::Held(record.clone()))];
    let mut first = put(&record);
    first.push(body(&message));
    stage.land_with(first, vec![own_row(&message)]);
    let row = || stage.home.outbox(None, 0, 9).unwrap().remove(0);
    assert_eq!((row().state, row().bytes), (OutState::Queued, 300));

    let mut taker = Taker {
        node: None,
        transport: "tcp".into(),
        at: NOW,
        copies: 3,
        sure: false,
    };
    record.takers.push(taker.clone());
    stage.land(put(&record));
    assert_eq!(row().state, OutState::Queued, "a promise is no custody");
    taker.sure = true;
    record.takers = vec![taker];
    stage.land(put(&record));
    assert_eq!(row().state, OutState::Sent);
    assert_eq!(row().sent_by.as_deref(), Some("tcp"));

    record.state = HeldState::Delivered;
    let delivered = Op::Put(Record::Held(record.clone()));
    stage.land(vec![Op::Drop(Key::Held(message.id())), delivered]);
    assert_eq!(row().state, OutState::Acknowledged);
    assert_eq!(row().reason, None, "nobody took it back");
    assert_eq!(stage.body(&message), None, "nobody needs the bytes");
    stage.land(vec![Op::Drop(Key::Held(message.id()))]);
    assert_eq!(row().state, OutState::Acknowledged);

    for (number, reason, state) in [
        (2, Reason::Expired, OutState::Expired),
        (3, Reason::NoWay, OutState::Refused),
    ] {
        let message = envelope(number, 300);
        let mut record = held(&message, Origin::Own);
        record.state = HeldState::Dead(reason);
        let ops = vec![Op::Put(Record::Held(record)), body(&message)];
        stage.land_with(ops, vec![own_row(&message)]);
        let rows = stage.home.outbox(Some(state), 0, 9).unwrap();
        assert_eq!(rows[0].reason, Some(reason));
        assert!(
            stage.body(&message).is_some(),
            "a dead letter can be retried"
        );
    }
}

#[test]
fn what_is_dropped_for_good_was_taken_back_and_a_late_receipt_stands_above_it() {
    let stage = Stage::new();
    let message = envelope(1, 300);
    let mut record = held(&message, Origin::Own);
    let first = vec![Op::Put(Record::Held(record.clone())), body(&message)];
    stage.land_with(first, vec![own_row(&message)]);
    let row = || stage.home.outbox(None, 0, 9).unwrap().remove(0);
    let put = Op::Put(Record::Held(record.clone()));
    stage.land(vec![put, Op::Drop(Key::Held(message.id()))]);
    assert_eq!(row().state, OutState::Refused);
    assert_eq!(row().reason, Some(Reason::Forgotten));

    record.state = HeldState::Delivered;
    stage.land(vec![Op::Put(Record::Held(record))]);
    let row = row();
    assert_eq!((row.state, row.reason), (OutState::Acknowledged, None));
}

#[test]
fn who_is_told_finds_no_bytes_waiting_that_are_written() {
    let stage = Stage::new();
    let message = envelope(1, 100_000);
    for round in 0..20 {
        let (tell, told) = channel();
        let waiting = Arc::clone(&stage.writer.waiting);
        let batch = Batch {
            ops: vec![
                Op::Put(Record::Held(held(&message, Origin::Mailbox))),
                body(&message),
            ],
            ..Batch::default()
        };
        let telling = move |_| tell.send(waiting.load(Ordering::Relaxed)).unwrap();
        stage.writer.persist(batch, Box::new(telling));
        assert_eq!(told.recv().unwrap(), 0, "in round {round}");
    }
}

#[test]
fn what_happens_to_a_message_within_one_commit_is_written_once_and_shown_whole() {
    let stage = Stage::new();
    let message = envelope(1, 300);
    let mut record = held(&message, Origin::Own);
    let mut ops = vec![Op::Put(Record::Held(record.clone())), body(&message)];
    record.takers.push(Taker {
        node: None,
        transport: "tcp".into(),
        at: NOW,
        copies: 0,
        sure: true,
    });
    ops.push(Op::Put(Record::Held(record.clone())));
    let partial = Partial {
        wire: WireHash([9; 16]),
        id: envelope(2, 9).id(),
        bytes: 10,
        label: label(),
        pieces: vec![(0..2, vec![0, 1])],
        at: NOW,
    };
    ops.push(Op::Put(Record::Partial(partial)));
    ops.push(Op::Drop(Key::Partial(WireHash([9; 16]))));
    let group = [Batch {
        ops: ops.clone(),
        ..Batch::default()
    }];
    assert_eq!(superseded(&group).len(), 2);
    stage.land_with(ops, vec![own_row(&message)]);
    let row = || stage.home.outbox(None, 0, 9).unwrap().remove(0);
    assert_eq!(row().state, OutState::Sent);
    assert!(stage.body(&message).is_some(), "its recipient may want it");
    assert_eq!(stage.records(), [Record::Held(record.clone())]);

    // Taken and delivered at once.
    let message = envelope(3, 300);
    let waits = held(&message, Origin::Own);
    let delivered = Held {
        state: HeldState::Delivered,
        takers: record.takers.clone(),
        ..waits.clone()
    };
    let ops = vec![
        Op::Put(Record::Held(waits)),
        body(&message),
        Op::Put(Record::Held(delivered)),
    ];
    stage.land_with(ops, vec![own_row(&message)]);
    let row = stage.home.outbox(None, 0, 9).unwrap().remove(1);
    assert_eq!(row.state, OutState::Acknowledged);
    assert_eq!(row.sent_by.as_deref(), Some("tcp"));
    assert_eq!(stage.body(&message), None, "nobody needs the bytes");
}

#[test]
fn large_bodies_are_files_and_go_with_their_last_reader() {
    let stage = Stage::new();
    let message = envelope(1, 200_000);
    let record = crate::OutRecord {
        packed: message.to_json(),
        peer: "did:example:bob".into(),
        message_id: "m".into(),
        created: NOW,
        expires: None,
        ..crate::OutRecord::default()
    };
    stage.home.queue_all(&[record]).unwrap();
    assert_eq!(stage.files(), 1);
    assert_eq!(stage.body(&message).unwrap(), (message.to_wire(), true));

    let mut record = held(&message, Origin::Own);
    let put = Op::Put(Record::Held(record.clone()));
    stage.land(vec![put, body(&message)]);
    assert_eq!(stage.body(&message).unwrap(), (message.to_wire(), true));
    assert_eq!(stage.files(), 1, "it is not written twice");
    let bytes = stage.home.outgoing(&message.id()).unwrap().unwrap();
    assert_eq!(Envelope::from_packed(&bytes).unwrap(), message);

    record.state = HeldState::Delivered;
    stage.land(vec![Op::Put(Record::Held(record))]);
    assert_eq!((stage.files(), stage.body(&message)), (0, None));
}

#[test]
fn a_file_that_vanished_is_told_and_a_stray_one_swept() {
    let stage = Stage::new();
    let [one, two] = [1, 2].map(|number| envelope(number, 200_000));
    for message in [&one, &two] {
        let put = Op::Put(Record::Held(held(message, Origin::Mailbox)));
        stage.land(vec![put, body(message)]);
    }
    let folder = stage.place.path().join("alice/bodies");
    let lost = std::fs::read_dir(&folder).unwrap().map(Result::unwrap);
    let lost = lost.into_iter().find(|file| {
        file.file_name()
            .to_string_lossy()
            .starts_with(&one.id().short())
    });
    std::fs::remove_file(lost.unwrap().path()).unwrap();
    let stray = folder.join("stray");
    std::fs::write(&stray, "half a body").unwrap();
    let db = stage.home.connect().unwrap();
    let mut restored = Restored::begin(&db, stage.home.shelf()).unwrap();
    let records: Vec<Record> = (&mut restored).collect();
    assert_eq!(records, [Record::Held(held(&two, Origin::Mailbox))]);
    let troubles = restored.troubles();
    assert!(troubles[0].contains("is missing"), "{troubles:?}");
    let error = bodies::envelope(&db, stage.home.shelf(), &one.id()).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");

    assert!(stray.exists(), "somebody may be about to commit it");
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    let file = std::fs::File::options().write(true).open(&stray).unwrap();
    file.set_modified(old).unwrap();
    drop(Restored::begin(&db, stage.home.shelf()).unwrap());
    assert!(!stray.exists());
}

#[test]
fn a_partial_that_grows_is_stored_by_its_new_pieces_only() {
    let stage = Stage::new();
    let mut partial = Partial {
        wire: WireHash([9; 16]),
        id: envelope(1, 9).id(),
        bytes: 10,
        label: label(),
        pieces: vec![(0..2, vec![0, 1]), (5..7, vec![5, 6])],
        at: NOW,
    };
    stage.land(vec![Op::Put(Record::Partial(partial.clone()))]);
    partial.pieces = vec![(0..8, vec![0, 1, 2, 3, 4, 5, 6, 7])];
    stage.land(vec![Op::Put(Record::Partial(partial.clone()))]);
    assert_eq!(stage.records(), [Record::Partial(partial)]);
    let count = "SELECT count(*) FROM pieces";
    let count = || {
        stage
            .home
            .db()
            .query_row(count, [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(count().unwrap(), 4);
    stage.land(vec![Op::Drop(Key::Partial(WireHash([9; 16])))]);
    assert_eq!(count().unwrap(), 0);
}

#[test]
fn a_damaged_row_is_told_and_the_others_are_read() {
    let stage = Stage::new();
    let messages = [1, 2, 3].map(|number| envelope(number, 300));
    for message in &messages {
        let put = Op::Put(Record::Held(held(message, Origin::Own)));
        stage.land(vec![put, body(message)]);
    }
    let damage = "UPDATE held SET recipient = x'00' WHERE envelope = ?1";
    let hit = messages[1].id();
    stage.home.db().execute(damage, [hit.as_bytes()]).unwrap();
    let db = stage.home.connect().unwrap();
    let mut restored = Restored::begin(&db, stage.home.shelf()).unwrap();
    assert_eq!((&mut restored).count(), 2);
    assert_eq!(restored.troubles().len(), 1);
}

/// A fault of ours while a group lands: the others of it hear that it may not be there, and those
/// that come later are written.
#[test]
fn a_panic_leaves_nobody_waiting() {
    let stage = Stage::new();
    let (tell, told) = channel();
    let waiting = Arc::clone(&stage.writer.waiting);
    drop(Owed::new(
        &Batch::default(),
        Box::new(move |outcome| tell.send(outcome).unwrap()),
        &waiting,
    ));
    assert_eq!(told.recv().unwrap(), Err(DiskFault::Broken));
    let (tell, told) = channel();
    let fault = move |_| {
        tell.send(()).unwrap();
        panic!("whoever is told panics");
    };
    stage.writer.persist(Batch::default(), Box::new(fault));
    // Behind it, not in its group.
    told.recv().unwrap();
    stage.land(Vec::new());
    assert_eq!(stage.writer.waiting(), 0);
}
