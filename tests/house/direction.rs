//! Who may depend on whom (ARCHITECTURE.md, "Directions"), from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use packmule_tests::{metadata, product_sources, text};
use serde_json::Value;

/// Our packages and what each may depend on, of ours. A new crate must be entered here: that is
/// the moment to think about its room.
const MAY: &[(&str, &[&str])] = &[
    ("packmule-bus", &[]),
    ("packmule-agent", &[]),
    ("packmule-node", &["packmule-bus", "packmule-agent"]),
    ("packmule-ble", &["packmule-bus"]),
    // Back ends of one adapter: what they depend on is what it gives them to implement.
    ("packmule-ble-bluer", &["packmule-bus", "packmule-ble"]),
    ("packmule-ble-btleplug", &["packmule-bus", "packmule-ble"]),
    ("packmule-drive", &["packmule-bus"]),
    // A visitor by HTTP may change over to WebSocket.
    ("packmule-http", &["packmule-bus", "packmule-ws"]),
    ("packmule-mail", &["packmule-bus"]),
    ("packmule-mem", &["packmule-bus"]),
    ("packmule-nfc", &["packmule-bus"]),
    // Back ends of it, each with a library of the system.
    ("packmule-nfc-libnfc", &["packmule-nfc"]),
    ("packmule-nfc-pcsc", &["packmule-bus", "packmule-nfc"]),
    ("packmule-qr", &["packmule-bus"]),
    ("packmule-qr-page", &["packmule-bus", "packmule-qr"]),
    ("packmule-tcp", &["packmule-bus"]),
    ("packmule-ws", &["packmule-bus"]),
    (
        "packmule-transports",
        &[
            "packmule-bus",
            "packmule-ble",
            "packmule-ble-bluer",
            "packmule-ble-btleplug",
            "packmule-drive",
            "packmule-http",
            "packmule-mail",
            "packmule-mem",
            "packmule-nfc",
            "packmule-nfc-libnfc",
            "packmule-nfc-pcsc",
            "packmule-qr",
            "packmule-tcp",
            "packmule-ws",
        ],
    ),
    (
        "packmule-gateway",
        &[
            "packmule-bus",
            "packmule-agent",
            "packmule-node",
            "packmule-http",
            "packmule-mail",
            "packmule-ws",
            "packmule-uplink",
        ],
    ),
    (
        "packmule-uplink",
        &[
            "packmule-bus",
            "packmule-agent",
            "packmule-node",
            "packmule-http",
            "packmule-ws",
        ],
    ),
    ("packmule-postgres", &["packmule-bus", "packmule-gateway"]),
    ("packmule-sim", &["packmule-bus"]),
    ("packmule-controller", &[]),
    ("packmule-mailboxes", &["packmule-bus", "packmule-gateway"]),
    ("packmule-conformance", &["packmule-bus"]),
    (
        "packmule",
        &[
            "packmule-bus",
            "packmule-agent",
            "packmule-node",
            "packmule-gateway",
            "packmule-uplink",
            "packmule-postgres",
            "packmule-sim",
            "packmule-transports",
        ],
    ),
    ("packmule-places", &[]),
    ("packmule-tests", &[]),
];

fn ours(meta: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = meta["packages"].as_array().expect("packages");
    let member = |p: &&Value| p["source"].is_null();
    let names: BTreeSet<&str> = packages
        .iter()
        .filter(member)
        .filter_map(|p| p["name"].as_str())
        .collect();
    packages
        .iter()
        .filter(member)
        .map(|p| {
            let deps = p["dependencies"].as_array().expect("dependencies");
            let used = deps
                .iter()
                .filter(|d| d["kind"].as_str() != Some("dev"))
                .filter_map(|d| d["name"].as_str())
                .filter(|name| names.contains(name))
                .map(str::to_owned)
                .collect();
            (p["name"].as_str().expect("name").to_owned(), used)
        })
        .collect()
}

#[test]
fn dependencies_point_down_only() {
    for (name, used) in ours(&metadata()) {
        let (_, may) = MAY.iter().find(|(n, _)| *n == name).unwrap_or_else(|| {
            panic!(
                "{name} has no room yet: enter it in tests/house/direction.rs and ARCHITECTURE.md"
            )
        });
        for dep in used {
            assert!(
                may.contains(&dep.as_str()),
                "{name} must not depend on {dep} (ARCHITECTURE.md, Directions)"
            );
        }
    }
}

#[test]
fn the_heart_knows_no_runtime_disk_or_dice() {
    let meta = metadata();
    let nodes = meta["resolve"]["nodes"].as_array().expect("nodes");
    let by_id: BTreeMap<&str, &Value> = nodes
        .iter()
        .filter_map(|n| Some((n["id"].as_str()?, n)))
        .collect();
    let name_of: BTreeMap<&str, &str> = meta["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter_map(|p| Some((p["id"].as_str()?, p["name"].as_str()?)))
        .collect();
    let bus = name_of
        .iter()
        .find(|(_, n)| **n == "packmule-bus")
        .expect("the bus is a member")
        .0;
    let (mut seen, mut todo) = (BTreeSet::new(), vec![*bus]);
    while let Some(id) = todo.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dep in by_id[id]["deps"].as_array().expect("deps") {
            let normal = dep["dep_kinds"]
                .as_array()
                .expect("kinds")
                .iter()
                .any(|k| k["kind"].is_null());
            if normal {
                todo.push(dep["pkg"].as_str().expect("pkg"));
            }
        }
    }
    let names: BTreeSet<&str> = seen.iter().map(|id| name_of[id]).collect();
    for banned in [
        "tokio",
        "async-std",
        "rusqlite",
        "rustix",
        "rand",
        "getrandom",
        "chrono",
    ] {
        assert!(
            !names.contains(banned),
            "core/bus pulls {banned}: the heart is silent (design law 1)"
        );
    }
}

/// AWS-LC has ciphers and dice too; of all that the heart takes its digests, in one file (ADR 3).
#[test]
fn the_heart_has_nothing_but_digests_of_aws_lc() {
    let mut users = Vec::new();
    let mut sources = product_sources();
    sources.retain(|file| file.starts_with("core/bus/"));
    for file in sources {
        let source = text(&file);
        for line in source.lines().filter(|line| line.contains("aws_lc_rs")) {
            let rest: Vec<&str> = line.split("aws_lc_rs").skip(1).collect();
            let digests = rest.iter().all(|rest| rest.starts_with("::digest::"));
            assert!(digests, "{file}: {line}");
            users.push(file.clone());
        }
    }
    users.dedup();
    assert_eq!(users, ["core/bus/src/hash.rs"], "docs/adr/0003");
}
