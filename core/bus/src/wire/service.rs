//! Services inside did:peer:2, as they are mostly written.
//!
//! What is it: the JSON of a service segment as a known pattern around a URI, the URI's
//! beginning as a number; the same service again costs one number. Who calls it: `names`.
//! What can go wrong: nothing; what matches no pattern travels as text.

use super::streams::{Sink, Source};
use crate::envelope::DecodeError;

/// How a service is written; from `PATTERN` on, a pattern.
mod form {
    pub(super) const TEXT: usize = 0;
    pub(super) const AGAIN: usize = 1;
    pub(super) const PATTERN: usize = 2;
}

/// What stands before and after the URI. A pattern's number is its place: append only.
const PATTERNS: [(&str, &str); 7] = [
    (
        r#"{"t":"dm","s":{"uri":""#,
        r#"","a":["didcomm/v2"],"r":[]}}"#,
    ),
    (r#"{"t":"dm","s":{"uri":""#, r#"","a":["didcomm/v2"]}}"#),
    (
        r#"{"t":"dm","s":{"uri":""#,
        r#"","r":[],"a":["didcomm/v2"]}}"#,
    ),
    (r#"{"t":"dm","s":""#, r#"","r":[],"a":["didcomm/v2"]}"#),
    (r#"{"t":"dm","s":""#, r#"","a":["didcomm/v2"]}"#),
    (r#"{"t":"dm","s":{"uri":""#, r#""}}"#),
    (r#"{"t":"dm","s":""#, r#""}"#),
];

/// Beginnings of URIs. The number is the place: append only. The last one matches anything.
const BEGINNINGS: [&str; 10] = [
    "https://",
    "wss://",
    "http://",
    "ws://",
    "mailto:",
    "didcomm:transport/queue",
    "didcomm-bluetooth:",
    "file:///",
    "did:",
    "",
];

/// Appends the JSON of a service.
pub(super) fn write(sink: &mut Sink<'_>, json: &[u8]) {
    if sink.last_service == json {
        return sink.number(form::AGAIN);
    }
    sink.last_service = json.to_vec();
    let pattern = PATTERNS
        .iter()
        .enumerate()
        .find_map(|(number, (before, after))| {
            let uri = json.strip_prefix(before.as_bytes())?;
            Some((number, uri.strip_suffix(after.as_bytes())?))
        });
    let Some((number, uri)) = pattern else {
        sink.number(form::TEXT);
        return sink.text(json);
    };
    sink.number(form::PATTERN + number);
    for (number, beginning) in BEGINNINGS.iter().enumerate() {
        if let Some(rest) = uri.strip_prefix(beginning.as_bytes()) {
            sink.number(number);
            return sink.text(rest);
        }
    }
}

/// Reads the JSON of a service.
pub(super) fn read(source: &mut Source<'_>) -> Result<Vec<u8>, DecodeError> {
    let json = match source.number("service")? {
        form::TEXT => source.text("did:peer:2 service")?.to_vec(),
        form::AGAIN => {
            source.control.note(|| "the same again".to_owned());
            source.budget.spend(source.last_service.len())?;
            return Ok(source.last_service.clone());
        }
        number => {
            let (before, after) = PATTERNS
                .get(number - form::PATTERN)
                .ok_or(DecodeError::Malformed("unknown pattern of a service"))?;
            let beginning = BEGINNINGS
                .get(source.number("beginning of the URI")?)
                .ok_or(DecodeError::Malformed("unknown beginning of a URI"))?;
            source.control.note(|| (*beginning).to_owned());
            let rest = source.text("rest of the URI")?;
            let mut json = Vec::with_capacity(rest.len() + 80);
            for piece in [
                before.as_bytes(),
                beginning.as_bytes(),
                rest,
                after.as_bytes(),
            ] {
                json.extend_from_slice(piece);
            }
            json
        }
    };
    source.budget.spend(json.len())?;
    source.last_service.clone_from(&json);
    Ok(json)
}
