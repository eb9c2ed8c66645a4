//! One QR code as a grid of modules, before it becomes pixels.

use qrcode::bits::Bits;
use qrcode::canvas::Canvas;
use qrcode::ec::construct_codewords;
use qrcode::{Color, EcLevel, Version};

use crate::mask;

/// Light modules that the standard wants around a code (ISO/IEC 18004 §9.1).
pub const QUIET_ZONE: usize = 4;

/// A QR code: a square of dark and light modules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    width: usize,
    dark: Vec<bool>,
    version: u8,
}

impl Picture {
    /// The smallest code, up to version `largest`, that says `text` in one alphanumeric segment
    /// at level L.
    pub(crate) fn alphanumeric(text: &str, largest: u8) -> Result<Self, DrawError> {
        Self::smallest(largest, EcLevel::L, |bits| {
            bits.push_alphanumeric_data(text.as_bytes())
        })
    }

    /// The smallest code, up to version `largest`, that says `text` in one byte segment, at
    /// level M, or at L where only that fits.
    pub(crate) fn bytes(text: &[u8], largest: u8) -> Result<Self, DrawError> {
        let draw = |level| Self::smallest(largest, level, |bits| bits.push_byte_data(text));
        draw(EcLevel::M).or_else(|_| draw(EcLevel::L))
    }

    fn smallest(
        largest: u8,
        level: EcLevel,
        fill: impl Fn(&mut Bits) -> qrcode::QrResult<()>,
    ) -> Result<Self, DrawError> {
        let fits = |version: u8| {
            let mut bits = Bits::new(Version::Normal(i16::from(version)));
            fill(&mut bits).ok()?;
            bits.push_terminator(level).ok()?;
            Some((version, bits))
        };
        let (version, bits) = (1..=largest).find_map(fits).ok_or(DrawError { largest })?;
        let normal = Version::Normal(i16::from(version));
        let (data, correction) = construct_codewords(&bits.into_bytes(), normal, level)
            .map_err(|_| DrawError { largest })?;
        let mut canvas = Canvas::new(normal, level);
        canvas.draw_all_functional_patterns();
        canvas.draw_data(&data, &correction);
        let width = 17 + 4 * usize::from(version);
        canvas.apply_mask(mask::best(&canvas, width));
        let colors = canvas.into_colors().into_iter();
        Ok(Self {
            width,
            dark: colors.map(|color| color == Color::Dark).collect(),
            version,
        })
    }

    /// Modules along one side, without the quiet zone.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The QR version, 1 ..= 40: `width` is 17 + 4 × version.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Whether the module at column `x` and row `y`, counted with the quiet zone, is dark.
    #[must_use]
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |n: usize| n.checked_sub(QUIET_ZONE).filter(|n| *n < self.width);
        match (inside(x), inside(y)) {
            (Some(x), Some(y)) => self.dark.get(y * self.width + x).copied().unwrap_or(false),
            _ => false,
        }
    }

    /// Modules along one side with the quiet zone.
    #[must_use]
    pub fn full_width(&self) -> usize {
        self.width + 2 * QUIET_ZONE
    }
}

/// The text does not fit any allowed code, or has characters the mode does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the text does not fit a QR code of version {largest}")]
pub struct DrawError {
    /// The largest version that was allowed.
    pub largest: u8,
}
