//! Rules on what the compiler must check: no unsafe code, and overflow where strangers are read.

use packmule_tests::{files, text};

/// Crates that may hold unsafe code, and why.
const UNSAFE: [(&str, &str); 1] = [(
    "transports/qr/page/Cargo.toml",
    "names that are exported to a browser have to be declared unsafe to export; nothing else is",
)];

/// The manifests of the product's crates.
fn manifests() -> Vec<String> {
    let rooms = ["core/", "transports/", "gateway/", "sim/", "cli/"];
    let found: Vec<String> = files()
        .into_iter()
        .filter(|f| f.ends_with("Cargo.toml") && rooms.iter().any(|room| f.starts_with(room)))
        // A workspace of its own, not in the product.
        .filter(|f| f != "core/backend-didcomm/Cargo.toml")
        .collect();
    assert!(found.len() >= 20, "only {} manifests", found.len());
    found
}

#[test]
fn the_product_forbids_unsafe_code() {
    assert!(text("Cargo.toml").contains("unsafe_code = \"forbid\""));
    let manifests = manifests();
    for manifest in &manifests {
        let body = text(manifest);
        let forbids = body.contains("[lints]\nworkspace = true");
        match UNSAFE.iter().find(|(file, _)| file == manifest) {
            // Denied all the same: what is unsafe says so, with its reason, where it is.
            Some(_) => assert!(
                !forbids && body.contains("unsafe_code = \"deny\""),
                "{manifest}: deny unsafe code, or take it off the list"
            ),
            None => assert!(
                forbids,
                "{manifest}: take the lints of the workspace, which forbid unsafe code"
            ),
        }
    }
    let sources = files().into_iter().filter(|f| f.ends_with(".rs"));
    let product = sources.filter(|f| manifests.iter().any(|m| f.starts_with(room(m))));
    for file in product {
        let lifts = text(&file)
            .lines()
            .any(|line| line.trim() == "unsafe_code," || line.contains("(unsafe_code"));
        let named = UNSAFE.iter().any(|(m, _)| file.starts_with(room(m)));
        assert!(!lifts || named, "{file} lifts the rule against unsafe code");
    }
}

#[test]
fn whatever_reads_strangers_bytes_checks_for_overflow_in_release() {
    let workspace = text("Cargo.toml");
    for manifest in manifests() {
        let reads = ["core/", "transports/", "gateway/"];
        // The page's reader is built by rules of its own, said in its build.sh.
        if !reads.iter().any(|r| manifest.starts_with(r))
            || manifest == "transports/qr/page/Cargo.toml"
        {
            continue;
        }
        let body = text(&manifest);
        let name = body.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.expect("a package has a name").trim_matches('"');
        let rule = format!("[profile.release.package.{name}]\noverflow-checks = true");
        assert!(
            workspace.contains(&rule),
            "Cargo.toml: {name} reads bytes from strangers; add\n{rule}"
        );
    }
}

fn room(manifest: &str) -> &str {
    manifest.trim_end_matches("Cargo.toml")
}
