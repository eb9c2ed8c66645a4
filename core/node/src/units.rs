//! Sizes and lengths of time that people write: `2GB`, `64 MiB`, `15m`, `7d`.
//!
//! What is it: the one reader of numbers with units. Who calls it: the command line's flags,
//! `node.toml`, the gateway's configuration. What can go wrong: nonsense, which is told in words.

/// Bytes, from a number with or without a unit: `kB MB GB` are powers of 1000, `KiB MiB GiB` of
/// 1024; `k m g` alone are the former.
///
/// # Errors
/// What is wrong with the text, and how it should be.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write 1500, 64kB, 500MB, 2GB or 64MiB");
    let factor = |unit: &str| match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1000),
        "m" | "mb" => Some(1_000_000),
        "g" | "gb" => Some(1_000_000_000),
        "t" | "tb" => Some(1_000_000_000_000),
        "ki" | "kib" => Some(1 << 10),
        "mi" | "mib" => Some(1 << 20),
        "gi" | "gib" => Some(1 << 30),
        "ti" | "tib" => Some(1 << 40),
        _ => None,
    };
    scaled(text, factor).ok_or_else(wrong)
}

/// A length of time: `90`, `90s`, `15m`, `12h`, `7d`, `2w`. In seconds.
///
/// # Errors
/// What is wrong with the text, and how it should be.
pub fn parse_span(text: &str) -> Result<u64, String> {
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

/// A whole number, times what its unit stands for; `None` for nonsense and for too much.
fn scaled(text: &str, factor: impl FnOnce(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..)?.trim();
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(factor(unit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_nonsense_is_not() {
        assert_eq!(parse_size("1500"), Ok(1500));
        assert_eq!(parse_size("64kB"), Ok(64_000));
        assert_eq!(parse_size("2 GB"), Ok(2_000_000_000));
        assert_eq!(parse_size("64 MiB"), Ok(64 << 20));
        assert!(parse_size("many").is_err());
        assert!(parse_size("-1").is_err());
        assert!(parse_size("1.5GB").is_err());
        assert!(parse_size("99999999999999TB").is_err());
    }

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
