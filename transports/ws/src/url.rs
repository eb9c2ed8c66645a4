//! `scheme://host:port/path`, to and fro.
//!
//! What is it: a strict reader of the four schemes that are HTTP on the wire. Who calls it: this
//! transport and the one over plain HTTP. What can go wrong: ways typed by people, found in DID
//! documents of strangers or told by a redirect; whatever is not exactly a URL of that shape is
//! refused.

use std::net::SocketAddr;

use packmule_bus::link::{OpenError, Way};

/// A URL's parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Url<'a> {
    /// `ws`, `wss`, `http` or `https`.
    pub scheme: &'a str,
    /// TLS is asked for.
    pub secure: bool,
    /// Without brackets.
    pub host: &'a str,
    /// As written, or the scheme's own.
    pub port: u16,
    /// Host and port as the Host header has them.
    pub authority: &'a str,
    /// From the first `/`, with a query if there is one.
    pub path: &'a str,
}

impl<'a> Url<'a> {
    /// Reads a URL. `None` unless it has one of the four schemes, a host, and nothing that could
    /// end a request line.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let secure = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return None,
        };
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
            None if port.is_empty() => [80, 443][usize::from(secure)],
            _ => return None,
        };
        let sound = |c: char| c.is_ascii_graphic() && !"/?#@[]\\\"<>".contains(c);
        let plain = !host.is_empty() && host.len() <= 255 && host.chars().all(sound);
        // Into a request line goes nothing that could end it.
        let walkable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        (plain && walkable).then_some(Self {
            scheme,
            secure,
            host,
            port,
            authority,
            path,
        })
    }

    /// Reads a way of a transport that is named as its scheme.
    ///
    /// # Errors
    /// [`OpenError::BadWay`].
    pub fn of_way(transport: &'static str, way: &'a Way) -> Result<Self, OpenError> {
        let url = Self::parse(way.as_str()).filter(|url| url.scheme == transport);
        url.ok_or_else(|| OpenError::BadWay {
            transport,
            way: way.clone(),
            why: format!(
                "it should be {transport}://HOST:PORT/PATH, with an IPv6 address in brackets"
            ),
        })
    }

    /// The path without its query.
    #[must_use]
    pub fn bare_path(&self) -> &'a str {
        self.path.split('?').next().unwrap_or_default()
    }
}

/// The way to a path at an address.
#[must_use]
pub fn way_to(transport: &str, address: SocketAddr, path: &str) -> Option<Way> {
    Way::parse(&format!("{transport}://{address}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_paths() {
        for (text, secure, host, port, path) in [
            (
                "ws://cloud.example:8080/didcomm",
                false,
                "cloud.example",
                8080,
                "/didcomm",
            ),
            ("ws://cloud.example", false, "cloud.example", 80, "/"),
            (
                "http://cloud.example/a?b=c",
                false,
                "cloud.example",
                80,
                "/a?b=c",
            ),
            ("https://cloud.example/a", true, "cloud.example", 443, "/a"),
            ("wss://[::1]:1/", true, "::1", 1, "/"),
            ("wss://[::1]", true, "::1", 443, "/"),
        ] {
            let url = Url::parse(text).expect(text);
            assert_eq!(
                (url.secure, url.host, url.port, url.path),
                (secure, host, port, path)
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "ws:cloud",
            "ftp://cloud/",
            "HTTP://cloud/",
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
            "https://cloud?a=b",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_way_of_another_transport_says_what_it_should_be() {
        let way = Way::parse("wss://cloud.example/didcomm").expect("a way");
        let fault = Url::of_way("ws", &way).expect_err("another").to_string();
        assert!(fault.contains("ws://HOST:PORT/PATH"), "{fault}");
        assert!(Url::of_way("wss", &way).is_ok());
    }
}
