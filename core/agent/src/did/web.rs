//! did:web: where the document lies. Fetching is the business of whoever has a network; see
//! [`crate::resolve::Fetch`].

use data_encoding::HEXLOWER_PERMISSIVE;

use super::{Did, DidError};

/// The address of a did:web's document (did:web, "Read"): `did:web:example.com:u:bob` lies at
/// `https://example.com/u/bob/did.json`, `did:web:example.com%3A8443` has a port.
///
/// # Errors
/// [`DidError::Syntax`], or [`DidError::Method`] for another method or a part that is no host
/// name or path segment.
pub fn web_url(did: &str) -> Result<String, DidError> {
    let did = Did::parse(did)?;
    if did.method() != "web" {
        return Err(wrong("another method"));
    }
    let mut parts = did.specific_id().split(':');
    let host = host(parts.next().unwrap_or_default())?;
    let mut url = format!("https://{host}");
    let mut bare = true;
    for part in parts {
        // A segment must not climb: `..` would name another document on the same host, which
        // might belong to someone else.
        let climbs = matches!(decode(part)?.as_slice(), b"" | b"." | b"..");
        if climbs || decode(part)?.iter().any(|b| b"/\\?#\0".contains(b)) {
            return Err(wrong("a path segment is not plain"));
        }
        bare = false;
        url.push('/');
        url.push_str(part);
    }
    url.push_str(if bare {
        "/.well-known/did.json"
    } else {
        "/did.json"
    });
    Ok(url)
}

/// A host name with an optional port. did:web forbids IP addresses, in whatever notation URL
/// parsers take for one (`127.1`, `0x7f000001`). Names may still lead inside our network;
/// that is for the fetcher to see.
fn host(text: &str) -> Result<String, DidError> {
    let decoded = String::from_utf8(decode(text)?).map_err(|_| wrong("not a host name"))?;
    let (name, port) = match decoded.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (decoded.as_str(), None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    if !name.split('.').all(label) || hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("not a host name"));
    }
    // Digits only: Rust would also read "+80".
    let number =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.is_none_or(number) {
        return Err(wrong("not a port number"));
    }
    Ok(decoded.to_ascii_lowercase())
}

fn decode(text: &str) -> Result<Vec<u8>, DidError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (pair, tail) = rest
            .split_at_checked(2)
            .ok_or_else(|| wrong("a broken %-escape"))?;
        out.extend(
            HEXLOWER_PERMISSIVE
                .decode(pair)
                .map_err(|_| wrong("a broken %-escape"))?,
        );
        rest = tail;
    }
    Ok(out)
}

fn wrong(why: &'static str) -> DidError {
    DidError::Method {
        method: "did:web",
        why,
    }
}
