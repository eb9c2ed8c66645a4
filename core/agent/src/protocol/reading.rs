//! Members of bodies as strangers write them: other names, other types, other alphabets.
//!
//! Who calls it: the protocols beside it. What can go wrong: nothing fails here; what cannot be
//! read is not there.

use serde_json::Value;

use crate::message::{Attachment, Message, posix_of};

/// A member of the body, under the first of these names that is there and not null.
pub(super) fn member<'a>(message: &'a Message, names: &[&str]) -> Option<&'a Value> {
    of(message.body.as_ref()?, names)
}

/// The same of any object.
pub(super) fn of<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let found = names.iter().filter_map(|name| value.get(*name));
    found.into_iter().find(|value| !value.is_null())
}

/// A text that says something.
pub(super) fn text<'a>(value: &'a Value, names: &[&str]) -> Option<&'a str> {
    let text = of(value, names)?.as_str()?.trim();
    (!text.is_empty()).then_some(text)
}

/// The texts of a list, or the one text where a list belongs.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str();
    let many = value.as_array().into_iter().flatten();
    one.into_iter().chain(many.filter_map(Value::as_str))
}

/// A whole number that is not negative: also as `1.0`, or as a text of digits.
pub(super) fn whole(value: &Value) -> Option<u64> {
    u64::try_from(signed(value)?).ok()
}

/// A whole number, likewise.
pub(super) fn signed(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        // 2^53: beyond it a float names no certain whole number.
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            let whole = float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked to be whole and within ±2^53"
            )]
            whole.then_some(float as i64)
        }),
        _ => None,
    }
}

/// Yes or no: also as text.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A time in milliseconds since 1970: seconds or milliseconds as a number (no time of this age
/// is mistaken: 10^11 seconds are the year 5138, as many milliseconds 1973), or RFC 3339.
pub(super) fn millis(value: &Value) -> Option<u64> {
    const SECONDS_END: u64 = 100_000_000_000;
    match value {
        Value::String(text) if text.contains('T') => posix_of(text)?.checked_mul(1000),
        other => match whole(other)? {
            seconds if seconds < SECONDS_END => Some(seconds * 1000),
            millis => Some(millis),
        },
    }
}

/// The packed message in an attachment: `base64` in any alphabet, padded or not, or `json`: the
/// message itself, or its text as a JSON string. `None` for links, which nobody follows here,
/// and for what cannot be read.
pub(super) fn packed(attachment: &Attachment) -> Option<Vec<u8>> {
    let bytes = match (&attachment.data.base64, &attachment.data.json) {
        (Some(text), _) => unbase64(text)?,
        (None, Some(Value::String(text))) => text.clone().into_bytes(),
        (None, Some(json @ Value::Object(_))) => json.to_string().into_bytes(),
        (None, _) => return None,
    };
    (!bytes.is_empty()).then_some(bytes)
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let standard: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=')
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    base64_simd::forgiving_decode_to_vec(&standard).ok()
}
