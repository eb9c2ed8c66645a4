//! Rules on the book in `docs`: every page is found from its front page, every verb, option, exit
//! code and setting of the program stands in the reference, every transport has its page with the
//! four items that DIDComm demands.
//!
//! What is there is read from the source: a verb or a key that is added and not written down
//! fails here. That links lead somewhere is held by `pages`.

use std::collections::BTreeSet;

use packmule_tests::{files, text};

/// What DIDComm Messaging v2.1, "Transport Requirements", demands, as our pages head it.
const ITEMS: [&str; 4] = [
    "**1. Format of `serviceEndpoint`.**",
    "**2. How to send.**",
    "**3. Media type.**",
    "**4. Context.**",
];

/// The name that clap or serde gives: words apart, by hyphens.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter == '_' || (letter.is_ascii_uppercase() && !out.is_empty()) {
            out.push('-');
        }
        if letter != '_' {
            out.push(letter.to_ascii_lowercase());
        }
    }
    out
}

/// The files that hold the command line.
fn arguments() -> Vec<(String, String)> {
    let all = files().into_iter();
    let ours = all.filter(|f| f == "cli/src/args.rs" || f.starts_with("cli/src/args/"));
    let read: Vec<_> = ours.map(|f| (f.clone(), text(&f))).collect();
    assert!(read.len() > 5, "the command line is not where it was");
    read
}

/// Every verb, as it is typed after `packmule`.
fn verbs() -> BTreeSet<String> {
    let mut verbs = BTreeSet::new();
    for (_, source) in arguments() {
        for part in source.split("#[derive(").skip(1) {
            let (derived, item) = part.split_once(")]").unwrap_or_default();
            if !derived.split(", ").any(|name| name == "Subcommand") {
                continue;
            }
            let (head, rest) = item.split_once(" {\n").expect("an enum has a body");
            let family = head.rsplit(' ').next().unwrap_or_default();
            let family = family.strip_suffix("Verb").expect("an enum of verbs");
            let body = rest.split("\n}").next().unwrap_or_default();
            let variants = body.lines().filter_map(|line| {
                let name = line.strip_prefix("    ")?;
                name.starts_with(|c: char| c.is_ascii_uppercase())
                    .then(|| name.split([',', '(', ' ']).next().unwrap_or_default())
            });
            verbs.extend(variants.map(|name| {
                let verb = format!("{} {}", kebab(family), kebab(name));
                verb.trim().to_owned()
            }));
        }
    }
    assert!(verbs.len() > 50, "only {} verbs found", verbs.len());
    verbs
}

/// Every long option.
fn options() -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for (_, source) in arguments() {
        let mut lines = source.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !line.starts_with("#[arg(") {
                continue;
            }
            let mut attribute = line.to_owned();
            while !attribute.ends_with(")]") {
                attribute.push_str(lines.next().expect("an attribute ends"));
            }
            if let Some((_, named)) = attribute.split_once("long = \"") {
                options.extend(named.split('"').next().map(str::to_owned));
            } else if attribute
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|word| word == "long")
            {
                let field = lines.next().unwrap_or_default();
                let field = field.strip_prefix("pub(crate) ").unwrap_or(field);
                options.extend(field.split_once(':').map(|(name, _)| kebab(name)));
            }
        }
    }
    assert!(options.len() > 40, "only {} options found", options.len());
    options
}

/// The fields of a source that hold a setting: `begins` is what stands before their names.
fn keys(source: &str, begins: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut renamed = None;
    for line in source.lines().map(str::trim) {
        if let Some((_, named)) = line.split_once("rename = \"") {
            renamed = named.split('"').next().map(str::to_owned);
        }
        let Some((name, _)) = line.strip_prefix(begins).and_then(|l| l.split_once(": ")) else {
            continue;
        };
        if line.ends_with(',') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            keys.insert(renamed.take().unwrap_or_else(|| kebab(name)));
        }
    }
    keys
}

fn between<'a>(source: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = source.split_once(from).expect("the settings' source");
    rest.split(to).next().unwrap_or_default()
}

fn told(page: &str, keys: &BTreeSet<String>) {
    let body = text(page);
    for key in keys {
        let written = [format!("`{key}`"), format!("[{key}]"), format!(".{key}]")];
        let is_there = written.iter().any(|one| body.contains(one));
        assert!(is_there, "{page} says nothing of the setting `{key}`");
    }
}

