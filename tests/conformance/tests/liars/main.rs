//! The suite can fail: for each promise an adapter that breaks it, and the check that says so.
//!
//! Time is paused: whoever waits for ever is found at once.

#![expect(clippy::panic, reason = "a liar that is not caught must fail the test")]

mod adapters;
mod beacons;
mod boxes;
mod wrappers;

use packmule_bus::link::{Link, LinkFacts};
use packmule_conformance::{Broken, links};

use adapters::{Habit, liar, pair};

fn small() -> LinkFacts {
    LinkFacts {
        mtu: 100,
        ..packmule_mem::FACTS
    }
}

/// The check says so, under its name.
fn caught(verdict: Result<(), Broken>, promise: &str) {
    match verdict {
        Ok(()) => panic!("the check \"{promise}\" believed a liar"),
        Err(broken) => assert_eq!(broken.promise, promise, "{broken}"),
    }
}

fn lying(habit: Habit) -> (Link, Link) {
    liar(pair(small()), habit)
}

#[tokio::test(start_paused = true)]
async fn honest_links_pass_with_the_same_tools() {
    for habit in [Habit::None] {
        links(async || lying(habit)).await.expect("honest");
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_says_ok_and_drops() {
    let promise = "each PDU arrives once, and in order where that is declared";
    caught(
        links::each_once_and_in_order(lying(Habit::DropsEveryTenth)).await,
        promise,
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_that_says_ok_to_nobody() {
    caught(
        links::send_sees_the_end(lying(Habit::SendsToNobody)).await,
        "send sees the end",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_with_retries_of_its_own() {
    let promise = "each PDU arrives once, and in order where that is declared";
    caught(
        links::each_once_and_in_order(lying(Habit::SendsTwice)).await,
        promise,
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_swaps() {
    let promise = "each PDU arrives once, and in order where that is declared";
    caught(
        links::each_once_and_in_order(lying(Habit::Swaps)).await,
        promise,
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_cuts_long_pdus() {
    caught(
        links::every_length_whole(lying(Habit::CutsLong)).await,
        "PDUs of every length arrive whole",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_merges_pdus() {
    caught(
        links::every_length_whole(lying(Habit::Merges)).await,
        "PDUs of every length arrive whole",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_takes_too_long_pdus() {
    let promise = "too long a PDU is refused and the link goes on";
    caught(
        links::oversize_is_refused(lying(Habit::TakesAnyLength)).await,
        promise,
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_dies_of_too_long_a_pdu() {
    let promise = "too long a PDU is refused and the link goes on";
    caught(
        links::oversize_is_refused(lying(Habit::DiesOfOversize)).await,
        promise,
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_dies_of_an_empty_pdu() {
    caught(
        links::empty_is_harmless(lying(Habit::DiesOfEmpty)).await,
        "an empty PDU does no harm",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_sends_only_while_it_hears_nothing() {
    caught(
        links::both_directions_at_once(lying(Habit::OneWayAtATime)).await,
        "both directions work at once",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_queues_without_end() {
    caught(
        links::a_slow_reader_stops_the_writer(lying(Habit::Unbounded)).await,
        "a reader who does not read stops the writer",
    );
}

#[tokio::test(start_paused = true)]
async fn a_recv_that_loses_when_dropped() {
    caught(
        links::cancelled_recv_loses_nothing(lying(Habit::LosesOnCancel)).await,
        "a dropped recv loses nothing",
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_that_tears_when_dropped() {
    caught(
        links::cancelled_send_tears_nothing(lying(Habit::TearsOnCancel)).await,
        "a dropped send tears nothing",
    );
}

#[tokio::test(start_paused = true)]
async fn a_recv_that_hides_the_end() {
    caught(
        links::recv_sees_the_end(lying(Habit::HidesClose)).await,
        "recv sees the end",
    );
    caught(
        links::waiting_recv_sees_the_end(lying(Habit::HidesClose)).await,
        "a waiting recv sees the end",
    );
}

#[tokio::test(start_paused = true)]
async fn a_recv_that_tells_the_end_once() {
    caught(
        links::recv_sees_the_end(lying(Habit::ClosesOnce)).await,
        "recv sees the end",
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_a_reader_who_left() {
    caught(
        links::blocked_send_sees_the_end(lying(Habit::WaitsForEver)).await,
        "a waiting send sees the end",
    );
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_forgets_its_queue_when_dropped() {
    caught(
        links::last_words_arrive(lying(Habit::ForgetsLastWords)).await,
        "what was sent before leaving arrives",
    );
}

#[tokio::test(start_paused = true)]
async fn ends_that_tell_different_facts() {
    let (mut near, far) = pair(small());
    near.facts.ordered = false;
    caught(
        links::agreed_facts((near, far)),
        "both ends tell the same facts",
    );
}
