//! How large and how fast the codes are.

use core::fmt;
use core::str::FromStr;

use packmule_bus::fountain::OVERHEAD;
use qrcode::bits::Bits;
use qrcode::{EcLevel, Version};

use crate::dense;
use crate::text::PREFIX;

/// How much one code carries and how fast codes follow each other, from old webcams in bad light
/// to a bright 60 fps phone. The figures are from measurements against a rolling-shutter model
/// (codes per second) and 648 degraded pictures (version).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Profile {
    /// Up to version 15-L, 10 codes a second: 5 kB/s.
    Robust,
    /// Up to version 25-L, 15 codes a second: 18.7 kB/s.
    #[default]
    Normal,
    /// Up to version 30-L, 20 codes a second: 34 kB/s.
    Fast,
    /// Up to version 40-L, 30 codes a second: 87 kB/s.
    Max,
}

impl Profile {
    /// All of them, the most careful first.
    pub const ALL: [Self; 4] = [Self::Robust, Self::Normal, Self::Fast, Self::Max];

    /// The largest QR version (1 ..= 40) that a code of this profile has.
    #[must_use]
    pub const fn version(self) -> u8 {
        match self {
            Self::Robust => 15,
            Self::Normal => 25,
            Self::Fast => 30,
            Self::Max => 40,
        }
    }

    /// Codes a second when shown as a moving picture.
    #[must_use]
    pub const fn codes_per_second(self) -> u16 {
        match self {
            Self::Robust => 10,
            Self::Normal => 15,
            Self::Fast => 20,
            Self::Max => 30,
        }
    }

    /// The longest symbol that one code of this profile carries, in bytes.
    #[must_use]
    pub const fn symbol_bytes(self) -> usize {
        // Alphanumeric characters of the version at level L: ISO/IEC 18004 table 7.
        let characters = match self {
            Self::Robust => 758,
            Self::Normal => 1853,
            Self::Fast => 2520,
            Self::Max => 4296,
        };
        dense::bytes_in(characters - PREFIX.len()) - OVERHEAD
    }

    /// The longest symbol that a code of this version (1 ..= 40) carries at level L, in bytes; 0
    /// where a frame leaves no room for any.
    #[must_use]
    pub fn symbol_bytes_of(version: u8) -> usize {
        let encoded = characters_of(version).saturating_sub(PREFIX.len());
        dense::bytes_in(encoded).saturating_sub(OVERHEAD)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::Normal => "normal",
            Self::Fast => "fast",
            Self::Max => "max",
        }
    }
}

/// Alphanumeric characters that a code of this version (1 ..= 40) holds at level L.
pub(crate) fn characters_of(version: u8) -> usize {
    let bits = Bits::new(Version::Normal(i16::from(version.clamp(1, 40))));
    let bits = bits.max_len(EcLevel::L).unwrap_or_default();
    // Mode and count of characters come first; then eleven bits hold two characters, and six a
    // last single one.
    let bits = bits.saturating_sub(match version {
        0..=9 => 4 + 9,
        10..=26 => 4 + 11,
        _ => 4 + 13,
    });
    bits / 11 * 2 + bits % 11 / 6
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = ParseProfileError;

    fn from_str(name: &str) -> Result<Self, ParseProfileError> {
        let found = Self::ALL.into_iter().find(|p| p.name() == name);
        found.ok_or(ParseProfileError)
    }
}

/// The name is none of robust, normal, fast and max.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a profile is one of robust, normal, fast and max")]
pub struct ParseProfileError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_carries_nearly_what_byte_mode_could() {
        // Bytes that byte mode holds of versions 15, 25, 30 and 40 at level L: ISO/IEC 18004.
        for (profile, bytes) in Profile::ALL.into_iter().zip([520, 1273, 1732, 2953]) {
            let useful = profile.symbol_bytes() as f64 / f64::from(bytes);
            assert!((0.95..1.0).contains(&useful), "{profile}: {useful}");
            let by_version = Profile::symbol_bytes_of(profile.version());
            assert_eq!(by_version, profile.symbol_bytes(), "{profile}");
        }
    }
}
