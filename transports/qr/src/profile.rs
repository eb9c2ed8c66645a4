//! How large and how fast the codes are.

use core::fmt;
use core::str::FromStr;

use packmule_bus::fountain::OVERHEAD;

use crate::text::PREFIX;

/// How much one code carries and how fast codes follow each other, from old webcams in bad light
/// to a bright 60 fps phone. The figures are from measurements against a rolling-shutter model
/// (codes per second) and 648 degraded pictures (version).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Profile {
    /// Up to version 15-L, 10 codes a second: 4.9 kB/s.
    Robust,
    /// Up to version 25-L, 15 codes a second: 18 kB/s.
    #[default]
    Normal,
    /// Up to version 30-L, 20 codes a second: 33 kB/s.
    Fast,
    /// Up to version 40-L, 30 codes a second: 85 kB/s.
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
        let encoded = characters - PREFIX.len();
        // Base45: three characters for two bytes, two for one.
        let bytes = encoded / 3 * 2 + (encoded % 3) / 2;
        bytes - OVERHEAD
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
