//! Several inputs in one turn: one batch for all of them, and nothing is said before it.

use packmule_bus::bus::io::{BatchId, DiskFault, Event, Input, Key, Op, Output, Record};
use packmule_bus::bus::io::{SettleId, Submission};
use packmule_bus::bus::{Bus, Config};
use packmule_bus::label::DidTag;
use packmule_bus::receipt::{Reason, Rung};
use packmule_bus::time::{Now, Time};
use packmule_bus::{Envelope, EnvelopeId};

use crate::party::message;
use crate::world::DAWN;

const NOW: Now = Now {
    time: Time::from_micros(1),
    wall: DAWN,
};

fn alice() -> DidTag {
    DidTag::of("did:example:alice")
}

fn bus() -> Bus {
    let mut bus = Bus::restore([], Config::new([1; 32], [2; 32]), NOW);
    give(&mut bus, [Input::Identity(vec![alice()])]);
    bus
}

fn give(bus: &mut Bus, inputs: impl IntoIterator<Item = Input>) -> Vec<Output> {
    bus.handle_all(NOW, inputs).collect()
}

fn to_bob(number: u32) -> (EnvelopeId, Submission) {
    message(number, 300, DidTag::of("did:example:bob"))
}

/// The only batch; nothing else is said.
fn only_batch(outputs: &[Output]) -> (BatchId, Vec<Op>) {
    match outputs {
        [Output::Persist(batch, ops)] => (*batch, ops.clone()),
        other => panic!("a batch and nothing else: {other:?}"),
    }
}

fn queued(outputs: &[Output]) -> Vec<EnvelopeId> {
    let queued = outputs.iter().filter_map(|output| match output {
        Output::Event(Event::Progress { id, rung, .. }) => (*rung == Rung::Queued).then_some(*id),
        _ => None,
    });
    queued.collect()
}

#[test]
fn many_submissions_are_one_batch_and_are_queued_after_it() {
    let mut bus = bus();
    let [(first, one), (second, two), (third, three)] = [1, 2, 3].map(to_bob);
    let inputs = [one, two, three].map(Input::Submit);
    let (batch, ops) = only_batch(&give(&mut bus, inputs));
    let bodies = ops.iter().filter(|op| matches!(op, Op::Body(..)));
    assert_eq!(bodies.count(), 3);
    // What is asked about one of them meanwhile is not answered either.
    let again = to_bob(2).1;
    assert!(give(&mut bus, [Input::Submit(again), Input::Timeout]).is_empty());
    let told = give(&mut bus, [Input::Committed(batch)]);
    assert_eq!(queued(&told), [first, second, third, second]);
}

#[test]
fn if_the_batch_fails_all_of_them_hear_the_contrary() {
    let mut bus = bus();
    let [(first, one), (second, two)] = [1, 2].map(to_bob);
    let inputs = [one, two].map(Input::Submit);
    let (batch, _) = only_batch(&give(&mut bus, inputs));
    let told = give(&mut bus, [Input::Failed(batch, DiskFault::Full)]);
    assert!(queued(&told).is_empty(), "{told:?}");
    for id in [first, second] {
        let refused = Event::NotTaken(id, Reason::Full);
        let told = told
            .iter()
            .filter(|output| matches!(output, Output::Event(event) if *event == refused));
        assert_eq!(told.count(), 1);
    }
}

/// A commit, a letter from a mailbox, a word of the agent and a person's change of mind in one
/// turn: what the commit makes true is said now, and all the rest after the batch of this turn.
#[test]
fn in_a_mixed_turn_every_word_waits_for_what_makes_it_true() {
    let mut bus = bus();
    let arrives = |packed: &[u8], number: u64| Input::Whole {
        transport: "drive".to_owned(),
        envelope: Envelope::from_packed(packed).expect("a message"),
        to: vec![alice()],
        settle: SettleId(number),
    };
    let (batch, _) = only_batch(&give(&mut bus, [arrives(b"one", 1)]));
    give(&mut bus, [Input::Committed(batch)]);
    let (held, submission) = to_bob(1);
    let (batch, _) = only_batch(&give(&mut bus, [Input::Submit(submission)]));

    let one = Envelope::from_packed(b"one").expect("a message").id();
    let (fresh, submission) = to_bob(2);
    let outputs = give(
        &mut bus,
        [
            Input::Committed(batch),
            Input::Acknowledge(one, None),
            arrives(b"two", 2),
            Input::Forget(held),
            Input::Submit(submission),
        ],
    );
    let persists: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Persist(batch, ops) => Some((*batch, ops)),
            _ => None,
        })
        .collect();
    let [(turn, ops)] = persists.as_slice() else {
        panic!("one batch: {outputs:?}");
    };
    let turn = *turn;
    assert!(ops.contains(&Op::Drop(Key::Held(held))));
    let acknowledged = ops
        .iter()
        .any(|op| matches!(op, Op::Put(Record::Inbox(arrived)) if arrived.acknowledged.is_some()));
    assert!(acknowledged, "{ops:?}");
    assert_eq!(queued(&outputs), [held], "that batch is durable");
    assert_eq!(outputs.len(), 2, "and nothing else is said: {outputs:?}");

    let told = give(&mut bus, [Input::Committed(turn)]);
    assert_eq!(queued(&told), [fresh]);
    let settles = |o: &Output| matches!(o, Output::Settle(SettleId(2)));
    assert!(told.iter().any(settles), "{told:?}");
    let signs = told.iter().any(|o| matches!(o, Output::Sign { .. }));
    let received = |o: &Output| matches!(o, Output::Event(Event::Received(_)));
    assert!(signs && told.iter().any(received), "{told:?}");
    let forgotten = told.iter().any(|output| {
        matches!(output, Output::Event(Event::Progress { id, rung, .. })
            if *id == held && *rung == Rung::Refused(Reason::Forgotten))
    });
    assert!(forgotten, "{told:?}");
}
