//! Addresses, and `mailto:` (RFC 6068).
//!
//! What is it: a strict reader of the addresses that go into commands and headers. Who calls it:
//! whoever opens a way, and settings. What can go wrong: ways typed by people or found in DID
//! documents of strangers: whatever could end a command or a header is refused. Addresses beyond
//! ASCII are, too: few servers take them.

use std::fmt;

/// Recipients of one mail at most.
const MAX_RECIPIENTS: usize = 50;

/// One address: `bob@edge.test`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// Reads an address. `None` unless it is a dot-atom of ASCII, an `@` and a domain.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        // RFC 5321, 4.5.3.1; what needs quotes is for people with quotes in their names.
        let atom = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
        let name = |b: u8| b.is_ascii_alphanumeric() || b".-_[]:".contains(&b);
        let dots = |text: &str| text.split('.').all(|part| !part.is_empty());
        let sound = (1..=64).contains(&local.len())
            && (1..=253).contains(&domain.len())
            && local.bytes().all(atom)
            && domain.bytes().all(name)
            && dots(local)
            && (dots(domain) || domain.starts_with('['))
            && !local.starts_with('-');
        sound.then(|| Self(text.to_owned()))
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`, in small letters.
    #[must_use]
    pub fn domain(&self) -> String {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        domain.to_ascii_lowercase()
    }

    /// The same mailbox: domains have no capitals, and hardly any server tells local parts apart
    /// by theirs.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In logs an address is a person: only its domain shows.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…@{}", self.domain())
    }
}

/// The recipients of a `mailto:` URI: those before the `?`, and those of its `to` and `cc`
/// fields. Other fields are none of a transport's business. `None` unless all are addresses.
#[must_use]
pub fn recipients(uri: &str) -> Option<Vec<Address>> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut lists = vec![path];
    for field in query.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=')?;
        if name.eq_ignore_ascii_case("to") || name.eq_ignore_ascii_case("cc") {
            lists.push(value);
        }
    }
    let mut found: Vec<Address> = Vec::new();
    for one in lists.into_iter().flat_map(|list| list.split(',')) {
        if one.is_empty() {
            continue;
        }
        let address = Address::parse(&unescape(one)?)?;
        if !found.iter().any(|known| known.is(&address)) {
            found.push(address);
        }
    }
    (1..=MAX_RECIPIENTS).contains(&found.len()).then_some(found)
}

/// Percent escapes, into text.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(uri: &str) -> Option<Vec<String>> {
        let found = recipients(uri)?;
        Some(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_address_or_several() {
        assert_eq!(list("mailto:bob@edge.test").unwrap(), ["bob@edge.test"]);
        assert_eq!(
            list("mailto:alice@kiosk.test,bob%2Bdidcomm@edge.test").unwrap(),
            ["alice@kiosk.test", "bob+didcomm@edge.test"]
        );
        assert_eq!(
            list("mailto:?to=bob@edge.test&subject=Hi%20there&cc=Bob@Edge.test,a@b").unwrap(),
            ["bob@edge.test", "a@b"]
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for uri in [
            "mailto:",
            "mailto:bob",
            "mailto:@edge.test",
            "mailto:bob@",
            "mailto:bob@edge.test%0d%0aBcc:%20mallory@evil.test",
            "mailto:bob@edge.test%3e",
            "mailto:bob@edge.test%20SIZE=1",
            "mailto:bob%@edge.test",
            "mailto:bob%4@edge.test",
            "mailto:%ff@edge.test",
            "mailto:bob@edge..test",
            "mailto:.bob@edge.test",
            "mailto:-bob@edge.test",
            "mailto:b\u{f6}b@edge.test",
            "mailto:?subject",
            "tcp:bob@edge.test",
            "bob@edge.test",
        ] {
            assert_eq!(list(uri), None, "{uri}");
        }
        let many: Vec<String> = (0..51).map(|n| format!("b{n}@edge.test")).collect();
        assert_eq!(list(&format!("mailto:{}", many.join(","))), None);
    }

    #[test]
    fn an_address_in_a_log_is_a_domain() {
        let bob = Address::parse("bob@Edge.test").unwrap();
        assert_eq!(format!("{bob:?}"), "…@edge.test");
        assert!(bob.is(&Address::parse("BOB@edge.test").unwrap()));
    }
}
