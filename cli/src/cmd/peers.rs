//! `packmule peers`: the address book.

use packmule_bus::link::Way;
use packmule_node::{Home, PeerRecord};
use serde_json::json;

use crate::args::{Globals, PeersVerb};
use crate::fault::Fault;
use crate::flow::{node, party};
use crate::ui::output::{Report, one_line};
use crate::ui::time::rfc3339;

/// Lists, renames, removes.
pub(crate) fn run(globals: &Globals, verb: Option<PeersVerb>) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    match verb {
        None | Some(PeersVerb::List) => Ok(list(&home.peers()?)),
        Some(PeersVerb::Rename { peer, name }) => {
            let known = party::peer(&home, &peer)?;
            let renamed = PeerRecord {
                name: name.clone(),
                ..known.clone()
            };
            home.update_peer(&known.did, &renamed)?;
            Ok(Report::new(
                format!("{} is now {name}", known.name),
                json!({ "name": name, "did": known.did, "was": known.name }),
            ))
        }
        Some(PeersVerb::Ways { peer, ways, clear }) => set_ways(&home, &peer, &ways, clear),
        Some(PeersVerb::Remove { peer }) => {
            let known = party::peer(&home, &peer)?;
            home.remove_peer(&known.did)?;
            Ok(Report::new(
                format!("{} is forgotten; messages stay", known.name),
                json!({ "removed": known.name, "did": known.did }),
            ))
        }
    }
}

fn set_ways(home: &Home, peer: &str, ways: &[Way], clear: bool) -> Result<Report, Fault> {
    let known = party::peer(home, peer)?;
    if clear || !ways.is_empty() {
        home.set_ways(&known.did, ways)?;
        node::poke(home.dir());
    }
    let ways = home.ways(&known.did)?;
    let mut lines: Vec<String> = ways.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push(format!(
            "no ways are set for {}; those in its DID document are tried, and whoever is met",
            known.name
        ));
    }
    let texts: Vec<&str> = ways.iter().map(Way::as_str).collect();
    Ok(Report::new(
        lines.join("\n"),
        json!({ "name": known.name, "did": known.did, "ways": texts }),
    ))
}

fn list(peers: &[PeerRecord]) -> Report {
    let lines: Vec<String> = peers
        .iter()
        .map(|p| {
            format!(
                "{:<20} {}  {}",
                p.name,
                rfc3339(p.added),
                one_line(&p.did, 90)
            )
        })
        .collect();
    let text = if lines.is_empty() {
        String::from("no peers yet; `packmule invite` or `packmule accept` brings some")
    } else {
        lines.join("\n")
    };
    let all: Vec<_> = peers
        .iter()
        .map(|p| json!({ "name": p.name, "did": p.did, "added": p.added }))
        .collect();
    Report::new(text, json!({ "peers": all }))
}
