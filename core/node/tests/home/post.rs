//! What goes out and what comes in.

use std::time::Instant;

use packmule_bus::Envelope;
use packmule_node::{Accepted, Change, Home, InState, OutState};
use tempfile::tempdir;

use crate::{NOW, accept, by_drive, envelope, home_in, packed, queue, to_bob};

/// How many of alice's messages an ack by these DIDs settles.
fn acknowledge(home: &Home, message: &str, by: &[&str]) -> usize {
    let ack = Change::Acknowledge {
        message_id: message.into(),
        peers: by.iter().copied().map(str::to_owned).collect(),
    };
    home.apply(&[ack]).unwrap().acknowledged
}

fn unread(home: &Home) -> usize {
    let rows = home.inbox(0, 10).unwrap();
    rows.iter().filter(|row| row.state == InState::New).count()
}

#[test]
fn a_message_to_bob_climbs_the_ladder() {
    let place = tempdir().unwrap();
    let dir = place.path().join("alice");
    let home = home_in(&dir);
    let id = queue(&home, &to_bob(1));
    drop(home);

    let home = Home::open(&dir).unwrap();
    let row = home
        .outbox(Some(OutState::Queued), 0, 10)
        .unwrap()
        .remove(0);
    assert_eq!((row.id, row.bytes), (id, packed(1, 300).len() as u64));
    assert_eq!(row.message_id, "message-1");
    let outgoing = home.outgoing(&id).unwrap().unwrap();
    assert_eq!(Envelope::from_packed(&outgoing).unwrap(), envelope(1));

    for by in ["drive", "qr", "drive"] {
        home.mark_sent(&[id], by, NOW + 10).unwrap();
    }
    let row = home.outbox(None, 0, 10).unwrap().remove(0);
    assert_eq!(row.state, OutState::Sent);
    assert_eq!(row.sent_by.as_deref(), Some("drive,qr"));

    // Mallory has learnt the message's id, and it does not help her.
    assert_eq!(acknowledge(&home, "message-1", &["did:example:mallory"]), 0);
    let bob = ["did:example:bob-short", "did:example:bob"];
    assert_eq!(acknowledge(&home, "message-1", &bob), 1);
    assert_eq!(acknowledge(&home, "message-1", &bob), 0);
    home.mark_sent(&[id], "mail", NOW + 40).unwrap();
    let row = home.outbox(None, 0, 10).unwrap().remove(0);
    assert_eq!((row.state, row.bytes), (OutState::Acknowledged, 0));
}

#[test]
fn one_message_for_two_keys_is_settled_by_one_ack() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    let mut second = to_bob(2);
    second.message_id = "message-1".into();
    assert_eq!(home.queue_all(&[to_bob(1), second]).unwrap().len(), 2);
    assert_eq!(acknowledge(&home, "message-1", &["did:example:bob"]), 2);
}

#[test]
fn queueing_again_is_no_second_message() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    let id = queue(&home, &to_bob(1));
    home.mark_sent(&[id], "drive", NOW).unwrap();
    assert_eq!(queue(&home, &to_bob(1)), id);
    let rows = home.outbox(None, 0, 10).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].state, OutState::Sent);
    let mut anew = to_bob(1);
    anew.packed = packed(7, 300);
    assert_eq!(queue(&home, &anew), id, "the same message, packed anew");
    assert_eq!(home.outbox(None, 0, 10).unwrap().len(), 1);
    let mut empty = to_bob(2);
    empty.packed.clear();
    assert!(home.queue_all(&[to_bob(3), empty]).is_err());
    assert_eq!(home.outbox(None, 0, 10).unwrap().len(), 1, "all or none");
}

#[test]
fn what_is_past_its_time_expires_unless_bob_has_it() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("alice"));
    let until = |number, expires| {
        let mut record = to_bob(number);
        record.expires = expires;
        queue(&home, &record)
    };
    until(1, Some(NOW + 10));
    until(2, Some(NOW + 10));
    until(3, Some(NOW + 99));
    until(4, None);
    acknowledge(&home, "message-2", &["did:example:bob"]);
    assert_eq!(home.expire(NOW + 9).unwrap(), 0);
    assert_eq!(home.expire(NOW + 10).unwrap(), 1);
    let states: Vec<OutState> = home
        .outbox(None, 0, 10)
        .unwrap()
        .iter()
        .map(|row| row.state)
        .collect();
    use OutState::{Acknowledged, Expired, Queued};
    assert_eq!(states, [Expired, Acknowledged, Queued, Queued]);
}

