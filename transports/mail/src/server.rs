//! A server that we dial: where it is, how it is secured, who we are there.
//!
//! What is it: what settings say, read strictly. Who calls it: whoever sets the transports up.
//! What can go wrong: a URL that is none; a login that would go over the wire in the clear, which
//! is refused unless the wire stays on this machine.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::tls::Tls;

/// When TLS begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// From the first byte: `smtps`, `imaps`.
    Implicit,
    /// After STARTTLS, or not at all: nothing is said without it.
    StartTls,
    /// Never.
    None,
}

/// Which protocol a server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// `smtp`, `smtps`.
    Smtp,
    /// `imap`, `imaps`.
    Imap,
}

/// A name and a password. Neither is ever shown.
#[derive(Clone)]
pub struct Login {
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl Login {
    /// As given; without what could end a command.
    #[must_use]
    pub fn new(user: &str, password: Zeroizing<String>) -> Option<Self> {
        let sound = |text: &str| !text.contains(['\r', '\n', '\0']);
        (sound(user) && sound(&password)).then(|| Self {
            user: user.to_owned(),
            password,
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// A server that we dial.
#[derive(Clone, Debug)]
pub struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) login: Option<Login>,
    pub(crate) tls: Arc<Tls>,
}

impl Server {
    /// Reads `smtps://HOST[:PORT]` and its kin. Without an `s`, TLS begins with STARTTLS, unless
    /// it is to be `open`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(
        url: &str,
        protocol: Protocol,
        open: bool,
        login: Option<Login>,
        tls: Arc<Tls>,
    ) -> Result<Self, String> {
        let (plain, secure, ports) = match protocol {
            Protocol::Smtp => ("smtp", "smtps", [587, 465]),
            Protocol::Imap => ("imap", "imaps", [143, 993]),
        };
        let wrong = || format!("{url}: it should be {secure}://HOST:PORT or {plain}://HOST:PORT");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let implicit = match scheme {
            _ if scheme == plain => false,
            _ if scheme == secure => true,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or_else(wrong)?,
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_| wrong())?,
            None if port.is_empty() => ports[usize::from(implicit)],
            None => return Err(wrong()),
        };
        let named = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(named) {
            return Err(wrong());
        }
        let security = match (implicit, open) {
            (true, false) => Security::Implicit,
            (false, false) => Security::StartTls,
            (false, true) => Security::None,
            (true, true) => return Err(format!("{url}: it is TLS, or it is not")),
        };
        let near = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback());
        if security == Security::None && login.is_some() && !near {
            return Err(format!(
                "{url}: a password goes to no other machine without TLS"
            ));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            security,
            login,
            tls,
        })
    }

    /// Where it is, for people: `mx.kiosk.test:465`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What it is to be secured by.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str, protocol: Protocol, open: bool, login: bool) -> Result<Server, String> {
        let login = login.then(|| Login::new("bob", Zeroizing::new("pw".to_owned())));
        Server::parse(url, protocol, open, login.flatten(), Arc::default())
    }

    #[test]
    fn schemes_tell_ports_and_tls() {
        for (url, protocol, open, place, security) in [
            (
                "smtps://mx.test",
                Protocol::Smtp,
                false,
                "mx.test:465",
                Security::Implicit,
            ),
            (
                "smtp://mx.test/",
                Protocol::Smtp,
                false,
                "mx.test:587",
                Security::StartTls,
            ),
            (
                "smtp://127.0.0.1:25",
                Protocol::Smtp,
                true,
                "127.0.0.1:25",
                Security::None,
            ),
            (
                "imaps://mx.test",
                Protocol::Imap,
                false,
                "mx.test:993",
                Security::Implicit,
            ),
            (
                "imap://[::1]:1",
                Protocol::Imap,
                false,
                "::1:1",
                Security::StartTls,
            ),
        ] {
            let server = parse(url, protocol, open, false).expect(url);
            assert_eq!(
                (server.place().as_str(), server.security()),
                (place, security)
            );
        }
        for url in [
            "mx.test",
            "smtp://",
            "smtp://a b",
            "smtp://mx:x",
            "imap://mx",
            "smtp://mx\r\n",
        ] {
            assert!(parse(url, Protocol::Smtp, false, false).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_stays_on_this_machine_or_goes_by_tls() {
        assert!(parse("smtp://mx.test", Protocol::Smtp, true, true).is_err());
        assert!(parse("smtp://localhost:25", Protocol::Smtp, true, true).is_ok());
        let server = parse("smtp://mx.test", Protocol::Smtp, false, true).expect("STARTTLS");
        assert!(!format!("{server:?}").contains("pw"));
        assert!(Login::new("bob\r\n", Zeroizing::new(String::new())).is_none());
    }
}
