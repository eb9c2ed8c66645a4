//! A stranger's forward, or what a stranger asks of a mediator or answers for one: what is read
//! is bounded, and means the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use packmule_agent::message::{Message, posix_of};
use packmule_agent::protocol::{mediation, pickup, routing};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = posix_of(text);
    }
    let Ok(message) = Message::parse(data) else {
        return;
    };
    forward(&message, data.len());
    mediation(&message);
    pickup(&message);
});

fn forward(message: &Message, bytes: usize) {
    let Ok(read) = routing::read(message) else {
        return;
    };
    assert!(!read.packed.is_empty() && read.packed.len() <= routing::MAX_PACKED);
    let held: usize = read.packed.iter().map(Vec::len).sum();
    // JSON escapes need six bytes at most where the message has one.
    assert!(held <= bytes.saturating_mul(6), "{held} out of {bytes}");
    assert!(read.wait(u64::MAX) <= i64::MIN.unsigned_abs());
    for packed in &read.packed {
        let Ok(onward) = read.onward(&read.next, packed) else {
            return;
        };
        let again = routing::read(&onward).expect("we wrote it");
        assert_eq!((again.hops, again.expires), (read.hops + 1, read.expires));
        assert!(read.next.starts_with(&again.next));
    }
}

fn mediation(message: &Message) {
    if let Some(answer) = mediation::read_answer(message) {
        assert!(mediation::read_ask(message).is_none(), "{answer:?}");
    }
    let Some(Ok((version, ask))) = mediation::read_ask(message) else {
        return;
    };
    let again = match &ask {
        mediation::Ask::Request => mediation::request(version),
        mediation::Ask::Update(changes) => {
            assert!(changes.len() <= mediation::MAX_ENTRIES);
            mediation::update(version, changes)
        }
        mediation::Ask::Query(page) => mediation::query(version, *page),
    };
    assert_eq!(mediation::read_ask(&again), Some(Ok((version, ask))));
}

fn pickup(message: &Message) {
    if let Some(answer) = pickup::read_answer(message) {
        assert!(pickup::read_ask(message).is_none(), "{answer:?}");
    }
    let Some(Ok((version, ask))) = pickup::read_ask(message) else {
        return;
    };
    let again = match &ask {
        pickup::Ask::Status { recipient } => pickup::status_request(version, recipient.as_deref()),
        pickup::Ask::Delivery { limit, recipient } => {
            pickup::delivery_request(version, *limit, recipient.as_deref())
        }
        pickup::Ask::Received(ids) => {
            assert!(ids.len() <= pickup::MAX_IDS);
            pickup::received(version, ids)
        }
        pickup::Ask::Live(wanted) => pickup::live(version, *wanted),
    };
    assert_eq!(pickup::read_ask(&again), Some(Ok((version, ask))));
}
