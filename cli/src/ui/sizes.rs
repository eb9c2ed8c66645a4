//! Sizes that people write: `2GB`, `64 MiB`, `1500`.
//!
//! What it is: the one reader of sizes; [`super::output::size`] writes them. Who calls it: flags
//! and `node.toml`. What can go wrong: nonsense, which is told.

/// Bytes, from a number with or without a unit: `kB MB GB` are powers of 1000, `KiB MiB GiB` of
/// 1024; `k m g` alone are the former.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
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

/// A whole number, times what its unit stands for; `None` for nonsense and for too much.
pub(super) fn scaled(text: &str, factor: impl FnOnce(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.get(digits.len()..)?.trim();
    let number: u64 = digits.parse().ok()?;
    number.checked_mul(factor(unit)?)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

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
}
