//! Scenarios that once broke a promise: none breaks one again.

use packmule_sim::{Scenario, replay};

#[test]
fn what_was_once_found_is_mended() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let scenario = Scenario::parse(&text).expect("a scenario");
        let outcome = replay(&scenario, false);
        let name = path.display();
        assert_eq!(outcome.violations, [], "{name}");
        // What ends here took millions of events before the mend.
        assert!(outcome.events < 50_000, "{name}: {}", outcome.events);
        count += 1;
    }
    assert!(count >= 3, "only {count} scenarios");
}
