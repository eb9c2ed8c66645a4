//! The grammar of DIDs and DID URLs (W3C DID Core §3.1, §3.2).

use std::fmt;
use std::str::FromStr;

use super::DidError;

/// Longest DID we look at, in bytes. A did:peer:4 carries a whole document, and base58 takes
/// time quadratic in its length: at this bound resolving took 23 ms in the development profile
/// on one busy core (`the_costliest_did_is_cheap…` in the tests prints it).
pub const MAX_DID: usize = 8 * 1024;

/// A DID without path, query or fragment: `did:method:specific-id`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Did(String);

impl Did {
    /// Reads a DID. More generous than the grammar in one point: `=` is taken, since old
    /// did:peer:2 services are padded base64.
    ///
    /// # Errors
    /// [`DidError::TooLong`] or [`DidError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, DidError> {
        if text.len() > MAX_DID {
            return Err(DidError::TooLong);
        }
        let bad = || DidError::Syntax(clip(text));
        let (method, id) = text
            .strip_prefix("did:")
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(bad)?;
        let method_ok = !method.is_empty()
            && method
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let id_ok = !id.is_empty()
            && !id.ends_with(':')
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_:%=".contains(&b));
        if method_ok && id_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(bad())
        }
    }

    /// The whole DID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The method name: `key` of `did:key:z6Mk…`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// What follows the method's colon.
    #[must_use]
    pub fn specific_id(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        Self::parse(text)
    }
}

/// A DID with what may follow it: `did:example:bob/path?query#key-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DidUrl {
    /// The DID itself.
    pub did: Did,
    /// From the first `/`, with it; empty when absent.
    pub path: String,
    /// After `?`.
    pub query: Option<String>,
    /// After `#`: names a key or service in the document.
    pub fragment: Option<String>,
}

impl DidUrl {
    /// Reads a DID URL; a bare DID is one too.
    ///
    /// # Errors
    /// As [`Did::parse`]; the bound holds for the whole text.
    pub fn parse(text: &str) -> Result<Self, DidError> {
        if text.len() > MAX_DID {
            return Err(DidError::TooLong);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(DidError::Syntax(clip(text)));
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (did, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            did: Did::parse(did)?,
            path: path.to_owned(),
            query,
            fragment,
        })
    }
}

impl fmt::Display for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.did, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        if let Some(fragment) = &self.fragment {
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

impl FromStr for DidUrl {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        Self::parse(text)
    }
}

/// The DID of a key id or DID URL: everything before path, query and fragment. Cuts only; use
/// [`Did::parse`] to know whether it is a DID at all.
#[must_use]
pub fn did_of(kid: &str) -> &str {
    kid.split(['#', '?', '/']).next().unwrap_or(kid)
}

/// Whether two DID URLs name the same party: equal without query and fragment (DIDComm §3.2
/// compares so), or the long and short form of one did:peer:4.
#[must_use]
pub fn same_did(a: &str, b: &str) -> bool {
    let (a, b) = (did_of(a), did_of(b));
    a == b || super::peer4::same(a, b)
}

/// Strangers' text in our errors stays short and printable.
pub(crate) fn clip(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if shown.len() < text.len() {
        format!("{shown}…")
    } else {
        shown
    }
}

fn cut(text: &str, at: char) -> (&str, Option<String>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after.to_owned())),
        None => (text, None),
    }
}
