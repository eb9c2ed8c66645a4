//! Rules on pages: transports tell what DIDComm demands, fixtures tell where they come from,
//! decisions fit on a page, the README keeps its two commands.

use std::collections::BTreeSet;

use packmule_tests::{files, text};

/// DIDComm Messaging v2.1, "Transport Requirements": four items that each transport must define;
/// and two of our own.
const TRANSPORT_ITEMS: [&str; 6] = [
    "Endpoint URI",
    "How to send",
    "Media type",
    "Extra context",
    "Limits",
    "Permissions",
];

#[test]
fn every_transport_gives_what_the_spec_demands() {
    let all = files();
    let crates: BTreeSet<&str> = all
        .iter()
        .filter_map(|f| f.strip_prefix("transports/")?.strip_suffix("/Cargo.toml"))
        .filter(|name| !name.contains('/'))
        .collect();
    assert!(crates.len() >= 2, "no transports found");
    for name in crates {
        let page = text(&format!("transports/{name}/README.md"));
        for item in TRANSPORT_ITEMS {
            let heading = page
                .lines()
                .any(|l| l.starts_with('#') && l.trim_start_matches('#').trim() == item);
            assert!(
                heading,
                "transports/{name}/README.md lacks the heading \"{item}\""
            );
        }
        let front = text(&format!("transports/{name}/src/lib.rs"));
        assert!(
            front.contains("include_str!(\"../README.md\")"),
            "transports/{name}: the rustdoc front page is its README"
        );
    }
}

#[test]
fn every_fixture_tells_its_origin() {
    let all = files();
    let rooms: BTreeSet<String> = all
        .iter()
        .filter_map(|f| f.strip_prefix("fixtures/")?.split('/').next())
        .filter(|part| !part.contains('.'))
        .map(str::to_owned)
        .collect();
    assert!(!rooms.is_empty(), "no fixtures found");
    for room in rooms {
        let page = format!("fixtures/{room}/README.md");
        assert!(
            all.contains(&page),
            "{page} is missing: origin, licence, how to regenerate"
        );
        let body = text(&page).to_lowercase();
        for word in ["origin", "licen", "regenerat"] {
            assert!(body.contains(word), "{page} says nothing of \"{word}…\"");
        }
    }
}

#[test]
fn a_decision_fits_on_a_page() {
    let decisions: Vec<String> = files()
        .into_iter()
        .filter(|f| f.starts_with("docs/adr/") && f.ends_with(".md"))
        .collect();
    assert!(!decisions.is_empty(), "no decisions in docs/adr");
    for file in decisions {
        let lines = text(&file).lines().count();
        assert!(
            lines <= 60,
            "{file} has {lines} lines: a decision fits on a page"
        );
    }
}

#[test]
fn the_readme_keeps_its_two_commands_and_tested_examples() {
    let page = text("README.md");
    let head: String = page.lines().take(60).collect::<Vec<_>>().join("\n");
    for command in ["cargo run --release -- demo", "./check"] {
        assert!(
            head.contains(command),
            "the README's first screen must show `{command}`"
        );
    }
    assert!(
        page.contains("<!-- tested -->"),
        "the README has no tested example"
    );
}

#[test]
fn links_between_our_pages_lead_somewhere() {
    for file in files().into_iter().filter(|f| f.ends_with(".md")) {
        let base = file.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        for (n, line) in text(&file).lines().enumerate() {
            for part in line.split("](").skip(1) {
                let target = part.split([')', '#']).next().unwrap_or_default();
                if target.is_empty()
                    || target.contains("://")
                    || target.starts_with("mailto:")
                    || target.contains(' ')
                {
                    continue;
                }
                let path = packmule_tests::root().join(&base).join(target);
                assert!(
                    path.exists(),
                    "{file}:{}: the link to {target} leads nowhere",
                    n + 1
                );
            }
        }
    }
}
