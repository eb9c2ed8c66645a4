//! Manual pages: each verb has one, and the program that sets them has nothing to say against it.

use std::collections::BTreeSet;
use std::process::Command;

use super::stage::{Party, Stage, text};

/// The verbs below this one, as `--help` lists them.
fn verbs_below(nobody: &Party, verb: &[String]) -> Vec<Vec<String>> {
    let mut asked = verb.to_vec();
    asked.push("--help".to_owned());
    let help = nobody.ok(asked.iter().map(String::as_str));
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            // Further down a line is the rest of what is told of a verb.
            let name = line
                .strip_prefix("  ")
                .filter(|line| !line.starts_with(' '))?;
            name.split(' ').next().filter(|name| *name != "help")
        });
    let below = names.map(|name| [verb, &[name.to_owned()]].concat());
    below.collect()
}

#[test]
fn every_verb_has_a_page() {
    let stage = Stage::new();
    let nobody = Party {
        home: stage.path("none"),
    };
    let folder = stage.path("man1");
    let made = nobody.json(["man", "--out", text(&folder)]);
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(made["pages"].as_array().unwrap().len(), pages.len());

    let mut verbs = vec![Vec::new()];
    let mut seen = BTreeSet::new();
    while let Some(verb) = verbs.pop() {
        let name = format!(
            "{}.1",
            [vec!["packmule".to_owned()], verb.clone()]
                .concat()
                .join("-")
        );
        assert!(pages.contains(&name), "{name} is missing: {pages:?}");
        let mut asked = vec!["man".to_owned()];
        asked.extend(verb.iter().cloned());
        let printed = nobody.ok(asked.iter().map(String::as_str));
        assert_eq!(
            printed,
            std::fs::read_to_string(folder.join(&name)).unwrap()
        );
        verbs.extend(verbs_below(&nobody, &verb));
        seen.insert(name);
    }
    assert_eq!(seen, pages, "pages of verbs that --help does not name");
    assert!(seen.len() > 50, "only {} verbs", seen.len());
    assert_eq!(nobody.run(["man", "fly"]).code, 3);
    assert_eq!(nobody.run(["man", "nfc-worker"]).code, 3);

    for page in &pages {
        let set = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-z"])
            .arg(folder.join(page))
            .output()
            .expect("groff, of the package groff-base");
        let said = String::from_utf8_lossy(&set.stderr).into_owned();
        assert!(set.status.success() && said.is_empty(), "{page}: {said}");
    }
    let root = std::fs::read_to_string(folder.join("packmule.1")).unwrap();
    assert!(
        root.contains(".SH \"EXIT STATUS\"\n.TP\n0\ndone\n"),
        "{root}"
    );
}
