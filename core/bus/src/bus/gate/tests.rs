use super::*;
use crate::bus::io::{LinkId, Record};

fn id(number: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([number; 32])
}

fn stores(number: u8) -> Vec<Op> {
    vec![
        Op::Put(Record::Seen(id(number), None)),
        Op::Body(id(number), vec![0; 100]),
    ]
}

fn custody(number: u8) -> Said {
    Said::Custody(LinkId(1), id(number))
}

#[test]
fn custody_waits_for_its_batch() {
    let mut gate = Gate::new(false);
    let (batch, now) = gate.depart(&stores(1), vec![custody(1)]);
    assert!(now.is_empty());
    assert!(gate.is_uncertain(&id(1)));
    assert_eq!(gate.bytes(), 100);
    let landed = gate.committed(batch).expect("it was in flight");
    assert_eq!(landed.durable, [id(1)]);
    assert!(matches!(landed.said.as_slice(), [Said::Custody(..)]));
    assert!(!gate.is_uncertain(&id(1)));
    assert_eq!(gate.bytes(), 0);
    assert!(gate.committed(batch).is_none(), "once is enough");
}

#[test]
fn a_duplicate_waits_for_the_batch_of_the_first() {
    let mut gate = Gate::new(false);
    let (first, _) = gate.depart(&stores(1), Vec::new());
    assert!(gate.say(vec![custody(1)]).is_empty());
    let (second, now) = gate.depart(&stores(2), vec![custody(1), custody(2)]);
    assert!(now.is_empty());
    let landed = gate.committed(second).expect("it was in flight");
    assert_eq!(landed.said.len(), 1, "only the word about the second");
    let lost = gate.failed(first).expect("it was in flight");
    assert_eq!(lost.undone, [id(1)]);
    assert_eq!(lost.unsaid.len(), 2, "both words about the first");
    assert_eq!(gate.say(vec![custody(2)]).len(), 1, "nothing to wait for");
}

#[test]
fn changes_that_failed_are_owed_with_what_was_to_be_said() {
    let mut gate = Gate::new(false);
    let mut ops = stores(1);
    ops.push(Op::Drop(Key::Held(id(2))));
    let event = Said::Depot(Effect::Event(Event::Carrying(id(2))));
    let (batch, _) = gate.depart(&ops, vec![custody(1), event]);
    let lost = gate.failed(batch).expect("it was in flight");
    assert_eq!(lost.unsaid.len(), 1);
    assert!(gate.has_backlog());
    let (keys, owed) = gate.take_backlog(&[]);
    assert_eq!(keys, [Key::Held(id(2))]);
    assert_eq!(owed.len(), 1);
    assert!(!gate.has_backlog());
}

#[test]
fn the_backlog_never_overtakes_a_first_batch() {
    let mut gate = Gate::new(false);
    let (batch, _) = gate.depart(&[Op::Drop(Key::Held(id(1)))], Vec::new());
    gate.failed(batch);
    gate.depart(&stores(1), Vec::new());
    let (keys, _) = gate.take_backlog(&[]);
    assert_eq!(keys, [], "its record must not land without its body");
    assert!(gate.has_backlog());
    let mut gate = Gate::new(false);
    let (batch, _) = gate.depart(&[Op::Drop(Key::Held(id(1)))], Vec::new());
    gate.failed(batch);
    let (keys, _) = gate.take_backlog(&stores(1));
    assert_eq!(keys, [], "nor with it, which may fail once more");
}

/// It is taken back while it is being written: that is true with the batch that drops it.
#[test]
fn a_change_of_what_is_in_flight_is_told_after_both() {
    let forgotten = || {
        let event = Said::Depot(Effect::Event(Event::Evicted(id(1))));
        (vec![Op::Drop(Key::Held(id(1)))], vec![event])
    };
    let mut gate = Gate::new(false);
    let (first, _) = gate.depart(&stores(1), Vec::new());
    let (ops, said) = forgotten();
    let (second, now) = gate.depart(&ops, said);
    assert!(now.is_empty());
    assert_eq!(gate.committed(first).expect("in flight").said.len(), 0);
    assert_eq!(gate.committed(second).expect("in flight").said.len(), 1);
    // The other way round.
    let (first, _) = gate.depart(&stores(1), Vec::new());
    let (ops, said) = forgotten();
    let (second, _) = gate.depart(&ops, said);
    assert_eq!(gate.committed(second).expect("in flight").said.len(), 0);
    assert_eq!(gate.committed(first).expect("in flight").said.len(), 1);
    // And if there was nothing to change.
    let (first, _) = gate.depart(&stores(1), Vec::new());
    let (ops, said) = forgotten();
    let (second, _) = gate.depart(&ops, said);
    assert_eq!(gate.failed(first).expect("in flight").unsaid.len(), 1);
    assert_eq!(gate.committed(second).expect("in flight").said.len(), 0);
}

#[test]
fn sabotage_opens_the_gate() {
    let mut gate = Gate::new(true);
    let (_, now) = gate.depart(&stores(1), vec![custody(1)]);
    assert_eq!(now.len(), 1);
}

#[test]
fn what_is_stored_anew_stands_and_falls_with_the_later_batch() {
    let mut gate = Gate::new(false);
    let (first, _) = gate.depart(&stores(1), Vec::new());
    let (second, _) = gate.depart(&stores(1), vec![custody(1)]);
    let lost = gate.failed(first).expect("it was in flight");
    assert_eq!(lost.undone, [], "the second may still store it");
    assert!(lost.unsaid.is_empty());
    assert!(gate.is_uncertain(&id(1)));
    let landed = gate.committed(second).expect("it was in flight");
    assert_eq!(landed.durable, [id(1)]);
    assert_eq!(landed.said.len(), 1, "and not with the first");
}
