//! Protocol and message type URIs (DIDComm v2.1 §9.1 to §9.3).

use std::fmt;

#[cfg(test)]
mod tests;

/// `major.minor` of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Breaking changes.
    pub major: u32,
    /// Additions.
    pub minor: u32,
}

impl Version {
    /// Whether both sides understand each other: same major (§9.3). They then speak the
    /// lower minor.
    #[must_use]
    pub const fn interoperates(self, other: Self) -> bool {
        self.major == other.major
    }

    /// The version both sides speak: the older of two with the same major (§9.3).
    #[must_use]
    pub fn common(self, other: Self) -> Option<Self> {
        self.interoperates(other).then(|| self.min(other))
    }

    /// `\d[^/]*` of the spec's expressions: what follows `major.minor` (a patch number, a
    /// suffix) changes nothing between peers, and a missing minor is 0.
    fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (major, rest) = text.split_at_checked(digits(text))?;
        let minor = rest.strip_prefix('.').unwrap_or_default();
        let minor = minor.get(..digits(minor))?;
        Some(Self {
            major: major.parse().ok()?,
            minor: if minor.is_empty() {
                0
            } else {
                minor.parse().ok()?
            },
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A protocol identifier (PIURI): doc-uri, name, version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolUri<'a> {
    /// Everything before the name, with its delimiter: `https://didcomm.org/`; may be empty.
    pub doc_uri: &'a str,
    /// The protocol's name: `trust-ping`.
    pub name: &'a str,
    /// Its version.
    pub version: Version,
}

impl<'a> ProtocolUri<'a> {
    /// Reads `https://didcomm.org/trust-ping/2.0`; a `/` at the end is allowed.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (rest, version) = text.rsplit_once('/')?;
        // The name is as long as its characters go; what comes before is the doc-uri with
        // its delimiter, any of `/ ? & : ; =` or what else somebody found fit.
        let name = rest.len() - rest.bytes().rev().take_while(|b| is_name(*b)).count();
        let (doc_uri, name) = rest.split_at_checked(name)?;
        (!name.is_empty() && !doc_uri.contains(char::is_control)).then_some(())?;
        Some(Self {
            doc_uri,
            name,
            version: Version::parse(version)?,
        })
    }
}

/// A message type identifier (MTURI): a protocol and a message name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeUri<'a> {
    /// The protocol.
    pub protocol: ProtocolUri<'a>,
    /// The message's name: `ping-response`.
    pub message: &'a str,
}

impl<'a> TypeUri<'a> {
    /// Reads `https://didcomm.org/trust-ping/2.0/ping`.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (protocol, message) = text.rsplit_once('/')?;
        let named = !message.is_empty() && message.bytes().all(is_name);
        if !named || protocol.ends_with('/') {
            return None;
        }
        Some(Self {
            protocol: ProtocolUri::parse(protocol)?,
            message,
        })
    }

    /// Whether it is this message of this protocol, in a version that we can speak: same
    /// place, same names (§9.1: ignoring case and punctuation), same major.
    #[must_use]
    pub fn is(&self, piuri: &str, message: &str) -> bool {
        ProtocolUri::parse(piuri).is_some_and(|ours| {
            ours.doc_uri.eq_ignore_ascii_case(self.protocol.doc_uri)
                && same_name(ours.name, self.protocol.name)
                && ours.version.interoperates(self.protocol.version)
        }) && same_name(message, self.message)
    }
}

/// Whether two names are the same, ignoring case and punctuation (§9.1).
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

fn letters(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
}

/// Names are of `[A-Za-z0-9._-]` in the spec's expressions.
const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}
