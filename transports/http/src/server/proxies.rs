//! Who is behind a reverse proxy.
//!
//! What is it: the networks whose word is taken for where a visitor comes from, and how to read
//! it. Who calls it: `talk`, for each request, and `accept` for seats. What can go wrong: the
//! header holds whatever a visitor wrote and the proxy put behind it. So it is read from its end,
//! and only as far as those spoke whom we trust; what makes no sense is the proxy's own address.
//! `X-Forwarded-For` counts before `Forwarded`: a proxy that sets only the latter must remove the
//! former.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::header::{FORWARDED, HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, `127.0.0.1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        let differ = match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(it)) => {
                u128::from(u32::from(first) ^ u32::from(it)) << 96
            }
            (IpAddr::V6(first), IpAddr::V6(it)) => u128::from(first) ^ u128::from(it),
            _ => return false,
        };
        differ.leading_zeros() >= u32::from(self.bits)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address and no network such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if first.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| wrong())?,
            None => all,
        };
        if bits > all {
            return Err(wrong());
        }
        // Addresses are compared as IPv4 where they are: such a network would have nobody in it.
        if first != first.to_canonical() {
            return Err(format!(
                "`{text}` is IPv4 in IPv6's clothes: write it as IPv4"
            ));
        }
        Ok(Self { first, bits })
    }
}

/// Where the visitor of a request comes from, by what is known of the connection and by the word
/// of these proxies.
pub(super) fn visitor(proxies: &[Network], from: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    let mut known = from;
    for hop in hops(headers).iter().rev() {
        if !trusts(proxies, known.ip()) {
            break;
        }
        let Some(address) = hop else { break };
        known = SocketAddr::new(address.to_canonical(), 0);
    }
    known
}

/// Is it one of them?
pub(super) fn trusts(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.has(address))
}

/// From the visitor's side to ours; none where it is no address.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    // Hop by hop: what the visitor wrote before them must not hide those that proxies added.
    let text = |name| {
        let values = headers.get_all(name).into_iter();
        let hops = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        hops.map(|hop| std::str::from_utf8(hop).unwrap_or("?"))
    };
    if headers.contains_key(X_FORWARDED_FOR) {
        return text(X_FORWARDED_FOR).map(address).collect();
    }
    text(FORWARDED)
        .map(|hop| {
            let named = hop.split(';').filter_map(|pair| pair.split_once('='));
            let mut of = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
            of.next().and_then(|(_, value)| address(value))
        })
        .collect()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `"[2001:db8::1]:4711"` and the like.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    let bare = || text.trim_matches(['[', ']']).parse().ok();
    with_port().or_else(bare)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn told(trusted: &[&str], from: &str, headers: &[(&HeaderName, &str)]) -> String {
        let proxies: Vec<Network> = trusted.iter().map(|it| it.parse().unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let from = SocketAddr::new(from.parse().unwrap(), 4711);
        visitor(&proxies, from, &map).ip().to_string()
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_of_ours_is_the_visitor() {
        let (xff, fwd) = (&X_FORWARDED_FOR, &FORWARDED);
        let ours = &["127.0.0.1", "10.0.0.0/8", "fd00::/8"][..];
        for (from, headers, visitor) in [
            // A stranger may say what it likes.
            ("203.0.113.9", &[(xff, "192.0.2.1")][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &[(xff, "192.0.2.1")], "192.0.2.1"),
            ("::ffff:10.1.2.3", &[(xff, "192.0.2.1:99")], "192.0.2.1"),
            // What the visitor wrote stands before what our proxies added.
            (
                "127.0.0.1",
                &[(xff, "8.8.8.8, 192.0.2.1, 10.9.9.9")],
                "192.0.2.1",
            ),
            (
                "127.0.0.1",
                &[(xff, "8.8.8.8"), (xff, "192.0.2.1")],
                "192.0.2.1",
            ),
            (
                "127.0.0.1",
                &[(xff, "8.8.8.8, rubbish, 10.0.0.1")],
                "10.0.0.1",
            ),
            ("127.0.0.1", &[(xff, "")], "127.0.0.1"),
            ("127.0.0.1", &[(xff, "\u{e4}")], "127.0.0.1"),
            ("127.0.0.1", &[(xff, "\u{e4}, 192.0.2.1")], "192.0.2.1"),
            (
                "127.0.0.1",
                &[(fwd, "for=192.0.2.1;proto=https")],
                "192.0.2.1",
            ),
            (
                "fd00::1",
                &[(fwd, "for=8.8.8.8, proto=http;FOR=\"[2001:db8::7]:47\"")],
                "2001:db8::7",
            ),
            ("127.0.0.1", &[(fwd, "for=unknown")], "127.0.0.1"),
            (
                "127.0.0.1",
                &[(fwd, "for=8.8.8.8"), (xff, "192.0.2.1")],
                "192.0.2.1",
            ),
        ] {
            assert_eq!(told(ours, from, headers), visitor, "{from} {headers:?}");
        }
        assert_eq!(told(&[], "127.0.0.1", &[(xff, "192.0.2.1")]), "127.0.0.1");
    }

    #[test]
    fn a_network_is_told_from_what_is_none() {
        let has = |network: &str, address: &str| {
            let network: Network = network.parse().unwrap();
            network.has(address.parse().unwrap())
        };
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("0.0.0.0/0", "192.0.2.1") && !has("0.0.0.0/0", "2001:db8::1"));
        assert!(has("2001:db8::/33", "2001:db8::1") && !has("2001:db8::/33", "2001:db8:8000::1"));
        assert!(has("192.0.2.1", "::ffff:192.0.2.1") && !has("192.0.2.1", "192.0.2.2"));
        for text in [
            "",
            "10.0.0.0/33",
            "::ffff:10.0.0.0/104",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/-1",
            "proxy",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
