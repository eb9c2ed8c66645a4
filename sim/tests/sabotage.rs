//! Does the simulator find what it is for? Five classic bugs are put back into the bus, one at
//! a time; a swarm has to find each, shrink it, and see it again in the shrunken file.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bug that hides must fail the test"
)]

use std::time::Duration;

use packmule_sim::{Bug, Options, Plan, Scenario, replay, run, shrink};

/// Seeds within which each bug has to be found.
const SEEDS: u64 = 10_000;

fn finds(bug: Bug, kinds: &[&str]) {
    let plan = Plan::built_in("mixed").unwrap();
    let options = Options {
        stop_at_first: true,
        sabotage: Some(bug),
        ..Options::default()
    };
    let found = run(&plan, 0..SEEDS, &options);
    let failure = found.failures.first();
    let failure = failure.unwrap_or_else(|| panic!("{bug:?} hides from {SEEDS} seeds"));
    let kind = failure.violations[0].kind.as_str();
    assert!(
        kinds.contains(&kind),
        "{bug:?} was found as {:?}",
        failure.violations
    );
    // The same run without the bug breaks nothing: it was the bug that was found.
    let healthy = Scenario {
        sabotage: None,
        ..failure.scenario.clone()
    };
    assert_eq!(replay(&healthy, false).violations, []);
}

#[test]
fn acknowledging_before_the_commit_is_found() {
    finds(Bug::AckBeforeCommit, &["before_durable", "lost"]);
}

#[test]
fn believing_what_a_peer_had_before_it_restarted_is_found() {
    // What a dead life had said is taken for the new one's word, or nothing is offered again.
    finds(Bug::NoEpoch, &["stuck", "before_durable"]);
}

#[test]
fn forgetting_at_a_restart_what_was_seen_is_found() {
    finds(Bug::ForgetDedup, &["twice"]);
}

#[test]
fn taking_one_more_than_the_quota_allows_is_found() {
    finds(Bug::QuotaOffByOne, &["quota"]);
}

#[test]
fn losing_refusals_is_found() {
    finds(Bug::LoseRefusals, &["stuck"]);
}

#[test]
fn without_a_bug_nothing_is_found() {
    let plan = Plan::built_in("mixed").unwrap();
    let clean = run(&plan, 0..60, &Options::default());
    assert_eq!(clean.seeds, 60);
    assert_eq!(clean.violations, 0, "{:?}", clean.failures);
    assert!(clean.delivered > clean.submitted / 2);
}

#[test]
fn a_find_shrinks_to_a_small_file_that_shows_it_again() {
    let plan = Plan::built_in("mixed").unwrap();
    let options = Options {
        stop_at_first: true,
        sabotage: Some(Bug::QuotaOffByOne),
        ..Options::default()
    };
    let found = run(&plan, 0..SEEDS, &options);
    let whole = &found.failures[0].scenario;
    let kind = &found.failures[0].violations[0].kind;
    let small = shrink(whole, 200, Duration::from_secs(60));
    assert!(
        small.parts() * 2 < whole.parts(),
        "{} of {}",
        small.parts(),
        whole.parts()
    );
    let again = Scenario::parse(&small.to_toml().unwrap()).unwrap();
    let seen = replay(&again, false).violations;
    assert!(
        seen.iter().any(|violation| violation.kind == *kind),
        "{seen:?}"
    );
}
