//! Rules on source files: size, unwraps, features, first lines.

use packmule_tests::{files, product_sources, text};

/// A file over this fails; over `WARN` it is printed.
const FAIL: usize = 800;
const WARN: usize = 500;

#[test]
fn no_file_swallows_its_room() {
    let mut lines: Vec<(usize, String)> = product_sources()
        .into_iter()
        .map(|f| (text(&f).lines().count(), f))
        .collect();
    lines.sort();
    let median = lines[lines.len() / 2].0;
    for (n, file) in &lines {
        if *n > WARN {
            println!("over {WARN} lines, split it by phase soon: {file} ({n})");
        }
        assert!(
            *n <= FAIL,
            "{file} has {n} lines, more than {FAIL}: split it by phase, not by \"utils\""
        );
    }
    assert!(
        median < 300,
        "the median source file has {median} lines; the house aims below 300"
    );
}

/// One file for each thing that may be left out: the transports, traces, libraries of the system.
const FACADES: [&str; 4] = [
    "transports/src/lib.rs",
    "gateway/src/traces.rs",
    "transports/nfc/libnfc/src/lib.rs",
    "transports/nfc/pcsc/src/lib.rs",
];

#[test]
fn features_live_in_the_facade_alone() {
    for file in product_sources() {
        if FACADES.contains(&file.as_str()) {
            continue;
        }
        for (n, line) in text(&file).lines().enumerate() {
            let speaks =
                line.trim_start().starts_with("#[cfg(") || line.trim_start().starts_with("#![cfg(");
            assert!(
                !(speaks && line.contains("feature")),
                "{file}:{}: cfg(feature) belongs in {FACADES:?}",
                n + 1
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for file in product_sources() {
        let body = text(&file);
        let first = body
            .lines()
            .find(|l| !l.trim().is_empty())
            .unwrap_or_default();
        let says =
            first.starts_with("//!") || first.starts_with("#![doc") || file.ends_with("build.rs");
        assert!(
            says,
            "{file} must begin with a module doc: what it is, who calls it, what can go wrong"
        );
    }
}

#[test]
fn a_lint_is_expected_with_a_reason_or_not_at_all() {
    for file in product_sources() {
        for (n, line) in text(&file).lines().enumerate() {
            let bare = line.contains("#[allow(") || line.contains("#![allow(");
            assert!(
                !bare,
                "{file}:{}: write #[expect(lint, reason = \"…\")] instead of allow",
                n + 1
            );
        }
    }
}

#[test]
fn no_folder_is_called_utils() {
    for file in files() {
        for part in file.split('/') {
            let stem = part.split('.').next().unwrap_or_default();
            assert!(
                !matches!(stem, "util" | "utils" | "helpers" | "misc" | "common"),
                "{file}: name it by what it does"
            );
        }
    }
}

#[test]
fn every_fuzz_target_has_seeds_and_an_entry() {
    let all = files();
    let manifest = text("tests/fuzz/Cargo.toml");
    let targets: Vec<&String> = all
        .iter()
        .filter(|f| f.starts_with("tests/fuzz/fuzz_targets/"))
        .collect();
    assert!(
        targets.len() >= 5,
        "only {} fuzz targets: compact, JOSE, DIDs, frames and folders each need one",
        targets.len()
    );
    for target in targets {
        let name = target
            .rsplit('/')
            .next()
            .and_then(|f| f.strip_suffix(".rs"))
            .expect("a .rs file");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{target} is not in tests/fuzz/Cargo.toml"
        );
        let seeds = format!("fixtures/hostile/{name}/");
        assert!(
            all.iter().any(|f| f.starts_with(&seeds)),
            "{target} has no seeds in {seeds}"
        );
    }
}

/// They were in a changelog once, and nobody saw.
#[test]
fn no_merge_was_left_half_done() {
    for file in files() {
        let bytes = std::fs::read(packmule_tests::root().join(&file)).unwrap();
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let marked =
            lines.any(|line| line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> "));
        assert!(!marked, "{file} has the marks of a merge");
    }
}
