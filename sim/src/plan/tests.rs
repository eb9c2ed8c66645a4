use super::Plan;
use crate::scenario::Scenario;

#[test]
fn every_built_in_plan_reads_and_tells_what_it_is_about() {
    let list = Plan::list();
    assert_eq!(list.len(), super::BUILT_IN.len());
    for (name, about) in list {
        let plan = Plan::built_in(&name).unwrap();
        assert_eq!(plan.name, name);
        assert!(about.len() > 20, "{name}: {about}");
        let scenario = plan.scenario(1);
        assert!(scenario.calm_ms < scenario.ends_ms);
        assert!(!scenario.messages.is_empty() && !scenario.contacts.is_empty());
    }
}

#[test]
fn a_seed_is_one_run_and_another_seed_another() {
    let plan = Plan::built_in("mixed").unwrap();
    assert_eq!(plan.scenario(5), plan.scenario(5));
    assert_ne!(plan.scenario(5), plan.scenario(6));
}

#[test]
fn a_scenario_survives_its_file() {
    for (name, _) in Plan::list() {
        let scenario = Plan::built_in(&name).unwrap().scenario(3);
        let text = scenario.to_toml().unwrap();
        assert_eq!(Scenario::parse(&text).unwrap(), scenario, "{name}");
    }
}

#[test]
fn mixed_runs_have_five_honest_nodes_and_nothing_fails_in_the_calm() {
    let plan = Plan::built_in("mixed").unwrap();
    for seed in 0..200 {
        let scenario = plan.scenario(seed);
        assert!(scenario.nodes.iter().filter(|node| !node.mallory).count() >= 5);
        assert!(
            scenario
                .faults
                .iter()
                .all(|fault| fault.at_ms <= scenario.calm_ms)
        );
    }
}

#[test]
fn a_plan_with_a_stranger_in_it_is_refused_by_name() {
    let error = Plan::parse("duration_s = 5\n[[traffic]]\nfrom = ['trudy']\nto = []").unwrap_err();
    assert!(error.to_string().contains("trudy"), "{error}");
    assert!(Plan::parse("duration_s = 0").is_err());
    assert!(Plan::parse("wat = 1").is_err());
}
