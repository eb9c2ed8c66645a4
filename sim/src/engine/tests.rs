use super::replay;
use crate::plan::Plan;
use crate::scenario::{Fault, FaultKind, Scenario};
use crate::timeline::Fate;

fn mixed(seed: u64) -> Scenario {
    Plan::built_in("mixed").unwrap().scenario(seed)
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    for seed in [3, 17] {
        let (once, again) = (replay(&mixed(seed), false), replay(&mixed(seed), true));
        assert_eq!((once.hash, once.events), (again.hash, again.events));
        assert_eq!(once.faults_fired, again.faults_fired);
    }
    assert_ne!(
        replay(&mixed(3), false).hash,
        replay(&mixed(17), false).hash
    );
}

#[test]
fn what_a_file_says_is_what_runs() {
    let scenario = mixed(5);
    let read = Scenario::parse(&scenario.to_toml().unwrap()).unwrap();
    assert_eq!(replay(&read, false).hash, replay(&scenario, false).hash);
}

#[test]
fn whoever_is_not_there_changes_nothing_for_the_others() {
    let mut scenario = mixed(8);
    let before = replay(&scenario, true);
    scenario.faults.push(Fault {
        at_ms: 10,
        node: "nobody".to_owned(),
        kind: FaultKind::DiskFull { for_ms: 5 },
    });
    let after = replay(&scenario, true);
    assert_eq!(
        before.timeline.unwrap().messages,
        after.timeline.unwrap().messages
    );
}

#[test]
fn every_plan_of_ours_keeps_its_promises() {
    for (name, _) in Plan::list() {
        let seen = replay(&Plan::built_in(&name).unwrap().scenario(1), true);
        assert_eq!(seen.violations, [], "{name}");
        assert!(
            seen.delivered * 3 > seen.submitted,
            "{name}: {} of {}",
            seen.delivered,
            seen.submitted
        );
        let line = seen.timeline.unwrap();
        let delivered = line
            .messages
            .iter()
            .filter(|message| message.fate == Fate::Delivered);
        for message in delivered {
            assert!(!message.hops.is_empty(), "{name}: {message:?}");
            // The oracle knows contacts, not mailboxes: a hop from nobody came by one.
            let by_mailbox = message.hops.iter().any(|hop| hop.from.is_empty());
            assert!(
                by_mailbox || message.earliest <= message.delivered_at,
                "{name}: {message:?}"
            );
        }
    }
}

#[test]
fn on_the_bus_line_everything_arrives_by_mule() {
    let seen = replay(&Plan::built_in("bus-line").unwrap().scenario(2), false);
    assert_eq!(seen.delivered, seen.submitted);
}