#[test]
fn the_reference_has_every_verb() {
    let pages = ["cli", "cli-carrying", "cli-tools"];
    let pages = pages.map(|name| text(&format!("docs/reference/{name}.md")));
    let headings: BTreeSet<String> = pages
        .iter()
        .flat_map(|page| page.lines())
        .filter_map(|line| line.strip_prefix("### packmule "))
        .map(str::to_owned)
        .collect();
    let verbs = verbs();
    for verb in &verbs {
        assert!(
            headings.contains(verb),
            "docs/reference/cli*.md has no heading \"### packmule {verb}\""
        );
    }
    for heading in &headings {
        assert!(verbs.contains(heading), "there is no verb `{heading}`");
    }
    for option in options() {
        let is_there = pages
            .iter()
            .any(|page| page.contains(&format!("--{option}")));
        assert!(is_there, "docs/reference/cli*.md say nothing of --{option}");
    }
}

#[test]
fn the_reference_has_every_exit_code() {
    let page = text("docs/reference/cli.md");
    let source = text("cli/src/exit.rs");
    let codes: Vec<&str> = between(&source, "fn code(", "\n    }\n\n")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => "))
        .map(|(_, code)| code.trim_end_matches(','))
        .collect();
    assert!(codes.len() >= 10, "only {} exit codes found", codes.len());
    for code in codes {
        assert!(
            page.contains(&format!("\n| {code} | ")),
            "docs/reference/cli.md says nothing of exit code {code}"
        );
    }
}

#[test]
fn the_reference_has_every_setting() {
    let node = text("cli/src/flow/settings.rs");
    let mail = text("transports/mail/src/settings.rs");
    let gateway = [
        text("gateway/src/config.rs"),
        text("gateway/src/config/sections.rs"),
        text("gateway/src/config/upstream.rs"),
    ];

    let of_node = keys(between(&node, "struct Written {", "\n}"), "");
    assert!(of_node.len() >= 10, "only {of_node:?} found");
    told("docs/reference/node-toml.md", &of_node);

    let of_mail = keys(
        between(&mail, "pub struct Settings {", "pub struct Mailer"),
        "pub ",
    );
    assert!(of_mail.len() >= 19, "only {of_mail:?} found");
    told("docs/reference/node-toml.md", &of_mail);

    let of_gateway: BTreeSet<String> = gateway.iter().flat_map(|s| keys(s, "pub ")).collect();
    assert!(of_gateway.len() >= 55, "only {of_gateway:?} found");
    told("docs/reference/gateway-toml.md", &of_gateway);
}

#[test]
fn every_transport_has_its_page() {
    let all = files();
    let crates = all.iter().filter_map(|f| {
        let name = f.strip_prefix("transports/")?.strip_suffix("/Cargo.toml")?;
        (!name.contains('/')).then_some(name)
    });
    for name in crates {
        let page = format!("docs/transports/{name}.md");
        assert!(all.contains(&page), "{page} is missing");
        for item in ITEMS {
            assert!(text(&page).contains(item), "{page} lacks \"{item}\"");
        }
    }
}

#[test]
fn every_page_is_found_from_the_front_page() {
    let all = files();
    let mut found = BTreeSet::from(["docs/README.md".to_owned()]);
    let mut open = vec!["docs/README.md".to_owned()];
    while let Some(page) = open.pop() {
        let base = page.rsplit_once('/').map_or("", |(dir, _)| dir);
        for target in text(&page).split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let mut path: Vec<&str> = base.split('/').collect();
            for part in target.split('/') {
                match part {
                    ".." => drop(path.pop()),
                    "." => {}
                    part => path.push(part),
                }
            }
            let path = path.join("/");
            if path.starts_with("docs/") && path.ends_with(".md") && found.insert(path.clone()) {
                open.push(path);
            }
        }
    }
    for page in all
        .iter()
        .filter(|f| f.starts_with("docs/") && f.ends_with(".md"))
    {
        let decision = page.starts_with("docs/adr/");
        assert!(
            decision || found.contains(page),
            "{page} is not to be found from docs/README.md"
        );
    }
}
