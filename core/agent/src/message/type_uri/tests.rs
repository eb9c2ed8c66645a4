use super::*;
use proptest::prelude::*;

/// The spec's `(.*?)([a-z0-9._-]+)\/(\d[^/]*)\/([a-z0-9._-]+)$`, letter for letter, ignoring
/// case: every split is tried, the shortest doc-uri first.
fn by_the_expression(text: &str) -> Option<(&str, &str, &str, &str)> {
    let name = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for start in starts {
        let (doc, rest) = text.split_at(start);
        let parts: Vec<&str> = rest.split('/').collect();
        if let [protocol, version, message] = parts[..]
            && name(protocol)
            && version.starts_with(|c: char| c.is_ascii_digit())
            && name(message)
        {
            return Some((doc, protocol, version, message));
        }
    }
    None
}

fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let uri = TypeUri::parse(text)?;
    Some((uri.protocol.doc_uri, uri.protocol.name, uri.message))
}

#[test]
fn the_specs_examples_are_taken_apart() {
    for (text, doc, name) in [
        (
            "https://didcomm.org/lets_do_lunch/1.0/proposal",
            "https://didcomm.org/",
            "lets_do_lunch",
        ),
        (
            "https://example.com/protocols?which=lets_do_lunch/1.0/proposal",
            "https://example.com/protocols?which=",
            "lets_do_lunch",
        ),
        (
            "did:example:1234567890;spec/lets_do_lunch/1.0/proposal",
            "did:example:1234567890;spec/",
            "lets_do_lunch",
        ),
        (
            "https://github.com/myorg/tree/master/docs/lets_do_lunch/1.0/proposal",
            "https://github.com/myorg/tree/master/docs/",
            "lets_do_lunch",
        ),
        ("lets_do_lunch/1.0/proposal", "", "lets_do_lunch"),
    ] {
        assert_eq!(parts(text), Some((doc, name, "proposal")), "{text}");
        assert_eq!(
            TypeUri::parse(text).unwrap().protocol.version,
            Version { major: 1, minor: 0 }
        );
    }
    let piuri = ProtocolUri::parse("https://didcomm.org/trust-ping/2.0/").unwrap();
    assert_eq!(
        (piuri.name, piuri.version.to_string()),
        ("trust-ping", "2.0".to_owned())
    );
}

#[test]
fn versions_are_read_as_loosely_as_the_spec_does() {
    let version = |text: &str| {
        let text = format!("https://didcomm.org/x/{text}/y");
        TypeUri::parse(&text).map(|uri| (uri.protocol.version.major, uri.protocol.version.minor))
    };
    for (text, read) in [
        ("1.0", Some((1, 0))),
        ("2.17", Some((2, 17))),
        ("2", Some((2, 0))),
        ("2.", Some((2, 0))),
        ("1.2.3", Some((1, 2))),
        ("1.2-beta", Some((1, 2))),
        ("1-beta", Some((1, 0))),
        ("1.x", Some((1, 0))),
        ("v1.0", None),
        ("", None),
        (".1", None),
        ("99999999999.0", None),
    ] {
        assert_eq!(version(text), read, "{text}");
    }
}

#[test]
fn peers_of_one_major_version_speak_the_older_minor() {
    let version = |major, minor| Version { major, minor };
    assert_eq!(version(1, 4).common(version(1, 2)), Some(version(1, 2)));
    assert_eq!(version(1, 0).common(version(1, 0)), Some(version(1, 0)));
    assert_eq!(version(1, 9).common(version(2, 0)), None);
}

#[test]
fn names_are_the_same_whatever_their_case_and_punctuation() {
    let is = |text: &str| {
        TypeUri::parse(text)
            .is_some_and(|uri| uri.is("https://didcomm.org/trust-ping/2.0", "ping-response"))
    };
    for text in [
        "https://didcomm.org/trust-ping/2.0/ping-response",
        "https://didcomm.org/trust-ping/2.9/ping-response",
        "https://didcomm.org/Trust_Ping/2.0/PingResponse",
        "HTTPS://DIDComm.org/trustping/2/ping.response",
    ] {
        assert!(is(text), "{text}");
    }
    for text in [
        "https://didcomm.org/trust-ping/1.0/ping-response",
        "https://didcomm.org/trust-ping/2.0/ping",
        "https://didcomm.org/trust-pong/2.0/ping-response",
        "https://mallory.example/trust-ping/2.0/ping-response",
        "trust-ping/2.0/ping-response",
    ] {
        assert!(!is(text), "{text}");
    }
    // Punctuation alone is no name that another could equal.
    assert!(!same_name("ping", "-"));
}

proptest! {
    #[test]
    fn the_parser_agrees_with_the_spec(text in "[a-zA-Z0-9./?;:=&é -]{0,40}|(https://didcomm\\.org/|did:x:1;)?[a-zA-Z0-9._-]{0,5}/[0-9.]{0,4}[a-z]?/[a-z._-]{0,5}") {
        let expected = by_the_expression(&text);
        let found = parts(&text);
        prop_assert_eq!(found, expected.map(|(doc, name, _, message)| (doc, name, message)), "{}", text);
    }
}
