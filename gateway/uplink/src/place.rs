//! Where a mediator is reached.
//!
//! What is it: the endpoints in a mediator's DID document, by what they are for. Who calls it:
//! the keeper, at each visit: a did:web may have moved. What can go wrong: a DID that is not
//! known here, or a document without an address that we can call.

use packmule_agent::did::{DidDoc, did_of};
use packmule_agent::resolve::Resolver;

use crate::fault::Fault;
use crate::{Kind, Upstream};

/// The type of the service by which Affinidi's mediators tell where one logs in.
const LOGIN: &str = "Authentication";

/// How to call a mediator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// What sort it is; never [`Kind::Auto`].
    pub(crate) kind: Kind,
    /// Where to post, best first; at least one.
    pub(crate) http: Vec<String>,
    /// Where a WebSocket may be asked for, best first. Some document none and have one all the
    /// same, at the address where one posts (ours, estoc).
    pub(crate) sockets: Vec<String>,
}

/// Reads the document of `did`.
pub(crate) fn place(upstream: &Upstream, did: &str, docs: &dyn Resolver) -> Result<Place, Fault> {
    let doc = docs.resolve(did_of(did));
    let doc =
        doc.map_err(|fault| Fault::Nowhere(format!("its DID is not known: {}", plain(&fault))))?;
    let mut http = addresses(&doc, "http");
    if let Some(url) = &upstream.url {
        http = vec![url.clone()];
    }
    let kind = match upstream.kind {
        Kind::Auto if doc.services.iter().any(|one| one.kind == LOGIN) => Kind::Affinidi,
        Kind::Auto => Kind::Standard,
        told => told,
    };
    if http.is_empty() {
        return Err(Fault::Nowhere(
            "its DID names no address by HTTP".to_owned(),
        ));
    }
    let mut sockets = addresses(&doc, "ws");
    if sockets.is_empty() || upstream.url.is_some() {
        sockets = http.iter().map(|url| socket_of(url, kind)).collect();
    }
    Ok(Place {
        kind,
        http,
        sockets,
    })
}

/// Where the WebSocket belongs that goes with an address.
fn socket_of(http: &str, kind: Kind) -> String {
    let rest = http.strip_prefix("http").unwrap_or(http);
    match kind {
        Kind::Affinidi => format!("ws{}/ws", rest.trim_end_matches('/')),
        _ => format!("ws{rest}"),
    }
}

/// The endpoints of a scheme or its twin under TLS, in the document's order, each once.
fn addresses(doc: &DidDoc, scheme: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for service in doc.services.iter().filter(|one| one.takes_didcomm_v2()) {
        let of = service.uri.split_once("://").map(|(of, _)| of);
        let fits = of.is_some_and(|of| of.strip_suffix('s').unwrap_or(of) == scheme);
        if fits && !found.contains(&service.uri) {
            found.push(service.uri.clone());
        }
    }
    found
}

/// A fault's words without whatever DID they name: they go into logs.
fn plain(fault: &dyn std::fmt::Display) -> String {
    let words = fault.to_string();
    let kept = words.split(' ').filter(|word| !word.contains("did:"));
    kept.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use packmule_agent::resolve::DocBook;
    use serde_json::json;

    use super::*;

    fn book(services: serde_json::Value) -> DocBook {
        let doc = json!({ "id": "did:example:cloud", "service": services });
        let mut book = DocBook::new();
        book.insert(DidDoc::from_json(&doc).unwrap());
        book
    }

    fn placed(services: serde_json::Value) -> Result<Place, Fault> {
        let upstream = Upstream::new("did:example:cloud");
        place(&upstream, &upstream.did, &book(services))
    }

    #[test]
    fn addresses_are_found_as_strings_objects_and_lists() {
        let ours = json!([{ "id": "#s", "type": "DIDCommMessaging",
            "serviceEndpoint": { "uri": "https://a/", "accept": ["didcomm/v2"] } }]);
        let found = placed(ours).unwrap();
        assert_eq!(found.http, ["https://a/"]);
        assert_eq!(found.sockets, ["wss://a/"]);
        let old = json!([{ "id": "new-id", "type": "DIDCommMessaging",
            "serviceEndpoint": "http://b:80/", "accept": ["didcomm/v2"] }]);
        assert_eq!(placed(old).unwrap().http, ["http://b:80/"]);
        let affinidi = json!([
            { "id": "#service", "type": "DIDCommMessaging", "serviceEndpoint": [
                { "uri": "http://c/mediator/v1", "accept": ["didcomm/v2"] },
                { "uri": "ws://c/mediator/v1/ws", "accept": ["didcomm/v2"] } ] },
            { "id": "#auth", "type": "Authentication",
              "serviceEndpoint": "http://c/mediator/v1/authenticate" },
            { "id": "#tsp", "type": "TSPTransport", "serviceEndpoint": "http://c/tsp" },
        ]);
        let found = placed(affinidi).unwrap();
        assert_eq!(found.kind, Kind::Affinidi);
        assert_eq!(found.http, ["http://c/mediator/v1"]);
        assert_eq!(found.sockets, ["ws://c/mediator/v1/ws"]);
    }

    #[test]
    fn without_an_address_there_is_nothing_to_call() {
        for services in [
            json!([]),
            json!([{ "id": "#s", "type": "DIDCommMessaging", "serviceEndpoint": "did:example:x" }]),
            json!([{ "id": "#s", "type": "LinkedDomains", "serviceEndpoint": "https://a/" }]),
        ] {
            assert!(matches!(placed(services), Err(Fault::Nowhere(_))));
        }
        let upstream = Upstream::new("did:example:nobody");
        let fault = place(&upstream, &upstream.did, &DocBook::new()).unwrap_err();
        assert!(!fault.to_string().contains("did:"), "{fault}");
    }
}
