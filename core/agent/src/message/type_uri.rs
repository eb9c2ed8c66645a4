//! Protocol and message type URIs (DIDComm v2.1 §9.1 to §9.3).

use std::fmt;

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

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            // A patch number may follow (semver); it changes nothing between peers.
            digits.then(|| text.parse().ok())?
        };
        let minor = match minor.split_once('.') {
            Some((minor, patch)) => number(patch).and(Some(minor))?,
            None => minor,
        };
        Some(Self {
            major: number(major)?,
            minor: number(minor)?,
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
    /// Everything before the name, with its slash: `https://didcomm.org/`.
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
        let at = rest.rfind(|c: char| !is_name(c)).map(|at| at + 1)?;
        let (doc_uri, name) = rest.split_at_checked(at)?;
        // The last name character is followed by what separates it: any of `/ # ? : …`.
        (!name.is_empty() && !doc_uri.is_empty()).then_some(())?;
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
        let named = !message.is_empty() && message.chars().all(is_name);
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
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}
