//! The demo is a promise: it runs, and its last line says so.

use super::stage::{Party, Stage, text};
use serde_json::Value;

#[test]
fn the_demo_succeeds_and_ends_with_its_steps() {
    let stage = Stage::new();
    let nobody = Party {
        home: stage.path("none"),
    };
    let dir = stage.path("demo");
    let out = nobody.ok(["demo", "--json", "--dir", text(&dir)]);
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let last = lines.last().expect("lines");
    assert_eq!(last["ok"], true);
    let steps = last["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 11);
    assert!(
        steps
            .iter()
            .all(|step| step["ok"] == true && step["name"].is_string())
    );
    assert!(dir.join("invitation.png").exists());
    assert!(std::fs::read_dir(dir.join("qr")).unwrap().count() > 2);
    assert!(!nobody.home.exists(), "the demo touched the user's home");
    // Not over something that is there.
    assert_eq!(nobody.run(["demo", "--dir", text(&dir)]).code, 9);
}
