//! Media types.
//!
//! What is it: which bodies are messages, by their header. Who calls it: the server, before it
//! reads a body, and the client, before it sends one. What can go wrong: strangers send
//! parameters, capitals or no header at all; only type and subtype are compared.

use packmule_bus::Kind;

/// Our own compact form of a packed message, identity or wire; for those who know it.
pub const COMPACT: &str = "application/x.packmule.envelope";

/// What a server takes, as `Accept-Post` tells it.
pub(crate) const TAKEN: &str = "application/didcomm-encrypted+json, application/didcomm-signed+json, application/didcomm-plain+json";

/// Type and subtype of a header's value.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// Whether a body under this header is a message.
pub(crate) fn is_message(value: &str, json_too: bool) -> bool {
    let named = essence(value);
    let is = |known: &str| named.eq_ignore_ascii_case(known);
    [Kind::Encrypted, Kind::Signed, Kind::Plaintext]
        .into_iter()
        .any(|kind| is(kind.media_type()))
        || is(COMPACT)
        || (json_too && is("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_capitals_are_ignored() {
        for value in [
            "application/didcomm-encrypted+json",
            "Application/DIDComm-Encrypted+JSON; charset=utf-8",
            "application/didcomm-signed+json;a=b",
            " application/didcomm-plain+json ",
            COMPACT,
        ] {
            assert!(is_message(value, false), "{value}");
        }
        for value in [
            "",
            "application/json",
            "text/plain",
            "application/didcomm-encrypted",
            "application/didcomm-encrypted+json2",
            "text/plain; application/didcomm-encrypted+json",
        ] {
            assert!(!is_message(value, false), "{value}");
        }
        assert!(is_message("application/json; charset=utf-8", true));
    }
}
