//! `ws://host:port/path`, to and fro.
//!
//! What is it: a strict reader. Who calls it: the transport. What can go wrong: ways typed by
//! people or found in DID documents of strangers; each is refused with what it should be.

use std::net::SocketAddr;

use packmule_bus::link::{OpenError, Way};

/// The transport's name.
pub(crate) const NAME: &str = "ws";

/// A way's parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Url<'a> {
    /// Without brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Host and port as the Host header has them.
    pub(crate) authority: &'a str,
    /// From the first `/`, with a query if there is one.
    pub(crate) path: &'a str,
}

pub(crate) fn read(way: &Way) -> Result<Url<'_>, OpenError> {
    let text = way.as_str();
    let bad = |why: &str| OpenError::BadWay {
        transport: NAME,
        way: way.clone(),
        why: why.to_owned(),
    };
    if text.starts_with("wss:") {
        return Err(bad(
            "TLS is not built in yet: wss cannot be opened, only ws://HOST:PORT/PATH",
        ));
    }
    parts(text)
        .ok_or_else(|| bad("it should be ws://HOST:PORT/PATH, with an IPv6 address in brackets"))
}

fn parts(way: &str) -> Option<Url<'_>> {
    let rest = way.strip_prefix("ws://")?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "/"),
    };
    let (host, port) = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, port) = inner.split_once(']')?;
            (host.contains(':').then_some(host)?, port)
        }
        None => match authority.find(':') {
            Some(at) => authority.split_at_checked(at)?,
            None => (authority, ""),
        },
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        None if port.is_empty() => 80,
        _ => return None,
    };
    let sound = |c: char| c.is_ascii_graphic() && !"/?#@[]\\\"<>".contains(c);
    let plain = !host.is_empty() && host.len() <= 255 && host.chars().all(sound);
    // Into a request line goes nothing that could end it.
    let walkable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    (plain && walkable).then_some(Url {
        host,
        port,
        authority,
        path,
    })
}

/// The way to a path at an address.
pub(crate) fn of(address: SocketAddr, path: &str) -> Option<Way> {
    Way::parse(&format!("{NAME}://{address}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_paths() {
        for (text, host, port, path) in [
            (
                "ws://cloud.example:8080/didcomm",
                "cloud.example",
                8080,
                "/didcomm",
            ),
            ("ws://cloud.example", "cloud.example", 80, "/"),
            ("ws://cloud.example/a?b=c", "cloud.example", 80, "/a?b=c"),
            ("ws://[::1]:1/", "::1", 1, "/"),
            ("ws://[::1]", "::1", 80, "/"),
        ] {
            let url = parts(text).expect(text);
            assert_eq!((url.host, url.port, url.path), (host, port, path));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "ws:cloud",
            "ws://",
            "ws://:80/",
            "ws://cloud:/",
            "ws://cloud:http/",
            "ws://cloud:65536/",
            "ws://::1/",
            "ws://[cloud]/",
            "ws://[::1]8/",
            "ws://alice@cloud/",
            "ws://cloud/a b",
            "ws://cloud/a\r\nEvil: yes",
            "ws://cloud/#part",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn a_secure_way_says_what_is_missing() {
        let way = Way::parse("wss://cloud.example/didcomm").expect("a way");
        let fault = read(&way).expect_err("no TLS").to_string();
        assert!(fault.contains("TLS is not built in yet"), "{fault}");
    }
}
