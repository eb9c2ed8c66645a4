//! Times: Unix seconds in the store and in JSON, RFC 3339 in UTC for people.
//!
//! What it is: the clock's one reader, and the two conversions. Who calls it: verbs.
//! What can go wrong: a clock before 1970 reads as 0; a date past the year 9999 is printed
//! as its number of seconds.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use packmule_node::desk::date::rfc3339;

use super::sizes::scaled;

/// Now, in Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A length of time as people write it: `90`, `90s`, `15m`, `12h`, `7d`, `2w`. In seconds.
pub(crate) fn parse_span(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no length of time; write 90s, 15m, 12h, 7d or 2w");
    let factor = |unit: &str| match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(604_800),
        _ => None,
    };
    scaled(text, factor).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_nonsense_is_not() {
        assert_eq!(parse_span("90"), Ok(90));
        assert_eq!(parse_span("15m"), Ok(900));
        assert_eq!(parse_span("7d"), Ok(604_800));
        assert_eq!(parse_span(" 2 w "), Ok(1_209_600));
        assert!(parse_span("soon").is_err());
        assert!(parse_span("-1h").is_err());
        assert!(parse_span("99999999999999999999d").is_err());
    }
}