#[test]
fn bob_accepts_each_envelope_once_whatever_brings_it() {
    let place = tempdir().unwrap();
    let dir = place.path().join("bob");
    let home = home_in(&dir);
    assert_eq!(accept(&home, &envelope(1), &by_drive()), Accepted::New);
    let mut by_qr = by_drive();
    by_qr.channel = "qr".into();
    assert_eq!(accept(&home, &envelope(1), &by_qr), Accepted::Duplicate);
    let batch = [envelope(1), envelope(2), envelope(2)];
    let accepted = home.accept_all(&batch, &by_qr).unwrap();
    assert_eq!(
        accepted,
        [Accepted::Duplicate, Accepted::New, Accepted::Duplicate]
    );
    drop(home);

    let home = Home::open(&dir).unwrap();
    let rows = home.inbox(0, 10).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].channel, "drive");
    let back = home.envelope(&rows[1].id).unwrap().unwrap();
    assert_eq!(back, envelope(2));
}

#[test]
fn foreign_bytes_are_kept_as_they_came() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("bob"));
    for odd in [&b"not json \xff"[..], b"{\"protected\":\"v1\"}", b"{}"] {
        let odd = Envelope::from_packed(odd).unwrap();
        accept(&home, &odd, &by_drive());
        assert_eq!(
            home.envelope(&odd.id()).unwrap().unwrap().to_json(),
            odd.to_json()
        );
    }
}

#[test]
fn dead_letters_keep_their_reason_and_can_be_tried_again() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("bob"));
    let id = envelope(1).id();
    accept(&home, &envelope(1), &by_drive());
    accept(&home, &envelope(2), &by_drive());
    let refuse = Change::Refuse {
        id,
        problem: "e.p.trust.crypto".into(),
        detail: "no key of ours".into(),
    };
    home.apply(&[refuse]).unwrap();
    assert_eq!(home.inbox(0, 10).unwrap().len(), 1);
    let dead = home.refused(0, 10).unwrap().remove(0);
    assert_eq!((dead.id, dead.state), (id, InState::Refused));
    assert_eq!(dead.problem.as_deref(), Some("e.p.trust.crypto"));
    assert_eq!(dead.detail.as_deref(), Some("no key of ours"));
    assert!(home.envelope(&id).unwrap().is_some(), "its bytes are kept");

    home.retry(&id).unwrap();
    assert!(home.refused(0, 10).unwrap().is_empty());
    assert_eq!(unread(&home), 2);
    home.mark_read(&id).unwrap();
    assert_eq!(unread(&home), 1);

    home.discard(&id).unwrap();
    assert_eq!(home.envelope(&id).unwrap(), None);
    let again = accept(&home, &envelope(1), &by_drive());
    assert_eq!(again, Accepted::Duplicate, "seen is for ever");
}

#[test]
fn ten_thousand_messages_are_accepted_and_paged_through() {
    let place = tempdir().unwrap();
    let home = home_in(&place.path().join("bob"));
    let batch: Vec<Envelope> = (0..10_000)
        .map(|number| Envelope::from_packed(&packed(number, 2048)).unwrap())
        .collect();
    let start = Instant::now();
    for part in batch.chunks(500) {
        let accepted = home.accept_all(part, &by_drive()).unwrap();
        assert!(accepted.iter().all(|one| *one == Accepted::New));
    }
    println!(
        "10,000 messages of 2 kB accepted in {:.2?}",
        start.elapsed()
    );
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let page = home.inbox(after, 999).unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        seen.extend(page.iter().map(|row| row.id));
    }
    let expected: Vec<_> = batch.iter().map(Envelope::id).collect();
    assert_eq!(seen, expected, "in order of arrival");
}

#[test]
fn two_writers_wait_for_each_other() {
    let place = tempdir().unwrap();
    let dir = place.path().join("alice");
    drop(home_in(&dir));
    let write = |from: usize| {
        let home = Home::open(&dir).unwrap();
        for number in from..from + 60 {
            queue(&home, &to_bob(number));
            accept(&home, &envelope(number), &by_drive());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(0));
        scope.spawn(|| write(30));
        scope.spawn(|| write(60));
    });
    let home = Home::open(&dir).unwrap();
    assert_eq!(home.outbox(None, 0, 999).unwrap().len(), 120);
    assert_eq!(home.inbox(0, 999).unwrap().len(), 120);
    home.check().unwrap();
}
