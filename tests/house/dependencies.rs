//! The dependency policy (docs/dependencies.md), held against what the lock file resolves to.

use std::collections::BTreeSet;

use packmule_tests::{metadata, text};

/// Licences that the product may contain (`.config/deny.toml` says the same to `cargo deny`).
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates the product must never contain, and why (the same list is in `.config/deny.toml`).
const BANNED: &[(&str, &str)] = &[
    (
        "didcomm",
        "RUSTSEC-2022-0093 and -2024-0344 through its pins; lives in core/backend-didcomm alone",
    ),
    (
        "serde_cbor",
        "archived, RUSTSEC-2021-0127; allowed in tests only, as an independent decoder",
    ),
    (
        "openssl",
        "needs a system library; TLS and crypto come with the build",
    ),
];

/// An SPDX expression holds when every AND side has an OR side that we allow.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let flat = expression.replace(['(', ')'], " ");
    // Parentheses only ever group ORs inside ANDs in the graph we have; a stricter reading
    // (all of AND, any of OR) of the flat text is right for those.
    flat.split(" AND ")
        .all(|side| side.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

#[test]
fn every_licence_is_one_we_may_ship() {
    let meta = metadata();
    for package in meta["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        let licence = package["license"].as_str().unwrap_or("none given");
        assert!(
            allowed(licence),
            "{name} is under \"{licence}\": not in the policy (docs/dependencies.md)"
        );
    }
}

#[test]
fn every_direct_dependency_has_a_reason() {
    let meta = metadata();
    let page = text("docs/dependencies.md");
    let direct: BTreeSet<&str> = meta["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter(|p| p["source"].is_null())
        .flat_map(|p| p["dependencies"].as_array().into_iter().flatten())
        .filter_map(|d| d["name"].as_str())
        .filter(|name| !name.starts_with("packmule"))
        .collect();
    assert!(
        direct.len() > 5,
        "cargo metadata lists only {} direct dependencies",
        direct.len()
    );
    for name in direct {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "{name} has no reason in docs/dependencies.md"
        );
    }
}

#[test]
fn nothing_banned_reaches_the_product() {
    let meta = metadata();
    let names: BTreeSet<&str> = meta["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|p| p["name"].as_str())
        .collect();
    let dev: BTreeSet<&str> = meta["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter(|p| p["source"].is_null())
        .flat_map(|p| p["dependencies"].as_array().into_iter().flatten())
        .filter(|d| d["kind"].as_str() == Some("dev"))
        .filter_map(|d| d["name"].as_str())
        .collect();
    for (name, why) in BANNED {
        assert!(
            !names.contains(name) || dev.contains(name),
            "{name} is in the product: {why}"
        );
    }
    let deny = text(".config/deny.toml");
    for (name, _) in BANNED {
        assert!(
            deny.contains(&format!("\"{name}\"")),
            ".config/deny.toml does not ban {name}"
        );
    }
}
