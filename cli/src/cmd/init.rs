//! `packmule init`: a home with a new DID, whole or not at all.

use packmule_agent::did::{Method, Service, create};
use packmule_agent::keystore::Cost;
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
    if !args.endpoint.is_empty() && !matches!(args.did_method, DidMethod::Peer2 | DidMethod::Peer4)
    {
        return Err(
            Fault::usage("a did:key or did:jwk cannot carry an endpoint")
                .hint("use --did-method peer2 or peer4"),
        );
    }
    let services: Vec<Service> = args
        .endpoint
        .iter()
        .map(|uri| Service::didcomm(uri))
        .collect();
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

/// The agent's name of a method.
pub(crate) const fn method_of(method: DidMethod) -> Method {
    match method {
        DidMethod::Key => Method::Key,
        DidMethod::Peer2 => Method::Peer2,
        DidMethod::Peer4 => Method::Peer4,
        DidMethod::Jwk => Method::Jwk,
    }
}
