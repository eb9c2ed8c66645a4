//! `packmule init`: a home with a new DID, whole or not at all.

use packmule_agent::did::{Method, Service, create};
use packmule_agent::keystore::Cost;
use packmule_agent::protocol::routing::MAX_ROUTING_KEYS;
use packmule_node::Home;
use serde_json::json;

use crate::args::{DidMethod, Globals, InitArgs};
use crate::fault::Fault;
use crate::ui::output::Report;
use crate::ui::passphrase;

/// Makes the home.
pub(crate) fn run(globals: &Globals, args: &InitArgs) -> Result<Report, Fault> {
    let dir = crate::home::dir(globals)?;
    let method = method_of(args.did_method);
    let services = services(&args.endpoint, &args.mediator)?;
    if !services.is_empty() && !matches!(args.did_method, DidMethod::Peer2 | DidMethod::Peer4) {
        return Err(
            Fault::usage("a did:key or did:jwk cannot carry an endpoint or a mediator")
                .hint("use --did-method peer2 or peer4"),
        );
    }
    let passphrase = passphrase::choose(globals.passphrase_file.as_deref())?;
    let new = create(method, &services)?;
    let cost = match args.kdf_memory {
        Some(mib) => Cost {
            memory_kib: mib << 10,
            ..Cost::STANDARD
        },
        None => Cost::STANDARD,
    };
    let home = Home::create_with(&dir, &new, &passphrase, cost)?;
    let (did, _) = home.identity();
    Ok(Report::new(
        format!(
            "made {}\nyour DID: {did}\nnext: `packmule invite --qr`, or `packmule accept` someone's invitation",
            dir.display()
        ),
        json!({ "home": dir, "did": did }),
    ))
}

/// What the document says: at these endpoints, wrapped for these mediators. A mediator's DID as
/// an endpoint stands for its own, and it is the first to wrap for.
fn services(endpoints: &[String], mediators: &[String]) -> Result<Vec<Service>, Fault> {
    if mediators.len() > MAX_ROUTING_KEYS {
        let most = format!("others follow no more than {MAX_ROUTING_KEYS} mediators in a row");
        return Err(Fault::usage(most));
    }
    let behind = |uri: &str, keys: &[String]| Service {
        routing_keys: keys.to_vec(),
        ..Service::didcomm(uri)
    };
    Ok(match (endpoints, mediators) {
        ([], [first, others @ ..]) => vec![behind(first, others)],
        _ => (endpoints.iter())
            .map(|uri| behind(uri, mediators))
            .collect(),
    })
}

/// The agent's name of a method.
pub(crate) const fn method_of(method: DidMethod) -> Method {
    match method {
        DidMethod::Key => Method::Key,
        DidMethod::Peer2 => Method::Peer2,
        DidMethod::Peer4 => Method::Peer4,
        DidMethod::Jwk => Method::Jwk,
    }
}
