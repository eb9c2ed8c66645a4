//! Makes a compression dictionary: `cargo run -p packmule-bus --example dictionary > FILE`.
//!
//! Trained on texts that are made from a fixed seed, so that the same zstd gives the same
//! bytes. A dictionary that has shipped is part of the wire format: it is never made anew, only
//! followed by one with the next number.
#[path = "../benches/samples/mod.rs"]
#[expect(dead_code, reason = "this user needs a part of it")]
mod samples;

use std::io::Write;

use samples::{METHODS, Method, Rng, party, plain};

/// Bytes of the dictionary.
const SIZE: usize = 4096;
const SAMPLES: usize = 3000;

const URIS: [&str; 8] = [
    "https://mediator.example.org/didcomm",
    "wss://mediator.example.com/ws",
    "https://example.com/endpoint",
    "didcomm:transport/queue",
    "http://127.0.0.1:8080/",
    "mailto:agent@example.org",
    "file:///media/mule",
    "didcomm-bluetooth:",
];

const BODIES: [(&str, &str); 16] = [
    (
        "https://didcomm.org/trust-ping/2.0/ping",
        r#"{"response_requested":true}"#,
    ),
    ("https://didcomm.org/trust-ping/2.0/ping-response", "{}"),
    ("https://didcomm.org/empty/1.0/empty", "{}"),
    (
        "https://didcomm.org/report-problem/2.0/problem-report",
        r#"{"code":"e.p.xfer.cant-use-endpoint","comment":"Unable to use the {1} endpoint for {2}.","args":["https://example.com/"],"escalate_to":"mailto:admin@example.org"}"#,
    ),
    (
        "https://didcomm.org/discover-features/2.0/queries",
        r#"{"queries":[{"feature-type":"protocol","match":"https://didcomm.org/*"},{"feature-type":"goal-code","match":"*"}]}"#,
    ),
    (
        "https://didcomm.org/discover-features/2.0/disclose",
        r#"{"disclosures":[{"feature-type":"protocol","id":"https://didcomm.org/trust-ping/2.0","roles":["sender","receiver"]},{"feature-type":"constraint","id":"max_receive_bytes","value":"65536"}]}"#,
    ),
    (
        "https://didcomm.org/out-of-band/2.0/invitation",
        r#"{"goal_code":"connect","goal":"To connect","accept":["didcomm/v2"]}"#,
    ),
    (
        "https://didcomm.org/coordinate-mediation/3.0/mediate-request",
        "{}",
    ),
    (
        "https://didcomm.org/coordinate-mediation/3.0/mediate-grant",
        r#"{"routing_did":["did:peer:2"]}"#,
    ),
    (
        "https://didcomm.org/coordinate-mediation/3.0/recipient-update",
        r#"{"updates":[{"recipient_did":"did:key:z6Mk","action":"add"}]}"#,
    ),
    (
        "https://didcomm.org/messagepickup/3.0/status-request",
        r#"{"recipient_did":"did:key:z6Mk"}"#,
    ),
    (
        "https://didcomm.org/messagepickup/3.0/delivery-request",
        r#"{"limit":10}"#,
    ),
    (
        "https://didcomm.org/messagepickup/3.0/live-delivery-change",
        r#"{"live_delivery":true}"#,
    ),
    (
        "https://didcomm.org/routing/2.0/forward",
        r#"{"next":"did:key:z6Mk"}"#,
    ),
    (
        "https://didcomm.org/issue-credential/3.0/offer-credential",
        r#"{"goal_code":"issue-vc","comment":"","replacement_id":"1"}"#,
    ),
    (
        "https://didcomm.org/present-proof/3.0/request-presentation",
        r#"{"goal_code":"verify","will_confirm":true}"#,
    ),
];

const EXTRAS: [&str; 8] = [
    r#","please_ack":[""]"#,
    r#","return_route":"all""#,
    r#","attachments":[{"id":"1","media_type":"application/json","filename":"report.txt","description":"attachment","byte_count":1024,"data":{"base64":""#,
    r#","attachments":[{"id":"1","media_type":"application/didcomm-encrypted+json","data":{"json":{"protected":""#,
    r#","lang":"en","accept-lang":["en"]"#,
    r#","from_prior":"eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImNydiI6IkVkMjU1MTkiLCJraWQiOiJkaWQ6"#,
    "",
    "",
];

fn main() -> std::io::Result<()> {
    let mut rng = Rng(1);
    let samples: Vec<Vec<u8>> = (0..SAMPLES)
        .map(|n| sample(&mut rng, n).into_bytes())
        .collect();
    let dictionary = zstd::dict::from_samples(&samples, SIZE)?;
    std::io::stdout().write_all(&dictionary)
}

fn sample(rng: &mut Rng, number: usize) -> String {
    let uri = rng.pick(&URIS);
    let method = METHODS[rng.below(METHODS.len())];
    let (mut from, mut to) = (party(rng, method, uri), party(rng, method, uri));
    from.did = cut(&from.did);
    to.did = cut(&to.did);
    match number % 8 {
        0..=2 => {
            let body = 10 + rng.below(150);
            plain(rng, &from, &to, body)
        }
        // A did:peer:4 document.
        3 => format!(
            r##"{{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/multikey/v1"],"verificationMethod":[{{"id":"#key-1","type":"Multikey","publicKeyMultibase":"{}"}},{{"id":"#key-2","type":"Multikey","publicKeyMultibase":"{}"}}],"keyAgreement":["#key-1"],"authentication":["#key-2"],"assertionMethod":["#key-2"],"service":[{{"id":"#service","type":"DIDCommMessaging","serviceEndpoint":{{"uri":"{uri}","accept":["didcomm/v2"],"routingKeys":[]}}}}]}}"##,
            party(rng, Method::KeyX25519, "")
                .did
                .replace("did:key:", ""),
            party(rng, Method::Key, "").did.replace("did:key:", ""),
        ),
        _ => {
            let (kind, body) = BODIES[rng.below(BODIES.len())];
            let extra = rng.pick(&EXTRAS);
            let (id, thid) = (rng.uuid(), rng.uuid());
            let created = 1_795_000_000 + rng.below(9_000_000);
            let (from, to) = (from.did, to.did);
            if number.is_multiple_of(2) {
                format!(
                    r#"{{"id":"{id}","typ":"application/didcomm-plain+json","type":"{kind}","thid":"{thid}","from":"{from}","to":["{to}"],"created_time":{created},"expires_time":{},"body":{body}{extra}}}"#,
                    created + 86_400
                )
            } else {
                format!(
                    r#"{{"id":"{id}","type":"{kind}","typ":"application/didcomm-plain+json","from":"{from}","to":["{to}"],"body":{body},"created_time":{created},"thid":"{thid}","pthid":"{thid}"{extra}}}"#
                )
            }
        }
    }
}

/// A DID without the random part of its keys: that would only take room in the dictionary.
fn cut(did: &str) -> String {
    let segments = did.split('.').map(|segment| {
        let mark = segment.find("z6").or_else(|| segment.find("zQm"));
        let random = mark.filter(|_| !segment.starts_with('S'));
        segment
            .get(..random.map_or(segment.len(), |at| at + 4))
            .unwrap_or(segment)
    });
    segments.collect::<Vec<_>>().join(".")
}
