//! `tcp://host:port`, to and fro.
//!
//! What is it: a strict reader. Who calls it: the transport, the listener, the scout. What can go
//! wrong: ways typed by people or announced by strangers; each is refused with what it should be.

use std::net::SocketAddr;

use packmule_bus::link::{OpenError, Way};

/// The transport's name.
pub(crate) const NAME: &str = "tcp";

/// Host (without brackets) and port.
pub(crate) fn read(way: &Way) -> Result<(&str, u16), OpenError> {
    parts(way.as_str()).ok_or_else(|| OpenError::BadWay {
        transport: NAME,
        way: way.clone(),
        why: "it should be tcp://HOST:PORT, with an IPv6 address in brackets".to_owned(),
    })
}

fn parts(way: &str) -> Option<(&str, u16)> {
    let rest = way.strip_prefix("tcp://")?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once("]:")?;
            (host.contains(':').then_some(host)?, port)
        }
        None => {
            let (host, port) = rest.rsplit_once(':')?;
            ((!host.contains(':')).then_some(host)?, port)
        }
    };
    let sound = |c: char| c.is_ascii_graphic() && !"/?#@[]\\".contains(c);
    let plain = !host.is_empty() && host.len() <= 255 && host.chars().all(sound);
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    (plain && digits).then_some((host, port.parse().ok()?))
}

/// The way to an address.
pub(crate) fn of(address: SocketAddr) -> Option<Way> {
    Way::parse(&format!("{NAME}://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_addresses() {
        for (text, host, port) in [
            ("tcp://192.168.1.7:4460", "192.168.1.7", 4460),
            ("tcp://[::1]:1", "::1", 1),
            ("tcp://[fe80::1%eth0]:4460", "fe80::1%eth0", 4460),
            ("tcp://kiosk.local:65535", "kiosk.local", 65535),
            ("tcp://0.0.0.0:0", "0.0.0.0", 0),
        ] {
            assert_eq!(parts(text), Some((host, port)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "tcp:kiosk:1",
            "tcp://kiosk",
            "tcp://:1",
            "tcp://kiosk:",
            "tcp://kiosk:+1",
            "tcp://kiosk:65536",
            "tcp://::1:4460",
            "tcp://[kiosk]:1",
            "tcp://[::1]",
            "tcp://kiosk:1/path",
            "tcp://alice@kiosk:1",
            "tcp://ki osk:1",
            "ws://kiosk:1",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_becomes_a_way() {
        let there = |text: &str| of(text.parse().expect("an address")).map(|way| way.to_string());
        assert_eq!(there("1.2.3.4:5").as_deref(), Some("tcp://1.2.3.4:5"));
        assert_eq!(there("[::1]:5").as_deref(), Some("tcp://[::1]:5"));
    }
}
